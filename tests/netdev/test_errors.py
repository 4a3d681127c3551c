"""A netlink socket that fails is told of by an error of ours, whatever was asked through it."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Interface

import pytest

from l2tpv3.errors import L2tpError
from l2tpv3.netdev.netdevs import Netdevs

ASKED: dict[str, Callable[[Netdevs], object]] = {
    "all": Netdevs.all,
    "dropped": Netdevs.dropped,
    "named": lambda netdevs: netdevs.named("lo"),
    "numbered": lambda netdevs: netdevs.numbered(1),
    "index": lambda netdevs: netdevs.index("lo"),
    "change": lambda netdevs: netdevs.change("lo", "session t/s", mtu=1500, up=True),
    "set_up": lambda netdevs: netdevs.set_up(["lo"]),
    "bridge": lambda netdevs: netdevs.bridge("br0", "session t/s"),
    "set_addresses": lambda netdevs: netdevs.set_addresses(1, "session t/s", [IPv4Interface("10.0.0.1/8")], []),
    "clamped_to": lambda netdevs: netdevs.clamped_to(1),
    "clamp_mss": lambda netdevs: netdevs.clamp_mss(1, "session t/s", 1400),
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_a_socket_that_fails(asked: Callable[[Netdevs], object]) -> None:
    netdevs = Netdevs(None)
    netdevs.close()  # as if its answers were lost: each call through it fails
    with pytest.raises(L2tpError):
        asked(netdevs)
