"""Netdevs of the in-memory datapath: a session's netdev is there exactly while the session is."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from l2tpv3.datapath.memory import MemoryDatapath
from l2tpv3.errors import ConflictError, NotFoundError
from l2tpv3.link.base import home
from l2tpv3.spec import SessionSpec, TunnelSpec
from l2tpv3.status import NetdevState

_Home = tuple[str | None, str]


class MemoryPlacer:
    """The Placer and Locator protocols beside a MemoryDatapath. bridges: (netns, name) of those that exist."""

    def __init__(self, datapath: MemoryDatapath, bridges: frozenset[_Home] = frozenset()) -> None:
        self._datapath = datapath
        self._bridges = bridges
        self._placed: dict[str, NetdevState] = {}
        self._indices = 0

    def locator(self, *, few: bool = False) -> MemoryPlacer:
        """See Placer.locator."""
        return self

    def find(self, tunnel: TunnelSpec, session: SessionSpec, mark: str) -> NetdevState | None:
        """See Locator.find."""
        return self._placed.get(mark) if self._datapath.has(tunnel, session) else None

    def named(self, netns: str | None, ifname: str) -> NetdevState | None:
        """See Locator.named."""
        return next((one for one in self._placed.values() if (one.netns, one.ifname) == (netns, ifname)), None)

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
            raise NotFoundError(f"session {session.name}", f"no bridge {session.bridge}", "make it first")

    def place(
        self,
        tunnel: TunnelSpec,
        session: SessionSpec,
        mark: str,
        *,
        adopted: bool,
        made_as: str | None = None,
        later: bool = False,
    ) -> None:
        """See Placer.place."""
        if made_as is not None:
            self._datapath.rename(tunnel, session)
        self._indices += 1
        before = self._placed.get(mark)
        random = f"02:00:00:00:{self._indices >> 8 & 255:02x}:{self._indices & 255:02x}"
        self._placed[mark] = NetdevState(
            ifname=session.ifname,
            ifindex=self._indices,
            mac=session.mac or (before.mac if before else random),
            mtu=session.mtu or 0,
            up=session.up and not later,
            carrier=session.up and not later,
            kind="memory",
            alias=mark,
            bridge=session.bridge,
            netns=home(tunnel, session),
            addresses=session.addresses,
        )

    def set_up(self, sessions: Sequence[tuple[TunnelSpec, SessionSpec]]) -> None:
        """See Placer.set_up."""
        names = {(home(tunnel, session), session.ifname) for tunnel, session in sessions}
        for mark, one in self._placed.items():
            if (one.netns, one.ifname) in names:
                self._placed[mark] = dataclasses.replace(one, up=True, carrier=True)

    def mark(self, tunnel: TunnelSpec, session: SessionSpec, mark: str) -> None:
        """See Placer.mark."""
        self.place(tunnel, session, mark, adopted=True)

    def change(self, tunnel: TunnelSpec, old: SessionSpec, new: SessionSpec, mark: str) -> None:
        """See Placer.change."""
        if self.find(tunnel, old, mark) is None:
            raise NotFoundError(f"session {new.name}", f"its netdev {old.ifname} is gone", "restore it")
        self._datapath.rename(tunnel, new)
        self.place(tunnel, new, mark, adopted=False)
