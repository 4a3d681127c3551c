"""What an IPsec tunnel's packets come to: which they are, and how long. Values only, no I/O."""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from l2tpv3.model.record import ports
from l2tpv3.model.spec import TunnelSpec
from l2tpv3.model.values import Encap
from l2tpv3.value_class import value_class

_IP: Final = {4: 20, 6: 40}
_ESP: Final = 8 + 8 + 16
"""SPI and sequence number (RFC 4303 section 2), the IV, and the ICV of 16 bytes (RFC 4106 sections 3.1 and 6)."""
_UDP: Final = 8
_ALIGNED_TO: Final = 4
_TRAILER: Final = 2
"""After padding come its length and the next header, the last of which ends on 4 bytes (RFC 4303 section 2.4)."""


def inner_mtu(route_mtu: int, version: int, *, in_udp: bool) -> int:
    """The longest packet, in bytes with its IP header, that is no longer than `route_mtu` as ESP in transport mode.

    By AES-GCM, which itself needs no padding; so payload, padding and trailer are as many as fit of 4 bytes each.
    version: of IP. in_udp: whether ESP is in UDP (RFC 3948). The kernel computes the same: xfrm_state_mtu() in
    net/xfrm/xfrm_state.c.
    """
    room = route_mtu - _IP[version] - _ESP - (_UDP if in_udp else 0)
    return _IP[version] + room // _ALIGNED_TO * _ALIGNED_TO - _TRAILER


@value_class(frozen=True, slots=True)
class Selector:
    """Which packets are encrypted: those between this host and a peer, of a protocol and two ports (zeros without)."""

    remote: IPv4Address | IPv6Address
    protocol: int
    local_port: int
    remote_port: int

    @property
    def reqid(self) -> int:
        """The number by which policies know the SAs of these packets.

        strongSwan counts those that it chooses up from 1, so the highest bit is set. Two selectors with one number, of
        which there is a chance of 1 in 2^31, would share SAs only between the same addresses.
        """
        text = f"{self.remote} {self.protocol} {self.local_port} {self.remote_port}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") | 0x8000_0000


def selector(spec: TunnelSpec) -> Selector:
    """What of a tunnel IPsec encrypts: UDP between its ports, or IP protocol 115 (RFC 3931 section 4.1.3)."""
    local_port, remote_port = ports(spec)
    protocol = 17 if spec.encap is Encap.UDP else 115
    return Selector(spec.remote, protocol, local_port, remote_port)
