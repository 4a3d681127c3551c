"""Sets the policy of a chain of the packet filter, without `nft`."""

from __future__ import annotations

import socket
import struct

from l2tpv3.linux.netlink.message import NLM_F_CREATE, attribute, zero_terminated
from tests.waiting import PATIENCE_S

_TABLE, _CHAIN, _BATCH_BEGIN, _BATCH_END = 10 << 8 | 0, 10 << 8 | 3, 16, 17
_ACK = 4


_HOOKS = {"INPUT": 1, "FORWARD": 2, "OUTPUT": 3}  # NF_INET_* (linux/netfilter.h)
_POLICIES = {"drop": 0, "accept": 1}


def chain_policy(chain: str, policy: str | None, *, family: int = socket.AF_INET) -> None:
    """As `nft add chain ip filter CHAIN '{ type filter hook ... priority 0; policy ...; }'` does, in this namespace.

    family: AF_INET6 is `ip6`. policy: None makes a chain that only others call.
    """
    be32 = struct.Struct("!I").pack
    body = attribute(1, zero_terminated("filter")) + attribute(3, zero_terminated(chain))
    if policy is not None:
        hook = attribute(1, be32(_HOOKS[chain])) + attribute(2, be32(0))
        body += attribute(4 | 1 << 15, hook) + attribute(5, be32(_POLICIES[policy]))
        body += attribute(7, zero_terminated("filter"))
    batch = struct.pack("!BBH", 0, 0, 10)
    header = struct.pack("!BBH", family, 0, 0)

    def one(kind: int, flags: int, number: int, content: bytes) -> bytes:
        return struct.pack("=IHHII", 16 + len(content), kind, 1 | flags, number, 0) + content

    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netfilter:
        netfilter.bind((0, 0))
        netfilter.send(
            one(_BATCH_BEGIN, 0, 1, batch)
            + one(_TABLE, NLM_F_CREATE, 2, header + attribute(1, zero_terminated("filter")))
            + one(_CHAIN, NLM_F_CREATE | _ACK, 3, header + body)
            + one(_BATCH_END, 0, 4, batch)
        )
        netfilter.settimeout(PATIENCE_S)
        answer = netfilter.recv(4096)
    assert struct.unpack_from("=i", answer, 16)[0] == 0
