"""How many bytes of a packet are left for a frame. Arithmetic only."""

from __future__ import annotations

from l2tpv3.model.spec import MTU_MIN, Encap, Sublayer

_ETHERNET_HEADER = 14
_VLAN_TAG = 4
_UDP_HEADER = 8
_IP_HEADER = {4: 20, 6: 40}
_L2TP_HEADER = {Encap.UDP: 8, Encap.IP: 4}
_SUBLAYER = {Sublayer.DEFAULT: 4, Sublayer.NONE: 0}
_ETHERNET_MTU = 1500


def overhead_parts(
    encap: Encap, version: int, cookie_length: int, sublayer: Sublayer, *, tagged: bool = False
) -> list[tuple[str, int]]:
    """What `overhead` is made of, from the outside in: names, and bytes of each; none of 0 bytes."""
    parts = [
        (f"IPv{version} header", _IP_HEADER[version]),
        ("UDP header", _UDP_HEADER if encap is Encap.UDP else 0),
        ("L2TPv3 header", _L2TP_HEADER[encap]),
        ("cookie", cookie_length),
        ("L2-specific sublayer", _SUBLAYER[sublayer]),
        ("ethernet header", _ETHERNET_HEADER),
        ("VLAN tag", _VLAN_TAG if tagged else 0),
    ]
    return [(name, size) for name, size in parts if size]


def overhead(encap: Encap, version: int, cookie_length: int, sublayer: Sublayer, *, tagged: bool = False) -> int:
    """Bytes around the payload of a frame: outer IP, UDP, L2TPv3 header, cookie, sublayer, inner ethernet header.

    version: of the outer IP, 4 or 6. cookie_length: of the cookie that is sent. tagged: every frame carries a VLAN tag.
    As net/l2tp/l2tp_eth.c l2tp_eth_adjust_mtu() counts it; it makes no allowance for a tag.
    """
    return sum(size for _, size in overhead_parts(encap, version, cookie_length, sublayer, tagged=tagged))


def ip_fragments(packet: int, route_mtu: int, version: int) -> int:
    """How many IP fragments an IP packet of `packet` bytes becomes over a route of `route_mtu` bytes; 1 where it fits.

    version: 4 or 6. All but the last have a multiple of 8 bytes (RFC 791 s. 3.2); in IPv6 each has a header of 8 bytes
    for it (RFC 8200 s. 4.5).
    """
    if packet <= route_mtu:
        return 1
    header = _IP_HEADER[version]
    each = (route_mtu - header - (8 if version == 6 else 0)) // 8 * 8
    return -(-(packet - header) // max(each, 8))


def session_mtu(
    route_mtu: int, encap: Encap, version: int, cookie_length: int, sublayer: Sublayer, *, tagged: bool = False
) -> int:
    """The MTU of a session's netdev in bytes: without `tagged` the kernel's own figure for the same session.

    A route too small for any frame gives what an ethernet underlay would, as the kernel does; the outer
    packets are then fragmented.
    """
    around = overhead(encap, version, cookie_length, sublayer, tagged=tagged)
    mtu = route_mtu - around
    return mtu if MTU_MIN <= mtu <= 65535 else _ETHERNET_MTU - around
