"""A fleet's file: what it states, and what is wrong with one, with file and line."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from l2tpv3.config import ConfigError
from l2tpv3.fleet.pairs import all_pairs
from l2tpv3.fleet.reader import read_fleet
from l2tpv3.fleet.schema import schema_path, schema_text

HOSTS = """\
[host.ams]
reach = "ssh://root@ams"
address = "192.0.2.1"
labels = ["core"]

[host.ber]
reach = "ssh://ber"
address = ["192.0.2.2", "2001:db8::2"]
labels = ["core"]

[host.cph]
reach = "here"
address = "192.0.2.3"

"""
GOOD = {
    "a full mesh": '[mesh.lan]\nbridge = "br-lan"\naddress = "10.0.0.0/24"\nports = { ams = "eth1" }\nmtu = 1400\n',
    "a hub": '[mesh.lan]\nshape = "hub"\nhub = "ber"\nbridge = "br-lan"\nsplit-horizon = false\n',
    "hosts of a label": '[mesh.lan]\nlabel = "core"\nencrypt = "wireguard"\n',
    "a wire": '[wire.x]\nends = ["cph", "ams"]\naddress = { ams = "10.9.0.1/30", cph = ["10.9.0.2/30"] }\n',
    "defaults": '[defaults]\nencap = "ip"\ndatapath = "user"\nmtu = "auto"\n[mesh.lan]\n',
}
SCHEMA = jsonschema.Draft7Validator(json.loads(schema_path().read_text()))


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with a file, without its path."""
    file = folder / "fleet.toml"
    file.write_text(text)
    try:
        read_fleet(file)
    except ConfigError as error:
        return [str(one).removeprefix(f"{file}:") for one in error.problems]
    return []


@pytest.mark.parametrize("case", GOOD)
def test_good_files(tmp_path: Path, case: str) -> None:
    assert problems(tmp_path, HOSTS + GOOD[case]) == []
    SCHEMA.validate(tomllib.loads(HOSTS + GOOD[case]))


def test_the_schema_is_made_of_the_tables() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA.schema)
    assert schema_path().read_text() == schema_text(), "run `python -m l2tpv3.fleet.schema`"


def test_pairs(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(HOSTS + GOOD["a full mesh"] + GOOD["a wire"])
    full = {pair.key: pair for pair in all_pairs(read_fleet(file))}
    assert list(full) == ["lan/ams/ber", "lan/ams/cph", "lan/ber/cph", "x"]
    assert full["lan/ams/ber"].tunnels == ("lan.ber", "lan.ams")
    assert [str(one) for one in full["lan/ber/cph"].underlay] == ["192.0.2.2", "192.0.2.3"]
    assert [str(one[0]) for one in full["x"].addresses] == ["10.9.0.1/30", "10.9.0.2/30"], "in the order of the hosts"
    file.write_text(HOSTS + GOOD["a hub"])
    assert [pair.key for pair in all_pairs(read_fleet(file))] == ["lan/ams/ber", "lan/ber/cph"]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('[hosts.x]\nreach = "here"\n', 15, "did you mean host"),
        ('[host.x]\nreach = "telnet://x"\naddress = "192.0.2.9"\n', 16, "ssh://[USER@]HOST[:PORT], here, or nats"),
        ('[host.x]\nreach = "ssh://-oProxyCommand=x"\naddress = "192.0.2.9"\n', 16, "can't be a host"),
        ('[host.x]\nreach = "ssh://x"\n', 15, "address is missing"),
        ('[host.x]\naddress = "192.0.2.9"\n', 15, "reach is missing"),
        ('[host.x]\nreach = "ssh://x"\naddress = "192.0.2.1"\n', 17, "192.0.2.1 is that of host ams too (line 1)"),
        ('[host.x]\nreach = "ssh://ber"\naddress = "192.0.2.9"\n', 16, "host ber is reached so too"),
        ('[host."a.b"]\nreach = "ssh://x"\naddress = "192.0.2.9"\n', 15, "can't be the name of a host"),
        ('[host.x]\nreach = "ssh://x"\naddress = "site.example"\n', 17, "is not an IP address"),
        ('[host.x]\nreach = "ssh://x"\naddress = ["192.0.2.8", "192.0.2.9"]\n', 17, "one IPv4 address"),
        ('[host.x]\nreach = "ssh://x"\naddress = "2001:db8::9"\n[wire.w]\nends = ["x", "ams"]', 18, "no address fam"),
        ('[mesh.lan]\nhosts = ["ams", "nope"]\n', 16, "there is no host 'nope'; hosts are ams, ber, cph"),
        ('[mesh.lan]\nlabel = "edge"\n', 16, "a mesh of 0 hosts"),
        ('[mesh.lan]\nshape = "ring"\n', 16, "give one of full, hub"),
        ('[mesh.lan]\nshape = "hub"\n', 15, "a hub is named exactly where"),
        ('[mesh.lan]\nbridge = "b"\nsplit-horizon = false\n', 17, "is a loop"),
        ('[mesh.lan]\naddress = "10.0.0.0/24"\n', 16, "needs a bridge"),
        ('[mesh.lan]\nbridge = "b"\naddress = "10.0.0.0/30"\n', 17, "too few addresses for 3 hosts"),
        ('[mesh.lan]\nbridge = "b"\naddress = "10.0.0.1/24"\n', 17, "has host bits set"),
        ('[mesh.lan]\nbridge = "b"\n[mesh.two]\nbridge = "b"\n', 18, "host ams has b in mesh lan already"),
        ('[mesh.lan]\nbridge = "b"\nports = { nope = "eth1" }\n', 17, "is not among the hosts here"),
        ('[mesh.lan]\nmtu = 99999\n', 16, "out of range"),
        ('[mesh.lan]\nmtu = { x = 1 }\n', 16, "not a value"),
        ('[mesh.lan]\nencrypt = "rot13"\n', 16, "give one of none, wireguard, ipsec"),
        ('[mesh.lan]\ndatapath = "kernal"\n', 16, "give one of auto, kernel, user, ebpf"),
        ('[mesh.lan]\nsublayer = "none"\nsequencing = "both"\n', 17, "sublayer"),
        ('[wire.x]\nends = ["ams"]\n', 16, "name two hosts"),
        ('[wire.x]\nends = ["ams", "ams"]\n', 16, "names one twice"),
        ('[wire.x]\nends = ["ams", "ber"]\naddress = { ams = "10.9.0.1/30", ber = "10.9.0.1/30" }', 17, "at both ends"),
        ('[wire.x]\nends = 5\n', 16, "not a list of texts"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    found = problems(tmp_path, HOSTS + text)
    assert len(found) == 1, found
    assert found[0].startswith(f"{line}: ") and says in found[0], found


def test_an_empty_file_is_not_the_wish_to_have_nothing(tmp_path: Path) -> None:
    assert problems(tmp_path, "") == ["1: host: there are no hosts; write [host.NAME]; hosts without meshes and wires"
                                      " have nothing of the fleet"]  # fmt: skip


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, '[host.a]\n[mesh.m]\nshape = 1\n[wire.w]\nends = ["a", "b"]\n')
    assert [one.partition(":")[0] for one in found] == ["1", "1", "2", "3", "5"]
