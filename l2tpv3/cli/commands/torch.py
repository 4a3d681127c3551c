"""`l2tpctl torch`: the flows that pass a session, by rate."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import click

from l2tpv3.cli import completion, options
from l2tpv3.cli.commands.doctor import subject_of
from l2tpv3.cli.commands.session_stats import HOME_AND_CLEAR, stamp, until_interrupted
from l2tpv3.cli.commands.tunnel import manager_of, print_json
from l2tpv3.cli.output.width import fitted_line, fitted_table
from l2tpv3.cli.parameters import Argument, Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.errors import InvalidValueError
from l2tpv3.printable import printable, printable_json

if TYPE_CHECKING:
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
    flows = manager_of(ctx).flows(tunnel, name, interval_s=every_s, most=most)
    with contextlib.closing(flows):
        if once:
            found = next(flows)
            if json:
                print_json(_document(found, tunnel, name))
            else:
                print(_screen(found, tunnel, name), end="")
            return
        clear = HOME_AND_CLEAR if sys.stdout.isatty() else ""
        with until_interrupted():
            for found in flows:
                text = _line(found, tunnel, name) if json else clear + _screen(found, tunnel, name)
                print(text, end="", flush=True)


def _document(found: Flows, tunnel: str, session: str) -> dict[str, Any]:
    from l2tpv3.flows.report import to_json

    return to_json(tunnel, session, found)


def _line(found: Flows, tunnel: str, session: str) -> str:
    """A document as a line."""
    import json

    return printable_json(json.dumps(_document(found, tunnel, session), ensure_ascii=False)) + "\n"


def _screen(found: Flows, tunnel: str, session: str) -> str:
    """What people see."""
    about = f"{found.count} flows, {found.bytes_per_s * 8 / 1e6:.2f} Mbit/s"
    text = fitted_line(f"{stamp(datetime.now(UTC))} · {tunnel}/{session} · {about}")
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
    return ("out" if one.out else "in", printable(one.protocol), *map(printable, shown), vlan, *rates)


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


COMMANDS = {"torch": torch}
