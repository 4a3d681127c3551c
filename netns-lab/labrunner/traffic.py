#!/usr/bin/env python3
"""Something to look at: UDP datagrams to an address, now more and now fewer of them, until it is ended.

    traffic.py ADDRESS [SWING_S [PORT]]

What arrives here from another such program is taken and thrown away, so that nobody answers that the port is closed.
"""

from __future__ import annotations

import math
import os
import socket
import sys
import time

PORT = 5203
_TICK_S = 0.05
_LEAST, _MOST = 4, 40
"""Datagrams a tick: 80 to 800 a second, which is next to nothing for the machine."""
_SIZES = (64, 1200, 400, 1200)


def send(address: str, swing_s: float, port: int) -> None:
    """Send for ever, from that port to the same; a swing from the fewest to the most and back takes swing_s seconds."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind(("::" if ":" in address else "0.0.0.0", port))
        sock.settimeout(0)
        payload = os.urandom(max(_SIZES))
        number = 0
        while True:
            part = (1 - math.cos(time.monotonic() * 2 * math.pi / swing_s)) / 2
            for _ in range(round(_LEAST + part * (_MOST - _LEAST))):
                number += 1
                _try_send(sock, payload[: _SIZES[number % len(_SIZES)]], (address, port))
            _discard(sock)
            time.sleep(_TICK_S)


def _try_send(sock: socket.socket, payload: bytes, to: tuple[str, int]) -> None:
    try:
        sock.sendto(payload, to)
    except OSError:  # the session is being changed, or is down: it may come back
        time.sleep(0)


def _discard(sock: socket.socket) -> None:
    try:
        while True:
            sock.recv(2048)
    except OSError:  # BlockingIOError, or what a router said of an earlier one
        return


if __name__ == "__main__":
    _, _address, *_more = sys.argv
    _swing_s, _port = [*_more, *("40", str(PORT))[len(_more) :]]
    send(_address, float(_swing_s), int(_port))
