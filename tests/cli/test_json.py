"""--json: every document is what its shipped schema says, with no field that the schema does not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from l2tpv3.documents.schemas import LINKS_SCHEMA, STATUS_SCHEMA, json_schema
from tests.cli.command_line import CommandLine
from tests.hosts import Hosts


def validate(document: dict[str, Any]) -> None:
    """Strictly: programs may rely on every field that is printed, so each is in the schema."""
    schema = json_schema(document["schema"])
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, _strict(schema))


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items()}
    return strict | ({"additionalProperties": False} if "properties" in schema and "type" in schema else {})


@pytest.mark.parametrize(
    "line",
    ["--json", "tunnel show --json", "tunnel show siteb --json", "tunnel show siteb --json --show-secrets",
     "session show --json", "session show siteb lan --json --show-secrets", "session stats --json",
     "session stats siteb lan --json", "tunnel set siteb --json", "session set siteb lan --mtu 1300 --json",
     "link show --json", "link show br0 --json", "link stats --json", "link set br0 --mtu 1400 --json",
     "link add w --type port --over eth0,eth2 --json", "link add x --type bond --json",
     "session add siteb lan3 --json", "tunnel add third --remote 127.0.0.3 --encap ip --json"],
)  # fmt: skip
def test_documents_match_their_schema(siteb: CommandLine, line: str) -> None:
    siteb.ok("tunnel add second --remote 127.0.0.2 --encap ip")
    siteb.ok("session add second lan --sublayer none --tx-cookie none --address 10.0.0.1/24")
    siteb.ok("link add br0 --type bridge --over eth1,siteb/lan --vlan-filtering on --vlan eth1=10u+20")
    siteb.ok("link add v5 --type vlan --over br0 --id 5")
    document = siteb.ok(line).json
    validate(document)
    if document["schema"] == STATUS_SCHEMA and "links" in document:
        validate({"schema": LINKS_SCHEMA, "links": document["links"]})


def test_plans_match_too(siteb: CommandLine, tmp_path: Path) -> None:
    siteb.ok("link add br0 --type bridge --over siteb/lan")
    (tmp_path / "site.toml").write_text('[tunnel.sitec]\nremote = "127.0.0.3"\nlocal-port = 5000\n')
    document = siteb.ok(f"plan -f {tmp_path / 'site.toml'} --prune --json").json
    validate(document)
    assert {(step["sign"], step["link"] or step["tunnel"]) for step in document["steps"]} == {
        ("-", "br0"), ("-", "siteb"), ("+", "sitec"),
    }  # fmt: skip


def test_empty_documents_match_too(ctl: CommandLine) -> None:
    for line in (
        "--json",
        "tunnel show --json",
        "session show --json",
        "session stats --json",
        "link show --json",
        "link stats --json",
    ):
        result = ctl.ok(line)
        validate(result.json)
        assert result.err == ""


def test_foreign_and_missing_match_too(siteb: CommandLine) -> None:
    import dataclasses

    tunnel = siteb.manager.tunnel("siteb")
    spec = dataclasses.replace(tunnel.spec, local=tunnel.local)
    session = siteb.manager.session("siteb", "lan").spec
    siteb.datapath.del_tunnel(spec)
    foreign = dataclasses.replace(spec, tunnel_id=9)
    siteb.datapath.add_tunnel(foreign)
    siteb.datapath.add_session(foreign, session)
    document = siteb.ok("tunnel show --json").json
    validate(document)
    mine, other = document["tunnels"]
    assert (mine["condition"], mine["sessions"][0]["netdev"]) == ("missing", None)
    assert (other["foreign"], other["wanted"], other["sessions"][0]["sublayer"]) == (True, None, None)


def test_what_a_session_says(siteb: CommandLine) -> None:
    session = siteb.ok("session show siteb lan --json").json["sessions"][0]
    assert session["tx_cookie"] == {"length": 8}
    assert (session["ifname"], session["netdev"]["up"], session["wanted"]["mtu"]) == ("l2tpeth0", True, "auto")
    secret = siteb.ok("session show siteb lan --json --show-secrets").json["sessions"][0]
    assert secret["tx_cookie"] == {"length": 8, "hex": "0011223344556677"}
    assert secret["wanted"]["rx-cookie"] == "8899aabb"


@pytest.mark.root
def test_what_a_real_host_says_matches_too(hosts: Hosts) -> None:
    """Real netdevs, worker and counters: nothing that the in-memory datapath does not have surprises the schema."""
    (host,) = hosts.add("a")
    host.ctl("tunnel", "add", "siteb", "--remote", "127.0.0.2", "--datapath", "user")
    added = json.loads(host.ctl("session", "add", "siteb", "lan", "--address", "10.0.0.1/24", "--json").stdout)
    validate(added)
    (session,) = added["sessions"]
    assert (session["condition"], session["netdev"]["addresses"][:1]) == ("up", ["10.0.0.1/24"])
    assert session["mtu"] == session["netdev"]["mtu"]
    status = json.loads(host.ctl("--json").stdout)
    validate(status)
    assert status["tunnels"][0]["worker_pid"] in host.workers()
    assert status["tunnels"][0]["counters"] == dict.fromkeys(
        ("rx_unknown_session", "rx_control", "rx_invalid", "tx_too_long"), 0
    )


def test_errors_are_json_too(siteb: CommandLine) -> None:
    for line, slug, code in (
        ("tunnel show nope --json", "not-found", 3),
        ("tunnel add siteb --remote 127.0.0.2 --json", "exists", 4),
        ("tunnel add x --remote no/name --json", "invalid-value", 1),
        ("tunnel show --json --bogus", "invalid-value", 1),
    ):
        result = siteb(line)
        document = json.loads(result.err)
        validate(document)
        assert (document["error"]["slug"], document["error"]["exit_code"]) == (slug, code)
        assert (result.code, result.out) == (code, "")
