"""Ends of pseudowires that programs carry, as tests/datapath/user/ends.py has them that workers carry."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from l2tpv3.datapath.ebpf import EbpfDatapath, veth
from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.paths import Paths
from tests.datapath.user.ends import End
from tests.hosts import UNDERLAY, Host
from tests.waiting import eventually

_BARE = [
    "tx", "off", "tso", "off", "tx-udp-segmentation", "off", "tx-udp_tnl-segmentation", "off",
    "tx-udp_tnl-csum-segmentation", "off",
]  # fmt: skip


@dataclass
class EbpfEnd(End):
    """One host with its ebpf datapath."""

    datapath: EbpfDatapath  # type: ignore[assignment]

    @classmethod
    def on(cls, host: Host) -> EbpfEnd:
        """The ebpf datapath of a host. Its new netdevs have no IPv6, which would send frames by itself."""
        without_ipv6(host)
        return cls(host, EbpfDatapath(Paths(host.state_dir, host.runtime_dir)))

    def again(self) -> EbpfDatapath:  # type: ignore[override]
        """The datapath as another command would see it."""
        return EbpfDatapath(Paths(self.host.state_dir, self.host.runtime_dir))

    def tunnel(self, remote: Host, *, family: int = 4, **changes: Any) -> TunnelSpec:
        """A tunnel to another host, without UDP checksums: programs give none."""
        return super().tunnel(remote, family=family, **{"udp_checksum": False} | changes)

    def up(self, *sessions: SessionSpec) -> None:
        """Bring netdevs up, and wait until frames pass: the kernel's linkwatch gives a veth its queue a while later."""
        super().up(*sessions)
        named = {one.ifname for one in sessions}

        def waiting() -> list[str]:
            lines = [line.split() for line in self.host.ip("-br", "link").splitlines()]
            ends = [words for words in lines if {UNDERLAY, *named} & set(words[0].split("@"))]
            return [words[0] for words in ends if words[1] != "UP"]

        eventually(lambda: not waiting(), "netdevs are up")

    def slow(self, tunnel: TunnelSpec, session: SessionSpec) -> Passed:
        """What has gone by the worker."""
        return passed(self.host, veth.slow_name(tunnel.tunnel_id, session.session_id))


def acquainted(a: Host, b: Host) -> None:
    """Tell both hosts the other's MAC: with a fresh netdev IPv6 finds it out after a second."""
    for host, peer in ((a, b), (b, a)):
        mac = peer.ip("-br", "link", "show", UNDERLAY).split()[2]
        host.ip_batch(f"neigh replace {one} lladdr {mac} dev {UNDERLAY} nud permanent" for one in (peer.v4, peer.v6))


class Passed(NamedTuple):
    """Packets that a netdev has taken in, and that were sent through it."""

    received: int
    sent: int


def passed(host: Host, ifname: str) -> Passed:
    """A netdev's counters."""
    with inside(host.netns):
        lines = Path("/proc/thread-self/net/dev").read_text("ascii").splitlines()
    (line,) = [line for line in lines if line.strip().startswith(f"{ifname}:")]
    fields = line.partition(":")[2].split()
    return Passed(int(fields[1]), int(fields[9]))


def without_ipv6(host: Host) -> None:
    """Netdevs that are made from now on send nothing by themselves."""
    with inside(host.netns):
        Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")


def bare(*hosts: Host, ifname: str = UNDERLAY) -> None:
    """Make the underlay like a plain network card: packets that are to be cut up or summed are, before it has them."""
    for host in hosts:
        host.run(["ethtool", "-K", ifname, *_BARE])


def packet_socket(place: tuple[str, str]) -> socket.socket:
    """What sends frames of any kind through a netdev, and receives none."""
    netns, ifname = place
    with inside(netns):
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    one.bind((ifname, 0))
    return one
