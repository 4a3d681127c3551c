"""Known data by TCP and by UDP's segmentation from one network namespace to another, every byte of it compared."""

from __future__ import annotations

import contextlib
import random
import socket
import threading

from l2tpv3.linux.netns import inside
from tests.waiting import PATIENCE_S

STREAM_BYTES = 3_000_000
_SOL_UDP, _UDP_SEGMENT, _SO_RCVBUFFORCE = 17, 103, 33  # linux/udp.h, asm-generic/socket.h

Stop = tuple[str, str]
"""A network namespace and an address in it."""


def exchange_streams(one: Stop, other: Stop, *, count: int = 2, size: int = STREAM_BYTES) -> None:
    """Connections, each with data both ways at the same time; all of it has to arrive as it was."""
    family = socket.AF_INET6 if ":" in one[1] else socket.AF_INET
    with inside(other[0]):
        listener = socket.create_server((other[1], 0), family=family, backlog=count)
    got: dict[tuple[int, str], bytes] = {}
    with listener, contextlib.ExitStack() as stack:
        threads = []
        for number in range(count):
            with inside(one[0]):
                near = stack.enter_context(socket.socket(family))
            near.settimeout(PATIENCE_S)
            near.bind((one[1], 0))
            near.connect(listener.getsockname()[:2])
            far = stack.enter_context(listener.accept()[0])
            far.settimeout(PATIENCE_S)
            for way, source, target in (("there", near, far), ("back", far, near)):
                threads.append(threading.Thread(target=_send, args=(source, data(number, way, size))))
                threads.append(threading.Thread(target=_take, args=(target, got, (number, way))))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number in range(count):
        for way in ("there", "back"):
            arrived = got.get((number, way), b"")
            assert len(arrived) == size, f"{way}: {len(arrived)} bytes of {size}"
            assert arrived == data(number, way, size), f"{way}: not what was sent"


def data(number: int, way: str, size: int) -> bytes:
    """What a connection says that way."""
    return random.Random(f"{number}{way}").randbytes(size)


def _send(source: socket.socket, content: bytes) -> None:
    with contextlib.suppress(OSError):  # the taker tells that it is less
        source.sendall(content)
        source.shutdown(socket.SHUT_WR)


def _take(target: socket.socket, got: dict[tuple[int, str], bytes], key: tuple[int, str]) -> None:
    pieces = []
    with contextlib.suppress(OSError):
        while piece := target.recv(1 << 16):
            pieces.append(piece)
    got[key] = b"".join(pieces)


def send_segmented(one: Stop, other: Stop, *, length: int, count: int, times: int = 20) -> None:
    """`count` datagrams of `length` bytes and a shorter one as one call, some times; each arrives, in its order."""
    family = socket.AF_INET6 if ":" in one[1] else socket.AF_INET
    with inside(other[0]):
        taker = socket.socket(family, socket.SOCK_DGRAM)
    with inside(one[0]):
        sender = socket.socket(family, socket.SOCK_DGRAM)
    with taker, sender:
        taker.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
        taker.bind((other[1], 0))
        taker.settimeout(PATIENCE_S)
        sender.bind((one[1], 0))
        sender.connect(taker.getsockname()[:2])
        sender.setsockopt(_SOL_UDP, _UDP_SEGMENT, length)
        for number in range(times):
            content = data(number, "there", length * count + 11)
            sender.send(content)
            sent = [content[at : at + length] for at in range(0, len(content), length)]
            assert [taker.recv(65535) for _ in sent] == sent
