"""`l2tpctl session stats`: counters once, or again and again with rates."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from l2tpv3.cli import options
from l2tpv3.cli.session import find_sessions
from l2tpv3.cli.table import table
from l2tpv3.cli.tunnel import manager_of, print_json
from l2tpv3.errors import InvalidValueError

if TYPE_CHECKING:
    from l2tpv3.host import Host
    from l2tpv3.status import SessionStatus

    Seen = list[tuple[str, SessionStatus]]

EXAMPLES = """
l2tpctl session stats
l2tpctl session stats siteb --watch 1              # with rates, until Ctrl-C
l2tpctl session stats siteb lan --json --watch 10 >>stats.jsonl
"""

_TRAFFIC = ("tx_packets", "tx_bytes", "rx_packets", "rx_bytes")
_HOME_AND_CLEAR = "\x1b[H\x1b[J"


def stats(
    ctx: typer.Context,
    tunnel: options.AnyTunnel = None,
    name: options.AnySession = None,
    *,
    json: options.Json = False,
    watch: Annotated[
        str | None, typer.Option("--watch", metavar="SECONDS", help="Again every so many seconds, with rates.")
    ] = None,
) -> None:
    """Show the sessions' counters.

    Packets, bytes and errors either way, and drops by cause. With --watch the screen is refreshed on a terminal;
    otherwise lines (with --json a JSON document each) are added.
    """
    manager = manager_of(ctx)
    if watch is not None:
        _watch(manager, tunnel, name, as_json=json, every_s=_seconds(watch))
        return
    sessions = find_sessions(manager, tunnel, name)
    if json:
        from l2tpv3 import report

        print_json(report.stats_document(sessions, time=datetime.now(UTC)))
    elif sessions:
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print(counters_table(sessions, columns), end="")
    else:
        print("no sessions", file=sys.stderr)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.05 <= seconds <= 86400:
        raise InvalidValueError("--watch", f"{text!r} is not a number of seconds", "give 0.05 to 86400")
    return seconds


def counters_table(sessions: Seen, columns: int | None = None) -> str:
    """A line of counters for each session.

    columns: of the terminal. Where it is too narrow, errors and drops that no session has are named below instead.
    """
    from l2tpv3.cli.view import COUNTERS

    whole = _counters_table(sessions, COUNTERS)
    if columns is None or len(whole.partition("\n")[0]) <= columns:
        return whole
    said = [
        (head, field)
        for head, field in COUNTERS
        if field in _TRAFFIC or any(getattr(session.counters, field) for _, session in sessions)
    ]
    none = ", ".join(head.lower() for head, field in COUNTERS if (head, field) not in said)
    return _counters_table(sessions, said) + (f"none of: {none}\n" if none else "")


def _counters_table(sessions: Seen, counters: Sequence[tuple[str, str]]) -> str:
    from l2tpv3.cli.view import ifname

    heads = ("TUNNEL", "NAME", "IFNAME", *(head for head, _ in counters))
    rows = [
        (tunnel, session.name, ifname(session), *(getattr(session.counters, field) for _, field in counters))
        for tunnel, session in sessions
    ]
    return table(heads, rows, right=heads[3:])


def _watch(manager: Host, tunnel: str | None, name: str | None, *, as_json: bool, every_s: float) -> None:
    before: Seen = []
    then = 0.0
    due = time.monotonic()
    first = True
    try:
        while True:
            now = time.monotonic()
            sessions = find_sessions(manager, tunnel, name)
            _print_tick(sessions, before, None if first else now - then, as_json=as_json, heads=first)
            before, then, first = sessions, now, False
            due = max(due + every_s, time.monotonic())  # ticks that took too long are not made up for
            time.sleep(due - time.monotonic() if due > time.monotonic() else 0)
    except KeyboardInterrupt:
        # This is how a watch ends: not an error. The terminal shows ^C, let the prompt begin a line.
        if sys.stdout.isatty():
            print()


def _print_tick(sessions: Seen, before: Seen, interval_s: float | None, *, as_json: bool, heads: bool) -> None:
    at = datetime.now(UTC)
    if as_json:
        import json

        from l2tpv3 import report

        interval = round(interval_s, 3) if interval_s else None
        document = report.stats_document(sessions, time=at, interval_s=interval, before=before)
        print(json.dumps(document, ensure_ascii=False), flush=True)
        return
    stamp = at.astimezone().strftime("%H:%M:%S")
    text = rates_table(sessions, before, interval_s, stamp)
    if sys.stdout.isatty():
        print(f"{_HOME_AND_CLEAR}{text}", end="", flush=True)
    else:
        print(text if heads else text.partition("\n")[2], end="", flush=True)


def rates_table(sessions: Seen, before: Seen, interval_s: float | None, stamp: str) -> str:
    """A line for each session: rates since `before`, interval_s ago, and what was dropped in all."""
    from l2tpv3 import report
    from l2tpv3.cli.view import dropped, ifname

    earlier = {(tunnel, session.name): session for tunnel, session in before}
    heads = ("TIME", "TUNNEL", "NAME", "IFNAME", "TX-PACKETS/S", "TX-MBIT/S", "RX-PACKETS/S", "RX-MBIT/S", "DROPPED")
    rows = []
    for tunnel, session in sessions:
        rates = report.rates(session, earlier.get((tunnel, session.name)), interval_s)
        shown = [
            "-" if rates is None else f"{rates[f'{way}_packets_per_s']:.0f}" if unit == "packets"
            else f"{rates[f'{way}_bytes_per_s'] * 8 / 1e6:.2f}"
            for way in ("tx", "rx") for unit in ("packets", "bytes")
        ]  # fmt: skip
        rows.append((stamp, tunnel, session.name, ifname(session), *shown, dropped(session.counters)))
    return table(heads, rows, right=heads[4:])
