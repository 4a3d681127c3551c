"""`l2tpctl session rotate-cookie`: new cookies at both ends of a session; and `cookie-turn`, which each end runs."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated

import click

from l2tpv3.cli import options
from l2tpv3.cli.commands.tunnel import local_manager
from l2tpv3.cli.expiring import expiring
from l2tpv3.cli.parameters import Argument, Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.errors import InvalidValueError
from l2tpv3.printable import printable

EXAMPLES = {
    "rotate-cookie": """\
l2tpctl session rotate-cookie siteb lan --host ssh://root@siteb.example.net
l2tpctl session rotate-cookie siteb lan        # connected by `connect`
""",
}


def rotate_cookie(
    ctx: click.Context,
    tunnel: options.TunnelName,
    name: options.SessionName,
    *,
    host: Annotated[
        str | None, Option("--host", metavar="URL", help="The far end. [default: as it was connected]")
    ] = None,
    peer_name: Annotated[
        str | None, Option("--peer-name", metavar="NAME", help="What the tunnel is called there. [default: as here]")
    ] = None,
    peer_session: Annotated[
        str | None,
        Option("--peer-session", metavar="NAME", help="What the session is called there. [default: as here]"),
    ] = None,
) -> None:
    """Give a session new cookies at both ends, losing no packet.

    Each direction gets a random one of 64 bits. The end that receives takes the old one for a minute more. Both ends
    have to be on the user or ebpf datapath. When anything fails, both have their old ones.
    """
    from l2tpv3.cli.commands.connect import both_ends
    from l2tpv3.connect.connections import Connections
    from l2tpv3.connect.rotating import CookieEnd, rotate

    manager = local_manager(ctx, "session rotate-cookie")
    manager.session(tunnel, name)
    connections = Connections(manager.paths.state)
    known = connections.find(tunnel)
    if host is None:
        if known is None or known.place is not None:
            remedy = "give --host; or `l2tpctl session set` with --tx-cookie and --rx-cookie at each end"
            raise InvalidValueError(f"tunnel {tunnel}", "it is not known how to reach l2tpctl at the other end", remedy)
        host, peer_name = known.host, peer_name or known.peer
    near, far = both_ends(host)
    peer_name = peer_name or tunnel
    ends = CookieEnd(near, tunnel, name), CookieEnd(far, peer_name, peer_session or name)
    connected = known is not None and known.marks == (near.mark_at(tunnel), far.mark_at(peer_name))
    rotate(*ends, lambda text: print(printable(text), file=sys.stderr, flush=True))
    if known is not None and connected:  # `disconnect` knows the tunnel by its cookies
        marks = near.mark_at(tunnel), far.mark_at(peer_name)
        connections.remember(tunnel, dataclasses.replace(known, marks=marks))
    print(f"session {tunnel}/{name}: new cookies are in use at both ends", file=sys.stderr)


def cookie_turn(
    ctx: click.Context,
    tunnel: options.TunnelName,
    name: options.SessionName,
    direction: Annotated[str, Argument(metavar="tx|rx", help="Which cookie it is.")],
    cookie: Annotated[str, Argument(metavar="@FILE", help="The cookie.")],
    confirm: Annotated[str, Argument(metavar="SECONDS", help="It is undone then, unless it is confirmed.")],
) -> None:
    """Take another cookie into use."""
    from l2tpv3.model import ids

    if direction not in ("tx", "rx"):
        raise InvalidValueError("tx|rx", f"{direction!r} is unknown", "give tx or rx")
    manager = local_manager(ctx, "cookie-turn")
    confirm_s = seconds(confirm, "SECONDS")
    words = {f"{direction}-cookie": ids.read_cookie(cookie, "@FILE")}
    with expiring(confirm_s, manager):
        manager.set_session(tunnel, name, words, confirm_s=confirm_s)


COMMANDS = {"rotate-cookie": rotate_cookie, "cookie-turn": cookie_turn}
