"""GET /v1/tunnels/{tunnel}/mtu: what `l2tpctl mtu` says, for readers; a probe sends packets, and takes more."""

from __future__ import annotations

import jsonschema
import pytest
from fastapi.testclient import TestClient

from l2tpv3 import Manager
from l2tpv3.documents.schemas import MTU_SCHEMA, json_schema
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from l2tpv3_api.auth.identity import READING, Identity


def test_what_fits_is_told(client: TestClient) -> None:
    client.put("/v1/tunnels/a", json={"remote": "127.0.0.2"})
    client.put("/v1/tunnels/a/sessions/s", json={})
    found = client.get("/v1/tunnels/a/mtu").json()
    jsonschema.validate(found, json_schema(MTU_SCHEMA))
    assert (found["tunnel"], found["probed"], found["path_bytes"]) == ("a", False, None)
    assert found["sessions"][0]["fits_bytes"] == found["route_bytes"] - found["sessions"][0]["overhead_bytes"]
    for path, status in (("b/mtu", 404), ("a/mtu?timeout_s=9", 422), ("a/mtu?probe=perhaps", 422)):
        assert client.get(f"/v1/tunnels/{path}").status_code == status, path


@pytest.mark.root
def test_a_probe_takes_the_scope_write(manager: Manager, client: TestClient) -> None:
    client.put("/v1/tunnels/a", json={"remote": "127.0.0.2"})
    probed = client.get("/v1/tunnels/a/mtu", params={"probe": True}).json()
    assert probed["probed"] and probed["path_bytes"] == probed["route_bytes"]
    with TestClient(create_app(Service(manager), guard=AllowAll(Identity("bob", READING)))) as reader:
        assert reader.get("/v1/tunnels/a/mtu").status_code == 200
        refused = reader.get("/v1/tunnels/a/mtu", params={"probe": True})
        assert refused.status_code == 403 and "needs the scope write" in refused.json()["detail"]
