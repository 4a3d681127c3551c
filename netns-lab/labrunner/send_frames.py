#!/usr/bin/env python3
"""Send broadcast frames with a text in them, tagged or not, as equipment at a trunk would; needs no 8021q:

send_frames.py NETDEV TEXT [VLAN PRIORITY]       three, of the ethertype for local experiments (IEEE 802, 0x88B5)
"""

from __future__ import annotations

import socket
import struct
import sys

_COUNT = 3
_ETHERTYPE = 0x88B5
_MIN_BYTES = 60


def frame(source: bytes, text: str, tag: tuple[int, int] | None) -> bytes:
    """One. tag: VLAN and priority."""
    start = b"\xff" * 6 + source
    if tag is not None:
        vlan, priority = tag
        start += struct.pack("!HH", 0x8100, priority << 13 | vlan)
    return (start + struct.pack("!H", _ETHERTYPE) + text.encode()).ljust(_MIN_BYTES, b"\0")


def main(netdev: str, text: str, *tag: str) -> None:
    """Send them."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind((netdev, 0))
        source = sock.getsockname()[4]
        for _ in range(_COUNT):
            sock.send(frame(source, text, (int(tag[0]), int(tag[1])) if tag else None))


if __name__ == "__main__":
    main(*sys.argv[1:])
