"""`l2tpctl torch`: the flows that pass a session, by rate."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import click

from l2tpv3.cli import completion, options
from l2tpv3.cli.commands.doctor import subject_of
from l2tpv3.cli.commands.session_stats import stamp, watch_on
from l2tpv3.cli.commands.tunnel import local_manager, print_json
from l2tpv3.cli.output.width import fitted_line, fitted_table
from l2tpv3.cli.parameters import Argument, Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.errors import InvalidValueError, MissingError, from_errno
from l2tpv3.printable import printable_json

if TYPE_CHECKING:
    from l2tpv3.flows.counting import Counted, FlowCounter
    from l2tpv3.flows.report import Flow, Flows

EXAMPLES = {
    "torch": """
l2tpctl torch siteb/lan               # the busiest flow first, until Ctrl-C
l2tpctl torch siteb/lan --once --interval 10
l2tpctl torch siteb/lan --json | jq '.flows[0] | {source, destination, bytes_per_s}'
"""
}

_HEADS = ("WAY", "PROTOCOL", "SOURCE", "DESTINATION", "VLAN", "PACKETS/S", "MBIT/S")
_LEAST_S = 0.1
_COUNT_MAX = 4096


def torch(
    ctx: click.Context,
    session: Annotated[str, Argument(metavar="TUNNEL/SESSION", help="The session.", complete=completion.tunnels)],
    *,
    interval: Annotated[
        str, Option("--interval", "-i", metavar="SECONDS", help="The time from one look to the next.")
    ] = "1",
    count: Annotated[str, Option("--count", "-c", metavar="COUNT", help="How many flows to show.")] = "20",
    once: Annotated[bool, Option("--once", help="Show one interval, and end.")] = False,
    json: options.Json = False,
) -> None:
    """Show the flows that pass a session, the busiest first.

    A flow is what has one protocol, the same addresses and ports, one VLAN and one way. The kernel counts them, by an
    eBPF program that is the filter of a socket: no frame is copied, nothing is put on the netdev, and all of it is gone
    when this ends. Until Ctrl-C.
    """
    tunnel, name = subject_of(session)
    if tunnel is None or name is None:
        raise InvalidValueError("TUNNEL/SESSION", f"{session!r} is no session", "give siteb/lan")
    most = int(count) if count.isdecimal() else 0
    if not 1 <= most <= _COUNT_MAX:
        raise InvalidValueError("--count", f"{count!r} is no number of flows", f"give 1 to {_COUNT_MAX}")
    every_s = seconds(interval, "--interval", least=_LEAST_S)
    netdev = local_manager(ctx, "torch").session(tunnel, name).netdev
    if netdev is None:
        remedy = f"`l2tpctl doctor {tunnel}` says why"
        raise MissingError(f"session {tunnel}/{name}", "its netdev is not there", remedy)
    from l2tpv3.flows.counting import FlowCounter

    with FlowCounter(netdev) as counter:
        looks = _Looks(counter, tunnel, name, most)
        if not once:
            watch_on(looks.line if json else looks.screen, every_s, refreshed=not json and sys.stdout.isatty())
            return
        looks.look(None)
        began = time.monotonic()
        time.sleep(every_s)
        took_s = time.monotonic() - began
        if json:
            from l2tpv3.flows.report import to_json

            print_json(to_json(tunnel, name, looks.look(took_s)))
        else:
            print(looks.screen(took_s), end="")


class _Looks:
    """Looks at what was counted, again and again."""

    def __init__(self, counter: FlowCounter, tunnel: str, session: str, most: int) -> None:
        self._counter, self._tunnel, self._session, self._most = counter, tunnel, session, most
        self._before: Counted = {}

    def look(self, interval_s: float | None) -> Flows:
        """What passed since the last look, that long ago; None: this is the first."""
        from l2tpv3.flows.report import rates

        try:
            now = self._counter.counted()
        except OSError as error:
            raise from_errno("flows", "read what was counted", error.errno or 0) from error
        found = rates(self._before if interval_s else now, now, interval_s or 1.0, self._most)
        self._before = now
        return found

    def line(self, interval_s: float | None) -> str:
        """A document as a line; none at the first look."""
        import json

        from l2tpv3.flows.report import to_json

        found = self.look(interval_s)
        if not interval_s:
            return ""
        document = to_json(self._tunnel, self._session, found)
        return printable_json(json.dumps(document, ensure_ascii=False)) + "\n"

    def screen(self, interval_s: float | None) -> str:
        """What people see."""
        found = self.look(interval_s)
        about = f"{found.count} flows, {found.bytes_per_s * 8 / 1e6:.2f} Mbit/s"
        text = fitted_line(f"{stamp(datetime.now(UTC))} · {self._tunnel}/{self._session} · {about}")
        if found.flows:
            text += fitted_table(_HEADS, map(_cells, found.flows), right=_HEADS[5:], spare=("VLAN", "PACKETS/S"))
        if found.count > len(found.flows):
            text += f"{found.count - len(found.flows)} more\n"
        if found.rest_bytes_per_s:
            text += f"{found.rest_bytes_per_s * 8 / 1e6:.2f} Mbit/s are of flows that there was no room to tell apart\n"
        return text


def _cells(one: Flow) -> tuple[str, ...]:
    ends = ((one.source, one.source_port), (one.destination, one.destination_port))
    shown = [address if port is None else _with_port(address, port) for address, port in ends]
    vlan = "-" if one.vlan is None else str(one.vlan)
    rates = f"{one.packets_per_s:.0f}", f"{one.bytes_per_s * 8 / 1e6:.2f}"
    return ("out" if one.out else "in", one.protocol, *shown, vlan, *rates)


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


COMMANDS = {"torch": torch}
