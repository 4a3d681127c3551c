"""GET /v1/doctor: the findings of `l2tpctl doctor`, for readers, and nothing is sent or changed."""

from __future__ import annotations

import jsonschema
from fastapi.testclient import TestClient

from l2tpv3.documents.schemas import DOCTOR_SCHEMA, json_schema


def test_what_is_wrong_is_told(client: TestClient) -> None:
    client.put("/v1/tunnels/a", json={"remote": "127.0.0.2"})
    client.put("/v1/tunnels/a/sessions/s", json={})
    healthy = client.get("/v1/doctor").json()
    jsonschema.validate(healthy, json_schema(DOCTOR_SCHEMA))
    assert (healthy["worst"], healthy["findings"], healthy["about"]) == ("none", [], ["a"])
    client.post("/v1/down")
    for path in ("/v1/doctor", "/v1/doctor?tunnel=a"):
        found = client.get(path).json()
        assert found["worst"] == "stops" and found["findings"][0]["cause"] == "not-running", path
        assert found["findings"][0]["remedy"] == "`l2tpctl restore a` brings it back"


def test_what_can_not_be_asked(client: TestClient) -> None:
    client.put("/v1/tunnels/a", json={"remote": "127.0.0.2"})
    for query, status in (("tunnel=b", 404), ("listen_s=99", 422)):
        assert client.get(f"/v1/doctor?{query}").status_code == status, query
