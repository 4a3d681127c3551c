"""Chooses the UDP ports of a tunnel for which none are given: the lowest from 1701 on that are free."""

from __future__ import annotations

import errno
import socket

from l2tpv3.errors import ConflictError
from l2tpv3.mtu import socket_address
from l2tpv3.netns import inside, same_netns
from l2tpv3.records import Records, TunnelRecord, shares_port
from l2tpv3.spec import UDP_PORT, Encap, IPAddress

_PORT_MAX = 65535


def choose_local(record: TunnelRecord, records: Records, before: Records) -> int:
    """The lowest free port of the tunnel's local address, from 1701 on.

    Free is what no other tunnel of `records` has, unless the two can share it, and no other program. before: what is on
    record now; the ports of these tunnels are in use, but by us. Raises ConflictError when none is left.
    """
    beside = [one for one in _with_address(record, records) if one.spec.name != record.spec.name]
    others = {one.spec.local_port for one in beside if not shares_port(record, one)}
    ours = {one.spec.local_port for one in (*_with_address(record, before), *_with_address(record, records))}
    for port in range(UDP_PORT, _PORT_MAX + 1):
        if port not in others and (port in ours or not _is_in_use(record.local, port, record.spec.netns)):
            return port
    problem = f"no UDP port of {record.local} from {UDP_PORT} on is free"
    raise ConflictError(f"tunnel {record.spec.name}: --local-port", problem, "give a lower one")


def choose_remote(record: TunnelRecord, records: Records) -> int:
    """The lowest port from 1701 on that no other tunnel to the same address has: at the far end it can be one's only.

    So second tunnels between two hosts find each other, when both ends leave their ports open.
    """
    spec = record.spec
    taken = {
        one.spec.remote_port
        for one in records.values()
        if one.spec.name != spec.name and one.spec.encap is Encap.UDP and one.spec.remote == spec.remote
        if same_netns(one.spec.netns, spec.netns)
    }
    return next((port for port in range(UDP_PORT, _PORT_MAX + 1) if port not in taken), UDP_PORT)


def _with_address(record: TunnelRecord, records: Records) -> list[TunnelRecord]:
    """Tunnels over UDP with the same local address in the same network namespace; the tunnel itself may be one."""
    known = [one for one in records.values() if one.spec.encap is Encap.UDP and one.local == record.local]
    return [one for one in known if same_netns(one.spec.netns, record.spec.netns)]


def _is_in_use(local: IPAddress, port: int, netns: str | None) -> bool:
    """Whether a program has the port, or the kernel for a tunnel that is not ours: then it can't be bound."""
    family = socket.AF_INET6 if local.version == 6 else socket.AF_INET
    with inside(netns), socket.socket(family, socket.SOCK_DGRAM) as probe:
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(socket_address(local, port, netns))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
