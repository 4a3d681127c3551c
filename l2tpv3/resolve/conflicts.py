"""Conflicts between tunnels and sessions: ids, ports and netdev names that two of them cannot share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice

from l2tpv3.errors import ConflictError, ExistsError, UnavailableError
from l2tpv3.linux.netns import same_netns
from l2tpv3.model.ipsec import selector
from l2tpv3.model.record import (
    OUTER,
    SHARES_PORTS,
    Records,
    SessionRecord,
    TunnelRecord,
    ends,
    shares_port,
    shares_socket,
)
from l2tpv3.model.spec import Egress, Encap, Encrypt, home, lacks
from l2tpv3.resolve.conflict_keys import Identities, Key, ends_key, netdev_key, session_id_keys, tunnel_id_key
from l2tpv3.resolve.free_ids import FreeNumbers


def check_tunnels(records: Records, names: Iterable[str], foreign_ids: Callable[[str | None], set[int]]) -> None:
    """Check that the tunnels `names` have no conflict with any other tunnel.

    foreign_ids: tunnel ids that other programs use, by netns. Raises ExistsError (id), ConflictError (ports; over IP,
    what they say of outer packets).
    """
    tunnels = _Tunnels(records)
    for name in names:
        record = records[name]
        number = record.spec.tunnel_id
        subject = f"tunnel {name}: --id"
        for other in tunnels.of_the_same_id(record):
            raise ExistsError(subject, f"{number} is the id of tunnel {other.spec.name}", "give another one")
        for other in tunnels.at_the_same_port(record):
            _check_ports(record, other)
        for other in tunnels.one_between_the_same_addresses(record):
            _check_outer(record, other)
        for other in tunnels.encrypted_beside(record):
            _check_encryption(record, other)
        for other in tunnels.of_the_same_packets(record):
            _check_packets(record, other)
        if number in foreign_ids(record.spec.netns):
            raise ExistsError(subject, f"{number} is the id of a tunnel that something else made", "give another one")


class _Tunnels:
    """Index of tunnels by the values that two tunnels cannot share, so that not every pair has to be compared."""

    def __init__(self, records: Records) -> None:
        self._netns = Identities()
        self._by_id: dict[Hashable, list[TunnelRecord]] = {}
        self._by_ends: dict[Hashable, list[TunnelRecord]] = {}
        self._by_port: dict[Hashable, dict[str, list[TunnelRecord]]] = {}
        self._over_ip: dict[Hashable, list[TunnelRecord]] = {}
        self._encrypted: dict[Hashable, list[TunnelRecord]] = {}
        self._by_packets: dict[Hashable, list[TunnelRecord]] = {}
        has_ipsec = any(record.spec.encrypt is Encrypt.IPSEC for record in records.values())
        for record in records.values():
            spec = record.spec
            self._by_id.setdefault(self._id_key(record), []).append(record)
            if spec.encrypt is not Encrypt.NONE:
                for key in self._encryption_keys(record):
                    self._encrypted.setdefault(key, []).append(record)
            if has_ipsec and not spec.is_inside:
                self._by_packets.setdefault(self._packets(record), []).append(record)
            if spec.encap is Encap.UDP:
                port = self._port(record)
                self._by_ends.setdefault((port, ends(record)[1]), []).append(record)
                self._by_port.setdefault(port, {}).setdefault(record.datapath, []).append(record)
            elif shares_socket(record, record):
                self._over_ip.setdefault(self._addresses(record), []).append(record)

    def _id_key(self, record: TunnelRecord) -> Key:
        return tunnel_id_key(self._netns[record.spec.netns], record.spec.tunnel_id)

    def _port(self, record: TunnelRecord) -> Hashable:
        return self._netns[record.spec.netns], ends(record)[0], record.spec.local_port

    def _encryption_keys(self, record: TunnelRecord) -> tuple[Hashable, ...]:
        where = self._netns[record.spec.netns]
        spec = record.spec
        if spec.encrypt is Encrypt.IPSEC:
            ours, theirs = spec.ike_id or str(record.local), spec.peer_ike_id or str(spec.remote)
            return (("identities", where, record.local, spec.remote, ours, theirs),)
        own: tuple[Hashable, ...] = (
            ("port", where, spec.listen_port),
            ("key", spec.private_key),
            ("peer's address", where, spec.inner_remote),
        )
        return own if spec.peer_public_key is None else (*own, ("peer", where, spec.peer_public_key))

    def encrypted_beside(self, record: TunnelRecord) -> Iterator[TunnelRecord]:
        """Others with the same port, private key, peer or peer's address of WireGuard, or identities of IPsec."""
        if record.spec.encrypt is not Encrypt.NONE:
            for key in self._encryption_keys(record):
                yield from (other for other in self._encrypted[key] if other is not record)

    def _packets(self, record: TunnelRecord) -> Hashable:
        return self._netns[record.spec.netns], selector(record.spec)

    def of_the_same_packets(self, record: TunnelRecord) -> Iterator[TunnelRecord]:
        """Others whose packets IPsec can't tell from this one's, where it encrypts this one or the other."""
        if self._by_packets and not record.spec.is_inside:
            for other in self._by_packets[self._packets(record)]:
                if other is not record and Encrypt.IPSEC in (record.spec.encrypt, other.spec.encrypt):
                    yield other

    def _addresses(self, record: TunnelRecord) -> Hashable:
        return self._netns[record.spec.netns], record.datapath, *ends(record)

    def one_between_the_same_addresses(self, record: TunnelRecord) -> Iterator[TunnelRecord]:
        """Another one over IP that sends by the same socket: one stands for all, which are alike."""
        there = self._over_ip.get(self._addresses(record), ())
        return islice((other for other in there if other is not record and shares_socket(record, other)), 1)

    def of_the_same_id(self, record: TunnelRecord) -> Iterator[TunnelRecord]:
        """Others in the same namespace with the same id."""
        return (other for other in self._by_id[self._id_key(record)] if other is not record)

    def at_the_same_port(self, record: TunnelRecord) -> Iterator[TunnelRecord]:
        """Others with the same local UDP port: all to the same address, some of each datapath that can't share it."""
        if record.spec.encap is not Encap.UDP:
            return
        port = self._port(record)
        yield from (other for other in self._by_ends[port, ends(record)[1]] if other is not record)
        for datapath, there in self._by_port[port].items():
            if datapath != record.datapath or datapath not in SHARES_PORTS:
                yield from (other for other in there[:2] if other is not record)


def _check_ports(record: TunnelRecord, other: TunnelRecord) -> None:
    spec, there = record.spec, other.spec
    if not spec.encap is there.encap is Encap.UDP:
        return
    if (record.local, spec.local_port) != (other.local, there.local_port):
        return
    subject = f"tunnel {spec.name}"
    if ends_key(None, record.local, spec) == ends_key(None, other.local, there):
        ends = f"{record.local} port {spec.local_port} to {spec.remote} port {spec.remote_port}"
        problem = f"tunnel {there.name} already joins {ends}"
        raise ConflictError(subject, problem, "give other ports, or add the session to that tunnel")
    if not shares_port(record, other):
        problem = f"port {spec.local_port} of {record.local} is tunnel {there.name}'s"
        raise ConflictError(subject, problem, "give another --local-port")


def _check_outer(record: TunnelRecord, other: TunnelRecord) -> None:
    """Over IP nothing tells one tunnel's packets from another's, so both are sent and received by one socket."""
    spec, there = record.spec, other.spec
    differing = [name.replace("_", "-") for name in OUTER if getattr(spec, name) != getattr(there, name)]
    if differing:
        options = ", ".join(f"--{word}" for word in differing)
        problem = f"tunnel {there.name} goes over IP between the same addresses, with another {options}"
        raise ConflictError(f"tunnel {spec.name}", problem, "give both the same in one file, or use --encap udp")


def _check_encryption(record: TunnelRecord, other: TunnelRecord) -> None:
    """Raise ConflictError: the other tunnel has the port, the key or the peer of this one."""
    subject = f"tunnel {record.spec.name}"
    if record.spec.encrypt is Encrypt.IPSEC:
        problem = f"tunnel {other.spec.name} is encrypted by IPsec between the same two ends, too"
        remedy = "add sessions to that tunnel, or give --ike-id and --peer-ike-id, other ones for each tunnel"
        raise ConflictError(subject, problem, remedy)
    if record.spec.private_key == other.spec.private_key:
        problem = f"its private key is tunnel {other.spec.name}'s, too"
        raise ConflictError(subject, problem, "leave --private-key out, and it gets one of its own")
    if record.spec.listen_port == other.spec.listen_port:
        problem = f"WireGuard's port {record.spec.listen_port} is tunnel {other.spec.name}'s"
        raise ConflictError(subject, problem, "give another --listen-port, or leave it out")
    if record.spec.peer_public_key is not None and record.spec.peer_public_key == other.spec.peer_public_key:
        # The peer's address inside follows from its key, and there is one route to that.
        problem = f"its peer's public key is that of tunnel {other.spec.name}'s peer, too"
        raise ConflictError(subject, problem, "have the peer give each tunnel a key of its own, or use that tunnel")
    problem = f"its peer's address inside WireGuard is that of tunnel {other.spec.name}'s peer, too"
    raise ConflictError(subject, problem, "give another --peer-inner-address, or leave it out")


def _check_packets(record: TunnelRecord, other: TunnelRecord) -> None:
    """IPsec's policies are for all packets to a peer with the same protocol and ports. Raises ConflictError."""
    udp = record.spec.encap is Encap.UDP
    how = "from the same port to the same port" if udp else "over IP"
    problem = f"tunnel {other.spec.name} goes to {other.spec.remote} {how}, too, and IPsec can't tell them apart"
    remedy = "give another --local-port or --remote-port" if udp else "use --encap udp for one of them"
    raise ConflictError(f"tunnel {record.spec.name}", problem, remedy)


def check_sessions(records: Records, touched: Iterable[tuple[str, str]]) -> None:
    """Check that the sessions (tunnel, name) of `touched` can exist, and have no conflict with any other session.

    Raises ExistsError, ConflictError, UnavailableError.
    """
    sessions = _Sessions(records)
    for tunnel, name in touched:
        record = records[tunnel]
        mine = sessions.named.get((tunnel, name))
        if mine is None:
            continue
        _check_datapath(record, mine)
        _check_place(record, mine)
        for other, there in sessions.of_the_same_id(record, mine):
            problem = f"{there.spec.session_id} is the id of session {other.spec.name}/{there.spec.name}"
            raise ExistsError(f"session {tunnel}/{name}: --id", problem, "give another one")
        for other, there in sessions.of_the_same_ifname(record, mine):
            problem = f"netdev {there.spec.ifname} is session {other.spec.name}/{there.spec.name}'s"
            raise ConflictError(f"session {tunnel}/{name}", problem, "give another --ifname")


_Owned = tuple[TunnelRecord, SessionRecord]


class _Sessions:
    """Index of sessions by the values that two sessions cannot share, so that not every pair has to be compared."""

    def __init__(self, records: Records) -> None:
        self._netns = Identities()
        self.named: dict[tuple[str, str], SessionRecord] = {}
        self._takers: dict[Key, list[_Owned]] = {}
        for name, record in records.items():
            for session in record.sessions:
                self.named[name, session.spec.name] = session
                taken, _ = self._id_keys(record, session)
                for key in (*taken, self._netdev_key(record, session)):
                    self._takers.setdefault(key, []).append((record, session))

    def _id_keys(self, record: TunnelRecord, session: SessionRecord) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
        tunnel = record.spec
        return session_id_keys(self._netns[tunnel.netns], tunnel.name, tunnel.encap, session.spec.session_id)

    def _netdev_key(self, record: TunnelRecord, session: SessionRecord) -> Key:
        return netdev_key(self._netns[home(record.spec, session.spec)], session.spec.ifname)

    def of_the_same_id(self, record: TunnelRecord, session: SessionRecord) -> Iterator[_Owned]:
        """Other sessions whose packets could not be told from this one's."""
        _, rivals = self._id_keys(record, session)
        for key in rivals:
            yield from (one for one in self._takers.get(key, ()) if one[1] is not session)

    def of_the_same_ifname(self, record: TunnelRecord, session: SessionRecord) -> Iterator[_Owned]:
        """Others whose netdevs have the same name in the same namespace."""
        return (one for one in self._takers[self._netdev_key(record, session)] if one[1] is not session)


def _check_datapath(record: TunnelRecord, session: SessionRecord) -> None:
    """Check that the tunnel's datapath can do all that the session asks for. Raises UnavailableError."""
    spec, tunnel = session.spec, record.spec
    if lacked := lacks(spec, record.datapath):
        problem = f"the {record.datapath} datapath can't do --{', --'.join(lacked)}"
        remedy = f"give the tunnel another one first: `l2tpctl tunnel set {tunnel.name} --datapath user`"
        if "probe bfd" in lacked:
            remedy += "; or use --probe bfd:ADDR, with an address on the session's own link"
        raise UnavailableError(f"session {tunnel.name}/{spec.name}", problem, remedy)


def _check_place(record: TunnelRecord, session: SessionRecord) -> None:
    """Check that a VLAN netdev keeps its tc filters, which a move to another namespace would remove.

    Raises UnavailableError.
    """
    spec = session.spec
    rewrites = spec.vlan is not None and spec.egress is Egress.REWRITE
    if record.datapath == "kernel" and rewrites and not same_netns(home(record.spec, spec), record.spec.netns):
        subject = f"session {record.spec.name}/{spec.name}: --netns"
        problem = "on the kernel datapath --egress rewrite needs the netdev in the tunnel's network namespace"
        raise UnavailableError(subject, problem, "use --egress remove, or --datapath user for the tunnel")


class FreeSessionIds:
    """Session ids that are free for a session of a tunnel of `records`; see session_id_keys for whose they are."""

    def __init__(self, records: Records) -> None:
        self._netns = Identities()
        self._own: dict[str, FreeNumbers] = {}
        self._all: dict[Hashable, FreeNumbers] = {}
        self._over_ip: dict[Hashable, FreeNumbers] = {}
        for record in records.values():
            for session in record.sessions:
                self.take(record, session.spec.session_id)

    def _taken_by(self, record: TunnelRecord) -> Iterator[FreeNumbers]:
        where = self._netns[record.spec.netns]
        yield self._own.setdefault(record.spec.name, FreeNumbers())
        yield self._all.setdefault(where, FreeNumbers())
        if record.spec.encap is Encap.IP:
            yield self._over_ip.setdefault(where, FreeNumbers())

    def take(self, record: TunnelRecord, number: int) -> None:
        """Note that a session of that tunnel uses this id."""
        for numbers in self._taken_by(record):
            numbers.take(number)

    def give_back(self, record: TunnelRecord, number: int) -> None:
        """Note that a session of that tunnel does not use this id any more."""
        for numbers in self._taken_by(record):
            numbers.give_back(number)
        if record.spec.encap is Encap.IP:
            for numbers in self._own.values():
                numbers.look_again(number)

    def lowest(self, record: TunnelRecord, what: str) -> int:
        """The lowest free id for a new session. Raises ConflictError, with the subject `what`, when there is none."""
        where = self._netns[record.spec.netns]
        if record.spec.encap is Encap.IP:
            return self._all.setdefault(where, FreeNumbers()).lowest(what)
        return self._own.setdefault(record.spec.name, FreeNumbers()).lowest(what, self._over_ip.get(where, ()))
