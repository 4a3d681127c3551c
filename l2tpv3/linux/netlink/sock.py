"""A blocking netlink socket of one network namespace: a request, then its answer. No event loop, no threads."""

from __future__ import annotations

import contextlib
import errno
import itertools
import socket
from collections.abc import Iterator, Sequence
from typing import Self

from l2tpv3.linux.netlink.message import (
    NLM_F_ACK,
    NLM_F_DUMP,
    Answer,
    message,
)
from l2tpv3.linux.netns import inside

_RECEIVE_BYTES = 1 << 16
"""The kernel fills dump datagrams up to 32 KiB when the reader offers as much (netlink_dump in af_netlink.c)."""

_TIMEOUT_S = 60.0
"""An answer that takes longer is lost: the kernel works on a request within the send call."""


_DUMP_ATTEMPTS = 20

_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK = 270, 10, 11, 12  # linux/netlink.h


class NetlinkSocket:
    """Requests to one netlink family in the namespace where it was opened. Use in a `with` block.

    protocol: NETLINK_ROUTE, NETLINK_GENERIC … family_header: bytes that the family has before its attributes. Raises
    NotFoundError or NotPermittedError (the namespace). Methods raise OSError with the kernel's errno and words.
    """

    def __init__(self, protocol: int, netns: str | None, family_header: int) -> None:
        with inside(netns):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._family_header = family_header
        self._sequence = itertools.count(1)
        try:
            self._socket.settimeout(_TIMEOUT_S)
            with contextlib.suppress(OSError):  # Linux before 4.12: refusals come without words
                self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
                self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
            self._socket.bind((0, 0))
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    @contextlib.contextmanager
    def strict(self) -> Iterator[None]:
        """Have dumps in the `with` block list only what their request names. Linux before 4.20 ignores this."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 0)

    def request(self, kind: int, body: bytes, flags: int = 0) -> Answer:
        """Send one request, and return when the kernel has acknowledged it.

        Raises OSError with the kernel's errno where it refuses.
        """
        return self._ask(kind, flags | NLM_F_ACK, body)

    def requests(self, kind: int, bodies: Sequence[bytes]) -> list[OSError | None]:
        """Send several requests of one kind with one call. Returns those that the kernel refused, in their order.

        All are done, whatever becomes of one. OSError: the kernel's answers were lost.
        """
        return self.together([(kind, 0, body) for body in bodies])

    def together(self, requests: Sequence[tuple[int, int, bytes]]) -> list[OSError | None]:
        """Send requests of any kind by one call (kind, flags, body). A kill finds none of them done or all.

        Raises OSError where the kernel's answers were lost.
        """
        answers = [Answer(next(self._sequence), self._family_header) for _ in requests]
        packed = (
            message(kind, flags | NLM_F_ACK, one.sequence, body)
            for one, (kind, flags, body) in zip(answers, requests, strict=True)
        )
        refused: dict[int, OSError | None] = {}
        self._socket.send(b"".join(packed))
        while len(refused) < len(answers):
            datagram = self._receive()
            for answer in answers:
                if answer.sequence not in refused:
                    try:
                        if answer.feed(datagram):
                            refused[answer.sequence] = None
                    except OSError as error:
                        refused[answer.sequence] = error
                    if answer.sequence in refused:
                        break  # an acknowledgement each
        return [refused[one.sequence] for one in answers]

    def dump(self, kind: int, body: bytes) -> Answer:
        """Everything of a kind. The kernel is asked again when something changed meanwhile.

        Raises OSError: with EBUSY when something changed each time, with the kernel's errno when it refuses.
        """
        for _ in range(_DUMP_ATTEMPTS):
            answer = self._ask(kind, NLM_F_DUMP, body)
            if not answer.interrupted:
                return answer
        raise OSError(errno.EBUSY, f"what is to be listed changed each of {_DUMP_ATTEMPTS} times")

    def _ask(self, kind: int, flags: int, body: bytes) -> Answer:
        answer = Answer(next(self._sequence), self._family_header)
        self._socket.send(message(kind, flags, answer.sequence, body))
        while not answer.feed(self._receive()):
            pass
        return answer

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_RECEIVE_BYTES)
        except TimeoutError as error:
            raise OSError(errno.ETIMEDOUT, "the kernel does not answer") from error
