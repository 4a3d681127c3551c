"""What `l2tpctl connect` runs at each end: `end-facts`, `ask-frames`, `answer-frames`. They are not for people."""

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
    lengths: Annotated[list[str], Argument(metavar="LENGTH...", help="Of the frames, in bytes.")],
) -> None:
    """Send frames through a session, and print the lengths of those that the far end answered."""
    from l2tpv3.connect.frames import ask

    if not all(length.isdecimal() for length in lengths):
        raise InvalidValueError("LENGTH", f"{' '.join(lengths)!r} is not a list of lengths", "give numbers of bytes")
    wanted = list(map(int, lengths))
    answered = ask(_ifname(ctx, tunnel, name), _nonce(nonce), wanted, seconds(duration, "SECONDS"))
    print(json.dumps(sorted(answered)))


def answer_frames(
    ctx: click.Context, tunnel: options.TunnelName, name: options.SessionName, nonce: Nonce, duration: For
) -> None:
    """Answer frames that come through a session until Ctrl-C, and print the lengths of those that came."""
    from l2tpv3.connect.frames import answer
    from l2tpv3.connect.wire_test import LISTENING

    heard: set[int] = set()
    try:
        for length in answer(_ifname(ctx, tunnel, name), _nonce(nonce), seconds(duration, "SECONDS")):
            if length:
                heard.add(length)
            else:
                print(LISTENING.decode(), flush=True)
    except KeyboardInterrupt:
        pass  # This is how it ends.
    print(json.dumps(sorted(heard)))


def _nonce(text: str) -> bytes:
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


COMMANDS = {"end-facts": end_facts, "ask-frames": ask_frames, "answer-frames": answer_frames}
"""The commands of this module, by name."""
