"""The worker's side of a session's netdev. The seam behind which a faster one than a TAP can take its place."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from struct import Struct
from typing import Protocol

from l2tpv3.linux.tap import TUNGETIFF, TUNSETCARRIER, TUNSETPERSIST
from l2tpv3.wire.data import Buffer

_IFNAMSIZ = 16
_IFF_NAPI = 0x0010
_flags = Struct("H").unpack_from


class Port(Protocol):
    """What a session needs of the TAP, or other port, that is its netdev.

    read takes a list of buffers and gives the length of the frame that it put there; write takes one frame, gather one
    in parts. All raise OSError: BlockingIOError when there is nothing to read, EBADFD when the netdev is gone.
    """

    @property
    def fd(self) -> int:
        """The open file, for epoll."""

    @property
    def read(self) -> Callable[[list[memoryview]], int]:
        """See the class. A property, so that it can be a bound function of os."""

    @property
    def write(self) -> Callable[[Buffer], int]:
        """See the class."""

    @property
    def gather(self) -> Callable[[Sequence[Buffer]], int]:
        """See the class."""

    @property
    def merges(self) -> bool:
        """Whether the netdev merges frames that are written to it (IFF_NAPI)."""

    def ifname(self) -> str | None:
        """The netdev's present name, wherever it is; None when it is gone.

        See l2tpv3.linux.netlink.rtnetlink.Link for a name that is not UTF-8.
        """

    def persist(self) -> None:
        """Have the netdev stay when its file is closed (TUNSETPERSIST)."""

    def forget(self) -> None:
        """Have the netdev vanish when its last open file is closed (TUNSETPERSIST)."""

    def set_carrier(self, *, up: bool) -> None:
        """Have the netdev show a carrier or none; an old kernel goes on showing one."""

    def close(self) -> None:
        """Close the file."""


class TapPort:
    """A TAP's open file (Port), without IFF_VNET_HDR: each read is one whole frame, checksummed, tags in place."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.read: Callable[[list[memoryview]], int] = partial(os.readv, fd)
        self.write: Callable[[Buffer], int] = partial(os.write, fd)
        self.gather: Callable[[Sequence[Buffer]], int] = partial(os.writev, fd)
        self.merges = bool(_flags(fcntl.ioctl(fd, TUNGETIFF, bytes(40)), _IFNAMSIZ)[0] & _IFF_NAPI)

    def ifname(self) -> str | None:
        """See Port.ifname."""
        try:
            answer = fcntl.ioctl(self.fd, TUNGETIFF, bytes(40))
        except OSError:
            return None
        return answer[:_IFNAMSIZ].split(b"\0", 1)[0].decode("utf-8", "backslashreplace")

    def persist(self) -> None:
        """See Port.persist. The worker does it, so that a command killed half-way leaves no netdev."""
        fcntl.ioctl(self.fd, TUNSETPERSIST, 1)

    def forget(self) -> None:
        """See Port.forget."""
        try:
            fcntl.ioctl(self.fd, TUNSETPERSIST, 0)
        except OSError:
            return  # the netdev is gone already, with its namespace

    def set_carrier(self, *, up: bool) -> None:
        """See Port.set_carrier."""
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.fd, TUNSETCARRIER, int(up).to_bytes(4, sys.byteorder))

    def close(self) -> None:
        """See Port.close."""
        os.close(self.fd)
