"""Netdevs of the in-memory datapath: a session's netdev is there exactly while the session is."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable, Sequence
from typing import Protocol

from l2tpv3.errors import ConflictError, MissingError, NotFoundError
from l2tpv3.model.spec import SessionSpec, TunnelSpec, home
from l2tpv3.model.status import NetdevState
from l2tpv3.netdev.base import NO_EVIDENCE, Evidence
from l2tpv3.netdev.belongings import ForeignSettings
from l2tpv3.testing.datapath import MemoryDatapath

_Home = tuple[str | None, str]


class Masters(Protocol):
    """Links that netdevs can be members of (l2tpv3/testing/links.py), beside the bridges that are simply there."""

    def bridge(self, ifname: str) -> Hashable | None:
        """The bridge of that name; one that was made anew is another one. None: there is none."""

    def release(self, ifname: str) -> None:
        """Take a netdev out of the link that it is a member of, if there is one."""


class MemoryConfigurator:
    """The Placer and Locator protocols beside a MemoryDatapath. bridges: (netns, name) of those that exist.

    masters: links that can have members; set by whoever makes them.
    """

    def __init__(self, datapath: MemoryDatapath, bridges: frozenset[_Home] = frozenset()) -> None:
        self._datapath = datapath
        self._bridges = bridges
        self._placed: dict[str, NetdevState] = {}
        self._joined: dict[str, Hashable] = {}  # by mark: which bridge
        self._indices = 0
        self.masters: Masters | None = None

    def locator(self, *, few: bool = False, addresses: bool = True) -> MemoryConfigurator:
        """See Placer.locator."""
        return self

    def find(
        self, tunnel: TunnelSpec, session: SessionSpec, mark: str, evidence: Evidence = NO_EVIDENCE
    ) -> NetdevState | None:
        """See Locator.find."""
        return self._state(mark) if self._datapath.has(tunnel, session) else None

    def with_clamp(self, netdev: NetdevState) -> NetdevState:
        """See Locator.with_clamp: it is known without a look."""
        return netdev

    def _state(self, mark: str) -> NetdevState | None:
        """A bridge that went took its members' bridge along."""
        state = self._placed.get(mark)
        joined = self._joined.get(mark)
        if state is None or state.bridge is None or joined == self._bridge(state.netns, state.bridge):
            return state
        self._joined.pop(mark, None)
        state = self._placed[mark] = dataclasses.replace(state, bridge=None)
        return state

    def _bridge(self, netns: str | None, name: str) -> Hashable | None:
        if (netns, name) in self._bridges:
            return name
        return self.masters.bridge(name) if self.masters is not None else None

    def named(self, netns: str | None, ifname: str) -> NetdevState | None:
        """See Locator.named."""
        return next((self._state(mark) for mark in self._marks(netns, ifname)), None)

    def _marks(self, netns: str | None, ifname: str) -> list[str]:
        """The owner tags of the netdev of that name, if there is one, and of those that were there before it."""
        if ifname not in self._datapath.ifnames():
            return []
        return [mark for mark, one in reversed(self._placed.items()) if (one.netns, one.ifname) == (netns, ifname)]

    def names(self) -> dict[str, int]:
        """The netdevs that are there, and which they are."""
        there = self._datapath.ifnames()
        return {one.ifname: one.ifindex for one in self._placed.values() if one.ifname in there}

    def all(self) -> list[NetdevState]:
        """Every session's netdev that is there."""
        there = self._datapath.ifnames()
        return [one for mark in list(self._placed) if (one := self._state(mark)) is not None and one.ifname in there]

    def at(self, netns: str | None) -> list[NetdevState]:
        """See Locator.at."""
        return [one for one in self.all() if one.netns == netns]

    def leave(self, ifname: str) -> None:
        """Take a netdev out of its bridge, since a link took it in."""
        for mark, one in self._placed.items():
            if one.ifname == ifname:
                self._placed[mark] = dataclasses.replace(one, bridge=None)
                self._joined.pop(mark, None)

    def ifnames(self, netns: str | None) -> set[str]:
        """See Placer.ifnames."""
        return self._datapath.ifnames() | {name for where, name in self._bridges if where == netns}

    def check(
        self,
        tunnel: TunnelSpec,
        session: SessionSpec,
        *,
        ours: Collection[str] = (),
        bridges: Collection[str] = (),
    ) -> None:
        """See Placer.check."""
        names = self.ifnames(home(tunnel, session))
        if session.ifname not in ours and session.ifname in names:
            raise ConflictError(
                f"session {session.name}", f"netdev {session.ifname} exists already", "give another --ifname"
            )
        if session.bridge is not None and session.bridge not in {*names, *bridges}:
            raise MissingError(f"session {session.name}", f"no bridge {session.bridge}", "make it first")

    def check_bridge(self, tunnel: TunnelSpec, session: str, netns: str | None, bridge: str) -> None:
        """See Placer.check_bridge: no packets go anywhere."""

    def place(
        self,
        tunnel: TunnelSpec,
        session: SessionSpec,
        mark: str,
        *,
        adopted: bool,
        made_as: str | None = None,
        later: bool = False,
        homes: tuple[str | None, ...] = (),
        clamp_mtu: int | None = None,
    ) -> None:
        """See Placer.place."""
        if made_as is not None:
            self._datapath.rename(tunnel, session)
        self._indices += 1
        self._put(tunnel, session, mark, index=self._indices, up=session.up and not later, clamp_mtu=clamp_mtu)

    def _put(
        self, tunnel: TunnelSpec, session: SessionSpec, mark: str, *, index: int, up: bool, clamp_mtu: int | None
    ) -> None:
        if session.bridge is not None:
            which = self._bridge(home(tunnel, session), session.bridge)
            if which is None:
                raise MissingError(f"session {session.name}", f"no bridge {session.bridge}", "make it first")
            self._joined[mark] = which
            if self.masters is not None:
                self.masters.release(session.ifname)
        before = self._placed.get(mark)
        random = f"02:00:00:00:{self._indices >> 8 & 255:02x}:{self._indices & 255:02x}"
        self._placed[mark] = NetdevState(
            ifname=session.ifname,
            ifindex=index,
            mac=session.mac or (before.mac if before else random),
            mtu=session.mtu or 0,
            up=up,
            carrier=up,
            kind="memory",
            alias=mark,
            bridge=session.bridge,
            netns=home(tunnel, session),
            addresses=session.addresses,
            clamp_mtu=clamp_mtu,
        )

    def set_up(self, sessions: Sequence[tuple[TunnelSpec, SessionSpec]]) -> None:
        """See Placer.set_up."""
        names = {(home(tunnel, session), session.ifname) for tunnel, session in sessions}
        for mark, one in self._placed.items():
            if (one.netns, one.ifname) in names:
                self._placed[mark] = dataclasses.replace(one, up=True, carrier=True)

    def belongings(self, sessions: Sequence[tuple[TunnelSpec, SessionSpec, str]]) -> dict[str, ForeignSettings]:
        """See Placer.belongings: nobody else configures these netdevs."""
        return {}

    def put_back(self, tunnel: TunnelSpec, session: SessionSpec, belongings: ForeignSettings) -> list[str]:
        """See Placer.put_back."""
        return []

    def mark_again(self, tunnel: TunnelSpec, session: SessionSpec, old: str, new: str) -> None:
        """See Placer.mark_again."""
        if old in self._placed and old != new:
            self._placed[new] = dataclasses.replace(self._placed.pop(old), alias=new)
            if old in self._joined:
                self._joined[new] = self._joined.pop(old)

    def mark(self, tunnel: TunnelSpec, session: SessionSpec, mark: str) -> None:
        """See Placer.mark."""
        self.place(tunnel, session, mark, adopted=True)

    def change(
        self,
        tunnel: TunnelSpec,
        old: SessionSpec,
        new: SessionSpec,
        mark: str,
        seen: NetdevState | None = None,
        *,
        clamp_mtu: int | None = None,
    ) -> None:
        """See Placer.change."""
        state = self.find(tunnel, old, mark)
        if state is None:
            raise NotFoundError(f"session {new.name}", f"its netdev {old.ifname} is gone", "restore it")
        if new.bridge is None and old.bridge is not None and self.masters is not None:
            self.masters.release(state.ifname)  # rtnetlink's "no master" is of whatever it is a member
        self._datapath.rename(tunnel, new)
        self._put(tunnel, new, mark, index=state.ifindex, up=new.up, clamp_mtu=clamp_mtu)
