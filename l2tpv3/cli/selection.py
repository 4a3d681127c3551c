"""Which tunnels, sessions and links a command shows: by name, by a pattern for names, by condition."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

from l2tpv3.cli import completion
from l2tpv3.cli.parameters import Option
from l2tpv3.errors import InvalidValueError, NotFoundError

if TYPE_CHECKING:
    from l2tpv3.host.base import Host, LinkHost
    from l2tpv3.model.links.status import LinkStatus
    from l2tpv3.model.status import Condition, SessionStatus, TunnelStatus

CONDITIONS = ("up", "down", "missing", "incomplete")

Brief = Annotated[bool, Option("--brief", help="Only the most important, a line each.")]
OnlyCondition = Annotated[
    str | None,
    Option(
        "--condition",
        metavar="WORD",
        help="Only what is up, down, missing or incomplete.",
        complete=completion.choice(*CONDITIONS),
    ),
]


class _Conditioned(Protocol):
    @property
    def condition(self) -> Condition: ...


_Shown = TypeVar("_Shown", bound=_Conditioned)


def is_pattern(name: str | None) -> bool:
    """Whether a name is a pattern as a shell's: `*`, `?` and `[` are in no name on record."""
    return name is not None and any(sign in name for sign in "*?[")


def are_one(*names: str | None) -> bool:
    """Whether these names are those of one thing: all are given, and none is a pattern."""
    return all(name is not None and not is_pattern(name) for name in names)


def in_condition(found: Iterable[_Shown], condition: str | None) -> list[_Shown]:
    """The items in the condition that --condition says; all without it. Raises InvalidValueError."""
    if condition is not None and condition not in CONDITIONS:
        raise InvalidValueError("--condition", f"{condition!r} is no condition", f"give {', '.join(CONDITIONS)}")
    return [one for one in found if condition in (None, one.condition.value)]


def find_tunnels(host: Host, name: str | None, *, secrets: bool = False) -> list[TunnelStatus]:
    """All tunnels, the one of that name, or those whose names the pattern matches. Raises NotFoundError."""
    if name is None or not is_pattern(name):
        return host.tunnels(secrets=secrets) if name is None else [host.tunnel(name, secrets=secrets)]
    found = [one for one in host.tunnels(secrets=secrets) if fnmatchcase(one.name, name)]
    if not found:
        raise NotFoundError(f"tunnel {name}", "no tunnel has such a name", "`l2tpctl tunnel show` lists them")
    return found


def find_sessions(
    host: Host, tunnel: str | None, name: str | None, *, secrets: bool = False
) -> list[tuple[str, SessionStatus]]:
    """Pairs of tunnel's name and session: all, those of tunnels, or the one; patterns as well. Raises NotFoundError."""
    if tunnel is not None and name is not None and are_one(tunnel, name):
        return [(tunnel, host.session(tunnel, name, secrets=secrets))]
    tunnels = find_tunnels(host, tunnel, secrets=secrets)
    pairs = [(one.name, session) for one in tunnels for session in one.sessions]
    if name is None:
        return pairs
    found = [(where, session) for where, session in pairs if fnmatchcase(session.name, name)]
    if not found:
        raise NotFoundError(
            f"session {tunnel}/{name}", "no session has such a name", "`l2tpctl session show` lists them"
        )
    return found


def find_links(links: LinkHost, name: str | None) -> list[LinkStatus]:
    """All links, the one of that name, or those whose names the pattern matches. Raises NotFoundError."""
    if name is None or not is_pattern(name):
        return links.all() if name is None else [links.get(name)]
    found = [one for one in links.all() if fnmatchcase(one.name, name)]
    if not found:
        raise NotFoundError(f"link {name}", "no link has such a name", "`l2tpctl link show` lists them")
    return found


def with_sessions_in(tunnels: Iterable[TunnelStatus], condition: str | None) -> list[TunnelStatus]:
    """Tunnels that are in the condition, or have sessions in it; of these only such sessions.

    Raises InvalidValueError for an unknown condition.
    """
    if condition is None:
        return list(tunnels)
    cut = [dataclasses.replace(one, sessions=tuple(in_condition(one.sessions, condition))) for one in tunnels]
    return [one for one in cut if one.sessions or one.condition.value == condition]
