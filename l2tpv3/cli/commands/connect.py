"""`l2tpctl connect` and `disconnect`: both ends of a pseudowire from one command."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import click

from l2tpv3.cli import options
from l2tpv3.cli.commands.apply import StepLines
from l2tpv3.cli.commands.tunnel import local_manager
from l2tpv3.cli.parameters import Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.errors import InvalidValueError, NotFoundError, UnreachableError
from l2tpv3.model.fields import SESSION, TUNNEL, by_word
from l2tpv3.printable import printable

if TYPE_CHECKING:
    from l2tpv3.connect.command_end import CommandEnd
    from l2tpv3.connect.connecting import Wish

EXAMPLES = {
    "connect": """
l2tpctl connect siteb --host ssh://root@siteb.example.net
l2tpctl connect siteb --host ssh://siteb --bridge br0 --peer-bridge br0
l2tpctl connect siteb --host ssh://siteb --address 10.0.0.1/24 --peer-address 10.0.0.2/24
l2tpctl connect siteb --host ssh://siteb --encrypt wireguard --mtu 1500
l2tpctl connect siteb --host ssh://siteb --plan
""",
    "disconnect": "l2tpctl disconnect siteb\nl2tpctl disconnect siteb --here",
}

SAME = ("encap", "encrypt"), ("mtu", "fragment")
"""Words of the tunnel, and of its session, that are the same at both ends."""
OWN = ("datapath",), ("ifname", "bridge", "address")
"""Words that each end has of its own: --peer-WORD is the far end's."""

_FIELDS = {**by_word(TUNNEL), **by_word(SESSION)}
_LEAST_S, _MOST_S = 15.0, 3600.0


def end_options() -> dict[str, Any]:
    """The options of both ends: those that are the same, those of this end, and those of the far one."""
    made = {word: options.option(_FIELDS[word]) for word in (*SAME[0], *SAME[1])}
    for word in (*OWN[0], *OWN[1]):
        made[word] = options.option(_FIELDS[word])
        made[f"peer-{word}"] = _of_the_far_end(word)
    return made


def words_of(given: Mapping[str, Any], prefix: str, words: Iterable[str]) -> dict[str, Any]:
    """Of the words that were given, with a prefix, those that are named; without the prefix."""
    return {word: given[prefix + word] for word in words if prefix + word in given}


def _of_the_far_end(word: str) -> Any:
    field = _FIELDS[word]
    option = Option(f"--peer-{word}", metavar=field.metavar, help=f"The same for the far end: see --{word}.")
    return Annotated[list[str] | None, option] if field.many else Annotated[str | None, option]


@options.with_options(end_options())
def connect(
    ctx: click.Context,
    name: options.NewTunnel,
    *,
    host: Annotated[str, Option("--host", metavar="URL", help="The far end: ssh://[USER@]HOST[:PORT], or its name.")],
    peer_name: Annotated[
        str | None, Option("--peer-name", metavar="NAME", help="What the tunnel is called there. [default: as here]")
    ] = None,
    session: Annotated[str, Option("--session", metavar="NAME", help="What the session is called.")] = "lan",
    local: Annotated[
        str | None, Option("--local", metavar="ADDR", help="This host's address. [default: the one ssh comes from]")
    ] = None,
    remote: Annotated[
        str | None, Option("--remote", metavar="ADDR", help="The far end's. [default: the one ssh goes to]")
    ] = None,
    confirm: Annotated[
        str, Option("--confirm", metavar="SECONDS", help="When an end that hears no more goes back by itself.")
    ] = "60",
    plan: Annotated[bool, Option("--plan", help="Show what would be done at both ends, and touch nothing.")] = False,
    **words: Any,
) -> None:
    """Make a pseudowire with both of its ends, or none.

    Ids, ports and cookies are drawn once, for both. Each end is planned and then made, to be confirmed; frames are sent
    through it, small ones and those of full size, both ways; then both ends are confirmed. If anything fails, both are
    as they were before. An end that is cut off meanwhile goes back by itself.
    """
    from l2tpv3.connect import connecting
    from l2tpv3.connect.connections import Connection, Connections
    from l2tpv3.connect.wire_test import test_pseudowire

    confirm_s = seconds(confirm, "--confirm", least=_LEAST_S, most=_MOST_S)
    manager = local_manager(ctx, "connect")
    near, far = both_ends(host)
    wish = _wish(name, peer_name, session, local, remote, options.given(words))
    _check(wish)
    connecting.state_ends(near, far, wish)
    for end in (near, far):
        _show_plan(end)
    if plan:
        return
    assert near.wanted is not None and far.wanted is not None
    connection = Connection(host=host, peer=far.wanted.name, marks=(near.mark, far.mark))
    Connections(manager.paths.state).remember(name, connection)

    def test() -> str:
        return f"frames of up to {test_pseudowire(near, far)} bytes pass both ways"

    connecting.connect((near, far), test, confirm_s=confirm_s, tell=_tell)
    print(f"tunnel {name}: connected; `l2tpctl disconnect {name}` removes both ends", file=sys.stderr)


def disconnect(
    ctx: click.Context,
    tunnel: options.TunnelName,
    *,
    host: Annotated[
        str | None, Option("--host", metavar="URL", help="The far end. [default: as it was connected]")
    ] = None,
    here: Annotated[
        bool, Option("--here", help="Only this end: the far one is gone, or for others to remove.")
    ] = False,
) -> None:
    """Remove both ends that `connect` made, the far one first.

    A tunnel that something was changed about since, so that it has other sessions or cookies, stays.
    """
    from l2tpv3.connect.connections import Connections

    manager = local_manager(ctx, "disconnect")
    connections = Connections(manager.paths.state)
    known = connections.find(tunnel)
    if known is None:
        manager.tunnel(tunnel)
        problem = "`connect` did not make it on this host"
        raise NotFoundError(f"tunnel {tunnel}", problem, f"`l2tpctl tunnel del {tunnel}` removes this end")
    if not here:
        _, far = both_ends(host or known.host)
        try:
            _remove(far, known.peer, known.marks[1])
        except UnreachableError as error:
            error.remedy = f"{error.remedy}; nothing was removed here, `l2tpctl disconnect {tunnel} --here` does so"
            raise
    near, _ = both_ends(None)
    _remove(near, tunnel, known.marks[0])
    connections.forget(tunnel)


def _remove(end: CommandEnd, tunnel: str, mark: str) -> None:
    """Remove a tunnel at an end, if it is the one that was connected; tell what became of it."""
    try:
        end.remove(tunnel, mark)
        _tell(f"{end.title}: tunnel {tunnel} removed")
    except NotFoundError:
        _tell(f"{end.title}: there is no tunnel {tunnel}")


def both_ends(host: str | None) -> tuple[CommandEnd, CommandEnd]:
    """This end and the far one. host: None where the far one is not needed. Raises InvalidValueError."""
    from l2tpv3.cli.target import Aim
    from l2tpv3.connect.command_end import CommandEnd
    from l2tpv3.remote.ssh_target import ThisHost

    near = CommandEnd(ThisHost(), "here")
    if host is None:
        return near, near
    target = Aim(host=host).over_ssh()
    if target is None:
        problem = f"{host!r} is reached through its service, and both ends are made over ssh"
        raise InvalidValueError("--host", problem, "give ssh://[USER@]HOST[:PORT]")
    return near, CommandEnd(target, f"at {target.host}")


def _wish(
    name: str, peer_name: str | None, session: str, local: str | None, remote: str | None, words: dict[str, Any]
) -> Wish:
    from l2tpv3.connect.connecting import Wish

    session_words = words_of(words, "", SAME[1])
    if session_words.get("mtu", "").isdecimal():
        session_words["mtu"] = int(session_words["mtu"])
    return Wish(
        names=(name, peer_name or name),
        session_name=session,
        local=local,
        remote=remote,
        tunnel=words_of(words, "", SAME[0]),
        session=session_words,
        near_tunnel=words_of(words, "", OWN[0]),
        far_tunnel=words_of(words, "peer-", OWN[0]),
        near_session=words_of(words, "", OWN[1]),
        far_session=words_of(words, "peer-", OWN[1]),
    )


def _check(wish: Wish) -> None:
    """Raise InvalidValueError for words that can't be meant, before the far end is asked for anything."""
    from l2tpv3.remote.validate import session_words, tunnel_words

    addresses = {"local": wish.local, "remote": wish.remote}
    for name, own_tunnel, own_session in (
        (wish.names[0], wish.near_tunnel, wish.near_session),
        (wish.names[1], wish.far_tunnel, wish.far_session),
    ):
        tunnel_words(name, {**addresses, **wish.tunnel, **own_tunnel}, new=True)
        session_words(wish.session_name, {**wish.session, **own_session}, new=True)


def _show_plan(end: CommandEnd) -> None:
    print(f"{end.title}:")
    lines = StepLines(None, sys.stdout)
    for step in end.plan():
        lines.tell(step)
    sys.stdout.flush()


def _tell(text: str) -> None:
    # That nobody can read it is no reason to stop between one end and the other.
    with contextlib.suppress(OSError):
        print(printable(text), file=sys.stderr, flush=True)


COMMANDS = {"connect": connect, "disconnect": disconnect}
