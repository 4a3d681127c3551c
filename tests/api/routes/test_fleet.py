"""GET /v1/fleet: what `l2tpctl fleet status` says of a real fleet's file, looked at in the background."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from l2tpv3 import Manager
from l2tpv3.documents.schemas import FLEET_SCHEMA, json_schema
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from l2tpv3_api.auth.identity import READING, Identity
from l2tpv3_api.schemas import examples
from l2tpv3_api.service.fleet_looks import FleetLooks
from tests.waiting import eventually

FILE = """
[host.sitea]
reach = "here"
address = "192.0.2.1"

[host.siteb]
reach = "ssh://127.0.0.1:1"
address = "192.0.2.2"

[wire.ab]
ends = ["sitea", "siteb"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the fleet is stated."""
    return tmp_path / "fleet.toml"


@pytest.fixture
def reader(manager: Manager, file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Someone who may read, of a service that is told of that file."""
    monkeypatch.setenv("L2TPV3_STATE_DIR", str(manager.paths.state))
    monkeypatch.setenv("L2TPV3_RUNTIME_DIR", str(manager.paths.runtime))
    guard = AllowAll(Identity("someone", READING))
    with TestClient(create_app(Service(manager, fleet=FleetLooks(file)), guard=guard)) as one:
        yield one


def _looked(reader: TestClient) -> dict[str, Any]:
    """What the first look says."""
    first = reader.get("/v1/fleet").json()
    assert (first["status"], first["problem"], first["looked_at"]) == (None, None, None)
    eventually(lambda: reader.get("/v1/fleet").json() != first)
    found: dict[str, Any] = reader.get("/v1/fleet").json()
    return found


def test_the_example_is_of_its_schema() -> None:
    jsonschema.validate(examples.FLEET["status"], json_schema(FLEET_SCHEMA))


def test_without_a_fleet_there_is_none(client: TestClient) -> None:
    assert client.get("/v1/fleet").json()["remedy"] == "`l2tpctl serve --fleet FILE` tells it of one"
    assert client.get("/v1/capabilities").json()["fleet"] is False


def test_a_look_in_the_background(reader: TestClient, file: Path) -> None:
    file.write_text(FILE)
    found = _looked(reader)
    assert found["problem"] is None
    jsonschema.validate(found["status"], json_schema(FLEET_SCHEMA))
    here, there = found["status"]["hosts"]
    assert here["state"].startswith("new: ") and there["state"].startswith("not known: "), found
    (wire,) = found["status"]["wires"]
    assert [end["condition"] for end in wire["ends"]] == ["not made", "unknown"] and not wire["good"]
    tag = reader.get("/v1/fleet").headers["etag"]
    assert reader.get("/v1/fleet", headers={"If-None-Match": tag}).status_code == 304
    assert reader.get("/v1/capabilities").json()["fleet"] is True


def test_a_file_that_can_not_be_read_is_told(reader: TestClient, file: Path) -> None:
    found = _looked(reader)
    assert str(file) in found["problem"] and found["status"] is None, found
