"""Tunnels as NetBox's API gives them become a fleet's file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.config import ConfigError, Problem
from l2tpv3.fleet.netbox import fleet_from_netbox
from l2tpv3.fleet.pairs import all_pairs
from l2tpv3.fleet.reader import read_fleet


def tunnel(number: int, name: str, encapsulation: str = "l2tp") -> dict[str, Any]:
    return {"id": number, "name": name, "encapsulation": {"value": encapsulation, "label": encapsulation.upper()}}


def end(of: int, host: str, address: str, role: str = "peer", parent: str = "device") -> dict[str, Any]:
    return {
        "id": of * 100, "tunnel": {"id": of, "name": "x"}, "role": {"value": role, "label": role.title()},
        "termination_type": "dcim.interface", "termination_id": 7,
        "termination": {"id": 7, "name": "eth0", parent: {"id": 3, "name": host}},
        "outside_ip": {"id": 9, "address": address, "family": {"value": 4}},
    }  # fmt: skip


def files(folder: Path, tunnels: list[Any], ends: list[Any]) -> list[Path]:
    made = [folder / "tunnels.json", folder / "ends.json"]
    for file, results in zip(made, (tunnels, ends), strict=True):
        file.write_text(json.dumps({"count": len(results), "next": None, "results": results}))
    return made


def test_wires_meshes_and_hubs(tmp_path: Path) -> None:
    tunnels = [
        tunnel(1, "Line A / 7"),
        tunnel(2, "full"),
        tunnel(3, "star"),
        tunnel(4, "gre", "gre"),
        tunnel(5, "lone"),
    ]
    ends = [
        end(1, "ams-rtr.1", "192.0.2.1/24"), end(1, "ber", "192.0.2.2/24", parent="virtual_machine"),
        *(end(2, host, f"192.0.2.{n}/24") for n, host in enumerate(("ams-rtr.1", "ber", "cph"), 1)),
        *(end(3, host, f"192.0.2.{n}/24", role)
          for n, host, role in ((1, "ams-rtr.1", "spoke"), (2, "ber", "hub"), (3, "cph", "spoke"))),
        end(5, "cph", "2001:db8::3/64"),
    ]  # fmt: skip
    left_out: list[Problem] = []
    file = tmp_path / "fleet.toml"
    file.write_text(fleet_from_netbox(files(tmp_path, tunnels, ends), left_out.append))
    fleet = read_fleet(file)
    assert [str(one) for one in fleet.hosts["cph"].addresses] == ["192.0.2.3", "2001:db8::3"]
    assert fleet.hosts["ams-rtr-1"].reach == "ssh://ams-rtr-1"
    assert [pair.key for pair in all_pairs(fleet)] == [
        "full/ams-rtr-1/ber", "full/ams-rtr-1/cph", "full/ber/cph", "star/ams-rtr-1/ber", "star/ber/cph", "Line-A-7",
    ]  # fmt: skip
    assert ["its encapsulation is gre" in str(left_out[0]), "it has 1 ends" in str(left_out[1])] == [True, True]


@pytest.mark.parametrize(
    ("tunnels", "ends", "says"),
    [
        ([], [], "there is no tunnel of encapsulation L2TP"),
        ([{"id": 1}], [], "not what NetBox answers"),
        ([tunnel(1, "a")], [{**end(1, "ams", "192.0.2.1/24"), "outside_ip": None}], "an end of it can't be read"),
        (
            [tunnel(1, "a")],
            [end(1, "ams", "192.0.2.1/24"), end(1, "ams", "192.0.2.9/24")],
            "the outside IPs 192.0.2.1 and 192.0.2.9",
        ),
    ],
)
def test_what_is_wrong(tmp_path: Path, tunnels: list[Any], ends: list[Any], says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        fleet_from_netbox(files(tmp_path, tunnels, ends), lambda problem: None)
    assert says in str(raised.value)


def test_junk_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    for text in ("", "5", "[5]", '{"results": 3}', "[" * 100_000, '[{"termination_type": 1, "tunnel": 3}]'):
        file.write_text(text)
        with pytest.raises(ConfigError, match="not what NetBox answers"):
            fleet_from_netbox([file], lambda problem: None)
