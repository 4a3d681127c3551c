#!/usr/bin/env python3
"""Send as many flows do: datagrams from consecutive UDP ports, for whoever shares them out by ports to do so:

send_flows.py ADDRESS FLOWS DATAGRAMS       of each flow so many, in turn
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time

_FIRST_PORT, _DISCARD = 20000, 9
_PAYLOAD = bytes(1000)
_PAUSE_S = 0.02


def main(address: str, flows: int, datagrams: int) -> None:
    """Send them."""
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(flows)]
        for number, sock in enumerate(socks):
            sock.bind(("0.0.0.0", _FIRST_PORT + number))
        for _ in range(datagrams):
            for sock in socks:
                sock.sendto(_PAYLOAD, (address, _DISCARD))
            time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
