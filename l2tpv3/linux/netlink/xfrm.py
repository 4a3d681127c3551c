"""IPsec policies of a network namespace (xfrm(7), include/uapi/linux/xfrm.h), and what they have dropped."""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from struct import Struct
from typing import Final

from l2tpv3.errors import L2tpError
from l2tpv3.linux.netlink.message import NLM_F_CREATE, NLM_F_EXCL, attribute, attributes
from l2tpv3.linux.netlink.sock import NetlinkSocket
from l2tpv3.linux.netns import inside
from l2tpv3.value_class import value_class

_NETLINK_XFRM: Final = 6
_NEW_POLICY, _DEL_POLICY, _GET_POLICY = 0x13, 0x14, 0x15  # XFRM_MSG_*
_XFRMA_TMPL: Final = 5
_ID_BYTES: Final = 64  # struct xfrm_userpolicy_id
_INFO_BYTES: Final = 168  # struct xfrm_userpolicy_info
IN: Final = 0
OUT: Final = 1
"""Directions of a policy, XFRM_POLICY_*."""
_ALLOW, _TRANSPORT, _ESP, _ANY = 0, 0, 50, 0xFFFF_FFFF
_NO_LIMIT: Final = b"\xff" * 32 + bytes(32)  # struct xfrm_lifetime_cfg: four limits, then four times
_selector: Final = Struct("=16s16s2s2s2s2sHBBB3xiI")
_rest: Final = Struct("=IIBBBB4x")  # of xfrm_userpolicy_info: priority, index, direction, action, flags, share
_template: Final = Struct("=16sIB3xH2x16sIBBBxIII")
_FIRST: Final = 0
"""The priority of a policy that is asked before any other: the least number."""


@value_class(frozen=True, slots=True)
class Policy:
    """One policy: packets of a protocol between any address of this host and a peer need ESP in transport mode.

    direction: IN or OUT. protocol: of IP. local_port, remote_port: zeros for a protocol without ports. reqid: which
    SAs do (their own number of this name). Without such an SA the kernel drops what goes out, and what comes in.
    """

    direction: int
    remote: IPv4Address | IPv6Address
    protocol: int
    local_port: int
    remote_port: int
    reqid: int

    def packed_selector(self) -> bytes:
        """struct xfrm_selector."""
        here = (bytes(16), 0, self.local_port)
        there = (self.remote.packed.ljust(16, b"\0"), self.remote.max_prefixlen, self.remote_port)
        source, target = (here, there) if self.direction == OUT else (there, here)
        family = socket.AF_INET if self.remote.version == 4 else socket.AF_INET6
        return _selector.pack(
            target[0],
            source[0],
            *_port(target[2]),
            *_port(source[2]),
            family,
            target[1],
            source[1],
            self.protocol,
            0,
            0,
        )


def _port(number: int) -> tuple[bytes, bytes]:
    """A port and its mask; a mask of zeros has any port."""
    return number.to_bytes(2, "big"), b"\xff\xff" if number else bytes(2)


class XfrmSocket(NetlinkSocket):
    """Requests to the kernel's IPsec in a namespace. Use in a `with` block.

    Raises OSError with EPROTONOSUPPORT where the kernel has none, NotFoundError, NotPermittedError (the namespace).
    """

    def __init__(self, netns: str | None) -> None:
        super().__init__(_NETLINK_XFRM, netns, _INFO_BYTES)

    def policies(self) -> list[Policy]:
        """The policies of the form that Policy has, and that are asked first. Raises OSError."""
        answer = self.dump(_GET_POLICY, bytes(_ID_BYTES))
        return [
            found
            for datagram, spans in answer.datagrams
            for begin, end in spans
            if (found := _policy(datagram[begin - _INFO_BYTES : begin], _templates(datagram, begin, end))) is not None
        ]

    def add(self, policy: Policy) -> None:
        """Add one. Raises OSError: EEXIST where there is one with that selector."""
        family = socket.AF_INET if policy.remote.version == 4 else socket.AF_INET6
        rest = _rest.pack(_FIRST, 0, policy.direction, _ALLOW, 0, 0)
        body = policy.packed_selector() + _NO_LIMIT + bytes(32) + rest
        template = _template.pack(
            bytes(16), 0, _ESP, family, bytes(16), policy.reqid, _TRANSPORT, 0, 0, _ANY, _ANY, _ANY
        )
        self.request(_NEW_POLICY, body + attribute(_XFRMA_TMPL, template), NLM_F_CREATE | NLM_F_EXCL)

    def remove(self, policy: Policy) -> None:
        """Remove one that `policies` lists. Raises OSError: ENOENT where there is none."""
        self.request(_DEL_POLICY, policy.packed_selector() + Struct("=IB3x").pack(0, policy.direction))


def _templates(datagram: bytes, begin: int, end: int) -> bytes:
    found = attributes(datagram, begin, end).get(_XFRMA_TMPL)
    return datagram[slice(*found)] if found is not None else b""


def _policy(info: bytes, templates: bytes) -> Policy | None:
    """The policy in struct xfrm_userpolicy_info and its templates; None for one of another form."""
    target, source, to_port, _, from_port, _, family, _, _, protocol, *_ = _selector.unpack_from(info)
    priority, _, direction, action, _, _ = _rest.unpack_from(info, _INFO_BYTES - _rest.size)
    length = {socket.AF_INET: 4, socket.AF_INET6: 16}.get(family)
    if direction not in (IN, OUT) or len(templates) != _template.size or length is None:
        return None
    _, _, protocol_of_sa, _, _, reqid, mode, _, optional, *_ = _template.unpack(templates)
    peer, local_port, remote_port = (target, from_port, to_port) if direction == OUT else (source, to_port, from_port)
    found = Policy(
        direction=direction,
        remote=ip_address(peer[:length]),
        protocol=protocol,
        local_port=int.from_bytes(local_port, "big"),
        remote_port=int.from_bytes(remote_port, "big"),
        reqid=reqid,
    )
    as_ours = (priority, action, protocol_of_sa, mode, optional) == (_FIRST, _ALLOW, _ESP, _TRANSPORT, 0)
    return found if as_ours and found.packed_selector() == info[: _selector.size] else None


def is_used(netns: str | None) -> bool:
    """Whether there is any policy. A kernel that has no xfrm has none; where it won't say, there may be some."""
    try:
        with XfrmSocket(netns) as xfrm:
            return bool(xfrm.dump(_GET_POLICY, bytes(_ID_BYTES)).datagrams)
    except OSError as error:
        return error.errno != errno.EPROTONOSUPPORT
    except L2tpError:
        return True


def drops(netns: str | None) -> dict[str, int]:
    """How many packets of a namespace were dropped, by the kernel's name of the reason; none where it counts none."""
    try:
        with inside(netns):
            lines = Path("/proc/thread-self/net/xfrm_stat").read_text("ascii").splitlines()
    except OSError:
        return {}
    return {name: int(number) for name, number in (line.split() for line in lines)}
