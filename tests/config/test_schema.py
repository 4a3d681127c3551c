"""The JSON schema, the parser and the documentation have the same format in mind."""

from __future__ import annotations

import json
import re
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from l2tpv3.config import ConfigError, load, schema_path
from l2tpv3.config.schema import schema_text
from l2tpv3.model.links.options import LinkType, own_fields
from l2tpv3.model.links.spec import COMMON
from l2tpv3.model.spec import SessionSpec, TunnelSpec

SCHEMA: dict[str, Any] = json.loads(schema_path().read_text())
TUNNEL: dict[str, Any] = SCHEMA["definitions"]["tunnel"]["properties"]
SESSION: dict[str, Any] = SCHEMA["definitions"]["session"]["properties"]
LINK: dict[str, dict[str, Any]] = {
    one["if"]["properties"]["type"]["const"]: one["then"] for one in SCHEMA["definitions"]["link"]["allOf"]
}
DOCUMENTATION = (Path(__file__).parents[2] / "docs" / "files.md").read_text()
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", DOCUMENTATION, re.MULTILINE | re.DOTALL)

TUNNEL_WORDS = TunnelSpec(name="a", remote=ip_address("192.0.2.1")).to_words()
SESSION_WORDS = SessionSpec(name="a", ifname="a").to_words()
COOKIE_FILES = {"siteb-lan.tx": "0123456789abcdef\n", "siteb-lan.rx": "fedcba9876543210\n"}


def validates(text: str) -> bool:
    return bool(jsonschema.Draft7Validator(SCHEMA).is_valid(tomllib.loads(text)))


def loads(folder: Path, text: str) -> bool:
    path = folder / "a.toml"
    path.write_text(text)
    try:
        load([path])
    except ConfigError:
        return False
    return True


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_it_is_the_one_of_the_table_of_fields() -> None:
    assert schema_path().read_text() == schema_text(), "run `python -m l2tpv3.config.schema`"


def test_the_documentation_has_each_key() -> None:
    before, links = DOCUMENTATION.split("### `[link.NAME]`")
    assert re.findall(r"^\| `([a-z-]+)` \|", links.split("####")[0], re.MULTILINE) == ["type", *COMMON]
    for kind in LinkType:
        (part,) = re.findall(rf"^#### `{kind}`\n(.*?)(?=^#|\Z)", links, re.MULTILINE | re.DOTALL)
        assert re.findall(r"^\| `([a-z-]+)` \|", part, re.MULTILINE) == list(own_fields(kind))
    tunnel, session = before.split("### `[tunnel.NAME.session.NAME]`")
    assert re.findall(r"^\| `([a-z-]+)` \|", tunnel, re.MULTILINE) == [word for word in TUNNEL_WORDS if word != "name"]
    keys = re.findall(r"^\| `([a-z-]+)` \|", session, re.MULTILINE)
    assert sorted(keys) == sorted(set(SESSION_WORDS) - {"name"})


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_documentation_s_examples_are_good(tmp_path: Path, text: str) -> None:
    for name, cookie in COOKIE_FILES.items():
        (tmp_path / name).write_text(cookie)
    text = text.replace("@/etc/l2tpv3/", f"@{tmp_path}/")
    assert validates(text)
    assert loads(tmp_path, text)


def test_the_documentation_has_examples() -> None:
    assert len(EXAMPLES) == 4


HEAD = '[tunnel.a]\nremote = "192.0.2.2"\n'
GOOD = [
    'session.b = { vlan = 5, egress = "rewrite" }',
    "session.b.vlan = 4094",
    'id = "0x10"\nudp-checksum = true\n',
    "session.b = {}",
    'session.b.mtu = "1400"',
    'session.b.address = "10.0.0.1/24"',
    'session.b.tx-cookie = "0x01:23:45:67"',
    'session.b.tx-cookie = "0123456789ABCDEF"',
    'session.b = { sublayer = "none", sequencing = "none" }',
    'session.b = { bridge = "br0", address = [] }',
]
BAD = [
    "local_port = 1",
    "id = 0",
    "id = 4294967296",
    "id = 1.5",
    'encap = "tcp"',
    'udp-checksum = "yes"',
    "remote-port = 65536",
    "session = 1",
    'session."a b" = {}',
    'session.b.name = "b"',
    'session.b.tx-cookie = "012345678"',
    "session.b.tx-cookie = 12345678",
    'session.b.rx-cookie = ""',
    "session.b.mtu = 67",
    "session.b.vlan = 0",
    "session.b.vlan = 4095",
    'session.b.vlan = "none"',
    'session.b.egress = "rewrite"',
    'session.b = { vlan = 5, egress = "keep" }',
    'session.b.ifname = "much-too-long-a-name"',
    'session.b.mac = "02:00:5e:00:53"',
    'session.b.up = "on"',
    "session.b.address = [1]",
    'session.b = { sublayer = "none", sequencing = "send" }',
    'session.b = { bridge = "br0", address = "10.0.0.1/24" }',
    "session.b.reorder-timeout-ms = -1",
]


GOOD_LINKS = [
    'br0 = { type = "bridge", over = ["eth1", "site/lan"], vlan-filtering = true, vlan = "eth1=10u+20-29" }',
    'b = { type = "bond", over = "eth1,eth2", mode = "802.3ad", lacp-rate = "slow", mtu = "auto" }',
    'a = { type = "alias" }',
    'm = { type = "macvlan", over = "eth0", mode = "source", source-mac = ["02:00:5e:00:53:01"], netns = "x" }',
    'i = { type = "ipvlan", over = "eth0", mode = "l3", address = ["192.0.2.1/32"] }',
    'v = { type = "vlan", over = "eth0", id = "5", up = "off" }',
    'n = { type = "vnic", over = "eth0", mac = "02:00:5e:00:53:01" }',
    'p = { type = "port", over = ["eth1", "site/lan"] }',
]
BAD_LINKS = [
    "a = {}",
    'a = { type = "tap" }',
    "a = 1",
    'a = { type = "bridge", over = [1] }',
    'a = { type = "bridge", stp = "maybe" }',
    'a = { type = "bridge", priority = 65536 }',
    'a = { type = "bridge", mode = "802.3ad" }',
    'v = { type = "vlan", over = "eth0" }',
    'v = { type = "vlan", over = "eth0", id = 4095 }',
    'm = { type = "macvlan" }',
    'p = { type = "port", over = ["a", "b"], mtu = 1400 }',
    'a = { type = "alias", ifname = "much-too-long-a-name" }',
    '"a b" = { type = "alias" }',
]


@pytest.mark.parametrize("text", GOOD_LINKS)
def test_both_take_good_links(tmp_path: Path, text: str) -> None:
    assert validates(f"link.{text}")
    assert loads(tmp_path, f"link.{text}")


@pytest.mark.parametrize("text", BAD_LINKS)
def test_both_refuse_bad_links(tmp_path: Path, text: str) -> None:
    assert not validates(f"link.{text}")
    assert not loads(tmp_path, f"link.{text}")


@pytest.mark.parametrize("text", ["", HEAD, *(HEAD + text for text in GOOD)])
def test_both_take_what_is_good(tmp_path: Path, text: str) -> None:
    assert validates(text)
    assert loads(tmp_path, text)


@pytest.mark.parametrize("text", ["tunnels = {}", "[tunnel.a]", *(HEAD + text for text in BAD)])
def test_both_refuse_what_is_not(tmp_path: Path, text: str) -> None:
    assert not validates(text)
    assert not loads(tmp_path, text)
