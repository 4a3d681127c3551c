"""What can't exist side by side: ids, ports and netdev names of the tunnels and sessions on record."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from l2tpv3.errors import ConflictError, ExistsError, UnavailableError
from l2tpv3.link.base import home
from l2tpv3.netns import same_netns
from l2tpv3.records import Records, SessionRecord, TunnelRecord, shares_port
from l2tpv3.spec import Egress, Encap


def check_tunnels(records: Records, names: Iterable[str], foreign_ids: Callable[[str | None], set[int]]) -> None:
    """That the tunnels `names` can be beside all the others.

    foreign_ids: those that something else has taken, by netns. Raises ExistsError (id), ConflictError (ports).
    """
    for name in names:
        record = records[name]
        number = record.spec.tunnel_id
        subject = f"tunnel {name}: --id"
        for other in _neighbours(record, records):
            if other.spec.tunnel_id == number:
                raise ExistsError(subject, f"{number} is the id of tunnel {other.spec.name}", "give another one")
            _check_ports(record, other)
        if number in foreign_ids(record.spec.netns):
            raise ExistsError(subject, f"{number} is the id of a tunnel that something else made", "give another one")


def _neighbours(record: TunnelRecord, records: Records) -> list[TunnelRecord]:
    return [
        other
        for other in records.values()
        if other.spec.name != record.spec.name and same_netns(other.spec.netns, record.spec.netns)
    ]


def _check_ports(record: TunnelRecord, other: TunnelRecord) -> None:
    spec, there = record.spec, other.spec
    if not spec.encap is there.encap is Encap.UDP:
        return
    if (record.local, spec.local_port) != (other.local, there.local_port):
        return
    subject = f"tunnel {spec.name}"
    if spec.remote == there.remote and spec.remote_port == there.remote_port:
        ends = f"{record.local} port {spec.local_port} to {spec.remote} port {spec.remote_port}"
        problem = f"tunnel {there.name} already joins {ends}"
        raise ConflictError(subject, problem, "give other ports, or add the session to that tunnel")
    if not shares_port(record, other):
        problem = f"port {spec.local_port} of {record.local} is tunnel {there.name}'s"
        raise ConflictError(subject, problem, "give another --local-port")


def check_sessions(records: Records, touched: Iterable[tuple[str, str]]) -> None:
    """That the sessions (tunnel, name) of `touched` can be, and beside all the others.

    Raises ExistsError, ConflictError, UnavailableError.
    """
    by_id: dict[int, list[tuple[TunnelRecord, SessionRecord]]] = {}
    by_ifname: dict[str, list[tuple[TunnelRecord, SessionRecord]]] = {}
    for record in records.values():
        for session in record.sessions:
            by_id.setdefault(session.spec.session_id, []).append((record, session))
            by_ifname.setdefault(session.spec.ifname, []).append((record, session))
    by_name = {
        (tunnel, session.spec.name): session for tunnel, record in records.items() for session in record.sessions
    }
    for tunnel, name in touched:
        record = records[tunnel]
        mine = by_name.get((tunnel, name))
        if mine is None:
            continue
        _check_place(record, mine)
        for other, there in by_id[mine.spec.session_id]:
            if there is not mine and _share_ids(record, other):
                problem = f"{there.spec.session_id} is the id of session {other.spec.name}/{there.spec.name}"
                raise ExistsError(f"session {tunnel}/{name}: --id", problem, "give another one")
        for other, there in by_ifname[mine.spec.ifname]:
            if there is not mine and same_netns(home(record.spec, mine.spec), home(other.spec, there.spec)):
                problem = f"netdev {there.spec.ifname} is session {other.spec.name}/{there.spec.name}'s"
                raise ConflictError(f"session {tunnel}/{name}", problem, "give another --ifname")


def _check_place(record: TunnelRecord, session: SessionRecord) -> None:
    """That a VLAN netdev's tc filters stay, which a move to another namespace would take off. UnavailableError."""
    spec = session.spec
    rewrites = spec.vlan is not None and spec.egress is Egress.REWRITE
    if record.datapath == "kernel" and rewrites and not same_netns(home(record.spec, spec), record.spec.netns):
        subject = f"session {record.spec.name}/{spec.name}: --netns"
        problem = "on the kernel datapath --egress rewrite needs the netdev in the tunnel's network namespace"
        raise UnavailableError(subject, problem, "use --egress remove, or --datapath user for the tunnel")


def _share_ids(one: TunnelRecord, other: TunnelRecord) -> bool:
    """Whether the two tunnels' sessions are told apart by their ids alone.

    Over UDP an id is a tunnel's own; over IP it is the whole network namespace's, since nothing else in the
    packet tells sessions apart (RFC 3931 section 4.1.1.1; net/l2tp/l2tp_core.c l2tp_session_register).
    """
    if one.spec.name == other.spec.name:
        return True
    return Encap.IP in (one.spec.encap, other.spec.encap) and same_netns(one.spec.netns, other.spec.netns)


def taken_session_ids(record: TunnelRecord, records: Records) -> set[int]:
    """Session ids that a new session of this tunnel can't have."""
    return {
        session.spec.session_id
        for other in (*(one for one in records.values() if one.spec.name != record.spec.name), record)
        if _share_ids(record, other)
        for session in other.sessions
    }


def taken_tunnel_ids(netns: str | None, records: Records) -> set[int]:
    """Tunnel ids that a new tunnel in that namespace can't have."""
    return {one.spec.tunnel_id for one in records.values() if same_netns(one.spec.netns, netns)}
