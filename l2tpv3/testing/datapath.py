"""A datapath without a kernel: tunnels and sessions in dictionaries, for tests and for trying things out.

It keeps the Protocol's promises, but moves no frames: Counters stay at what a test sets by `count`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from l2tpv3.datapath.base import Support
from l2tpv3.errors import ConflictError, ExistsError, NotFoundError
from l2tpv3.model.fields import PROBED_IN_PLACE, SESSION, TUNNEL, attributes_in_place, words_in_place
from l2tpv3.model.observed import Counters, Session, Tunnel, TunnelCounters
from l2tpv3.model.spec import Encap, SessionSpec, TunnelSpec

_Key = tuple[str | None, int]


class MemoryDatapath:
    """The Datapath protocol over dictionaries."""

    def __init__(self) -> None:
        self._tunnels: dict[_Key, TunnelSpec] = {}
        self._sessions: dict[_Key, dict[int, SessionSpec]] = {}
        self._ifnames: Counter[tuple[str | None, str]] = Counter()  # by the tunnel's namespace, so as not to search
        self._counters: dict[tuple[_Key, int], Counters] = {}

    name = "memory"
    in_place = attributes_in_place(SESSION, "kernel") | PROBED_IN_PLACE
    tunnel_in_place = words_in_place(TUNNEL, "kernel")

    def probe(self) -> Support:
        """Always works."""
        return Support(works=True, reason="in memory; no frames are moved")

    def tunnels(self, netns: str | None) -> list[Tunnel]:
        """See Datapath.tunnels."""
        return [self._seen(key, spec) for key, spec in self._tunnels.items() if key[0] == netns]

    def some(self, netns: str | None, sessions: Mapping[int, Collection[int]]) -> list[Tunnel]:
        """See l2tpv3.datapath.base.FindsSome."""
        found = [one for one in self.tunnels(netns) if one.tunnel_id in sessions]
        return [
            dataclasses.replace(
                one, sessions=tuple(it for it in one.sessions if it.session_id in sessions[one.tunnel_id])
            )
            for one in found
        ]

    def _seen(self, key: _Key, spec: TunnelSpec) -> Tunnel:
        udp = spec.encap is Encap.UDP
        sessions = (
            Session(
                session_id=session.session_id,
                peer_session_id=session.peer_session_id,
                ifname=session.ifname,
                tx_cookie=session.tx_cookie,
                rx_cookie=session.rx_cookie,
                send_seq=session.numbering.send,
                recv_seq=session.numbering.recv,
                reorder_timeout_ms=session.reorder_timeout_ms,
                sublayer=session.sublayer,
                vlan=session.vlan,
                egress=session.egress,
                fragment=session.fragment,
                channel_probe=session.channel_probe,
                counters=self._counters.get((key, session.session_id), Counters()),
            )
            for session in self._sessions[key].values()
        )
        return Tunnel(
            tunnel_id=spec.tunnel_id,
            peer_tunnel_id=spec.peer_tunnel_id,
            encap=spec.encap,
            local=spec.endpoint,
            remote=spec.remote,
            local_port=spec.local_port if udp else 0,
            remote_port=spec.remote_port if udp else 0,
            udp_checksum=spec.udp_checksum if udp else None,
            sessions=tuple(sessions),
            counters=TunnelCounters(rx_unknown_session=0, rx_control=0, rx_invalid=0, tx_too_long=0),
        )

    def add_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.add_tunnel."""
        key = (tunnel.netns, tunnel.tunnel_id)
        if key in self._tunnels:
            raise ExistsError(f"tunnel {tunnel.name}", f"tunnel id {tunnel.tunnel_id} is taken", "give another --id")
        self._check_port(tunnel)
        self._tunnels[key] = tunnel
        self._sessions[key] = {}

    def _check_port(self, tunnel: TunnelSpec) -> None:
        for (netns, number), other in self._tunnels.items():
            if number == tunnel.tunnel_id:
                continue
            both_udp = tunnel.encap is other.encap is Encap.UDP
            if netns == tunnel.netns and both_udp and _addresses(other) == _addresses(tunnel):
                raise ConflictError(
                    f"tunnel {tunnel.name}", f"port {tunnel.local_port} is taken", "give another --local-port"
                )

    def set_tunnel(self, old: TunnelSpec, new: TunnelSpec, sessions: Sequence[SessionSpec]) -> None:
        """See Datapath.set_tunnel."""
        key = self._key(old)
        self._check_port(new)
        self._tunnels[key] = new

    def del_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.del_tunnel."""
        key = self._key(tunnel)
        for session_id, session in self._sessions.pop(key).items():
            self._counters.pop((key, session_id), None)
            self._free(tunnel.netns, session.ifname)
        del self._tunnels[key]

    def add_session(
        self, tunnel: TunnelSpec, session: SessionSpec, *, adopt: bool = False, homes: tuple[str | None, ...] = ()
    ) -> None:
        """See Datapath.add_session."""
        sessions = self._sessions[self._key(tunnel)]
        if session.session_id in sessions:
            raise ExistsError(
                f"session {session.name}", f"session id {session.session_id} is taken", "give another --id"
            )
        if (tunnel.netns, session.ifname) in self._ifnames:
            raise ConflictError(f"session {session.name}", f"netdev {session.ifname} exists", "give another --ifname")
        sessions[session.session_id] = session
        self._ifnames[tunnel.netns, session.ifname] += 1

    def set_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.set_session."""
        there = self._there(tunnel, session)
        self._sessions[self._key(tunnel)][session.session_id] = dataclasses.replace(
            there, **{field: getattr(session, field) for field in self.in_place}
        )

    def del_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.del_session."""
        there = self._there(tunnel, session)
        key = self._key(tunnel)
        del self._sessions[key][session.session_id]
        self._free(tunnel.netns, there.ifname)
        self._counters.pop((key, session.session_id), None)

    def count(self, tunnel: TunnelSpec, session: SessionSpec, counters: Counters) -> None:
        """Set what `tunnels` reports for a session: for tests of what shows counters. Raises NotFoundError."""
        self._there(tunnel, session)
        self._counters[self._key(tunnel), session.session_id] = counters

    def has(self, tunnel: TunnelSpec, session: SessionSpec) -> bool:
        """Whether the session exists."""
        return session.session_id in self._sessions.get((tunnel.netns, tunnel.tunnel_id), {})

    def ifnames(self) -> set[str]:
        """The names of all sessions' netdevs."""
        return {ifname for _, ifname in self._ifnames}

    def rename(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """Give the session's netdev the name in `session`, as `ip link set` would. Raises NotFoundError."""
        there = self._there(tunnel, session)
        self._sessions[self._key(tunnel)][session.session_id] = dataclasses.replace(there, ifname=session.ifname)
        self._ifnames[tunnel.netns, session.ifname] += 1
        self._free(tunnel.netns, there.ifname)

    def _free(self, netns: str | None, ifname: str) -> None:
        """A session's netdev of that name is gone."""
        self._ifnames[netns, ifname] -= 1
        if not self._ifnames[netns, ifname]:
            del self._ifnames[netns, ifname]

    def _key(self, tunnel: TunnelSpec) -> _Key:
        key = (tunnel.netns, tunnel.tunnel_id)
        if key not in self._tunnels:
            raise NotFoundError(f"tunnel {tunnel.name}", f"no tunnel with id {tunnel.tunnel_id}")
        return key

    def _there(self, tunnel: TunnelSpec, session: SessionSpec) -> SessionSpec:
        try:
            return self._sessions[self._key(tunnel)][session.session_id]
        except KeyError:
            raise NotFoundError(f"session {session.name}", f"no session with id {session.session_id}") from None


def _addresses(tunnel: TunnelSpec) -> tuple[object, ...]:
    return (tunnel.endpoint, tunnel.local_port)
