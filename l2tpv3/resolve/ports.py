"""Chooses the UDP ports of a tunnel that gives none: the lowest free ones from 1701 on."""

from __future__ import annotations

import errno
import socket
from collections.abc import Hashable

from l2tpv3.errors import ConflictError
from l2tpv3.linux.netns import inside, netns_identity
from l2tpv3.model.record import SHARES_PORTS, Records, TunnelRecord, ends
from l2tpv3.model.spec import UDP_PORT, Encap, IPAddress
from l2tpv3.resolve.conflict_keys import Identities
from l2tpv3.resolve.route import socket_address

_PORT_MAX = 65535


class Ports:
    """The ports of tunnels over UDP. records: what shall be; a tunnel whose ports are chosen is added.

    before: what is on record now; the ports of these tunnels are in use, but by us.
    """

    def __init__(self, records: Records, before: Records) -> None:
        self._netns = Identities()
        # By local address and port: datapath → the remote addresses of its tunnels there.
        self._at: dict[Hashable, dict[str, set[IPAddress]]] = {}
        self._ours: set[Hashable] = {self._local(one) for one in before.values() if one.spec.encap is Encap.UDP}
        # By remote address: datapath → local address → the remote ports of its tunnels from there.
        self._remote: dict[Hashable, dict[str, dict[IPAddress, set[int]]]] = {}
        self._next: dict[Hashable, int] = {}
        for record in records.values():
            self.add(record)

    def _local(self, record: TunnelRecord, port: int | None = None) -> Hashable:
        spec = record.spec
        return self._netns[spec.netns], ends(record)[0], spec.local_port if port is None else port

    def add(self, record: TunnelRecord) -> None:
        """Note the ports of one more tunnel. A tunnel over IP has none."""
        spec = record.spec
        if spec.encap is Encap.UDP:
            there, (local, remote) = self._local(record), ends(record)
            self._at.setdefault(there, {}).setdefault(record.datapath, set()).add(remote)
            self._ours.add(there)
            peer = self._netns[spec.netns], remote
            by_local = self._remote.setdefault(peer, {}).setdefault(record.datapath, {})
            by_local.setdefault(local, set()).add(spec.remote_port)

    def lowest_local(self, record: TunnelRecord) -> int:
        """The lowest free port of the tunnel's local address, from 1701 on.

        Free is what no other tunnel has, unless the two can share it, and no other program. Raises ConflictError when
        none is left.
        """
        # What is taken for one tunnel is taken for the next, unless they can share ports.
        alike = self._netns[record.spec.netns], ends(record)[0]
        shares = record.datapath in SHARES_PORTS
        for port in range(UDP_PORT if shares else self._next.get(alike, UDP_PORT), _PORT_MAX + 1):
            there = self._local(record, port)
            if self._is_taken(record, there):
                continue
            if there in self._ours or not _is_in_use(record, port):
                if not shares:
                    self._next[alike] = port
                return port
        problem = f"no UDP port of {record.local} from {UDP_PORT} on is free"
        raise ConflictError(f"tunnel {record.spec.name}: --local-port", problem, "give a lower one")

    def _is_taken(self, record: TunnelRecord, there: Hashable) -> bool:
        """Whether a tunnel that cannot share the port has it; see model.record.shares_port()."""
        remotes = self._at.get(there, {})
        if record.datapath in SHARES_PORTS and remotes.keys() <= {record.datapath}:
            return ends(record)[1] in remotes.get(record.datapath, ())
        return bool(remotes)

    def lowest_remote(self, record: TunnelRecord) -> int:
        """The lowest port from 1701 on that is free at the far end, if that end is as this one.

        So second tunnels between two hosts find each other, when both ends leave their ports open. Where tunnels share
        ports, those from other local addresses of ours share them there, as they have other peers.
        """
        local, remote = ends(record)
        by_datapath = self._remote.get((self._netns[record.spec.netns], remote), {})
        taken: list[set[int]] = []
        for datapath, by_local in by_datapath.items():
            if datapath == record.datapath and datapath in SHARES_PORTS:
                taken.append(by_local.get(local, set()))
            else:
                taken += by_local.values()
        return next(
            (port for port in range(UDP_PORT, _PORT_MAX + 1) if not any(port in some for some in taken)), UDP_PORT
        )


def _is_in_use(record: TunnelRecord, port: int) -> bool:
    """Whether a program has the port, or the kernel for a tunnel that is not ours: then it can't be bound."""
    if record.spec.is_inside:
        return False  # nobody else has an address inside WireGuard, which need not be there yet
    local, netns = record.local, record.spec.netns
    family = socket.AF_INET6 if local.version == 6 else socket.AF_INET
    if netns_identity(netns) is None:
        return False  # not there yet, and nothing in it
    with inside(netns), socket.socket(family, socket.SOCK_DGRAM) as probe:
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(socket_address(local, port, netns))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
