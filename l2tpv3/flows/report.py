"""Flows by rate, from what was counted at two times. No I/O."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from l2tpv3.documents.schemas import FLOWS_SCHEMA
from l2tpv3.flows.counting import Counted
from l2tpv3.flows.program import KEY, REST
from l2tpv3.value_class import value_class

_IPV4, _IPV6 = 0x0800, 0x86DD
_PROTOCOLS: Final = {
    socket.IPPROTO_ICMP: "icmp",
    socket.IPPROTO_IGMP: "igmp",
    socket.IPPROTO_TCP: "tcp",
    socket.IPPROTO_UDP: "udp",
    socket.IPPROTO_GRE: "gre",
    socket.IPPROTO_ESP: "esp",
    socket.IPPROTO_ICMPV6: "icmpv6",
    132: "sctp",
}
_ETHERTYPES: Final = {0x0806: "arp", 0x88CC: "lldp", 0x8847: "mpls", 0x8863: "pppoe", 0x8864: "pppoe"}
_LENGTH_MAX: Final = 1500


@value_class(frozen=True, slots=True, kw_only=True)
class Flow:
    """Frames that have much in common. out: they leave this host by the wire.

    protocol: `tcp`, `arp`, or a number. source, destination: IP addresses, else MAC addresses. Ports: None without.
    """

    out: bool
    protocol: str
    source: str
    destination: str
    source_port: int | None
    destination_port: int | None
    vlan: int | None
    packets_per_s: float
    bytes_per_s: float


@value_class(frozen=True, slots=True, kw_only=True)
class Flows:
    """The busiest flows, the first one first. count: of all that something passed of. bytes_per_s: of all together.

    rest_bytes_per_s: of what there was no room to tell apart.
    """

    interval_s: float
    flows: tuple[Flow, ...]
    count: int
    bytes_per_s: float
    rest_bytes_per_s: float


def rates(before: Counted, now: Counted, interval_s: float, most: int) -> Flows:
    """What passed between two looks, interval_s (more than 0) apart, by the `most` busiest flows.

    A flow that is counted anew begins at 0.
    """
    none = (0, 0)
    grown: list[tuple[int, int, bytes]] = []
    for key, counts in now.items():
        packets, octets = counts
        earlier = before.get(key, none)
        if earlier == counts:
            continue
        if earlier[0] > packets:
            earlier = none
        grown.append((octets - earlier[1], packets - earlier[0], key))
    grown.sort(reverse=True)
    known = [one for one in grown if one[2] != REST]
    rest = sum(octets for octets, _, key in grown if key == REST)
    return Flows(
        interval_s=interval_s,
        flows=tuple(_flow(key, packets / interval_s, octets / interval_s) for octets, packets, key in known[:most]),
        count=len(known),
        bytes_per_s=sum(octets for octets, _, _ in grown) / interval_s,
        rest_bytes_per_s=rest / interval_s,
    )


def _flow(key: bytes, packets_per_s: float, bytes_per_s: float) -> Flow:
    out, protocol, kind, vlan, tagged, source, target, *ports = KEY.unpack(key)
    ethertype = socket.ntohs(kind)
    numbers = tuple(int.from_bytes(port, "big") for port in ports)
    has_ports = ethertype in (_IPV4, _IPV6) and any(numbers)
    return Flow(
        out=bool(out),
        protocol=_name(ethertype, protocol),
        source=_address(ethertype, source),
        destination=_address(ethertype, target),
        source_port=numbers[0] if has_ports else None,
        destination_port=numbers[1] if has_ports else None,
        vlan=vlan if tagged else None,
        packets_per_s=round(packets_per_s, 1),
        bytes_per_s=round(bytes_per_s, 1),
    )


def _name(ethertype: int, protocol: int) -> str:
    if ethertype in (_IPV4, _IPV6):
        return _PROTOCOLS.get(protocol, f"IP protocol {protocol}")
    return "802.2" if ethertype <= _LENGTH_MAX else _ETHERTYPES.get(ethertype, f"0x{ethertype:04x}")


def _address(ethertype: int, packed: bytes) -> str:
    if ethertype == _IPV4:
        return str(IPv4Address(packed[:4]))
    if ethertype == _IPV6:
        return str(IPv6Address(packed))
    return packed[:6].hex(":")


def to_json(tunnel: str, session: str, found: Flows) -> dict[str, Any]:
    """The document that `l2tpctl torch --json` prints."""
    return {
        "schema": FLOWS_SCHEMA,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "interval_s": round(found.interval_s, 3),
        "tunnel": tunnel,
        "session": session,
        "bytes_per_s": round(found.bytes_per_s, 1),
        "rest_bytes_per_s": round(found.rest_bytes_per_s, 1),
        "count": found.count,
        "flows": [
            {
                "out": one.out,
                "protocol": one.protocol,
                "source": one.source,
                "destination": one.destination,
                "source_port": one.source_port,
                "destination_port": one.destination_port,
                "vlan": one.vlan,
                "packets_per_s": one.packets_per_s,
                "bytes_per_s": one.bytes_per_s,
            }
            for one in found.flows
        ],
    }


def from_json(document: Mapping[str, Any], most: int) -> Flows:
    """The inverse of to_json. most: of what another host says no more flows are taken.

    Raises KeyError, TypeError, ValueError, OverflowError for what is no such document.
    """
    return Flows(
        interval_s=float(document["interval_s"]),
        flows=tuple(_flow_from_json(one) for one in document["flows"][:most]),
        count=int(document["count"]),
        bytes_per_s=float(document["bytes_per_s"]),
        rest_bytes_per_s=float(document["rest_bytes_per_s"]),
    )


def _flow_from_json(document: Mapping[str, Any]) -> Flow:
    source_port, destination_port, vlan = (
        None if document[key] is None else int(document[key]) for key in ("source_port", "destination_port", "vlan")
    )
    return Flow(
        out=bool(document["out"]),
        protocol=str(document["protocol"]),
        source=str(document["source"]),
        destination=str(document["destination"]),
        source_port=source_port,
        destination_port=destination_port,
        vlan=vlan,
        packets_per_s=float(document["packets_per_s"]),
        bytes_per_s=float(document["bytes_per_s"]),
    )
