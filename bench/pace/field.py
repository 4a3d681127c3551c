"""Two hosts in network namespaces, joined by a veth that is as bare as a plain network card, or as veth comes."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from l2tpv3.linux.netns import inside

INNER = ("10.9.0.1", "10.9.0.2")
"""The addresses of the netdevs that a side joins."""
OUTER = ("10.99.0.1", "10.99.0.2")
_UNDERLAY = "u0"
_BARE = [
    "tx", "off", "tso", "off", "tx-udp-segmentation", "off", "tx-udp_tnl-segmentation", "off",
    "tx-udp_tnl-csum-segmentation", "off",
]  # fmt: skip


class Field(NamedTuple):
    """The two hosts' network namespaces, and the underlay's MTU in bytes."""

    hosts: tuple[str, str]
    mtu: int


@contextlib.contextmanager
def field(*, mtu: int, offloaded: bool) -> Iterator[Field]:
    """Make the hosts. offloaded: veth's defaults, with which super-frames cross it whole."""
    hosts = (f"lt-{os.getpid()}-a", f"lt-{os.getpid()}-b")
    try:
        for host in hosts:
            _ip(f"netns add {host}")
        _ip(f"link add {_UNDERLAY} mtu {mtu} netns {hosts[0]} type veth peer {_UNDERLAY} mtu {mtu} netns {hosts[1]}")
        for host, address in zip(hosts, OUTER, strict=True):
            with inside(host):
                Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1", encoding="ascii")
            _ip(f"-n {host} addr add {address}/24 dev {_UNDERLAY}")
            _ip(f"-n {host} link set {_UNDERLAY} up")
            _ip(f"-n {host} link set lo up")
            if not offloaded:
                _ethtool(host, _BARE)
            _ethtool(host, ["gro", "on"])
        yield Field(hosts, mtu)
    finally:
        for host in hosts:
            subprocess.run(["ip", "netns", "del", host], check=False, stderr=subprocess.DEVNULL)


def _ethtool(host: str, words: list[str]) -> None:
    command = ["ip", "netns", "exec", host, "ethtool", "-K", _UNDERLAY, *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)
