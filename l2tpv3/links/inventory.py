"""The netdevs of all namespaces at one moment: each namespace is listed once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from l2tpv3.errors import NotFoundError, NotPermittedError
from l2tpv3.links.kinds.base import Attributes
from l2tpv3.links.rtnetlink import LinkSocket
from l2tpv3.linux.netlink.rtnetlink import number_of_netns
from l2tpv3.linux.netns import netns_names
from l2tpv3.model.status import NetdevState
from l2tpv3.netdev.netdevs import Netdevs

_One = TypeVar("_One")


class NetdevInventory:
    """The netdevs that exist. A namespace that is gone, or that we may not enter, has none."""

    def __init__(self) -> None:
        self._links: dict[str | None, Mapping[int, Attributes]] = {}
        self._states: dict[str | None, Mapping[int, NetdevState]] = {}
        self._named: list[str] | None = None

    def links(self, netns: str | None) -> Mapping[int, Attributes]:
        """A namespace's netdevs by index, with everything about them (LinkSocket.all)."""
        return _cached(self._links, netns, _all_links)

    def states(self, netns: str | None) -> Mapping[int, NetdevState]:
        """The netdevs of a namespace as NetdevState, with addresses."""
        return _cached(self._states, netns, _all_states)

    def marked(self, likely: tuple[str | None, ...], mark: str, spare: str) -> tuple[str | None, Attributes] | None:
        """The netdev with that mark in the likely namespaces. spare: the name of one that has not got its mark yet."""
        for netns in dict.fromkeys(likely):
            for one in self.links(netns).values():
                if one.get("ifalias") == mark or one["ifname"] == spare:
                    return netns, one
        return None

    def moved(self, beneath: str | None, driver: str, mark: str) -> tuple[str | None, Attributes] | None:
        """Find a netdev of a driver, over one in `beneath`, that somebody has moved to any namespace that has a name.

        Its mark alone proves nothing: whoever has a namespace may write it on a netdev there. But none can be put on a
        netdev of another namespace by who is not root there too, which IFLA_LINK and IFLA_LINK_NETNSID tell.
        Raises L2tpError where the kernel refuses.
        """
        for netns in self._namespaces():
            for one in self.links(netns).values():
                if (one.get("ifalias"), one["driver"]) != (mark, driver) or one.get("link") not in self.links(beneath):
                    continue
                if one.get("link_netnsid") is not None and one["link_netnsid"] == number_of_netns(beneath, netns):
                    return netns, one
        return None

    def lacking(self, netns: str | None, ifnames: Iterable[str]) -> frozenset[str]:
        """The names that no netdev of that namespace has."""
        wanted = frozenset(ifnames)
        return wanted - {one["ifname"] for one in self.links(netns).values()} if wanted else wanted

    def _namespaces(self) -> list[str]:
        if self._named is None:
            self._named = netns_names()
        return self._named


def _cached(kept: dict[str | None, _One], netns: str | None, look: Callable[[str | None], _One]) -> _One:
    if netns not in kept:
        kept[netns] = look(netns)
    return kept[netns]


def _all_links(netns: str | None) -> Mapping[int, Attributes]:
    try:
        with LinkSocket(netns) as socket:
            return socket.all()
    except (NotFoundError, NotPermittedError):
        return {}


def _all_states(netns: str | None) -> Mapping[int, NetdevState]:
    try:
        with Netdevs(netns) as netdevs:
            return {state.ifindex: state for state in netdevs.all()}
    except (NotFoundError, NotPermittedError):
        return {}
