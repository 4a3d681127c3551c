"""Capture frames of a netdev into a pcap file. Run as a program in a network namespace; stdlib only:

capture.py NETDEV FILE PACKETS       prints "ready", then writes each frame at once, until SIGTERM or PACKETS
"""

from __future__ import annotations

import socket
import struct
import sys
import time

_ETH_P_ALL = 3
_SNAP_BYTES = 65535
_LINKTYPE_ETHERNET = 1
# linux/if_packet.h; socket has no names for them
_SOL_PACKET, _PACKET_AUXDATA = 263, 8
_AUXDATA = struct.Struct("=IIIHHHH")
_VLAN_VALID = 1 << 4


def capture(netdev: str, path: str, packets: int) -> None:
    """pcap as in draft-ietf-opsawg-pcap: microseconds, little-endian, whole frames."""
    with (
        # Protocol 0 until it is bound: it must not hear the other netdevs for even a moment.
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as source,
        open(path, "wb", buffering=0) as file,  # noqa: PTH123 (one call, no Path here)
    ):
        source.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        source.bind((netdev, _ETH_P_ALL))
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _SNAP_BYTES, _LINKTYPE_ETHERNET))
        print("ready", flush=True)
        for _ in range(packets):
            frame = _whole(*source.recvmsg(_SNAP_BYTES, socket.CMSG_SPACE(_AUXDATA.size))[:2])
            seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
            header = struct.pack("<IIII", seconds, nanoseconds // 1000, len(frame), len(frame))
            file.write(header + frame)


def _whole(frame: bytes, extras: list[tuple[int, int, bytes]]) -> bytes:
    """With its outer VLAN tag, which the kernel has taken off and tells beside it."""
    for _, _, data in extras:
        status, _, _, _, _, tag, ethertype = _AUXDATA.unpack(data[: _AUXDATA.size])
        if status & _VLAN_VALID:
            return frame[:12] + struct.pack("!HH", ethertype or 0x8100, tag) + frame[12:]
    return frame


if __name__ == "__main__":
    capture(sys.argv[1], sys.argv[2], int(sys.argv[3]))
