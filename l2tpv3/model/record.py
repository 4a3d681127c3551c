"""The records of tunnels and sessions: the desired spec of each, and the values chosen for what it leaves open."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from l2tpv3.model.fields import ENCRYPTION_WORDS, TUNNEL, WORKERS
from l2tpv3.model.observed import Tunnel
from l2tpv3.model.spec import Encap, Encrypt, IPAddress, SessionSpec, TunnelSpec, with_measures
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A session on record. mtu: what `spec.mtu` or the route came to, in bytes.

    mac: what its netdev is made with, each time it is made, so that peers and DHCP servers know it again: `spec.mac`,
    or one chosen when the session was; None on records from before it was kept.
    clamp_mtu: the MTU in bytes that TCP's segments are to fit, with `spec.clamp_mss`; None without. It is less than
    `mtu` where the route takes less in one piece.
    """

    spec: SessionSpec
    mtu: int
    mac: str | None = None
    clamp_mtu: int | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class TunnelRecord:
    """A tunnel on record. local: the address chosen. datapath, reason: what carries it, why that one.

    boot: of a transient one, the boot (its boot_id) that it does not outlive; None for one that lasts.
    stopped: the boot in which `down` stopped it, and in which nothing brings it back by itself; None otherwise.
    waits: it, or a session of it, could not be made yet when it came on record; `watch` and `restore` see to it.
    """

    spec: TunnelSpec
    local: IPAddress
    datapath: str
    reason: str
    boot: str | None = None
    stopped: str | None = None
    waits: bool = False
    sessions: tuple[SessionRecord, ...] = ()
    _by_name: Mapping[str, SessionRecord] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {one.spec.name: one for one in self.sessions})

    def session(self, name: str) -> SessionRecord | None:
        """The session of that name. Found without a search: plans ask for each of ten thousand."""
        return self._by_name.get(name)

    def with_session(self, session: SessionRecord) -> TunnelRecord:
        """This record with that session added, or put in place of the one of its name."""
        others = [one for one in self.sessions if one.spec.name != session.spec.name]
        return self.with_sessions((*others, session))

    def without_session(self, name: str) -> TunnelRecord:
        """This record without that session."""
        return self.with_sessions(tuple(one for one in self.sessions if one.spec.name != name))

    def with_sessions(self, sessions: tuple[SessionRecord, ...]) -> TunnelRecord:
        """This record with those sessions, in the order of their names."""
        return dataclasses.replace(self, sessions=tuple(sorted(sessions, key=lambda one: one.spec.name)))


def clamp_mtu(spec: SessionSpec, mtu: int, fitting: int) -> int | None:
    """SessionRecord.clamp_mtu of a session with that MTU, where the route has room for `fitting` bytes."""
    return min(mtu, fitting) if spec.clamp_mss else None


Records = Mapping[str, TunnelRecord]
"""Tunnels on record by name."""


def ends(record: TunnelRecord) -> tuple[IPAddress, IPAddress]:
    """The local and the remote address of the tunnel's own packets: those inside WireGuard where that encrypts it."""
    spec = record.spec
    return (spec.inner_local, spec.inner_remote) if spec.is_inside else (record.local, spec.remote)


_UNENCRYPTED: Mapping[str, Any] = {
    one.name: one.default
    for one in dataclasses.fields(TunnelSpec)
    if one.name in {field.attribute for field in TUNNEL if field.word in ENCRYPTION_WORDS}
}
"""What a spec that is not encrypted says of encryption."""


def resolved(record: TunnelRecord) -> TunnelSpec:
    """The spec that a datapath gets: with the local address and the datapath that were chosen.

    Where something encrypts around the tunnel it has the addresses inside. It says nothing of encryption, which is not
    a datapath's.
    """
    if record.spec.encrypt is Encrypt.NONE:
        return outer(record)
    local, remote = ends(record)
    return dataclasses.replace(
        record.spec, local=local, remote=remote, datapath=record.datapath, encrypt=Encrypt.NONE, **_UNENCRYPTED
    )


def outer(record: TunnelRecord) -> TunnelSpec:
    """The spec with the local address and the datapath that were chosen: what the host's routes are asked about."""
    return dataclasses.replace(record.spec, local=record.local, datapath=record.datapath)


def resolved_session(record: SessionRecord) -> SessionSpec:
    """The spec to make the session from: with the MTU that was computed and the MAC address that was chosen."""
    return with_measures(record.spec, record.mtu, record.mac or record.spec.mac)


def standing_session(record: SessionRecord) -> SessionSpec:
    """The spec of a session whose netdev is there: it has a MAC address, which we change only when the user gives one.

    Another program may have changed the MAC address since, as a bond does, and that one then stays.
    """
    return with_measures(record.spec, record.mtu, record.spec.mac)


def ports(spec: TunnelSpec) -> tuple[int, int]:
    """Local and remote UDP port, zeros over IP."""
    return (spec.local_port, spec.remote_port) if spec.encap is Encap.UDP else (0, 0)


SHARES_PORTS = frozenset(WORKERS)
"""Datapaths of which several tunnels can have one local port, as long as their remote addresses differ.

Two tunnels share a port only on the same datapath: its workers do not know the ports of another datapath's workers.
"""


def shares_port(record: TunnelRecord, other: TunnelRecord) -> bool:
    """Whether two tunnels can have the same local address and UDP port."""
    sharing = record.datapath == other.datapath and record.datapath in SHARES_PORTS
    return sharing and ends(record)[1] != ends(other)[1]


def identity(record: TunnelRecord) -> dict[str, object]:
    """The words that make a tunnel the one that it is, and their values; nothing of its sessions."""
    spec = record.spec
    local_port, remote_port = ports(spec)
    local, remote = ends(record)
    return {
        "datapath": record.datapath,
        "netns": spec.netns,
        # The programs of ebpf go past IPsec's policies, and are only left out when a tunnel is made under one.
        "encrypt": Encrypt.IPSEC if spec.encrypt is Encrypt.IPSEC else Encrypt.NONE,
        "id": spec.tunnel_id,
        "peer-id": spec.peer_tunnel_id,
        "encap": spec.encap,
        "local": local,
        "remote": remote,
        "local-port": local_port,
        "remote-port": remote_port,
        "udp-checksum": spec.udp_checksum if spec.encap is Encap.UDP else None,
        "ttl": spec.ttl,
        "dscp": "inherit" if spec.dscp is None else spec.dscp,
        "df": spec.df,
        "fwmark": spec.fwmark,
        "bind-device": spec.bind_device,
    }


OUTER = ("ttl", "dscp", "df", "fwmark", "bind_device")
"""What a TunnelSpec says of its outer packets and the socket that sends them."""


def shares_socket(record: TunnelRecord, other: TunnelRecord) -> bool:
    """Whether two tunnels of one network namespace send by one socket: over IP, between the same addresses."""
    same = (record.datapath, *ends(record)) == (other.datapath, *ends(other))
    return same and record.spec.encap is other.spec.encap is Encap.IP and record.datapath in SHARES_PORTS


def identity_seen(record: TunnelRecord, seen: Tunnel | None) -> dict[str, object]:
    """`identity`, where what a datapath reports of that tunnel overrules what is on record."""
    found = identity(record)
    if seen is not None and seen.udp_checksum is not None and record.spec.encap is Encap.UDP:
        found["udp-checksum"] = seen.udp_checksum
    if seen is not None and seen.bound_device is not None:
        found["bind-device"] = seen.bound_device or None
    return found


def differing_words(old: TunnelRecord, new: TunnelRecord, seen: Tunnel | None = None) -> tuple[str, ...]:
    """The words in which two tunnels are not the same; ("udp-checksum",) when they differ in none of the others.

    seen: `old` as its datapath reports it.
    """
    was, now = identity_seen(old, seen), identity(new)
    return tuple(word for word, value in was.items() if value != now[word]) or ("udp-checksum",)


def is_same(record: TunnelRecord, seen: Tunnel) -> bool:
    """Whether a tunnel that a datapath reports is the one on record, and not another with the same id."""
    spec = record.spec
    return (
        (seen.tunnel_id, seen.peer_tunnel_id, seen.encap) == (spec.tunnel_id, spec.peer_tunnel_id, spec.encap)
        and (_plain(seen.local), _plain(seen.remote)) == tuple(map(_plain, ends(record)))
        and (seen.local_port, seen.remote_port) == ports(spec)
    )


def _plain(address: object) -> str:
    return str(address).partition("%")[0]
