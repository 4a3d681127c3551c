"""`l2tpctl top`: all sessions live, the busiest first."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import click

from l2tpv3.cli import completion, options
from l2tpv3.cli.commands.session_stats import WATCH_MIN_S, rate_cells, stamp, watch_on
from l2tpv3.cli.commands.tunnel import manager_of, print_json
from l2tpv3.cli.output.width import fitted_line, fitted_table
from l2tpv3.cli.parameters import Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.cli.selection import find_tunnels
from l2tpv3.errors import InvalidValueError
from l2tpv3.printable import printable, printable_json

if TYPE_CHECKING:
    from l2tpv3.host.base import Host
    from l2tpv3.model.status import SessionStatus, TunnelStatus

EXAMPLES = {
    "top": """
l2tpctl top                           # the busiest session first, until Ctrl-C
l2tpctl top --sort dropped
l2tpctl top --once --json | jq '.sessions[:3]'
"""
}

_HEADS = ("SESSION", "HEARD", "TX-PACKETS/S", "TX-MBIT/S", "RX-PACKETS/S", "RX-MBIT/S", "DROPPED/S", "DROPPED")
_TRAFFIC = ("tx_packets", "tx_bytes", "rx_packets", "rx_bytes")
_AROUND = 3
"""Lines of the screen that are none of sessions: the headline, the heads, the one below."""

Rates = Mapping[str, float] | None


class Row:
    """A session with its rates, None where it was not there before."""

    def __init__(self, tunnel: str, status: SessionStatus, rates: Rates) -> None:
        self.name, self.status, self.rates = f"{tunnel}/{status.name}", status, rates

    def rate(self, counter: str) -> float:
        """How many each second; 0 where that is not known."""
        return (self.rates or {}).get(f"{counter}_per_s", 0.0)

    @property
    def bytes(self) -> float:
        """Bytes each second, both ways."""
        return self.rate("tx_bytes") + self.rate("rx_bytes")

    @property
    def dropped(self) -> float:
        """Packets dropped each second."""
        from l2tpv3.cli.output.tunnels import DROPS

        return sum(map(self.rate, DROPS))


ORDERS: dict[str, Callable[[Row], Any]] = {
    "traffic": lambda row: (-row.bytes, row.name),
    "dropped": lambda row: (-row.dropped, -row.bytes, row.name),
    "name": lambda row: row.name,
}
"""What --sort can say, and what rows are sorted by then."""


def top(
    ctx: click.Context,
    tunnel: options.AnyTunnel = None,
    *,
    sort: Annotated[
        str,
        Option("--sort", metavar="|".join(ORDERS), help="What stands first.", complete=completion.choice(*ORDERS)),
    ] = "traffic",
    interval: Annotated[
        str, Option("--interval", "-i", metavar="SECONDS", help="The time from one look to the next.")
    ] = "1",
    once: Annotated[bool, Option("--once", help="Show one interval, and end.")] = False,
    json: options.Json = False,
) -> None:
    """Show all sessions live, the busiest first.

    Rates both ways, what is dropped, and when each far end was heard last; as many as the screen has room for, until
    Ctrl-C. With --json each look is a line, as `session stats --watch --json` has it, sorted.
    """
    if sort not in ORDERS:
        raise InvalidValueError("--sort", f"{sort!r} is unknown", f"give one of {', '.join(ORDERS)}")
    every_s = seconds(interval, "--interval", least=WATCH_MIN_S)
    looks = _Looks(manager_of(ctx), tunnel, ORDERS[sort])
    if not once:
        watch_on(looks.line if json else looks.screen, every_s, refreshed=not json and sys.stdout.isatty())
        return
    looks.look(None)
    began = time.monotonic()
    time.sleep(every_s)
    took_s = time.monotonic() - began
    if json:
        print_json(looks.document(took_s))
    else:
        print(looks.screen(took_s), end="")


class _Looks:
    """Looks at the host again and again. `before`: the sessions as they were at the last look."""

    def __init__(self, host: Host, tunnel: str | None, order: Callable[[Row], Any]) -> None:
        self._host, self._tunnel, self._order = host, tunnel, order
        self._before: dict[tuple[str, str], SessionStatus] = {}

    def look(self, interval_s: float | None) -> tuple[list[TunnelStatus], list[Row]]:
        """The tunnels as they are now, and a row for each session, in order. interval_s: since the last look."""
        from l2tpv3.documents.stats import session_rates

        tunnels = find_tunnels(self._host, self._tunnel)
        now = {(one.name, session.name): session for one in tunnels for session in one.sessions}
        rows = [
            Row(key[0], session, session_rates(session, self._before.get(key), interval_s))
            for key, session in now.items()
        ]
        self._before = now
        return tunnels, sorted(rows, key=self._order)

    def document(self, interval_s: float | None) -> dict[str, Any]:
        """The document that `session stats --json` prints, its sessions in order."""
        from l2tpv3.documents.stats import stats_document

        before = [(tunnel, session) for (tunnel, _), session in self._before.items()]
        _, rows = self.look(interval_s)
        sessions = [(row.name.partition("/")[0], row.status) for row in rows]
        return stats_document(sessions, time=datetime.now(UTC), interval_s=interval_s, before=before)

    def line(self, interval_s: float | None) -> str:
        """That document as a line."""
        import json

        return printable_json(json.dumps(self.document(interval_s), ensure_ascii=False)) + "\n"

    def screen(self, interval_s: float | None) -> str:
        """What people see: a headline, and the sessions for which there is room."""
        from l2tpv3.cli.output.hearing import hearing_cell
        from l2tpv3.cli.output.tunnels import dropped

        tunnels, rows = self.look(interval_s)
        room = _room()
        shown = rows if room is None else rows[:room]
        cells = [
            (
                row.name,
                hearing_cell(row.status),
                *rate_cells(row.rates, _TRAFFIC),
                "-" if row.rates is None else f"{row.dropped:.0f}",
                dropped(row.status.counters),
            )
            for row in shown
        ]
        text = fitted_line(" · ".join(_headline(tunnels, rows)))
        if cells:
            text += fitted_table(_HEADS, cells, right=_HEADS[2:], spare=("DROPPED", "TX-PACKETS/S", "RX-PACKETS/S"))
        if len(shown) < len(rows):
            text += f"{len(rows) - len(shown)} more\n"
        return text


def _headline(tunnels: list[TunnelStatus], rows: list[Row]) -> Iterator[str]:
    yield stamp(datetime.now(UTC))
    yield f"{len(rows)} sessions in {len(tunnels)} tunnels"
    out, back = (sum(row.rate(f"{way}_bytes") for row in rows) * 8 / 1e6 for way in ("tx", "rx"))
    yield f"out {out:.2f} Mbit/s, in {back:.2f} Mbit/s"
    noted = [one.name for one in tunnels if one.notes or any(it.notes for it in one.sessions)]
    if noted:
        yield printable(f"`l2tpctl doctor {noted[0]}` looks closer" + (f", {len(noted)} tunnels" if noted[1:] else ""))


def _room() -> int | None:
    """For how many sessions the screen has room; None where it is none."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return max(shutil.get_terminal_size().lines - _AROUND - 1, 1)


COMMANDS = {"top": top}
