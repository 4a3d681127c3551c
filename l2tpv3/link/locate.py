"""Finds sessions' netdevs again, also after a rename or a move to another network namespace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from l2tpv3.errors import NotFoundError, NotPermittedError
from l2tpv3.link.base import home
from l2tpv3.link.netdev import Netdevs
from l2tpv3.netlink.tape import spoil
from l2tpv3.netns import NETNS_DIR
from l2tpv3.spec import SessionSpec, TunnelSpec
from l2tpv3.status import NetdevState


class NetdevLocator:
    """The Locator protocol over rtnetlink: one dump for each namespace that is looked into.

    few: only few netdevs are looked for; one that has its mark under its own name is found without a dump.
    """

    def __init__(self, *, few: bool = False) -> None:
        self._few = few
        self._dumps: dict[str | None, dict[str, NetdevState]] = {}
        self._everywhere: list[str] | None = None

    def find(self, tunnel: TunnelSpec, session: SessionSpec, mark: str) -> NetdevState | None:
        """By its mark: where it belongs, in the tunnel's namespace, else in any named one."""
        likely = dict.fromkeys((home(tunnel, session), tunnel.netns))
        if self._few and (state := _by_name(likely, session.ifname, mark)) is not None:
            return state
        return self._first(likely, mark) or self._first(self._named(), mark)

    def _named(self) -> list[str]:
        if self._everywhere is None:
            self._everywhere = _named()
        return self._everywhere

    def named(self, netns: str | None, ifname: str) -> NetdevState | None:
        """A netdev by its name, for those that carry no mark of ours."""
        return next((state for state in self._dump(netns).values() if state.ifname == ifname), None)

    def _first(self, namespaces: Iterable[str | None], alias: str) -> NetdevState | None:
        for netns in namespaces:
            state = self._dump(netns).get(alias)
            if state is not None:
                return state
        return None

    def _dump(self, netns: str | None) -> dict[str, NetdevState]:
        if netns not in self._dumps:
            try:
                with Netdevs(netns) as netdevs:
                    found = {state.alias or f"#{state.ifindex}": state for state in netdevs.all()}
            except (NotFoundError, NotPermittedError):
                spoil()
                found = {}  # the namespace was deleted, or is not ours to enter: nothing of ours is seen there
            self._dumps[netns] = found
        return self._dumps[netns]


def _by_name(namespaces: Iterable[str | None], ifname: str, alias: str) -> NetdevState | None:
    for netns in namespaces:
        with contextlib.suppress(NotFoundError, NotPermittedError), Netdevs(netns) as netdevs:
            state = netdevs.named(ifname)
            if state.alias == alias:
                return state
    return None


def _named() -> list[str]:
    spoil()
    try:
        return sorted(path.name for path in Path(NETNS_DIR).iterdir())
    except OSError:
        return []
