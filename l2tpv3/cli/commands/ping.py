"""`l2tpctl ping`: loss, latency and jitter of a pseudowire itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import click

from l2tpv3.cli import completion
from l2tpv3.cli.commands.connect import both_ends
from l2tpv3.cli.commands.doctor import FOUND
from l2tpv3.cli.commands.tunnel import local_manager, print_json
from l2tpv3.cli.options import Json
from l2tpv3.cli.parameters import Argument, Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.errors import InvalidValueError, MissingError, RefusedError
from l2tpv3.printable import printable

if TYPE_CHECKING:
    from l2tpv3.connect.latency import Latency
    from l2tpv3.host.manager import Manager

EXAMPLES = {
    "ping": """
l2tpctl ping siteb/lan                       # connected by `l2tpctl connect`
l2tpctl ping siteb/lan --host ssh://siteb --peer sitea/lan
l2tpctl ping siteb/lan --count 100 --interval 0.1
""",
}

_COUNT_MAX = 10_000
_WAIT_S = 2.0
_SPARE_S = 30.0
"""How much longer the far end answers than frames are sent."""


def ping(
    ctx: click.Context,
    session: Annotated[
        str, Argument(metavar="TUNNEL/SESSION", help="The session, by its names here.", complete=completion.tunnels)
    ],
    *,
    host: Annotated[
        str | None,
        Option("--host", metavar="URL", help="The far end: ssh://[USER@]HOST. [default: as connected]"),
    ] = None,
    peer: Annotated[
        str | None, Option("--peer", metavar="TUNNEL/SESSION", help="Its names there. [default: as connected, or here]")
    ] = None,
    count: Annotated[str, Option("--count", "-c", metavar="COUNT", help="How many frames of each length.")] = "10",
    interval: Annotated[
        str, Option("--interval", "-i", metavar="SECONDS", help="The time from one frame to the next.")
    ] = "0.2",
    json: Json = False,
) -> None:
    """Measure the loss, latency and jitter of a session.

    Frames are sent through it, small ones and those of full size. The far end, where l2tpctl has to be too, is asked
    over ssh to answer them. They have a type of their own and leave neither netdev. Exit codes: 0 done, 11 no frame of
    one of the lengths came back.
    """
    from l2tpv3.connect.frames import HEADER, NONCE, SMALL, measure
    from l2tpv3.connect.latency import summed_up, to_json
    from l2tpv3.connect.wire_test import far_answers

    tunnel, name = _pair(session, "TUNNEL/SESSION")
    frames = int(count) if count.isdecimal() else 0
    if not 1 <= frames <= _COUNT_MAX:
        raise InvalidValueError("--count", f"{count!r} is no number of frames", f"give 1 to {_COUNT_MAX}")
    interval_s = seconds(interval, "--interval", least=0.001, most=60.0)
    manager = local_manager(ctx, "ping")
    ifname, mtu = _netdev(manager, tunnel, name)
    url, there = _far_end(manager, tunnel, name, host)
    _, far = both_ends(url)
    there = _pair(peer, "--peer") if peer is not None else there
    nonce = os.urandom(NONCE)
    with far_answers(far, there, nonce.hex(), frames * interval_s + _SPARE_S) as answering:
        lengths = sorted({SMALL, mtu + HEADER})
        found = summed_up(measure(ifname, nonce, lengths, frames, interval_s, _WAIT_S))
        answering.interrupt()
    if json:
        print_json(to_json(tunnel, name, found))
    else:
        print("\n".join(printable(f"{tunnel}/{name}: {_line(one)}") for one in found))
    ctx.exit(0 if all(one.answered for one in found) else FOUND)


def _far_end(manager: Manager, tunnel: str, name: str, host: str | None) -> tuple[str, tuple[str, str]]:
    """Where the far end of a session is, and its names there, as it was connected. host: as --host says it."""
    from l2tpv3.connect.connections import Connections

    known = Connections(manager.paths.state).find(tunnel)
    if known is None:
        if host is None:
            problem = "it is not known where the far end is, as `l2tpctl connect` did not make it"
            raise InvalidValueError("--host", problem, "give ssh://[USER@]HOST[:PORT]")
        return host, (tunnel, name)
    if known.place is not None and host is None:
        problem = "its far end has no l2tpctl that could answer frames"
        raise RefusedError(f"tunnel {tunnel}", problem, "`ping` an address of the other end through it")
    return host or known.host, (known.peer, name)


def _pair(text: str, option: str) -> tuple[str, str]:
    tunnel, _, name = text.partition("/")
    if not tunnel or not name or "/" in name:
        raise InvalidValueError(option, f"{text!r} is no session", "give siteb/lan")
    return tunnel, name


def _netdev(manager: Manager, tunnel: str, name: str) -> tuple[str, int]:
    """The name and MTU of a session's netdev, which has to be in this namespace."""
    netdev = manager.session(tunnel, name).netdev
    subject = f"session {tunnel}/{name}"
    if netdev is None:
        raise MissingError(subject, "its netdev is not there", f"`l2tpctl restore {tunnel}` brings it back")
    if netdev.netns is not None:
        problem = f"its netdev is in network namespace {netdev.netns}"
        raise RefusedError(subject, problem, f"`ip netns exec {netdev.netns} l2tpctl ping` sends from there")
    return netdev.ifname, netdev.mtu


def _line(one: Latency) -> str:
    lost = 100 * (one.sent - one.answered) / one.sent
    text = f"{one.sent} frames of {one.length} bytes, {lost:g}% lost"
    if one.least_s is None or one.mean_s is None or one.most_s is None:
        return text
    text += f", {1e3 * one.least_s:.3f}/{1e3 * one.mean_s:.3f}/{1e3 * one.most_s:.3f} ms (least/mean/most)"
    return text if one.jitter_s is None else f"{text}, jitter {1e3 * one.jitter_s:.3f} ms"


COMMANDS = {"ping": ping}
