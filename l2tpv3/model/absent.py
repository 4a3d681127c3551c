"""The errors about a tunnel, session or link that does not exist, or that another program made."""

from __future__ import annotations

from collections.abc import Iterable

from l2tpv3.errors import ForeignError, NotFoundError
from l2tpv3.spelling import did_you_mean


def no_tunnel(name: str, known: Iterable[str] = ()) -> NotFoundError:
    """The error about a tunnel that does not exist. known: the names of all tunnels, for "did you mean"."""
    remedy = did_you_mean(name, known, "`l2tpctl tunnel show` lists them")
    return NotFoundError(f"tunnel {name}", "no such tunnel", remedy)


def no_link(name: str, known: Iterable[str] = ()) -> NotFoundError:
    """The error about a link that does not exist. known: the names of all links, for "did you mean"."""
    return NotFoundError(f"link {name}", "no such link", did_you_mean(name, known, "`l2tpctl link show` lists them"))


def no_session(tunnel: str, name: str, known: Iterable[str] = ()) -> NotFoundError:
    """The error about a session that does not exist. known: the names of the tunnel's sessions."""
    remedy = did_you_mean(name, known, f"`l2tpctl session show {tunnel}` lists them")
    return NotFoundError(f"session {tunnel}/{name}", "no such session", remedy)


def foreign_tunnel(name: str) -> ForeignError:
    """The error about a change of a tunnel that another program made."""
    return ForeignError(f"tunnel {name}", "something else made it", f"`l2tpctl adopt {name} NAME` takes it over")
