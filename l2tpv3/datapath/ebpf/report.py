"""Completes what a worker reports by what the programs know: the sessions' netdevs, counters, and which of both does
what.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from functools import cached_property

from l2tpv3.datapath.ebpf import underlay, veth
from l2tpv3.datapath.ebpf.session_entry import DISBELIEVES, RECEIVES, SENDS, Entry, key
from l2tpv3.datapath.ebpf.session_map import SessionMap, of_lower
from l2tpv3.datapath.ebpf.veth import all_ends
from l2tpv3.datapath.user.offloads import MISSING
from l2tpv3.errors import from_errno
from l2tpv3.linux.netlink import xfrm
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netlink.veth import Pair
from l2tpv3.model.observed import Session, Tunnel
from l2tpv3.model.spec import Encap


def complete(netns: str | None, tunnels: list[Tunnel]) -> list[Tunnel]:
    """Tunnels as workers report them, completed by what the programs know.

    Raises L2tpError where the kernel does not say.
    """
    try:
        with RouteSocket(netns) as route, contextlib.ExitStack() as stack:
            ends = all_ends(route)
            return list(_Look(netns, route, ends, stack).tunnels(tunnels))
    except OSError as error:
        raise from_errno("ebpf tunnels", "list them", error.errno or 0) from error


class _Look:
    def __init__(self, netns: str | None, route: RouteSocket, ends: list[Pair], stack: contextlib.ExitStack) -> None:
        self._netns, self._route, self._stack = netns, route, stack
        self._moving = 0  # what programs do for a tunnel's sessions
        self._unread = False  # whether some of what they do can't be told
        self._lowers = {one.ifname: one for one in ends}
        self._names = {one.ifindex: one.ifname for one in ends}
        self._maps: dict[int, list[SessionMap]] = {4: [], 6: []}

    def tunnels(self, tunnels: list[Tunnel]) -> Iterator[Tunnel]:
        for tunnel in tunnels:
            self._moving, self._unread = 0, False
            sessions = tuple(self._session(tunnel, one) for one in tunnel.sessions)
            yield dataclasses.replace(tunnel, sessions=sessions, notes=tuple(self._notes(tunnel)))

    def _session(self, tunnel: Tunnel, session: Session) -> Session:
        """What is not whole (cut short while it was made, or deleted by somebody) has no peer: nothing goes to one."""
        lower = self._lowers.get(veth.lower_name(tunnel.tunnel_id, session.session_id))
        if lower is None:
            return dataclasses.replace(session, peer_session_id=0, attached="")
        attached = self._names.get(lower.other or 0)  # else it is in another namespace
        # The worker sees a part of the packets, the programs take note of no times.
        session = dataclasses.replace(session, attached=attached, reception=None)
        ifname = attached or lower.ifname
        if not lower.up:
            return dataclasses.replace(session, peer_session_id=0, ifname=ifname)
        try:
            entry = self._entry(tunnel, session, lower)
        except OSError:  # who may not look into maps sees sessions all the same
            self._unread, entry = True, None
        counters = session.counters
        if entry is not None:
            self._moving |= entry.tasks
            counters = dataclasses.replace(
                counters,
                tx_packets=counters.tx_packets + entry.tx_packets,
                tx_bytes=counters.tx_bytes + entry.tx_bytes,
                tx_errors=counters.tx_errors + entry.tx_errors,
                rx_packets=counters.rx_packets + entry.rx_packets,
                rx_bytes=counters.rx_bytes + entry.rx_bytes,
            )
        return dataclasses.replace(session, ifname=ifname, counters=counters)

    def _entry(self, tunnel: Tunnel, session: Session, lower: Pair) -> Entry | None:
        """What the map has of a session: in a map that was found before, which is the only one as a rule."""
        where = key(tunnel, session.session_id)
        known = self._maps[tunnel.remote.version]
        for sessions in known:
            if (found := sessions.get(where)) is not None and found.lower == lower.ifindex:
                return found
        another = of_lower(self._route, lower.ifindex, tunnel.remote.version)
        if another is None:
            return None
        known.append(self._stack.enter_context(another))
        return another.get(where)

    @cached_property
    def _policies(self) -> bool:
        return xfrm.is_used(self._netns)

    def _notes(self, tunnel: Tunnel) -> Iterator[str]:
        yield from (note for note in tunnel.notes if note not in MISSING.values())
        if self._unread:
            yield "the counters are the worker's alone (what the programs count takes CAP_SYS_ADMIN to read)"
        yield from self._notes_of_outdated(tunnel)
        yield from self._notes_of_slowness(tunnel)

    def _notes_of_outdated(self, tunnel: Tunnel) -> Iterator[str]:
        """What changed since the programs were loaded."""
        if self._moving and self._policies:
            yield "packets go past IPsec policies that came later: `l2tpctl restore` has the worker send them"
        if self._moving & DISBELIEVES and underlay.is_limited(self._route, tunnel, self._netns):
            yield "packets may be longer than the route's MTU, which was locked later: `l2tpctl restore` mends that"
        if self._moving & RECEIVES and (ifname := self._unwatched(tunnel)):
            yield f"slower: packets come in by {ifname}, which has no program: `l2tpctl restore` mends that"

    def _notes_of_slowness(self, tunnel: Tunnel) -> Iterator[str]:
        """What the worker does for want of a program that can."""
        if tunnel.encap is Encap.UDP and tunnel.udp_checksum:
            yield "slower: the worker sends all packets (the programs give no UDP checksums: --udp-checksum off)"
        elif tunnel.inherits:
            yield "slower: the worker sends all packets (the programs inherit neither --dscp nor --df from frames)"
        elif self._moving & RECEIVES and not self._moving & SENDS:
            yield "slower: the worker sends all packets (programs find IPv6 routes where /proc/sys is writable)"
        if any(one.send_seq or one.recv_seq or one.vlan is not None for one in tunnel.sessions):
            yield "slower: the worker moves the frames of sessions with sequencing or a VLAN"

    def _unwatched(self, tunnel: Tunnel) -> str:
        """The netdev by which the peer is reached, where the programs don't take what comes in; "" if they do."""
        link = underlay.reached_by(self._route, tunnel)
        mine = self._maps[tunnel.remote.version]
        try:
            watched = link is None or any(underlay.is_attached(self._route, link, one) for one in mine)
        except OSError:
            return ""
        return "" if link is None or watched else link.ifname
