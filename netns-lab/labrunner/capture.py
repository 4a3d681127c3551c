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


def capture(netdev: str, path: str, packets: int) -> None:
    """pcap as in draft-ietf-opsawg-pcap: microseconds, little-endian, whole frames."""
    with (
        # Protocol 0 until it is bound: it must not hear the other netdevs for even a moment.
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as source,
        open(path, "wb", buffering=0) as file,  # noqa: PTH123 (one call, no Path here)
    ):
        source.bind((netdev, _ETH_P_ALL))
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _SNAP_BYTES, _LINKTYPE_ETHERNET))
        print("ready", flush=True)
        for _ in range(packets):
            frame = source.recv(_SNAP_BYTES)
            seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
            header = struct.pack("<IIII", seconds, nanoseconds // 1000, len(frame), len(frame))
            file.write(header + frame)


if __name__ == "__main__":
    capture(sys.argv[1], sys.argv[2], int(sys.argv[3]))
