"""session stats: the counters, rates between two looks, and how a watch begins, goes on and ends."""

from __future__ import annotations

import json
import signal
import time

import pytest

from l2tpv3.cli.commands import session_stats
from l2tpv3.model.observed import Counters
from tests.cli.command_line import CommandLine
from tests.hosts import Hosts
from tests.waiting import PATIENCE_S

SEEN = Counters(
    tx_packets=1, tx_bytes=2, tx_errors=3, rx_packets=4, rx_bytes=5, rx_errors=6, rx_seq_discards=7,
    rx_oos_packets=8, rx_cookie_discards=9, rx_invalid=10,
)  # fmt: skip


def count(siteb: CommandLine, counters: Counters) -> None:
    tunnel = siteb.manager.tunnel("siteb")
    siteb.datapath.count(tunnel.spec, tunnel.sessions[0].spec, counters)


def test_each_counter_has_its_column(siteb: CommandLine) -> None:
    count(siteb, SEEN)
    row = siteb.ok("session stats siteb lan").table[0]
    assert (row["TUNNEL"], row["NAME"], row["IFNAME"]) == ("siteb", "lan", "l2tpeth0")
    assert [row[head] for head in (
        "TX-PACKETS", "TX-BYTES", "TX-ERRORS", "RX-PACKETS", "RX-BYTES", "RX-ERRORS", "SEQ-DISCARDS", "OUT-OF-ORDER",
        "COOKIE-DISCARDS", "INVALID",
    )] == [str(number) for number in range(1, 11)]  # fmt: skip


def test_a_narrow_terminal_gets_no_columns_of_zeros(siteb: CommandLine) -> None:
    count(siteb, Counters(tx_packets=1, rx_packets=2, rx_cookie_discards=3))
    seen = [("siteb", siteb.manager.session("siteb", "lan"))]
    assert session_stats.counters_table(seen, 400) == session_stats.counters_table(seen)
    heads, row, left_out = session_stats.counters_table(seen, 100).splitlines()
    assert heads.split()[3:] == ["TX-PACKETS", "TX-BYTES", "RX-PACKETS", "RX-BYTES", "COOKIE-DISCARDS"]
    assert row.split()[3:] == ["1", "0", "2", "0", "3"]
    assert left_out == "none of: tx-errors, rx-errors, seq-discards, out-of-order, invalid"
    assert max(map(len, (heads, row, left_out))) <= 100


def test_json(siteb: CommandLine) -> None:
    count(siteb, SEEN)
    document = siteb.ok("session stats --json").json
    assert document["interval_s"] is None
    (session,) = document["sessions"]
    assert session["counters"]["rx_cookie_discards"] == 9 and session["rates"] is None


class Clock:
    """Stands in for time in stats.py: each sleep passes at once, counts traffic, and the third is Ctrl-C."""

    def __init__(self, siteb: CommandLine) -> None:
        self.now, self.sleeps, self._siteb = 100.0, 0, siteb

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        if self.sleeps == 3:
            raise KeyboardInterrupt
        self.now += seconds
        count(self._siteb, Counters(tx_packets=100 * self.sleeps, tx_bytes=1_000_000 * self.sleeps))


@pytest.fixture
def clock(siteb: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(siteb)
    monkeypatch.setattr(session_stats, "time", clock)
    return clock


def test_watch_adds_lines_with_rates(siteb: CommandLine, clock: Clock) -> None:
    result = siteb.ok("session stats --watch 2")
    assert result.err == ""
    heads, *rows = [line.split() for line in result.out.splitlines()]
    assert len(rows) == 3 and clock.sleeps == 3
    rates = [dict(zip(heads, row, strict=True)) for row in rows]
    assert [row["TX-PACKETS/S"] for row in rates] == ["-", "50", "50"]
    assert [row["TX-MBIT/S"] for row in rates] == ["-", "4.00", "4.00"]


def test_watch_in_json_is_a_document_a_line(siteb: CommandLine, clock: Clock) -> None:
    documents = [json.loads(line) for line in siteb.ok("session stats siteb --watch 2 --json").out.splitlines()]
    assert [document["interval_s"] for document in documents] == [None, 2.0, 2.0]
    assert documents[0]["sessions"][0]["rates"] is None
    assert documents[2]["sessions"][0]["rates"]["tx_packets_per_s"] == 50.0


def test_counters_that_went_back_give_no_negative_rate(siteb: CommandLine) -> None:
    from l2tpv3.documents.stats import session_rates

    after = siteb.manager.session("siteb", "lan")
    count(siteb, SEEN)
    before = siteb.manager.session("siteb", "lan")
    rates = session_rates(after, before, 1.0)
    assert rates is not None and set(rates.values()) == {0.0}


def test_watch_of_what_is_deleted_meanwhile_ends_with_not_found(
    siteb: CommandLine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "sleep", lambda _: siteb.manager.del_tunnel("siteb"))
    result = siteb("session stats siteb --watch 1")
    assert result.code == 3


@pytest.mark.root
def test_ctrl_c_for_real(hosts: Hosts) -> None:
    """On live counters: a watch that is interrupted ends with exit code 0 and no complaint."""
    (host,) = hosts.add("a")
    host.ctl("tunnel", "add", "x", "--remote", "127.0.0.2", "--datapath", "user")
    host.ctl("session", "add", "x", "lan", "--address", "10.0.0.1/24")
    watch = host.start([*_l2tpctl(), "session", "stats", "--watch", "0.1", "--json"])
    assert watch.stdout is not None
    first = json.loads(watch.stdout.readline())
    host.run(["ping", "-c1", "-W0.1", "10.0.0.2"], check=False)  # asks for its MAC address, at least
    deadline = time.monotonic() + PATIENCE_S
    sent = 0
    while sent <= first["sessions"][0]["counters"]["tx_packets"] and time.monotonic() < deadline:
        document = json.loads(watch.stdout.readline())
        sent = document["sessions"][0]["counters"]["tx_packets"]
    watch.send_signal(signal.SIGINT)
    rest = watch.communicate(timeout=PATIENCE_S)[0]
    assert watch.returncode == 0
    assert [line for line in rest.splitlines() if not line.startswith('{"schema"')] == []
    assert document["interval_s"] >= 0.1
    host.ctl("tunnel", "del", "x")
    assert sent > first["sessions"][0]["counters"]["tx_packets"]


def _l2tpctl() -> list[str]:
    import sys
    from pathlib import Path

    return [str(Path(sys.executable).with_name("l2tpctl"))]
