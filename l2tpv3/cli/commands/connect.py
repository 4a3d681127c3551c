"""`l2tpctl connect` and `disconnect`: both ends of a pseudowire from one command."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import click

from l2tpv3.cli import completion, options
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
    from l2tpv3.connect.end import End
    from l2tpv3.connect.typed_commands import Place
    from l2tpv3.connect.typed_end import TypedEnd
    from l2tpv3.remote.ssh_target import SshTarget

EXAMPLES = {
    "connect": """
l2tpctl connect siteb --host ssh://root@siteb.example.net
l2tpctl connect siteb --host ssh://siteb --bridge br0 --peer-bridge br0
l2tpctl connect siteb --host ssh://siteb --address 10.0.0.1/24 --peer-address 10.0.0.2/24
l2tpctl connect siteb --host ssh://siteb --encrypt wireguard --mtu 1500
l2tpctl connect siteb --host ssh://root@siteb --as iproute2
l2tpctl connect siteb --host ssh://siteb --plan
""",
    "disconnect": "l2tpctl disconnect siteb\nl2tpctl disconnect siteb --here",
}

SAME = ("encap", "encrypt"), ("mtu", "fragment")
"""Words of the tunnel, and of its session, that are the same at both ends."""
OWN = ("datapath",), ("ifname", "bridge", "address")
"""Words that each end has of its own: --peer-WORD is the far end's."""
MAKERS = "l2tpctl", "iproute2"
"""What can make the far end."""

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
    as_: Annotated[
        str | None,
        Option(
            "--as",
            metavar="|".join(MAKERS),
            help="What makes the far end: l2tpctl there, or, without it, `ip` and `wg`. [default: l2tpctl]",
            complete=completion.choice(*MAKERS),
        ),
    ] = None,
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
    from l2tpv3.connect.typed_end import TypedEnd
    from l2tpv3.connect.wire_test import test_pseudowire

    confirm_s = seconds(confirm, "--confirm", least=_LEAST_S, most=_MOST_S)
    manager = local_manager(ctx, "connect")
    typed = _is_typed(as_)
    wish = _wish(name, peer_name, session, local, remote, options.given(words))
    _check(wish)
    if typed:
        _check_typed(wish)
    near, far = _near(), _far_end(host, typed=typed)
    connecting.state_ends(near, far, wish)
    for end in (near, far):
        _show_plan(end)
    if typed:
        _tell(f"{far.title}: nothing of this outlives a reboot; `l2tpctl disconnect {name}` then, and connect again")
    if plan:
        return
    assert near.wanted is not None and far.wanted is not None
    place = far.place if isinstance(far, TypedEnd) else None
    connection = Connection(host=host, peer=far.wanted.name, marks=(near.mark, far.mark), place=place)
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
        far = _far_end(host or known.host, typed=known.place is not None, place=known.place)
        try:
            _remove(far, known.peer, known.marks[1])
        except UnreachableError as error:
            error.remedy = f"{error.remedy}; nothing was removed here, `l2tpctl disconnect {tunnel} --here` does so"
            raise
    _remove(_near(), tunnel, known.marks[0])
    connections.forget(tunnel)


def _remove(end: CommandEnd | TypedEnd, tunnel: str, mark: str) -> None:
    """Remove a tunnel at an end, if it is the one that was connected; tell what became of it."""
    try:
        end.remove(tunnel, mark)
        _tell(f"{end.title}: tunnel {tunnel} removed")
    except NotFoundError:
        _tell(f"{end.title}: there is no tunnel {tunnel}")


def both_ends(host: str) -> tuple[CommandEnd, CommandEnd]:
    """This end and the far one, which has l2tpctl. Raises InvalidValueError."""
    from l2tpv3.connect.command_end import CommandEnd

    target = _target(host)
    return _near(), CommandEnd(target, f"at {target.host}")


def _near() -> CommandEnd:
    from l2tpv3.connect.command_end import CommandEnd
    from l2tpv3.remote.ssh_target import ThisHost

    return CommandEnd(ThisHost(), "here")


def _far_end(host: str, *, typed: bool, place: Place | None = None) -> CommandEnd | TypedEnd:
    """The far end. typed: it has no l2tpctl. place: where it is then, if that is known. Raises InvalidValueError."""
    if not typed:
        return both_ends(host)[1]
    from l2tpv3.connect.typed_end import TypedEnd

    target = _target(host)
    return TypedEnd(target.for_shell(), f"at {target.host}", place)


def _target(host: str) -> SshTarget:
    from l2tpv3.cli.target import Aim

    target = Aim(host=host).over_ssh()
    if target is None:
        problem = f"{host!r} is reached through its service, and both ends are made over ssh"
        raise InvalidValueError("--host", problem, "give ssh://[USER@]HOST[:PORT]")
    return target


def _is_typed(maker: str | None) -> bool:
    """Whether the far end is made by `ip` and `wg`. Raises InvalidValueError for what can't make one."""
    if maker not in (None, *MAKERS):
        raise InvalidValueError("--as", f"{maker!r} is unknown", f"give one of {', '.join(MAKERS)}")
    return maker == "iproute2"


def _check_typed(wish: Wish) -> None:
    """Raise InvalidValueError for words that mean nothing where `ip` and `wg` make the far end."""
    if wish.names[0] != wish.names[1]:
        raise InvalidValueError(
            "--peer-name", "means nothing with --as iproute2: `ip l2tp` has no names", "leave it out"
        )
    if wish.far_tunnel.get("datapath", "kernel") not in ("auto", "kernel"):
        raise InvalidValueError("--peer-datapath", "is the kernel's with --as iproute2", "leave it out")
    if wish.tunnel.get("encrypt") == "ipsec":
        remedy = "have `l2tpctl peer NAME --as iproute2` print that end, or use --encrypt wireguard"
        raise InvalidValueError("--encrypt", "ipsec takes a file for strongSwan there, which is not typed", remedy)
    if wish.session.get("fragment", "off") == "on":
        problem = "is something that only l2tpctl at both ends can do"
        raise InvalidValueError(
            "--fragment", problem, "leave it out, or install l2tpv3 there and leave --as iproute2 out"
        )


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


def _show_plan(end: End) -> None:
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
