"""What a contract test works with: a datapath, two places to put tunnels in, and a look at what is really there."""

from __future__ import annotations

import contextlib
import fcntl
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from l2tpv3.datapath.base import Datapath
from l2tpv3.linux.netns import inside
from l2tpv3.model.observed import Session, Tunnel
from l2tpv3.model.spec import Encap, IPAddress, SessionSpec, TunnelSpec
from tests.hosts import Host, Hosts

_SIOCGIFFLAGS = 0x8913
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_RUNNING_S = 5
_FIRST_PORT = 20000

ADDRESSES: dict[int, tuple[IPAddress, IPAddress]] = {
    4: (IPv4Address("10.99.0.1"), IPv4Address("10.99.0.2")),
    6: (IPv6Address("fd99::1"), IPv6Address("fd99::2")),
}
"""By IP version: the address of the near end and of the far end (tests/hosts.py)."""

ABSENT: dict[int, IPAddress] = {4: IPv4Address("10.99.0.99"), 6: IPv6Address("fd99::99")}
"""Addresses that nobody has, in the same network."""

UNROUTED: dict[int, IPAddress] = {4: IPv4Address("198.51.100.1"), 6: IPv6Address("2001:db8:ffff::1")}
"""Addresses to which there is no route."""


@contextlib.contextmanager
def joined_hosts() -> Iterator[tuple[Host, Host]]:
    """A near and a far host that see each other by ADDRESSES. Netdevs made on them later get no IPv6 by themselves."""
    hosts = Hosts()
    try:
        pair = hosts.pair(("near", "far"))
        for host in pair:
            with inside(host.netns):
                Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
        yield pair
    finally:
        hosts.close()


@dataclass
class Bench:
    """A datapath and where it is tried. another: one more object, as another command on this host would have.
    least: bytes of the shortest frame that keeps its place."""

    datapath: Datapath
    near: str
    far: str
    real: bool
    another: Callable[[], Datapath]
    least: int = 14
    _named: int = field(default=0)

    def tunnel(self, number: int = 1, *, version: int = 4, **changes: Any) -> TunnelSpec:
        """A tunnel from `near` to `far` with ids and ports of its own for each `number`."""
        local, remote = ADDRESSES[version]
        values: dict[str, Any] = {
            "name": f"t{number}",
            "local": local,
            "remote": remote,
            "encap": Encap.UDP,
            "tunnel_id": 100 + number,
            "peer_tunnel_id": 200 + number,
            "local_port": _FIRST_PORT + number,
            "remote_port": _FIRST_PORT + 100 + number,
            "netns": self.near,
        }
        return TunnelSpec(**values | changes)

    def mirrored(self, tunnel: TunnelSpec) -> TunnelSpec:
        """The same tunnel from the other end, in `far`."""
        return TunnelSpec(
            name=tunnel.name,
            local=tunnel.remote,
            remote=tunnel.endpoint,
            encap=tunnel.encap,
            tunnel_id=tunnel.peer_tunnel_id,
            peer_tunnel_id=tunnel.tunnel_id,
            local_port=tunnel.remote_port,
            remote_port=tunnel.local_port,
            udp_checksum=tunnel.udp_checksum,
            netns=self.far,
        )

    def session(self, number: int = 1, **changes: Any) -> SessionSpec:
        """A session with ids and netdev of its own for each `number`."""
        values: dict[str, Any] = {
            "name": f"s{number}",
            "ifname": f"pw{number}",
            "session_id": 0x1000 + number,
            "peer_session_id": 0x2000 + number,
            "mtu": 1400,
        }
        return SessionSpec(**values | changes)

    def seen_tunnel(self, tunnel: TunnelSpec) -> Tunnel:
        """What the datapath reports for a tunnel."""
        (seen,) = [one for one in self.datapath.tunnels(tunnel.netns) if one.tunnel_id == tunnel.tunnel_id]
        return seen

    def seen_session(self, tunnel: TunnelSpec, session: SessionSpec) -> Session:
        """What the datapath reports for a session."""
        (seen,) = [one for one in self.seen_tunnel(tunnel).sessions if one.session_id == session.session_id]
        return seen

    def netdevs(self, netns: str) -> set[str]:
        """Names of the netdevs in a namespace (those of sessions, where nothing is real)."""
        if not self.real:
            return {session.ifname for tunnel in self.datapath.tunnels(netns) for session in tunnel.sessions}
        with inside(netns):
            return {name for _, name in socket.if_nameindex()}

    def sessions_netdevs(self, netns: str) -> set[str]:
        """Of `netdevs`, without those that a datapath has under sessions'."""
        return {name for name in self.netdevs(netns) if not re.fullmatch(r"l[et]\d+-\d+", name)}

    def index(self, netns: str, ifname: str) -> int:
        """A netdev's interface index."""
        with inside(netns):
            return socket.if_nametoindex(ifname)

    def is_up(self, netns: str, ifname: str) -> bool:
        """Whether a netdev is up."""
        return bool(self._flags(netns, ifname) & _IFF_UP)

    def await_running(self, netns: str) -> None:
        """Return when every netdev that is up can be sent through: veth(4) drops frames for a moment before."""
        deadline = time.monotonic() + _RUNNING_S
        while any(self._flags(netns, name) & (_IFF_UP | _IFF_RUNNING) == _IFF_UP for name in self.netdevs(netns)):
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def _flags(self, netns: str, ifname: str) -> int:
        with inside(netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16sH14x", ifname.encode(), 0))
        return int(struct.unpack_from("16sH", answer)[1])

    def footprint(self, netns: str) -> tuple[set[str], list[str], list[Tunnel]]:
        """All that a failed call must not change: netdevs, sockets (proto, address and port), tunnels."""
        return self.netdevs(netns), self.sockets(netns), self.datapath.tunnels(netns)

    def sockets(self, netns: str) -> list[str]:
        """UDP and raw-IP sockets of a namespace, from /proc/net."""
        if not self.real:
            return []
        found: list[str] = []
        with inside(netns):
            for kind in ("udp", "udp6", "raw", "raw6"):
                for line in Path("/proc/thread-self/net", kind).read_text("ascii").splitlines()[1:]:
                    if match := re.match(r"\s*\d+: ([0-9A-F]+:[0-9A-F]+)", line):
                        found.append(f"{kind} {match[1]}")
        return sorted(found)
