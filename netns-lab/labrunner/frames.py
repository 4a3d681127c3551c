#!/usr/bin/env python3
"""Tell which frames are in a pcap file, each kind in a line with how often it came. Stdlib only, so that it is quick:

frames.py FILE [PROTOCOL ...]      only those of these protocols: ARP, IPv4, IPv6, TEST (see send_frames.py), 0x888e ...
"""

from __future__ import annotations

import struct
import sys
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

_TAGS = (0x8100, 0x88A8)
_NAMES = {0x0806: "ARP", 0x0800: "IPv4", 0x86DD: "IPv6", 0x88B5: "TEST"}
_ABOVE = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6"}
_FILE_HEADER, _FRAME_HEADER = 24, struct.Struct("<IIII")


def read(pcap: bytes) -> Iterator[bytes]:
    """The frames of a file that capture.py wrote; a last one that is not whole is left out."""
    at = _FILE_HEADER
    while at + _FRAME_HEADER.size <= len(pcap):
        size = _FRAME_HEADER.unpack_from(pcap, at)[2]
        at += _FRAME_HEADER.size
        if at + size <= len(pcap):
            yield pcap[at : at + size]
        at += size


def told(frame: bytes) -> tuple[str, str]:
    """Its protocol, and a line about it."""
    (ethertype,) = struct.unpack_from("!H", frame, 12)
    words, at = [f"{_mac(frame[6:12])} → {_mac(frame[:6])}"], 14
    while ethertype in _TAGS:
        tag, ethertype = struct.unpack_from("!HH", frame, at)
        words.append(f"VLAN {tag & 0xFFF} priority {tag >> 13}")
        at += 4
    name = _NAMES.get(ethertype, f"0x{ethertype:04x}")
    return name, "  ".join([*words, _said(name, frame[at:])])


def _said(name: str, data: bytes) -> str:
    if name == "ARP":
        operation, teller, asked = data[7], IPv4Address(data[14:18]), IPv4Address(data[24:28])
        return f"ARP who has {asked}? tell {teller}" if operation == 1 else f"ARP {teller} is at {_mac(data[8:14])}"
    if name == "IPv4":
        return f"{IPv4Address(data[12:16])} → {IPv4Address(data[16:20])} {_ABOVE.get(data[9], data[9])}"
    if name == "IPv6":
        return f"{IPv6Address(data[8:24])} → {IPv6Address(data[24:40])} {_ABOVE.get(data[6], data[6])}"
    return f"{name} {data.rstrip(bytes(1)).decode(errors='replace')}" if name == "TEST" else name


def _mac(address: bytes) -> str:
    return "broadcast" if address == b"\xff" * 6 else address.hex(":")


def main(path: str, protocols: list[str]) -> None:
    """Print."""
    frames = [told(frame) for frame in read(Path(path).read_bytes())]
    chosen = Counter(line for protocol, line in frames if not protocols or protocol in protocols)
    for line, count in chosen.items():
        print(f"{count:4} × {line}")
    print(f"{chosen.total()} of {len(frames)} frames" + (f" are {' or '.join(protocols)}" if protocols else ""))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
