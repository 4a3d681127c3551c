"""A netlink socket that only listens to multicast groups. It never blocks."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import Final, NamedTuple

from l2tpv3.linux.netlink.message import HEADER
from l2tpv3.linux.netns import inside

_RECEIVE_BYTES: Final = 1 << 16
_BUFFER_BYTES: Final = 1 << 20
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1  # linux/netlink.h


class Heard(NamedTuple):
    """One message: its type, and where its family's header begins and the message ends in `datagram`."""

    kind: int
    datagram: bytes
    offset: int
    end: int


class Overrun(Exception):
    """More came than the socket's buffer holds: some notifications are lost."""


class Listener:
    """Notifications of a netlink protocol in a namespace (None: the calling thread's). Close it.

    groups: numbers of multicast groups. Raises NotFoundError or NotPermittedError (the namespace), OSError.
    """

    def __init__(self, protocol: int, netns: str | None, groups: tuple[int, ...]) -> None:
        with inside(netns):
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, protocol
            )
        try:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            # NETLINK_BROADCAST_ERROR stays off: with it, our full buffer would fail somebody else's request.
            self._socket.bind((0, 0))
            for group in groups:
                self.join(group)
        except BaseException:
            self._socket.close()
            raise

    def join(self, group: int) -> None:
        """Hear that group, too. OSError."""
        self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)

    def fileno(self) -> int:
        """The file descriptor that poll(2) says is readable when notifications wait."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def read(self) -> Iterator[Heard]:
        """Read the notifications that wait. Raises Overrun after what came before the gap."""
        while True:
            try:
                datagram, (sender, _) = self._socket.recvfrom(_RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    raise Overrun from error
                raise
            if sender != 0:
                continue  # anyone may send to us; only the kernel has port id 0
            yield from _messages(datagram)


def _messages(datagram: bytes) -> Iterator[Heard]:
    offset = 0
    while offset + HEADER.size <= len(datagram):
        length, kind, _, _, _ = HEADER.unpack_from(datagram, offset)
        end = offset + length
        if length < HEADER.size or end > len(datagram):
            return
        yield Heard(kind, datagram, offset + HEADER.size, end)
        offset = (end + 3) & ~3
