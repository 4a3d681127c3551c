"""`l2tpctl session stats`: counters once, or again and again with rates."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import click

from l2tpv3.cli import options
from l2tpv3.cli.commands.tunnel import manager_of, print_json
from l2tpv3.cli.output.streams import use_utf8
from l2tpv3.cli.output.table import table
from l2tpv3.cli.output.width import columns, fitted_line, fitted_table
from l2tpv3.cli.parameters import Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.cli.selection import find_sessions
from l2tpv3.printable import printable_json

if TYPE_CHECKING:
    from l2tpv3.host.base import Host
    from l2tpv3.model.status import SessionStatus

    Seen = list[tuple[str, SessionStatus]]

EXAMPLES = {
    "stats": """
l2tpctl session stats
l2tpctl session stats siteb --watch 1              # with rates, until Ctrl-C
l2tpctl session stats siteb lan --json --watch 10 >>stats.jsonl
"""
}

WATCH_MIN_S = 0.05
Watch = Annotated[str | None, Option("--watch", metavar="SECONDS", help="Again every so many seconds, with rates.")]

_TRAFFIC = ("tx_packets", "tx_bytes", "rx_packets", "rx_bytes")
HOME_AND_CLEAR = "\x1b[H\x1b[J"


def stats(
    ctx: click.Context,
    tunnel: options.AnyTunnel = None,
    name: options.AnySession = None,
    *,
    json: options.Json = False,
    watch: Watch = None,
) -> None:
    """Show the sessions' counters.

    Packets, bytes and errors either way, and drops by cause. With --watch the screen is refreshed on a terminal;
    otherwise lines (with --json a JSON document each) are added.
    """
    manager = manager_of(ctx)
    if watch is not None:
        _watch(manager, tunnel, name, as_json=json, every_s=seconds(watch, "--watch", least=WATCH_MIN_S))
        return
    sessions = find_sessions(manager, tunnel, name)
    if json:
        from l2tpv3.documents.stats import stats_document

        print_json(stats_document(sessions, time=datetime.now(UTC)))
    elif sessions:
        print(counters_table(sessions, columns()), end="")
        _tell_missing(sessions)
    else:
        print("no sessions", file=sys.stderr)


def _tell_missing(sessions: Seen) -> None:
    """Say on stderr whose counters are 0 because nothing counts."""
    missing = [f"{tunnel}/{one.name}" for tunnel, one in sessions if one.condition.value == "missing"]
    if missing:
        print(f"not running: {', '.join(missing)}; `l2tpctl status` says why", file=sys.stderr)


def counters_table(sessions: Seen, columns: int | None = None) -> str:
    """A line of counters for each session.

    columns: of the terminal. Where it is too narrow, errors and drops that no session has are named below instead.
    """
    from l2tpv3.cli.output.tunnels import COUNTERS, FRAGMENT_COUNTERS

    fragment = any(session.spec.fragment for _, session in sessions)
    counters = (*COUNTERS, *FRAGMENT_COUNTERS) if fragment else COUNTERS
    whole = _counters_table(table, sessions, counters)
    if columns is None or len(whole.partition("\n")[0]) <= columns:
        return whole
    said = [
        (head, field)
        for head, field in counters
        if field in _TRAFFIC or any(getattr(session.counters, field) for _, session in sessions)
    ]
    none = ", ".join(head.lower() for head, field in counters if (head, field) not in said)
    fitted = partial(fitted_table, spare=("IFNAME",))
    return _counters_table(fitted, sessions, said) + (fitted_line(f"none of: {none}") if none else "")


def _counters_table(make: Callable[..., str], sessions: Seen, counters: Sequence[tuple[str, str]]) -> str:
    from l2tpv3.cli.output.tunnels import ifname

    heads = ("TUNNEL", "NAME", "IFNAME", *(head for head, _ in counters))
    rows = [
        (tunnel, session.name, ifname(session), *(getattr(session.counters, field) for _, field in counters))
        for tunnel, session in sessions
    ]
    return make(heads, rows, right=heads[3:])


def _watch(manager: Host, tunnel: str | None, name: str | None, *, as_json: bool, every_s: float) -> None:
    before: Seen = []

    def look(interval_s: float | None) -> str:
        nonlocal before
        sessions, earlier = find_sessions(manager, tunnel, name), before
        before = sessions
        at = datetime.now(UTC)
        if as_json:
            import json

            from l2tpv3.documents.stats import stats_document

            interval = round(interval_s, 3) if interval_s else None
            document = stats_document(sessions, time=at, interval_s=interval, before=earlier)
            return printable_json(json.dumps(document, ensure_ascii=False)) + "\n"
        return rates_table(sessions, earlier, interval_s, stamp(at))

    watch_on(look, every_s, refreshed=not as_json)


def stamp(at: datetime) -> str:
    """The local time of day, as tables have it."""
    return at.astimezone().strftime("%H:%M:%S")


def watch_on(look: Callable[[float | None], str], every_s: float, *, refreshed: bool) -> None:
    """Print what `look` gives again and again, until Ctrl-C.

    look: is told the seconds since it was called before, None at first. refreshed: it gives a table, which takes the
    place of the one before on a terminal, and elsewhere has its heads only once.
    """
    if not refreshed:
        use_utf8()
    then: float | None = None
    due = time.monotonic()
    with until_interrupted():
        while True:
            now = time.monotonic()
            text = look(None if then is None else now - then)
            if refreshed and sys.stdout.isatty():
                text = HOME_AND_CLEAR + text
            elif refreshed and then is not None:
                text = text.partition("\n")[2]
            print(text, end="", flush=True)
            then = now
            due = max(due + every_s, time.monotonic())  # ticks that took too long are not made up for
            time.sleep(due - time.monotonic() if due > time.monotonic() else 0)


@contextlib.contextmanager
def until_interrupted() -> Iterator[None]:
    """For what goes on until Ctrl-C, which is how it ends, and no error."""
    try:
        yield
    except KeyboardInterrupt:
        # The terminal shows ^C, let the prompt begin a line.
        if sys.stdout.isatty():
            print()


def rates_table(sessions: Seen, before: Seen, interval_s: float | None, at: str) -> str:
    """A line for each session: rates since `before`, interval_s ago, and what was dropped in all."""
    from l2tpv3.cli.output.tunnels import dropped, ifname
    from l2tpv3.documents.stats import session_rates

    earlier = {(tunnel, session.name): session for tunnel, session in before}
    heads = ("TIME", "TUNNEL", "NAME", "IFNAME", "TX-PACKETS/S", "TX-MBIT/S", "RX-PACKETS/S", "RX-MBIT/S", "DROPPED")
    rows = []
    for tunnel, session in sessions:
        rates = session_rates(session, earlier.get((tunnel, session.name)), interval_s)
        shown = rate_cells(rates, [f"{way}_{unit}" for way in ("tx", "rx") for unit in ("packets", "bytes")])
        rows.append((at, tunnel, session.name, ifname(session), *shown, dropped(session.counters)))
    return fitted_table(heads, rows, right=heads[4:], spare=("IFNAME", "TIME"))


def rate_cells(rates: Mapping[str, float] | None, counters: Iterable[str]) -> list[str]:
    """Counters' rates for a table: bytes as Mbit/s. `-` where one is not known."""
    cells = []
    for counter in counters:
        rate = (rates or {}).get(f"{counter}_per_s")
        bits = counter.endswith("bytes")
        cells.append("-" if rate is None else f"{rate * 8 / 1e6:.2f}" if bits else f"{rate:.0f}")
    return cells


COMMANDS = {"stats": stats}
