"""Dynamic shell completion: quick, and silent when it can't tell, as nobody wants errors in a line being typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l2tpv3.cli.target import Aim

if TYPE_CHECKING:
    from l2tpv3.remote.ssh_target import SshTarget

_PLAIN = re.compile(r"[A-Za-z0-9_.,:+@/=%-]*")

_THERE_S = 1.0
"""How long another host may take to connect, and then to answer: nobody waits longer for a Tab."""
_OVER_SSH_S = 3.0
"""The same for all that ssh does: it agrees on keys, and starts a program there."""
_THERE_MAX = 1000


def tunnels(ctx: click.Context, incomplete: str) -> list[str]:
    """Names of tunnels on record."""
    return _matching(incomplete, lambda: _on_record(ctx))


def sessions(ctx: click.Context, incomplete: str) -> list[str]:
    """Names of sessions on record in the tunnel that the command line names."""
    tunnel = ctx.params.get("tunnel")
    return _matching(incomplete, lambda: _on_record(ctx).get(tunnel or "", []))


def tokens(_: click.Context, incomplete: str) -> list[str]:
    """Names of the service's tokens."""
    from l2tpv3.paths import Paths
    from l2tpv3_api.auth.tokens import Tokens

    return _matching(incomplete, lambda: (token.name for token in Tokens(Paths.from_environment().state).all()))


def netns(ctx: click.Context, incomplete: str) -> list[str]:
    """Names of network namespaces of this host."""
    from l2tpv3.linux.netns import netns_names

    return _matching(incomplete, lambda: netns_names() if _is_here(ctx) else ())


def links(ctx: click.Context, incomplete: str) -> list[str]:
    """Names of links on record."""
    return _matching(incomplete, lambda: _links(ctx))


def restorable(ctx: click.Context, incomplete: str) -> list[str]:
    """Names of tunnels and, behind `link`, of links."""
    return (
        links(ctx, incomplete) if ctx.params.get("names") else _matching(incomplete, lambda: [*_on_record(ctx), "link"])
    )


def devices(ctx: click.Context, incomplete: str) -> list[str]:
    """Complete what a link can be over: netdevs of this host, sessions as TUNNEL/NAME, other links; after a comma
    another.
    """
    return _another(incomplete, lambda: _devices(ctx))


def netdevs(ctx: click.Context, incomplete: str) -> list[str]:
    """Names of netdevs of this host; `none` where one can be left out again."""
    return _matching(incomplete, lambda: _netdevs(ctx) | ({"none"} if ctx.info_name == "set" else set()))


def members(ctx: click.Context, incomplete: str) -> list[str]:
    """Complete what the link is over, by the command line, else by the record; after a comma another."""
    return _another(incomplete, lambda: _over(ctx))


def modes(ctx: click.Context, incomplete: str) -> list[str]:
    """The modes of the link's type; of all types where that is not known."""

    def words() -> Iterable[str]:
        from l2tpv3.model.links.options import BondMode, IpvlanMode, MacvlanMode

        known = {"bond": BondMode, "macvlan": MacvlanMode, "ipvlan": IpvlanMode}
        name = ctx.params.get("type") or _links(ctx).get(_link_name(ctx), ("", ()))[0]
        return {mode.value for kind in ([known[name]] if name in known else known.values()) for mode in kind}

    return _matching(incomplete, words)


def bridges(ctx: click.Context, incomplete: str) -> list[str]:
    """Names of bridges: of this host, and links on record that sessions can join; `none` where there is one to leave.

    A shell offers files where there is nothing else, and no file is a bridge.
    """

    def words() -> Iterable[str]:
        found = {path.parent.name for path in Path("/sys/class/net").glob("*/bridge") if _is_here(ctx)}
        found |= {name for name, (type_, _) in _links(ctx).items() if type_ in ("bridge", "alias")}
        return found | ({"none"} if ctx.info_name == "set" else set())

    return _matching(incomplete, words)


def choice(*words: str) -> Callable[[click.Context, str], list[str]]:
    """A completion that offers these words."""

    def complete(_: click.Context, incomplete: str) -> list[str]:
        return _matching(incomplete, lambda: words)

    return complete


def _is_here(ctx: click.Context) -> bool:
    """Whether the command line is for this host."""
    return Aim.from_options(ctx.find_root().params) is None


def _on_record(ctx: click.Context) -> dict[str, list[str]]:
    aim = Aim.from_options(ctx.find_root().params)
    if aim is not None:
        return _on_record_there(aim)
    # The record, not the manager: it needs no netlink, which makes the difference between 60 ms and 200 ms.
    from l2tpv3.paths import Paths
    from l2tpv3.store.database import Store

    on_record = Store(Paths.from_environment().state).tunnels()
    return {name: [session.spec.name for session in tunnel.sessions] for name, tunnel in on_record.items()}


def _on_record_there(aim: Aim) -> dict[str, list[str]]:
    if (target := aim.over_ssh()) is not None:
        tunnels = _printed_there(target, "tunnel", "show")["tunnels"]
        return {one["name"]: [session["name"] for session in one["sessions"]] for one in tunnels if not one["foreign"]}
    client = aim.client(connect_s=_THERE_S, read_s=_THERE_S, tries=1)
    tunnels = client.get("/v1/tunnels", foreign="false", include="sessions", limit=_THERE_MAX)["tunnels"]
    return {one["name"]: [session["name"] for session in one["sessions"]] for one in tunnels}


def _printed_there(target: SshTarget, *words: str) -> Any:
    """The JSON that a command prints on a host over ssh, which must let us in without a question."""
    import json
    import subprocess

    from l2tpv3.remote.sent_command import SentCommand
    from l2tpv3.remote.ssh import SshCommand

    quiet = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={_THERE_S:.0f}")
    with SshCommand(target, stdout=subprocess.PIPE, options=quiet) as running:
        running.give_up_after(_OVER_SSH_S)
        running.send(SentCommand(words=(*words, "--json")))
        return json.loads(running.stdout.read())


def _links(ctx: click.Context) -> dict[str, tuple[str, Sequence[str]]]:
    """Type, and what it is over, of each link on record."""
    aim = Aim.from_options(ctx.find_root().params)
    if aim is not None:
        if (target := aim.over_ssh()) is not None:
            there = _printed_there(target, "link", "show")["links"]
        else:
            client = aim.client(connect_s=_THERE_S, read_s=_THERE_S, tries=1)
            there = client.get("/v1/links", limit=_THERE_MAX)["links"]
        return {one["name"]: (one["type"], one["over"]) for one in there}
    from l2tpv3.paths import Paths
    from l2tpv3.store.database import Store

    on_record = Store(Paths.from_environment().state).load().links
    return {name: (one.spec.type, one.spec.over) for name, one in on_record.items()}


def _devices(ctx: click.Context) -> set[str]:
    found = {*_links(ctx)} | {f"{tunnel}/{name}" for tunnel, names in _on_record(ctx).items() for name in names}
    return found | _netdevs(ctx)


def _netdevs(ctx: click.Context) -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir() if _is_here(ctx)} - {"lo"}


def _over(ctx: click.Context) -> Sequence[str]:
    given = ",".join(ctx.params.get("over") or ())
    return given.split(",") if given else _links(ctx)[_link_name(ctx)][1]


def _link_name(ctx: click.Context) -> str:
    """The link that the command line names. While an option still lacks its value, click has not got to arguments."""
    return str(ctx.params.get("name") or next(iter(ctx.args), ""))


def _another(incomplete: str, words: Callable[[], Iterable[str]]) -> list[str]:
    """Complete the last entry of a list with commas, by words that are not in the list yet."""
    before, comma, begun = incomplete.rpartition(",")
    taken = {*before.split(",")}
    return [f"{before}{comma}{word}" for word in _matching(begun, words) if word not in taken]


def _matching(incomplete: str, words: Callable[[], Iterable[str]]) -> list[str]:
    from l2tpv3.errors import L2tpError

    try:
        # A shell puts the word on its line as it is: a netdev may be called `$(reboot)`.
        return sorted(word for word in words() if word.startswith(incomplete) and _PLAIN.fullmatch(word))
    except (L2tpError, OSError, ValueError, LookupError, TypeError):
        return []
