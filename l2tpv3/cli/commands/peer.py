"""`l2tpctl peer` and `l2tpctl ip-l2tp`: other tools' words, out and in."""

from __future__ import annotations

import sys
from typing import Annotated

import click

from l2tpv3.cli import completion, options
from l2tpv3.cli.commands.tunnel import manager_of
from l2tpv3.cli.parameters import Argument, Option
from l2tpv3.formats.names import PEER_FORMATS
from l2tpv3.model.fields import EVERY, TUNNEL, by_word
from l2tpv3.printable import printable, printable_lines

EXAMPLES = {
    "peer": """
l2tpctl peer siteb
l2tpctl peer siteb | ssh root@192.0.2.2 sh
l2tpctl peer siteb --name sitea
l2tpctl peer siteb --as iproute2
l2tpctl peer siteb --as vyos
""",
    "ip-l2tp": """
l2tpctl ip-l2tp add tunnel remote 192.0.2.2 local 192.0.2.1 tunnel_id 1 peer_tunnel_id 1 \\
    encap udp udp_sport 1701 udp_dport 1701
l2tpctl ip-l2tp add session tunnel_id 1 session_id 1 peer_session_id 1 cookie 0123456789abcdef
l2tpctl ip-l2tp show session
l2tpctl ip-l2tp del tunnel tunnel_id 1
l2tpctl ip-l2tp help
""",
}


_NETNS = by_word(TUNNEL)["netns"]


def peer(
    ctx: click.Context,
    tunnel: options.TunnelName,
    as_: Annotated[
        str | None,
        Option(
            "--as",
            metavar="FORMAT",
            help=f"Whose words to print: {', '.join(PEER_FORMATS)}. [default: l2tpctl]",
            complete=completion.choice(*PEER_FORMATS),
        ),
    ] = None,
    name: Annotated[
        str | None,
        Option("--name", metavar="NAME", help="What the tunnel is called there. [default: as here]"),
    ] = None,
) -> None:
    """Print what to type at the other end.

    Addresses, ids, ports and cookies are swapped. The cookies are printed in clear, as the other end needs
    them: mind who reads along. What FORMAT has no words for is refused where nothing would pass without it.
    """
    from l2tpv3.formats.peer import commands

    told = commands(manager_of(ctx).tunnel(tunnel, secrets=True), as_ or "l2tpctl", name)
    for note in told.notes:
        print(f"l2tpctl: note: {printable(note)}", file=sys.stderr)
    print("\n".join(told.lines))


def ip_l2tp(
    ctx: click.Context,
    words: Annotated[list[str] | None, Argument(metavar="WORDS...", help="As for `ip l2tp`.")] = None,
    datapath: Annotated[
        str | None,
        Option(
            "--datapath",
            metavar="|".join(("auto", *EVERY)),
            envvar="L2TPV3_DATAPATH",
            help="Who carries tunnels that are added. [default: auto]",
            complete=completion.choice("auto", *EVERY),
        ),
    ] = None,
    netns: Annotated[str | None, options.declared(_NETNS)] = None,
) -> None:
    """Do what `ip l2tp` does, on any datapath.

    Its words and its output: `l2tpctl ip-l2tp help` prints the words. What is added goes on record as tunnel tID and
    session sID.
    """
    from l2tpv3.formats.iproute2.command import USAGE, parse, perform, take_options

    given, rest = take_options(list(words or ()))
    request = parse(rest)
    if request.verb == "help":
        print(USAGE, end="")
        return
    done = perform(manager_of(ctx), request, datapath=datapath or "auto", netns=given or netns)
    for note in done.notes:
        print(printable(note), file=sys.stderr)
    print(printable_lines(done.output), end="")


COMMANDS = {"peer": peer, "ip-l2tp": ip_l2tp}
