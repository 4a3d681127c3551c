"""What `l2tpctl connect` runs at each end: `end-facts` and what sends and answers frames. They are not for people."""

from __future__ import annotations

import json
import os
from typing import Annotated

import click

from l2tpv3.cli import options
from l2tpv3.cli.commands.tunnel import local_manager, manager_of
from l2tpv3.cli.parameters import Argument
from l2tpv3.cli.seconds import seconds
from l2tpv3.errors import InvalidValueError, RefusedError

EXAMPLES: dict[str, str] = {}

Nonce = Annotated[str, Argument(metavar="NONCE", help="The test that the frames belong to, hex digits.")]
Lengths = Annotated[list[str], Argument(metavar="LENGTH...", help="Of the frames, in bytes.")]
For = Annotated[str, Argument(metavar="SECONDS", help="How long.")]


def end_facts(ctx: click.Context) -> None:
    """Wait until no change is under way on this host, and print what is taken on it, as JSON."""
    from l2tpv3.connect.taken import taken_ports

    manager = local_manager(ctx, "end-facts")
    manager.wait_for_changes()
    tunnels = manager.tunnels()
    sessions = [session for tunnel in tunnels for session in tunnel.sessions]
    ssh = os.environ.get("SSH_CONNECTION", "").split()
    document = {
        "tunnels": [tunnel.name for tunnel in tunnels],
        "tunnel_ids": sorted({tunnel.spec.tunnel_id for tunnel in tunnels}),
        "session_ids": sorted({session.spec.session_id for session in sessions}),
        "ports": sorted(taken_ports(tunnels)),
        "unconfirmed": manager.unconfirmed_s() is not None,
        "ssh_addresses": [ssh[0], ssh[2]] if len(ssh) == 4 else None,
    }
    print(json.dumps(document))


def ask_frames(
    ctx: click.Context,
    tunnel: options.TunnelName,
    name: options.SessionName,
    nonce: Nonce,
    duration: For,
    lengths: Lengths,
) -> None:
    """Send frames through a session, and print the lengths of those that the far end answered."""
    from l2tpv3.connect.frames import ask

    answered = ask(_ifname(ctx, tunnel, name), nonce_of(nonce), _lengths(lengths), seconds(duration, "SECONDS"))
    print(json.dumps(sorted(answered)))


def ask_echoes(
    ctx: click.Context,
    tunnel: options.TunnelName,
    name: options.SessionName,
    mac: Annotated[str, Argument(metavar="MAC", help="The far end's, 12 hex digits.")],
    address: Annotated[str, Argument(metavar="ADDR", help="The far end's, IPv6.")],
    duration: For,
    lengths: Lengths,
) -> None:
    """Send IPv6 echo requests through a session, and print the lengths of the frames that were answered."""
    from ipaddress import IPv6Address

    from l2tpv3.connect.echo import SMALLEST, ask

    wanted = _lengths(lengths)
    try:
        there = bytes.fromhex(mac), IPv6Address(address)
    except ValueError as error:
        raise InvalidValueError("MAC, ADDR", str(error), "give hex digits, and an IPv6 address") from error
    if len(there[0]) != 6 or min(wanted) < SMALLEST:
        raise InvalidValueError("MAC, LENGTH", "are too short", f"give 12 hex digits, and {SMALLEST} bytes at least")
    print(json.dumps(sorted(ask(_ifname(ctx, tunnel, name), *there, wanted, seconds(duration, "SECONDS")))))


def answer_frames(
    ctx: click.Context, tunnel: options.TunnelName, name: options.SessionName, nonce: Nonce, duration: For
) -> None:
    """Answer frames that come through a session until Ctrl-C, and print the lengths of those that came."""
    from l2tpv3.connect.frames import answer
    from l2tpv3.connect.wire_test import LISTENING

    heard: set[int] = set()
    try:
        for length in answer(_ifname(ctx, tunnel, name), nonce_of(nonce), seconds(duration, "SECONDS")):
            if length:
                heard.add(length)
            else:
                print(LISTENING.decode(), flush=True)
    except KeyboardInterrupt:
        pass  # This is how it ends.
    print(json.dumps(sorted(heard)))


def _lengths(texts: list[str]) -> list[int]:
    if not all(text.isdecimal() for text in texts):
        raise InvalidValueError("LENGTH", f"{' '.join(texts)!r} is not a list of lengths", "give numbers of bytes")
    return list(map(int, texts))


def nonce_of(text: str) -> bytes:
    """The bytes of a nonce in hex digits. Raises InvalidValueError."""
    from l2tpv3.connect.frames import NONCE

    try:
        nonce = bytes.fromhex(text)
    except ValueError:
        nonce = b""
    if len(nonce) != NONCE:
        raise InvalidValueError("NONCE", f"{text!r} is none", f"give {2 * NONCE} hex digits")
    return nonce


def _ifname(ctx: click.Context, tunnel: str, name: str) -> str:
    session = manager_of(ctx).session(tunnel, name)
    if session.netdev is None:
        raise RefusedError(f"session {tunnel}/{name}", "has no netdev")
    return session.spec.ifname


COMMANDS = {"end-facts": end_facts, "ask-frames": ask_frames, "ask-echoes": ask_echoes, "answer-frames": answer_frames}
"""The commands of this module, by name."""
