#!/usr/bin/env python3
"""A TCP transfer that measures itself and checks every byte. Run as a program in two network namespaces:

transfer.py receive [PORT]             prints "ready", then the result as JSON
transfer.py send ADDRESS SECONDS [PORT]    prints what it sent as JSON
"""

from __future__ import annotations

import json
import random
import socket
import sys
import time

PORT = 5201
_BLOCK = random.Random("l2tpv3").randbytes(1 << 16)
# Any piece of the stream, wherever it begins in a block, is one slice of this.
_PATTERN = memoryview(_BLOCK * 2 + _BLOCK)
_IDLE_S = 15.0


def receive(port: int = PORT) -> dict[str, object]:
    """Accept one connection and read it to its end.

    Gives bytes, seconds (first byte to last) and `intact`: every byte was the one that was sent.
    """
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        server.settimeout(_IDLE_S)
        print("ready", flush=True)
        connection = server.accept()[0]
    total, intact, began, last = 0, True, 0.0, 0.0
    buffer = memoryview(bytearray(1 << 16))
    with connection:
        connection.settimeout(_IDLE_S)
        while count := connection.recv_into(buffer):
            last = time.monotonic()
            began = began or last
            offset = total % len(_BLOCK)
            intact = intact and buffer[:count] == _PATTERN[offset : offset + count]
            total += count
    return {"bytes": total, "seconds": last - began, "intact": intact}


def send(address: str, seconds: float, port: int = PORT) -> dict[str, object]:
    """Send the pattern for that long, then close."""
    total = 0
    with socket.create_connection((address, port), timeout=_IDLE_S) as connection:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            connection.sendall(_BLOCK)
            total += len(_BLOCK)
    return {"bytes": total}


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        print(json.dumps(receive(*map(int, sys.argv[2:]))))
    else:
        print(json.dumps(send(sys.argv[2], float(sys.argv[3]), *map(int, sys.argv[4:]))))
