"""Rules of the packet filter that drop what would leave this host without IPsec (linux/netfilter/nf_tables.h).

Each is in a table of its own, which is made and removed as one. As `nft` writes it:

    table ip l2tpv3-ipsec-80c0ffee {
        chain output {
            type filter hook output priority filter; policy accept;
            ip daddr 192.0.2.2 meta l4proto udp th sport 1701 th dport 1701 rt ipsec missing drop
        }
    }
"""

from __future__ import annotations

import errno
from struct import Struct
from typing import Final

from l2tpv3.linux.netlink.message import (
    NLA_F_NESTED,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    Answer,
    attribute,
    attributes,
    message,
    text_of,
    zero_terminated,
)
from l2tpv3.linux.netlink.sock import NetlinkSocket
from l2tpv3.linux.netlink.xfrm import Policy

_NETLINK_NETFILTER: Final = 12
_BATCH_BEGIN, _BATCH_END, _NFTABLES = 16, 17, 10  # NFNL_MSG_BATCH_*, NFNL_SUBSYS_NFTABLES
_NEW_TABLE, _DEL_TABLE, _NEW_CHAIN, _NEW_RULE, _GET_RULE = 0xA00, 0xA02, 0xA03, 0xA06, 0xA07
_FAMILIES: Final = {4: 2, 6: 10}  # NFPROTO_*
_LOCAL_OUT: Final = 3  # NF_INET_LOCAL_OUT
_NETWORK, _TRANSPORT = 1, 2  # NFT_PAYLOAD_*_HEADER
_TARGET_AT: Final = {4: 16, 6: 24}
"""Where the address that a packet goes to is in its IP header."""
_L4PROTO, _RT_XFRM = 16, 4  # NFT_META_L4PROTO, NFT_RT_XFRM
_REGISTER: Final = 1  # NFT_REG_1
_UNKNOWN: Final = frozenset((errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.EINVAL))
"""What the kernel says without nf_tables."""
_nfgenmsg = Struct("!BBH")
_be32 = Struct("!I").pack


def has_rule(netns: str | None, policy: Policy) -> bool | None:
    """Whether the rule for the packets of a policy is there; None where the kernel has no nf_tables.

    netns: the network namespace. Raises OSError, NotFoundError, NotPermittedError (the namespace); so do all of these.
    """
    try:
        with _PacketFilter(netns) as one:
            answer = one.dump(_GET_RULE, _header(policy) + _text(1, _table(policy)))
    except OSError as error:
        if error.errno in _UNKNOWN:
            return None
        raise
    return any(
        text_of(datagram, attributes(datagram, begin, end).get(1, (0, 0))) == _table(policy)
        for datagram, spans in answer.datagrams
        for begin, end in spans
    )


def put_rule(netns: str | None, policy: Policy) -> None:
    """Make the rule for the packets of a policy, in place of any table of its name."""
    table = _text(1, _table(policy))
    hook = attribute(1, _be32(_LOCAL_OUT)) + attribute(2, _be32(0))
    chain = table + _text(3, "output") + attribute(4 | NLA_F_NESTED, hook) + _text(7, "filter")
    rule = table + _text(2, "output") + attribute(4 | NLA_F_NESTED, b"".join(_expressions(policy)))
    requests = [
        (_NEW_TABLE, NLM_F_CREATE, table),  # so that there is one to remove
        (_DEL_TABLE, 0, table),
        (_NEW_TABLE, NLM_F_CREATE | NLM_F_EXCL, table),
        (_NEW_CHAIN, NLM_F_CREATE, chain),
        (_NEW_RULE, NLM_F_CREATE, rule),
    ]
    with _PacketFilter(netns) as one:
        one.commit([(kind, flags, _header(policy) + body) for kind, flags, body in requests])


def remove_rule(netns: str | None, policy: Policy) -> None:
    """Remove the rule for the packets of a policy. Nothing happens where there is none."""
    table = _header(policy) + _text(1, _table(policy))
    with _PacketFilter(netns) as one:
        one.commit([(_NEW_TABLE, NLM_F_CREATE, table), (_DEL_TABLE, 0, table)])


class _PacketFilter(NetlinkSocket):
    """Requests to nf_tables. Raises OSError with EPROTONOSUPPORT where the kernel has no netfilter."""

    def __init__(self, netns: str | None) -> None:
        super().__init__(_NETLINK_NETFILTER, netns, _nfgenmsg.size)

    def commit(self, requests: list[tuple[int, int, bytes]]) -> None:
        """All of them (kind, flags, body), or none: what is between BEGIN and END is one transaction."""
        answer = Answer(next(self._sequence), self._family_header)
        limits = _nfgenmsg.pack(0, 0, _NFTABLES)
        packed = [message(_BATCH_BEGIN, 0, answer.sequence, limits)]
        for at, (kind, flags, body) in enumerate(requests, 1):
            acknowledged = NLM_F_ACK if at == len(requests) else 0  # an error of another one comes before it
            packed.append(message(kind, flags | acknowledged, answer.sequence, body))
        packed.append(message(_BATCH_END, 0, answer.sequence, limits))
        self._socket.send(b"".join(packed))
        while not answer.feed(self._receive()):
            pass


def _header(policy: Policy) -> bytes:
    return _nfgenmsg.pack(_FAMILIES[policy.remote.version], 0, 0)


def _table(policy: Policy) -> str:
    """The name of the table: reqids tell which packets are meant."""
    return f"l2tpv3-ipsec-{policy.reqid:08x}"


def _text(kind: int, value: str) -> bytes:
    return attribute(kind, zero_terminated(value))


def _expressions(policy: Policy) -> list[bytes]:
    """What the rule looks at in turn; the packet is dropped where all of it holds."""
    found = [
        *_payload_is(_NETWORK, _TARGET_AT[policy.remote.version], policy.remote.packed),
        _expression("meta", attribute(1, _be32(_REGISTER)) + attribute(2, _be32(_L4PROTO))),
        _is(bytes([policy.protocol])),
    ]
    if policy.local_port:
        ports = policy.local_port.to_bytes(2, "big") + policy.remote_port.to_bytes(2, "big")
        found += _payload_is(_TRANSPORT, 0, ports)
    found.append(_expression("rt", attribute(1, _be32(_REGISTER)) + attribute(2, _be32(_RT_XFRM))))
    found.append(_is(b"\0"))
    drop = attribute(2 | NLA_F_NESTED, attribute(1, _be32(0)))  # NFTA_DATA_VERDICT, NF_DROP
    found.append(_expression("immediate", attribute(1, _be32(0)) + attribute(2 | NLA_F_NESTED, drop)))
    return found


def _payload_is(base: int, offset: int, value: bytes) -> list[bytes]:
    numbers = enumerate((_REGISTER, base, offset, len(value)), 1)
    loaded = b"".join(attribute(kind, _be32(number)) for kind, number in numbers)
    return [_expression("payload", loaded), _is(value)]


def _is(value: bytes) -> bytes:
    """Goes on only where the register has that value (NFT_CMP_EQ)."""
    data = attribute(3 | NLA_F_NESTED, attribute(1, value))
    return _expression("cmp", attribute(1, _be32(_REGISTER)) + attribute(2, _be32(0)) + data)


def _expression(name: str, data: bytes) -> bytes:
    return attribute(1 | NLA_F_NESTED, _text(1, name) + attribute(2 | NLA_F_NESTED, data))
