"""What a netlink socket makes of the kernel's answers: the other end of a socket pair plays the kernel."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator

import pytest

from l2tpv3.linux.netlink.message import (
    HEADER,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    Answer,
    attribute,
)
from l2tpv3.linux.netlink.sock import NetlinkSocket
from tests.waiting import PATIENCE_S

_KIND = 20


def _said(kind: int, sequence: int, body: bytes = bytes(4), flags: int = 0) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, flags, sequence, 0) + body


class Kernel:
    """Answers each request with the next of `turns`: (kind, body, flags) each, the request's sequence number added."""

    def __init__(self, far: socket.socket, turns: list[list[tuple[int, bytes, int]]]) -> None:
        self._far, self._turns = far, turns
        self.asked: list[tuple[int, int]] = []
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while self._turns:
            data = self._far.recv(1 << 16)
            while data:
                length, kind, _, sequence, _ = HEADER.unpack_from(data)
                self.asked.append((kind, sequence))
                self._far.send(b"".join(_said(one, sequence, body, flags) for one, body, flags in self._turns.pop(0)))
                data = data[length:]


@pytest.fixture
def sockets() -> Iterator[tuple[NetlinkSocket, socket.socket]]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with NetlinkSocket(socket.NETLINK_ROUTE, None, 4) as one, far:
        one._socket.close()
        near.settimeout(PATIENCE_S)
        one._socket = near
        yield one, far


def test_an_interrupted_dump_is_asked_for_again(sockets: tuple[NetlinkSocket, socket.socket]) -> None:
    one, far = sockets
    item = bytes(4) + attribute(1, b"x")
    kernel = Kernel(far, [
        [(_KIND, item, NLM_F_DUMP_INTR), (NLMSG_DONE, bytes(4), 0)],
        [(_KIND, item, 0), (NLMSG_DONE, bytes(4), NLM_F_DUMP_INTR)],
        [(_KIND, item, 0), (NLMSG_DONE, bytes(4), 0)],
    ])  # fmt: skip
    answer = one.dump(_KIND, b"")
    kernel.thread.join()
    assert [kind for kind, _ in kernel.asked] == [_KIND] * 3
    assert not answer.interrupted and len(answer.datagrams) == 1


def test_a_dump_that_is_always_interrupted_fails(sockets: tuple[NetlinkSocket, socket.socket]) -> None:
    one, far = sockets
    kernel = Kernel(far, [[(NLMSG_DONE, bytes(4), NLM_F_DUMP_INTR)] for _ in range(20)])
    with pytest.raises(OSError, match="changed each of 20 times") as caught:
        one.dump(_KIND, b"")
    kernel.thread.join()
    assert caught.value.errno == errno.EBUSY


def test_several_requests_in_one_call_are_each_answered(sockets: tuple[NetlinkSocket, socket.socket]) -> None:
    one, far = sockets
    refused = (-errno.ENODEV).to_bytes(4, "little", signed=True)
    kernel = Kernel(far, [[(NLMSG_ERROR, bytes(4), 0)], [(NLMSG_ERROR, refused, 0)], [(NLMSG_ERROR, bytes(4), 0)]])
    first, second, third = one.requests(_KIND, [b"a" * 4, b"b" * 4, b"c" * 4])
    kernel.thread.join()
    assert first is None and third is None
    assert second is not None and second.errno == errno.ENODEV
    assert [sequence for _, sequence in kernel.asked] == [1, 2, 3]


def test_what_is_told_in_the_middle_of_a_dump_counts_as_interrupted_too() -> None:
    answer = Answer(7)
    assert not answer.feed(_said(_KIND, 7, flags=NLM_F_DUMP_INTR))
    assert not answer.feed(_said(_KIND, 7))
    assert answer.feed(_said(NLMSG_DONE, 7)) and answer.interrupted
