"""The worker's side of a session's netdev. The seam behind which a faster one than a TAP can take its place."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import sys
from collections.abc import Callable, Sequence
from functools import partial
from struct import Struct
from typing import Final, Protocol

from l2tpv3.datapath.user.forwarding.batch_reader import BatchReader, Taken
from l2tpv3.datapath.user.forwarding.buffers import ReceiveLayout
from l2tpv3.linux.io_uring import Ring, are_refused, files
from l2tpv3.linux.slots import Slots
from l2tpv3.linux.tap import TUNGETIFF, TUNSETCARRIER, TUNSETPERSIST
from l2tpv3.wire.data import Buffer

_IFNAMSIZ = 16
_IFF_NAPI = 0x0010
_flags = Struct("H").unpack_from

_MANY_MIN: Final = 4  # with fewer, a call for each is as quick
_ROOM: Final = 512 * 1024
"""Bytes that a TAP takes for sure while it is writable at all: until half of its 4 MB (netdev.py) are in use."""


class Port(Protocol):
    """What a session needs of the TAP, or other port, that is its netdev.

    read takes a list of buffers and gives the length of the frame that it put there; write takes one frame, gather one
    in parts. All raise OSError: BlockingIOError when there is nothing to read, EBADFD when the netdev is gone.

    read_many takes slots and a number, and puts as many frames there at most (reader.py). write_many writes the first
    frames of a layout and gives their lengths, or errnos below 0; None: it wrote none, write them one by one.
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
    def read_many(self) -> Callable[[Slots, int], Taken]:
        """See the class."""

    @property
    def write_many(self) -> Callable[[ReceiveLayout, int], list[int] | None]:
        """See the class."""

    @property
    def batched(self) -> bool:
        """Whether read_many and write_many need one call for many frames (io_uring)."""

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

    def __init__(self, fd: int, ring: Ring | None = None) -> None:
        """ring: what to move many frames at once with."""
        os.set_blocking(fd, False)
        self.fd = fd
        self._reader = BatchReader(fd, ring)
        self.read_many: Callable[[Slots, int], Taken] = self._reader.read
        self._ring = ring
        self._files = files(fd) if ring is not None else None
        self._writable = select.poll()
        self._writable.register(fd, select.POLLOUT)
        self.read: Callable[[list[memoryview]], int] = partial(os.readv, fd)
        self.write: Callable[[Buffer], int] = partial(os.write, fd)
        self.gather: Callable[[Sequence[Buffer]], int] = partial(os.writev, fd)
        self.merges = bool(_flags(fcntl.ioctl(fd, TUNGETIFF, bytes(40)), _IFNAMSIZ)[0] & _IFF_NAPI)

    @property
    def batched(self) -> bool:
        """See Port.batched."""
        return self._ring is not None and self._reader.batched

    def write_many(self, layout: ReceiveLayout, count: int) -> list[int] | None:
        """See Port.write_many. Only what there is room for: what was refused could be written later than what was not,
        so that frames would change places."""
        ring, files = self._ring, self._files
        if ring is None or files is None or count < _MANY_MIN or count * layout.frame_length > _ROOM:
            return None
        if not self._writable.poll(0):
            return None
        results = ring.perform(layout.writes, files, count)
        if are_refused(results):
            self._ring = None
        if not results or self._ring is None:
            return None
        return results + [self._written(frame) for frame in layout.frames[len(results) : count]]

    def _written(self, frame: Buffer) -> int:
        try:
            return self.write(frame)
        except OSError as error:
            return -(error.errno or errno.EIO)

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
