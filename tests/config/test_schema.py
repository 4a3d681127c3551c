"""The JSON schema, the parser and the documentation have the same format in mind."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from l2tpv3.config import DATAPATHS, ConfigError, load, schema_path
from l2tpv3.model.ids import ID_MAX, IFNAME_MAX
from l2tpv3.model.links.options import TYPES, LinkType, options_type, own_fields
from l2tpv3.model.links.spec import COMMON
from l2tpv3.model.spec import Encap, Sequencing, SessionSpec, Sublayer, TunnelSpec
from l2tpv3.model.values import formatted

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


def test_each_word_is_in_both() -> None:
    assert {*TUNNEL, "name"} == {*TUNNEL_WORDS, "session"}
    assert {*SESSION, "name"} == set(SESSION_WORDS)


def test_defaults_choices_and_bounds_are_the_same() -> None:
    for properties, words in ((TUNNEL, TUNNEL_WORDS), (SESSION, SESSION_WORDS)):
        for word, schema in properties.items():
            assert schema["description"]
            if "default" in schema:
                assert schema["default"] == words[word], word
    assert TUNNEL["encap"]["enum"] == list(Encap)
    assert TUNNEL["datapath"]["enum"] == list(DATAPATHS)
    assert SESSION["sublayer"]["enum"] == list(Sublayer)
    assert SESSION["sequencing"]["enum"] == list(Sequencing)
    for properties in (TUNNEL, SESSION):
        for word in ("id", "peer-id"):
            assert properties[word]["anyOf"][0]["maximum"] == ID_MAX
    assert SESSION["ifname"]["maxLength"] == IFNAME_MAX


@pytest.mark.parametrize("kind", LinkType)
def test_each_word_of_a_link_is_in_both_with_its_default(kind: LinkType) -> None:
    options = options_type(kind)
    properties = LINK[kind]["properties"]
    common = {*COMMON} - ({"ifname", "netns", "mac", "mtu", "address"} if not options.own_netdev else set())
    assert set(properties) == {"type", *common, *own_fields(kind)}
    assert ("over" in LINK[kind].get("required", ())) == bool(options.least_over)
    defaults: dict[str, Any] = {one.name: one.default for one in dataclasses.fields(options)}
    for word, schema in properties.items():
        if word in own_fields(kind):
            known = own_fields(kind)[word]
            default = formatted(known, defaults[known.attribute], TYPES)
            assert schema.get("default", default) == default, word
            choices = schema.get("enum")
            if choices is not None and not isinstance(default, bool):
                assert choices == [str(one) for one in type(defaults[known.attribute])], word
        assert word == "type" or schema["description"]


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
