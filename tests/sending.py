"""Sends frames on a netdev for as long as a block lasts."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from l2tpv3.linux.netns import inside


@contextlib.contextmanager
def sending(netns: str | None, ifname: str, *frames: bytes, burst: int = 1) -> Iterator[None]:
    """Send each frame `burst` times in a row, fifty times a second, for the length of the block."""
    enough = threading.Event()
    with inside(netns):
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        sender.bind((ifname, 0))

    def send() -> None:
        while not enough.wait(0.02):
            for frame in frames * burst:
                with contextlib.suppress(OSError):
                    sender.send(frame)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
        sender.close()
