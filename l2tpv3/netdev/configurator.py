"""Puts a session's netdev where its spec wants it, and changes it in place, by rtnetlink."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from l2tpv3.errors import ConflictError, MissingError, NotFoundError, NotPermittedError, RefusedError, from_errno
from l2tpv3.linux.netlink.socket_cache import SocketCache
from l2tpv3.linux.netns import inside, same_netns
from l2tpv3.model.spec import SessionSpec, TunnelSpec, as_seen, home
from l2tpv3.model.status import NetdevState
from l2tpv3.netdev.base import Evidence
from l2tpv3.netdev.locator import NetdevLocator
from l2tpv3.netdev.netdevs import Netdevs
from l2tpv3.netdev.underlay import way_through

if TYPE_CHECKING:
    from l2tpv3.netdev.belongings import ForeignSettings

_AT_ONCE = 32
"""Netdevs that are set up by one call: their acknowledgements fit into a socket's buffer."""


class RtnetlinkConfigurator:
    """The NetdevConfigurator protocol over rtnetlink."""

    def __init__(self) -> None:
        self._kept = SocketCache(Netdevs)

    def busy(self) -> contextlib.AbstractContextManager[None]:
        """See l2tpv3.linux.netlink.socket_cache: for the length of the block a socket for each namespace stays open."""
        return self._kept.open()

    def locator(self, *, few: bool = False, addresses: bool = True) -> NetdevLocator:
        """See NetdevConfigurator.locator."""
        return NetdevLocator(few=few, addresses=addresses)

    def ifnames(self, netns: str | None) -> set[str]:
        """See NetdevConfigurator.ifnames."""
        with inside(netns):
            try:
                return {name for _, name in socket.if_nameindex()}
            except OSError as error:
                raise from_errno("the netdevs", "list them", error.errno or 0) from error

    def check(
        self,
        tunnel: TunnelSpec,
        session: SessionSpec,
        *,
        ours: Collection[str] = (),
        bridges: Collection[str] = (),
    ) -> None:
        """See NetdevConfigurator.check."""
        subject = f"session {session.name}"
        place = home(tunnel, session)
        if session.ifname not in ours and any(
            self._exists(netns, session.ifname) for netns in dict.fromkeys((place, tunnel.netns))
        ):
            raise ConflictError(subject, f"netdev {session.ifname} exists already", "give another --ifname")
        if session.bridge is not None and session.bridge not in bridges and not self._exists(place, session.bridge):
            remedy = f"`l2tpctl link add {session.bridge} --type bridge` makes it"
            raise MissingError(subject, f"no bridge {session.bridge}", remedy)

    def check_bridge(self, tunnel: TunnelSpec, session: str, netns: str | None, bridge: str) -> None:
        """See NetdevConfigurator.check_bridge."""
        if not same_netns(netns, tunnel.netns):
            return
        try:
            way = way_through(tunnel, bridge)
        except (OSError, NotFoundError):
            return  # no route, no packets
        if way:
            by = f" (by {' over '.join(way)})" if len(way) > 1 else ""
            problem = f"{bridge} carries the tunnel's own packets{by}, so frames would go round for ever"
            remedy = (
                f"have the session in another bridge, or packets to {tunnel.remote} leave by what is not in {bridge}"
            )
            raise ConflictError(session, problem, remedy)

    def _exists(self, netns: str | None, ifname: str) -> bool:
        # Not by socket.if_nametoindex(): for a name that is free its ioctl has the kernel run modprobe (dev_load()).
        with self._kept.use(netns) as netdevs:
            return netdevs.exists(ifname)

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
        """See NetdevConfigurator.place."""
        subject = f"session {session.name}"
        with contextlib.ExitStack() as stack:
            evidence = Evidence(tunnel.datapath, homes=homes)
            found = NetdevLocator(few=True).find(tunnel, session, mark, evidence) if adopted else None
            netdevs = stack.enter_context(self._kept.use(found.netns if found else tunnel.netns))
            # Its name will do, and saves asking for its index.
            which: int | str = found.ifindex if found else made_as or session.ifname
            if made_as is not None:
                which = netdevs.index(made_as)
                netdevs.change(which, subject, ifname=session.ifname)  # it is down, having just been made
            target = home(tunnel, session)
            # What was there before may have been given another one since, by a bond for instance.
            mac = {} if session.mac is None or found else {"mac": session.mac}
            if target is not None and not same_netns(netdevs.netns, target):
                which = _index(netdevs, which)
                # First: whatever happens then, it can be found, and what has our mark has the MAC address on record.
                netdevs.change(which, subject, alias=mark, **mac)
                netdevs.move(which, target, subject)
                netdevs = stack.enter_context(self._kept.use(target))
                which = session.ifname
            changes: dict[str, object] = {"alias": mark, "mtu": session.mtu, "up": session.up and not later, **mac}
            if session.bridge is not None:
                changes["master"] = netdevs.bridge(session.bridge, subject)
            if clamp_mtu is not None:  # before it is up
                netdevs.clamp_mss(_index(netdevs, which), subject, clamp_mtu)
            netdevs.change(which, subject, **changes)
            if session.addresses:
                netdevs.set_addresses(_index(netdevs, which), subject, session.addresses, ())

    def set_up(self, sessions: Sequence[tuple[TunnelSpec, SessionSpec]]) -> None:
        """See NetdevConfigurator.set_up."""
        for netns, ifnames in _by_netns(sessions).items():
            with self._kept.use(netns) as netdevs:
                for start in range(0, len(ifnames), _AT_ONCE):
                    netdevs.set_up(ifnames[start : start + _AT_ONCE])

    def belongings(self, sessions: Sequence[tuple[TunnelSpec, SessionSpec, str]]) -> dict[str, ForeignSettings]:
        """See NetdevConfigurator.belongings."""
        locator = NetdevLocator(few=len(sessions) == 1)
        places: dict[str | None, dict[int, tuple[str, SessionSpec]]] = {}
        for tunnel, session, mark in sessions:
            if (state := locator.find(tunnel, session, mark)) is not None:
                places.setdefault(state.netns, {})[state.ifindex] = mark, session
        from l2tpv3.netdev.belongings import read

        found: dict[str, ForeignSettings] = {}
        for netns, netdevs in places.items():
            try:
                told = read(netns, {index: session for index, (_, session) in netdevs.items()})
            except OSError as error:
                raise from_errno("the netdevs", "look at what is configured on them", error.errno or 0) from error
            found |= {netdevs[index][0]: one for index, one in told.items()}
        return found

    def put_back(self, tunnel: TunnelSpec, session: SessionSpec, belongings: ForeignSettings) -> list[str]:
        """See NetdevConfigurator.put_back."""
        from l2tpv3.netdev.belongings import put_back

        try:
            return put_back(home(tunnel, session), session.ifname, belongings)
        except OSError as error:
            raise from_errno(f"session {session.name}", "configure its netdev", error.errno or 0) from error

    def mark_again(self, tunnel: TunnelSpec, session: SessionSpec, old: str, new: str) -> None:
        """See NetdevConfigurator.mark_again."""
        state = NetdevLocator(few=True).find(tunnel, session, old)
        if state is not None:
            with self._kept.use(state.netns) as netdevs:
                netdevs.change(state.ifindex, f"session {session.name}", alias=new)

    def mark(self, tunnel: TunnelSpec, session: SessionSpec, mark: str) -> None:
        """See NetdevConfigurator.mark."""
        with Netdevs(tunnel.netns) as netdevs:
            netdevs.change(session.ifname, f"session {session.name}", alias=mark)

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
        """See NetdevConfigurator.change."""
        subject = f"session {new.name}"
        if seen is not None:
            state = _looked_up_again(seen, mark)
        else:
            state = NetdevLocator(few=True).find(tunnel, old, mark, Evidence(tunnel.datapath))
        if state is None:
            raise NotFoundError(subject, f"its netdev {old.ifname} is gone", "`l2tpctl restore` makes it again")
        with contextlib.ExitStack() as stack:
            netdevs = stack.enter_context(self._kept.use(state.netns))
            ifindex, ifname = state.ifindex, state.ifname
            if new.ifname != old.ifname:
                _rename(netdevs, state, new.ifname, subject)
                ifname = new.ifname
            target = home(tunnel, new)
            moved = not same_netns(home(tunnel, old), target)
            if moved:
                with _path_of(target) as path:
                    netdevs.move(ifindex, path, subject)
                netdevs = stack.enter_context(self._kept.use(target))
                ifindex = netdevs.index(ifname)
            if old.clamp_mss or clamp_mtu is not None:  # what hangs on a netdev does not move with it
                netdevs.clamp_mss(ifindex, subject, clamp_mtu)
            _change(netdevs, ifindex, state, old, new, everything=moved)


def _index(netdevs: Netdevs, which: int | str) -> int:
    """The index of a netdev by its index or its name."""
    return netdevs.index(which) if isinstance(which, str) else which


def _looked_up_again(seen: NetdevState, mark: str) -> NetdevState | None:
    """Look the netdev up once more; None when it is gone, or has no owner tag of ours any more."""
    with contextlib.suppress(NotFoundError, NotPermittedError), Netdevs(seen.netns) as netdevs:
        state = netdevs.numbered(seen.ifindex)
        if (state.alias, state.kind) == (mark, seen.kind):
            return state
    return None


def _by_netns(sessions: Sequence[tuple[TunnelSpec, SessionSpec]]) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for tunnel, session in sessions:
        found.setdefault(home(tunnel, session), []).append(session.ifname)
    return found


def _rename(netdevs: Netdevs, state: NetdevState, ifname: str, subject: str) -> None:
    # Most kernels rename a netdev only while it is down.
    netdevs.change(state.ifindex, subject, up=False)
    try:
        netdevs.change(state.ifindex, subject, ifname=ifname)
    finally:
        netdevs.change(state.ifindex, subject, up=state.up)


def _change(
    netdevs: Netdevs, ifindex: int, state: NetdevState, old: SessionSpec, new: SessionSpec, *, everything: bool
) -> None:
    """everything: the netdev has just arrived from another namespace, which took its addresses and bridge away."""
    subject = f"session {new.name}"
    if everything:
        old = as_seen(old, bridge=None, addresses=())
    changes: dict[str, object] = {}
    if new.mtu != state.mtu:
        changes["mtu"] = new.mtu
    fresh = everything
    if new.mac is not None and new.mac != state.mac:
        fresh = _set_mac(netdevs, ifindex, new.mac, subject, up=state.up) or fresh
    if new.bridge != old.bridge:
        changes["master"] = 0 if new.bridge is None else netdevs.bridge(new.bridge, subject)
    if everything or new.up != old.up:
        changes["up"] = new.up
    if changes:
        netdevs.change(ifindex, subject, **changes)
    if fresh or new.addresses != old.addresses:
        netdevs.set_addresses(ifindex, subject, new.addresses, old.addresses)


def _set_mac(netdevs: Netdevs, ifindex: int, mac: str, subject: str, *, up: bool) -> bool:
    """Whether it was set down for a moment, as l2tp_eth has it, which takes its IPv6 addresses away."""
    try:
        netdevs.change(ifindex, subject, mac=mac)
        return False
    except RefusedError as error:
        if error.errno != errno.EBUSY or not up:
            raise
    netdevs.change(ifindex, subject, up=False)
    try:
        netdevs.change(ifindex, subject, mac=mac)
    finally:
        netdevs.change(ifindex, subject, up=True)
    return True


@contextlib.contextmanager
def _path_of(netns: str | None) -> Iterator[str]:
    """A path that names a namespace from inside any other, also the caller's own."""
    if netns is not None:
        yield netns
        return
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield f"/proc/{os.getpid()}/fd/{own}"
    finally:
        os.close(own)
