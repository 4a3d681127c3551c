"""Takes apart what hosts say of themselves: ARP, neighbour discovery, DHCP, mDNS, LLDP. No I/O.

Frames are anybody's: whatever is too short or odd tells nothing, and nothing here raises for it. Texts are cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from l2tpv3.doctor.shape import speaker_of
from l2tpv3.value_class import value_class

IPAddress = IPv4Address | IPv6Address

_TAGS: Final = (0x8100, 0x88A8)
_IPV4, _IPV6, _LLDP = 0x0800, 0x86DD, 0x88CC
_UDP: Final = 17
_DHCP_SERVER, _DHCP_CLIENT, _MDNS = 67, 68, 5353
_DHCP_OPTIONS: Final = 240
"""Where the options begin, behind the magic number (RFC 2131 section 3)."""
_MAGIC: Final = b"\x63\x82\x53\x63"
_HOST_NAME, _SERVER, _PAD, _END = 12, 54, 0, 255  # options (RFC 2132)
_OPTIONS_MAX: Final = 64
_LLDP_NAME: Final = 5  # IEEE 802.1AB: the TLV with the system's name
_LLDP_TLVS: Final = 32
_NAME_MAX: Final = 64
_DNS_HEADER, _RECORDS_MAX, _LABELS_MAX = 12, 32, 16
_A, _AAAA = 1, 28
_ANSWER: Final = 0x80


@value_class(frozen=True, slots=True, kw_only=True)
class Said:
    """What one frame tells of the host that sent it. mac: its address. vlan: of the frame; None where it has no tag.

    group: whether it goes to many. address: the host's. names: of the host, each with the address that has it, if that
    is told. server: the address of a DHCP server that answers by this frame.
    """

    mac: bytes
    vlan: int | None = None
    group: bool = False
    address: IPAddress | None = None
    names: tuple[tuple[str, IPAddress | None], ...] = ()
    server: IPAddress | None = None


def said(frame: bytes, vlan: int | None = None) -> Said | None:
    """What a frame tells; None for what is none. vlan: the tag that the kernel has taken off."""
    if len(frame) < 14 or frame[6] & 1 or not any(frame[6:12]):
        return None
    kind, at = int.from_bytes(frame[12:14], "big"), 14
    if kind in _TAGS and len(frame) >= 18:
        vlan, kind, at = int.from_bytes(frame[14:16], "big") & 0xFFF, int.from_bytes(frame[16:18], "big"), 18
    rest = frame[at:]
    speaker = speaker_of(frame)
    address: IPAddress | None = None
    if speaker is not None:
        address = IPv4Address(speaker) if len(speaker) == 4 else IPv6Address(speaker)
    names: tuple[tuple[str, IPAddress | None], ...] = ()
    server = None
    if kind == _LLDP:
        names = tuple((name, None) for name in _lldp_names(rest))
    elif (udp := _udp(kind, rest)) is not None:
        source, port, payload = udp
        if port in (_DHCP_SERVER, _DHCP_CLIENT):
            names, server = _dhcp(source, payload)
        elif port == _MDNS:
            address, names = source, tuple(_mdns_names(payload))
    return Said(
        mac=frame[6:12], vlan=vlan, group=bool(frame[0] & 1), address=_usable(address), names=names, server=server
    )


def _usable(address: IPAddress | None) -> IPAddress | None:
    """The address, where a single host can have it."""
    odd = address is None or address.is_unspecified or address.is_multicast or address.is_loopback
    return None if odd or str(address) == "255.255.255.255" else address


def _udp(kind: int, packet: bytes) -> tuple[IPAddress, int, bytes] | None:
    """Of a UDP packet the source's address, the port that it goes to, and what is in it."""
    source: IPAddress
    if kind == _IPV4 and len(packet) >= 28 and packet[9] == _UDP and not int.from_bytes(packet[6:8], "big") & 0x1FFF:
        source, udp = IPv4Address(packet[12:16]), packet[(packet[0] & 0xF) * 4 :]
    elif kind == _IPV6 and len(packet) >= 48 and packet[6] == _UDP:
        source, udp = IPv6Address(packet[8:24]), packet[40:]
    else:
        return None
    return source, int.from_bytes(udp[2:4], "big"), udp[8:]


def _dhcp(source: IPAddress, message: bytes) -> tuple[tuple[tuple[str, IPAddress | None], ...], IPAddress | None]:
    """The name that a client says, or the address of the server that answers."""
    if message[236:240] != _MAGIC:
        return (), None
    options = dict(_options(message))
    if message[0] == 2:  # BOOTREPLY
        told = options.get(_SERVER, b"")
        return (), _usable(IPv4Address(told) if len(told) == 4 else source)
    name = _text(options.get(_HOST_NAME, b""))
    return (((name, None),) if name else ()), None


def _options(message: bytes) -> Iterator[tuple[int, bytes]]:
    at = _DHCP_OPTIONS
    for _ in range(_OPTIONS_MAX):
        kind = message[at : at + 1]
        if not kind or kind[0] == _END:
            return
        if kind[0] == _PAD:
            at += 1
            continue
        length = message[at + 1] if at + 1 < len(message) else 0
        yield kind[0], message[at + 2 : at + 2 + length]
        at += 2 + length


def _lldp_names(pdu: bytes) -> Iterator[str]:
    at = 0
    for _ in range(_LLDP_TLVS):
        head = int.from_bytes(pdu[at : at + 2], "big")
        kind, length = head >> 9, head & 0x1FF
        if not kind:
            return
        if kind == _LLDP_NAME and (name := _text(pdu[at + 2 : at + 2 + length])):
            yield name
        at += 2 + length


def _mdns_names(message: bytes) -> Iterator[tuple[str, IPAddress | None]]:
    """The names that addresses have, of an answer's records (RFC 6762, RFC 1035 section 4.1)."""
    if len(message) < _DNS_HEADER or not message[2] & _ANSWER:
        return
    questions, *records = (int.from_bytes(message[at : at + 2], "big") for at in (4, 6, 8, 10))
    at = _DNS_HEADER
    for _ in range(min(questions, _RECORDS_MAX)):
        at = _name(message, at)[1] + 4
    for _ in range(min(sum(records), _RECORDS_MAX)):
        name, at = _name(message, at)
        kind, length = int.from_bytes(message[at : at + 2], "big"), int.from_bytes(message[at + 8 : at + 10], "big")
        data = message[at + 10 : at + 10 + length]
        if kind == _A and len(data) == 4 and name:
            yield name, IPv4Address(data)
        elif kind == _AAAA and len(data) == 16 and name:
            yield name, IPv6Address(data)
        at += 10 + length


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name, and where what follows it begins. Pointers lead to labels before; so many are followed at most."""
    labels: list[bytes] = []
    end: int | None = None
    for _ in range(_LABELS_MAX):
        length = message[at] if at < len(message) else 0
        if length >= 0xC0:
            end = at + 2 if end is None else end
            at = int.from_bytes(message[at : at + 2], "big") & 0x3FFF
            continue
        if not length:
            break
        labels.append(message[at + 1 : at + 1 + length])
        at += 1 + length
    return _text(b".".join(labels)), at + 1 if end is None else end


def _text(value: bytes) -> str:
    """A name as text, without what follows a zero, and no longer than names are shown."""
    return value.split(b"\0", 1)[0][:_NAME_MAX].decode("utf-8", "replace")
