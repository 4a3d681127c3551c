"""`l2tpctl invite` and `join`: both ends of a pseudowire where one host can't reach the other by ssh."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from l2tpv3.cli import options
from l2tpv3.cli.commands.connect import OWN, SAME, end_options, words_of
from l2tpv3.cli.commands.tunnel import local_manager
from l2tpv3.cli.parameters import Argument, Files, Option, secret_file
from l2tpv3.cli.seconds import seconds
from l2tpv3.errors import ConflictError, ExistsError, InvalidValueError, file_error
from l2tpv3.model.fields import SESSION, TUNNEL, by_word

if TYPE_CHECKING:
    from l2tpv3.host.manager import Manager
    from l2tpv3.model.desired import DesiredTunnel

EXAMPLES = {
    "invite": """
l2tpctl invite siteb --remote 198.51.100.1 --address 10.9.0.1/24 --peer-address 10.9.0.2/24
l2tpctl invite siteb --remote 198.51.100.1 --bridge br0 --peer-bridge br0 --qr
""",
    "join": "l2tpctl join @line.txt\nl2tpctl join - --bridge br1 < line.txt",
}

_REMOTE, _LOCAL = by_word(TUNNEL)["remote"], by_word(TUNNEL)["local"]
_AT_JOIN = {"datapath": by_word(TUNNEL)["datapath"], **{word: by_word(SESSION)[word] for word in OWN[1]}}
_ID_LEAST, _ID_MOST = 1 << 16, (1 << 31) - 1


_ENDS = {"remote": options.option(_REMOTE, required=True), "local": options.option(_LOCAL)}


@options.with_options({**_ENDS, **end_options()}, ["remote"])
def invite(
    ctx: click.Context,
    name: options.NewTunnel,
    *,
    peer_name: Annotated[
        str | None, Option("--peer-name", metavar="NAME", help="What the tunnel is called there. [default: as here]")
    ] = None,
    session: Annotated[str, Option("--session", metavar="NAME", help="What the session is called.")] = "lan",
    expires: Annotated[str, Option("--expires", metavar="SECONDS", help="How long the line can be used.")] = "3600",
    qr: Annotated[bool, Option("--qr", help="Print a QR code of the line on stderr, too.")] = False,
    **words: Any,
) -> None:
    """Make this end, and print one line for the other one.

    There `l2tpctl join` makes the other end of it. The line holds the cookies: it is as secret as they are, and good
    for one time. `l2tpctl tunnel del` takes the invitation back.
    """
    from l2tpv3.connect.inviting import invitation_to, qr_for_terminal

    manager = local_manager(ctx, "invite")
    expires_s = seconds(expires, "--expires", least=1.0)
    draw = qr_for_terminal if qr else None
    if draw is not None:
        draw(name)  # that it can't be drawn is said before anything is made
    given = options.given(words)
    encryption = _encryption(manager, given)
    manager.apply([_near(manager, name, session, given, encryption[0])])
    of_tunnel = {**words_of(given, "peer-", OWN[0]), **encryption[1]}
    of_session = words_of(given, "peer-", OWN[1])
    made = manager.tunnel(name, secrets=True)
    invitation = invitation_to(made, expires_s=expires_s, name=peer_name, of_tunnel=of_tunnel, of_session=of_session)
    line = invitation.line()
    print(line)
    if draw is not None:
        print(draw(line), file=sys.stderr)
    there = f"`l2tpctl join LINE` at {made.spec.remote} makes the other one"
    print(f"tunnel {name}: this end is made; {there}", file=sys.stderr)


def _encryption(manager: Manager, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The words of this and of the other end that say how they are encrypted; none without --encrypt."""
    from l2tpv3.connect.drawn import drawn_encryption
    from l2tpv3.connect.taken import taken_ports

    return drawn_encryption(given, (taken_ports(manager.tunnels()), ()))


def _near(
    manager: Manager, name: str, session: str, given: dict[str, Any], encryption: dict[str, Any]
) -> DesiredTunnel:
    """This end as it is wanted: ids are drawn at random, as what the other host has can't be asked."""
    import random

    from l2tpv3.model.desired import DesiredSession, DesiredTunnel

    if name in {one.name for one in manager.tunnels()}:
        raise ExistsError(
            f"tunnel {name}", "is here already", f"`l2tpctl tunnel del {name}` first, or give another name"
        )
    draw = random.SystemRandom().randint
    ends: dict[str, Any] = {word: given[word] for word in ("remote", "local") if word in given}
    of_tunnel = {**words_of(given, "", (*SAME[0], *OWN[0])), **encryption}
    tunnel = {**ends, "id": draw(_ID_LEAST, _ID_MOST), **of_tunnel}
    lan = {"id": draw(_ID_LEAST, _ID_MOST), **words_of(given, "", (*SAME[1], *OWN[1]))}
    return DesiredTunnel(name=name, words=tunnel, sessions=(DesiredSession(name=session, words=lan),))


@options.with_options({word: options.option(field) for word, field in _AT_JOIN.items()})
def join(
    ctx: click.Context,
    line: Annotated[
        str, Argument(metavar="LINE", help="The line, or @FILE that holds it, or - for stdin.", files=Files.SECRET)
    ],
    name: Annotated[
        str | None, Option("--name", metavar="NAME", help="What the tunnel is called here. [default: as the line says]")
    ] = None,
    **words: Any,
) -> None:
    """Make the end that a line of `l2tpctl invite` states.

    `@FILE` and `-` keep the line, which holds the cookies, out of the list of processes. Options go before what the
    line says of this end.
    """
    from l2tpv3.connect.invitation import Invitation
    from l2tpv3.connect.inviting import with_words
    from l2tpv3.model.desired import DesiredTunnel

    manager = local_manager(ctx, "join")
    invitation = Invitation.of_line(_text(line))
    used = manager.paths.state / "joined" / invitation.secret.hex()
    if used.exists():
        raise ConflictError("the line", "was used on this host before", "have `l2tpctl invite` print another one")
    if invitation.expires < time.time():
        ago = int(time.time() - invitation.expires)
        problem = f"expired {ago} s ago, by this host's clock"
        raise InvalidValueError("the line", problem, "have `l2tpctl invite` print another one")
    given = options.given(words)
    tunnel = with_words(invitation.tunnel, words_of(given, "", OWN[0]), words_of(given, "", OWN[1]))
    tunnel = DesiredTunnel(name=name or tunnel.name, words=tunnel.words, sessions=tunnel.sessions)
    if tunnel.name in {one.name for one in manager.tunnels()}:
        raise ExistsError(f"tunnel {tunnel.name}", "is here already", "give another --name")
    manager.apply([tunnel])
    _note_used(used)
    print(f"tunnel {tunnel.name}: joined; `l2tpctl tunnel show {tunnel.name}` tells how it is", file=sys.stderr)


def _text(line: str) -> str:
    """The line itself, or what is in the file that it names. Raises InvalidValueError."""
    from l2tpv3.connect.invitation import LINE_MAX
    from l2tpv3.linux.read_file import read_file

    path = secret_file(line)
    if path is None:
        return line
    try:
        return read_file(path, LINE_MAX + 2).decode("ascii")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise InvalidValueError("LINE", f"can't read {path!r}: {reason}", "give @FILE, or - and a pipe") from error


def _note_used(file: Path) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError as error:
        raise file_error(file, "note that the line was used", error, "the tunnel was made") from error


COMMANDS = {"invite": invite, "join": join}
