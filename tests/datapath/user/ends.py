"""Both ends of pseudowires that the user datapath carries: hosts in namespaces, specifications mirrored."""

from __future__ import annotations

import dataclasses
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l2tpv3.datapath.user import UserDatapath
from l2tpv3.linux.netns import inside
from l2tpv3.model.observed import Counters, Session, Tunnel
from l2tpv3.model.spec import Encap, SessionSpec, TunnelSpec, parse_address
from l2tpv3.paths import Paths
from tests.contract.frames import collect, frame, on_one_cpu, packet_socket
from tests.hosts import Host
from tests.waiting import eventually

COOKIES = {0: (b"", b""), 4: (b"\x01\x02\x03\x04", b"\xf1\xf2\xf3\xf4"), 8: (bytes(range(8)), bytes(range(240, 248)))}


@dataclass
class End:
    """One host with its datapath."""

    host: Host
    datapath: UserDatapath

    @classmethod
    def on(cls, host: Host) -> End:
        """The user datapath of a host. Its new netdevs have no IPv6, which would send frames by itself."""
        with inside(host.netns):
            Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
        return cls(host, UserDatapath(Paths(host.state_dir, host.runtime_dir)))

    def again(self) -> UserDatapath:
        """The datapath as another command would see it."""
        return UserDatapath(Paths(self.host.state_dir, self.host.runtime_dir))

    def tunnel(self, remote: Host, *, family: int = 4, **changes: Any) -> TunnelSpec:
        """A tunnel to another host."""
        values: dict[str, Any] = {
            "name": "t1",
            "local": parse_address(self.host.address(family), "local"),
            "remote": parse_address(remote.address(family), "remote"),
            "encap": Encap.UDP,
            "netns": self.host.netns,
        }
        return TunnelSpec(**values | changes)

    def add(self, tunnel: TunnelSpec, *sessions: SessionSpec) -> None:
        """Make a tunnel and sessions, their netdevs up with the MTU of the specification."""
        self.datapath.add_tunnel(tunnel)
        for session in sessions:
            self.datapath.add_session(tunnel, session)
        self.up(*sessions)

    def up(self, *sessions: SessionSpec) -> None:
        """Bring netdevs up."""
        self.host.ip_batch([f"link set {session.ifname} mtu {session.mtu} up" for session in sessions])

    def wait_for_carrier(self, session: SessionSpec) -> None:
        """Return once a netdev that got another worker sends again: the kernel drops what is sent before, for up to a
        second (linkwatch_run_queue() in net/core/link_watch.c)."""
        eventually(lambda: "state DOWN" not in self.host.ip("link", "show", session.ifname), "its carrier is back")

    def place(self, session: SessionSpec) -> tuple[str, str]:
        """Where the session's netdev is."""
        return self.host.netns, session.ifname

    def seen(self, tunnel: TunnelSpec) -> Tunnel:
        """What the datapath reports for a tunnel."""
        (one,) = [one for one in self.datapath.tunnels(self.host.netns) if one.tunnel_id == tunnel.tunnel_id]
        return one

    def session(self, tunnel: TunnelSpec, session: SessionSpec) -> Session:
        """What the datapath reports for a session."""
        (one,) = [one for one in self.seen(tunnel).sessions if one.session_id == session.session_id]
        return one

    def counters(self, tunnel: TunnelSpec, session: SessionSpec) -> Counters:
        """A session's counters."""
        return self.session(tunnel, session).counters

    def ifindexes(self) -> dict[str, int]:
        """The netdevs of its namespace, by name."""
        with inside(self.host.netns):
            return {name: index for index, name in socket.if_nameindex()}


def session(number: int = 1, *, cookie: int = 8, **changes: Any) -> SessionSpec:
    """A session whose ids and netdev follow from `number`; cookie: its length in bytes."""
    tx_cookie, rx_cookie = COOKIES[cookie]
    values: dict[str, Any] = {
        "name": f"s{number}",
        "ifname": f"pw{number}",
        "session_id": 0x1000 + number,
        "peer_session_id": 0x2000 + number,
        "tx_cookie": tx_cookie,
        "rx_cookie": rx_cookie,
        "mtu": 1400,
    }
    return SessionSpec(**values | changes)


def mirrored(one: SessionSpec, **changes: Any) -> SessionSpec:
    """The same session from the other end."""
    values: dict[str, Any] = {
        "session_id": one.peer_session_id,
        "peer_session_id": one.session_id,
        "tx_cookie": one.rx_cookie,
        "rx_cookie": one.tx_cookie,
    }
    return dataclasses.replace(one, **values | changes)


def passes(source: tuple[str, str], target: tuple[str, str], sizes: list[int]) -> None:
    """Frames of these sizes that are put into one netdev come out of the other, all, in order, unchanged."""
    frames = [frame(size, number) for number, size in enumerate(sizes)]
    with packet_socket(target) as receiver, packet_socket(source) as sender:
        with on_one_cpu():
            for one in frames:
                sender.send(one)
        received = collect(receiver, len(frames))
    assert received == frames, f"{source} to {target}: of {sizes} bytes arrived {[len(one) for one in received]}"
