"""`l2tpctl fleet doctor`: both ends of each pseudowire, all at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from l2tpv3.documents.schemas import DOCTOR_SCHEMA, json_schema
from tests.fleet.many_hosts import ManyHosts
from tests.hosts import Hosts

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]


def _examined(fleet: ManyHosts, code: int, *words: str) -> dict[str, Any]:
    done = fleet.run("doctor", "--json", *words)
    assert done.returncode == code, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(document, json_schema(DOCTOR_SCHEMA))
    return document


def test_what_is_wrong_at_one_end_of_one_wire_is_named(hosts: Hosts, tmp_path: Path) -> None:
    fleet = ManyHosts(hosts, tmp_path, 3)
    fleet.write('[wire.x]\nends = ["h1", "h2"]\n', '[wire.y]\nends = ["h2", "h3"]\n')
    assert "not-made" in {one["cause"] for one in _examined(fleet, 11)["findings"]}
    fleet.ok("apply")
    healthy = _examined(fleet, 0)
    assert healthy["verdict"].startswith("2 pseudowires: nothing is wrong") and healthy["packets"] > 0
    h1, h2, h3 = fleet.all
    h2.ctl("session", "set", "x", "wire", "--sublayer", "none")
    first = _examined(fleet, 11)["findings"][0]
    assert first["subject"].startswith("wire x, at h1: session x/wire") and first["cause"] == "sublayer"
    assert "has the L2-specific sublayer here alone" in first["says"]
    h2.ctl("session", "set", "x", "wire", "--sublayer", "default")
    wrong = ["lladdr", "02:00:00:00:00:99", "dev", "u0"]
    h3.ip("neigh", "replace", h2.v4, *wrong, "nud", "permanent")
    first = _examined(fleet, 11)["findings"][0]
    assert first["cause"] == "dropped-on-the-way" and first["subject"].startswith("wire y, at h2: tunnel y")
    h3.ip("neigh", "del", h2.v4, *wrong)
    fleet.shut_out(h1)
    document = _examined(fleet, 5)
    assert any(line.startswith("host h1: ") for line in document["unseen"])
    assert "2 pseudowires: nothing is wrong in what could be looked at" in fleet.run("doctor").stdout
