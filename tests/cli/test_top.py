"""`l2tpctl top`: the busiest session first."""

from __future__ import annotations

import json

import jsonschema
import pytest

from l2tpv3.cli.commands.top import ORDERS, Row
from l2tpv3.documents.schemas import STATS_SCHEMA, json_schema
from l2tpv3.model.spec import SessionSpec
from l2tpv3.model.status import Condition, SessionStatus
from tests.doctor.faults import wire
from tests.hosts import Hosts
from tests.sshd import L2TPCTL


def _row(name: str, **rates: float) -> Row:
    status = SessionStatus(name=name, spec=SessionSpec(name=name, ifname="l0"), condition=Condition.UP)
    return Row("t", status, {f"{counter}_per_s": rate for counter, rate in rates.items()} or None)


def test_what_stands_first() -> None:
    rows = [_row("a"), _row("b", tx_bytes=5.0, rx_errors=1.0), _row("c", rx_bytes=9.0), _row("d", rx_invalid=3.0)]
    found = {sort: [row.status.name for row in sorted(rows, key=order)] for sort, order in ORDERS.items()}
    assert found == {
        "traffic": ["c", "b", "a", "d"],
        "dropped": ["d", "b", "c", "a"],
        "name": ["a", "b", "c", "d"],
    }


@pytest.mark.root
def test_sessions_live(hosts: Hosts) -> None:
    pair = wire(hosts)
    pair.a.add_session("t", "quiet", {"id": 9, "peer-id": 9})
    host = pair.a.host
    sending = host.start(["ping", "-q", "-n", "-i", "0.02", "10.9.0.2"])
    shown = host.ctl("top", "--once", "--interval", "0.5").stdout.splitlines()
    assert "2 sessions in 1 tunnels · out " in shown[0] and shown[1].startswith("SESSION ")
    assert [line.split()[0] for line in shown[2:]] == ["t/s", "t/quiet"]
    document = json.loads(host.ctl("top", "t", "--once", "--json", "--interval", "0.5").stdout)
    jsonschema.validate(document, json_schema(STATS_SCHEMA))
    busiest = document["sessions"][0]
    assert busiest["name"] == "s" and busiest["rates"]["tx_packets_per_s"] > 0
    sending.terminate()
    names = host.ctl("top", "--once", "--interval", "0.1", "--sort", "name").stdout.splitlines()[2:]
    assert [line.split()[0] for line in names] == ["t/quiet", "t/s"]
    for words, code in ((("--sort", "size"), 1), (("nope", "--once"), 3), (("--interval", "0"), 1)):
        assert host.ctl("top", *words, check=False).returncode == code


@pytest.mark.root
def test_as_many_as_the_screen_has_room_for(hosts: Hosts) -> None:
    pair = wire(hosts)
    for number in range(3, 9):
        pair.a.add_session("t", f"s{number}", {"id": number, "peer-id": number})
    command = f"{L2TPCTL} top --once --interval 0.1"
    done = pair.a.host.run(["env", "LINES=8", "COLUMNS=120", "script", "-qec", command, "/dev/null"])
    lines = done.stdout.replace("\r", "").splitlines()
    assert len(lines) == 7 and lines[-1] == "3 more", done.stdout
