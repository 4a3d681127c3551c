"""/v1/tunnels."""

from __future__ import annotations

from fastapi.testclient import TestClient


def test_a_tunnel_comes_and_goes(client: TestClient) -> None:
    assert client.get("/v1/tunnels").json()["tunnels"] == []
    assert client.put("/v1/tunnels/a", json={"remote": "127.0.0.2"}).json()["condition"] == "up"
    assert client.get("/v1/tunnels/a").json()["remote"] == "127.0.0.2"
    assert client.delete("/v1/tunnels/a").status_code == 204
    gone = client.get("/v1/tunnels/a")
    assert (gone.status_code, gone.json()["slug"]) == (404, "not-found")
