"""Dynamic shell completion: quick, and silent when it can't tell, as nobody wants errors in a line being typed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import typer


def tunnels(incomplete: str) -> list[str]:
    """Names of tunnels on record."""
    return _matching(incomplete, _on_record)


def sessions(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of sessions on record in the tunnel that the command line names."""
    tunnel = ctx.params.get("tunnel")
    return _matching(incomplete, lambda: _on_record().get(tunnel or "", []))


def tokens(incomplete: str) -> list[str]:
    """Names of the service's tokens."""
    from l2tpv3.places import Places
    from l2tpv3_api.access.tokens import Tokens

    return _matching(incomplete, lambda: (token.name for token in Tokens(Places.from_environment().state).all()))


def netns(incomplete: str) -> list[str]:
    """Names of network namespaces."""
    from l2tpv3.netns import NETNS_DIR

    return _matching(incomplete, lambda: (path.name for path in Path(NETNS_DIR).iterdir()))


def bridges(incomplete: str) -> list[str]:
    """Names of bridges."""
    return _matching(incomplete, lambda: (path.parent.name for path in Path("/sys/class/net").glob("*/bridge")))


def choice(*words: str) -> Callable[[str], list[str]]:
    """A completion that offers these words."""

    def complete(incomplete: str) -> list[str]:
        return _matching(incomplete, lambda: words)

    return complete


def _on_record() -> dict[str, list[str]]:
    # The record, not the manager: it needs no netlink, which makes the difference between 60 ms and 200 ms.
    from l2tpv3.places import Places
    from l2tpv3.store import Store

    on_record = Store(Places.from_environment().state).tunnels()
    return {name: [session.spec.name for session in tunnel.sessions] for name, tunnel in on_record.items()}


def _matching(incomplete: str, words: Callable[[], Iterable[str]]) -> list[str]:
    from l2tpv3.errors import L2tpError

    try:
        return sorted(word for word in words() if word.startswith(incomplete))
    except (L2tpError, OSError, ValueError):
        return []
