"""What the API says of itself holds: schemathesis tries it out, against a server of its own that moves no frames."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from l2tpv3.formats.names import PEER_FORMATS
from l2tpv3.model.links.options import LinkType
from l2tpv3_api.schemas import examples
from tests.api.fuzzing.serve import TOKEN
from tests.hosts import UNDERLAY, Host, Hosts
from tests.points import in_turn

ROOT = Path(__file__).parents[2]
PORT = 8099

_COVERED_OF = 6
"""One operation in so many is in the phase called coverage, in each run others; all in a full run."""

# The page, and streams, which do not end, are tested by themselves.
_ELSEWHERE = r"^/$|^/dashboard|^/v1/events$|/capture$|^/metrics$"


def _everything_is_reachable(host: Host) -> None:
    """A route to every address, and each is local too, so that nothing is refused for the want of those."""
    host.ip_batch(
        [
            f"route add default dev {UNDERLAY}",
            f"route add ::/0 dev {UNDERLAY}",
            "rule add pref 0 to 127.0.0.0/8 lookup local",
            "rule add pref 10 lookup main",
            "rule add pref 20 lookup local",
            "rule del pref 0 from all lookup local",
            "route add local 0.0.0.0/0 dev lo",
        ]
    )
    host.run(["sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1", "net.ipv6.ip_nonlocal_bind=1"])


def _configuration(document: dict[str, Any]) -> str:
    """What is on file, and that most operations are left out of the longest phase: each is in it in turn.

    That phase sends each value of each schema that is at a border, and some beyond. Examples, made-up values and chains
    of calls are tried of all operations.
    """
    operations = (operation for item in document["paths"].values() for operation in item.values())
    identifiers = sorted(operation["operationId"] for operation in operations)
    left_out = sorted(set(identifiers) - set(in_turn(identifiers, of=_COVERED_OF)))
    text = (Path(__file__).parent / "fuzzing" / "schemathesis.toml").read_text()
    if left_out:
        text += f"\n[[operations]]\ninclude-operation-id = {left_out}\nphases.coverage.enabled = false\n"
    return text


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(900)  # every word of every type of link, in four bodies
def test_schemathesis_finds_nothing(hosts: Hosts, tmp_path: Path, client: TestClient) -> None:
    (tmp_path / "schemathesis.toml").write_text(_configuration(client.get("/openapi.json").json()))
    host, _ = hosts.pair()
    _everything_is_reachable(host)
    path = f"PYTHONPATH={ROOT}:{ROOT / 'api'}"
    server = host.start(["env", path, sys.executable, "-m", "tests.api.fuzzing.serve", str(PORT), tmp_path])
    done = host.run(
        [
            "env", "-C", tmp_path, path, "SCHEMATHESIS_HOOKS=tests.api.fuzzing.hooks", "NO_COLOR=1",
            Path(sys.executable).with_name("schemathesis"),
            "--config-file", tmp_path / "schemathesis.toml",
            "run", f"http://127.0.0.1:{PORT}/openapi.json", "--wait-for-schema=20",
            "--checks=all", "--max-examples=3", "--seed=1", "--generation-database=none",
            "--suppress-health-check=all",  # those are about how fast the machine is
            "--request-timeout=60",  # probes and the doctor wait for packets, one after another
            "--header", f"Authorization: Bearer {TOKEN}", "--exclude-path-regex", _ELSEWHERE,
        ],
        check=False,
        timeout_s=850,
    )  # fmt: skip
    server.terminate()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Stateful" in done.stdout, "all phases ran"


def test_every_operation_says_what_it_answers(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    ids = set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            assert operation.get("summary") or operation.get("description"), where
            assert re.fullmatch("[a-z]+([A-Z][a-z]+)*", operation["operationId"]), where
            assert operation["operationId"] not in ids, where
            ids.add(operation["operationId"])
            if not path.startswith("/v1"):
                continue
            problems = [one for status, one in operation["responses"].items() if status[0] in "45d"]
            assert len(problems) > 3, where
            for problem in problems:
                assert set(problem["content"]) == {"application/problem+json"}, where
    assert document["components"]["securitySchemes"] and document["security"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


@pytest.mark.parametrize(
    ("method", "path", "bodies"),
    [
        ("PUT", "/v1/tunnels/siteb", examples.TUNNELS),
        ("PATCH", "/v1/tunnels/siteb", examples.TUNNEL_PATCHES),
        ("PUT", "/v1/tunnels/siteb/sessions/lan", examples.SESSIONS),
        ("PATCH", "/v1/tunnels/siteb/sessions/lan", examples.SESSION_PATCHES),
        ("PUT", "/v1/links/br0", examples.LINKS),
        ("PATCH", "/v1/links/br7", examples.LINK_PATCHES),
        ("POST", "/v1/plan", examples.STATES),
    ],
)
def test_examples_work(client: TestClient, method: str, path: str, bodies: dict[str, Any]) -> None:
    here = {"192.0.2.2": "127.0.0.2", "192.0.2.9": "127.0.0.9", "2001:db8::2": "::1"}  # there may be no route out
    client.put("/v1/tunnels/siteb", json={"remote": "127.0.0.2"})
    client.put("/v1/tunnels/siteb/sessions/lan", json={})
    client.put("/v1/links/br7", json={"type": "bridge", "over": ["eth0"]})
    for name, body in bodies.items():
        sent = {**body, "remote": here[body["remote"]]} if "remote" in body else body
        if "tunnel" in sent:
            sent = {**sent, "tunnel": {"siteb": {**sent["tunnel"]["siteb"], "remote": "127.0.0.2"}}}
        if sent.get("remote") == "::1":
            sent["local_port"] = 1702  # not both ends the same
            sent["encap"] = "udp"
        answer = client.request(method, path, json=sent)
        assert answer.status_code in (200, 201), (name, answer.text)


def test_schemas_are_plain_objects_with_names_spelled_in_one_way(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for name, schema in schemas.items():
        if name != "LinkConfig":
            assert not {"allOf", "anyOf", "oneOf", "not", "if"} & schema.keys(), name
        assert not [one for one in schema.get("properties", ()) if "-" in one], name
        for one, value in schema.get("properties", {}).items():
            assert "default" not in value and not isinstance(value.get("enum", [""])[0], bool), (name, one)
    link = schemas["LinkConfig"]
    mapping = link["discriminator"]["mapping"]
    assert sorted(mapping) == sorted(LinkType) and [one["$ref"] for one in link["oneOf"]] == list(mapping.values())
    for type_, reference in mapping.items():
        assert schemas[reference.rpartition("/")[2]]["properties"]["type"]["const"] == type_


def test_formats_of_peers_are_those_that_there_are(client: TestClient) -> None:
    parameters = client.get("/openapi.json").json()["paths"]["/v1/tunnels/{tunnel}/peer"]["get"]["parameters"]
    (form,) = [one for one in parameters if one["name"] == "as"]
    assert form["schema"]["enum"] == list(PEER_FORMATS)
