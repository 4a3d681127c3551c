"""The map of a network namespace's sessions over one IP version. session_entry.py has what is in it.

It has no name that it could be opened by: it lives as long as programs use it, and is found by way of them.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from l2tpv3.datapath.ebpf import session_entry
from l2tpv3.datapath.ebpf.session_entry import Entry
from l2tpv3.linux.bpf import syscall
from l2tpv3.linux.netlink import tc_bpf
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netlink.tc import ANY, Side

PRIORITIES: Final = {4: 1701, 6: 1702}
"""Priorities of our filters, by which they are known: L2TP's port, and the next.

Filters of one priority are for one kind of frames.
"""
PRIORITY: Final = PRIORITIES[4]
"""Priority of our filters for all kinds of frames."""
_GONE: Final = (errno.ENODEV, errno.ENOENT, errno.EINVAL)
"""What is said of a netdev, a scheduler or a program that goes just now, or has not come yet."""
_MOST: Final = 1 << 16
_NAMES: Final = {version: f"l2tpv3_{version}_{session_entry.LAYOUT}" for version in (4, 6)}


class SessionMap:
    """An open map. Use it in a `with` block. Methods raise OSError."""

    def __init__(self, version: int, fd: int) -> None:
        self.version, self.fd = version, fd

    def __enter__(self) -> SessionMap:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def get(self, key: bytes) -> Entry | None:
        """Read the entry of a session. None when there is none. Raises OSError."""
        value = syscall.get(self.fd, key, session_entry.VALUE.size)
        return Entry.unpack(value) if value is not None else None

    def put(self, key: bytes, value: Entry) -> None:
        """Set a session's entry. Raises OSError as bpf(2) does."""
        syscall.put(self.fd, key, value.pack())

    def remove(self, key: bytes) -> None:
        """Remove a session's entry, if there is one. Raises OSError as bpf(2) does."""
        syscall.remove(self.fd, key)

    def keep(self, lowers: set[int]) -> None:
        """Remove the entries of all but these, by the netdevs under the sessions'. Raises OSError as bpf(2) does."""
        for key in syscall.keys(self.fd, session_entry.key_bytes(self.version)):
            value = self.get(key)
            if value is not None and value.lower not in lowers:
                self.remove(key)

    @property
    def empty(self) -> bool:
        """Whether no session is left. Raises OSError as bpf(2) does."""
        return syscall.first_key(self.fd, session_entry.key_bytes(self.version)) is None


def create(version: int) -> SessionMap:
    """A new map, without entries. Raises OSError."""
    size = session_entry.key_bytes(version)
    return SessionMap(version, syscall.create_map(_NAMES[version], size, session_entry.VALUE.size, _MOST))


def of_lower(route: RouteSocket, ifindex: int, version: int) -> SessionMap | None:
    """The map that the program on the netdev under a session's uses; None if there is none, or of the other version.

    Raises OSError.
    """
    try:
        number = running(route, ifindex).get(ANY)
        return of_program(number, version) if number is not None else None
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise


def running(route: RouteSocket, ifindex: int, priority: int = PRIORITY) -> dict[int, int]:
    """Our programs at the ingress of a netdev: the kind of frames, and the program's id. Raises OSError."""
    return tc_bpf.read(route.dump(tc_bpf.GET_FILTER, tc_bpf.of_side(ifindex, Side.INGRESS)), priority)


def maps_of(program: int) -> list[int]:
    """The ids of the maps that a program uses, by its id. Raises OSError."""
    fd = syscall.program_by_id(program)
    try:
        return syscall.maps_of(fd)
    finally:
        os.close(fd)


def of_program(number: int, version: int) -> SessionMap | None:
    """The map that a program uses, by its id; None if there is none, or of the other version. Raises OSError."""
    for one in maps_of(number):
        fd = syscall.map_by_id(one)
        if syscall.map_name(fd) == _NAMES[version]:
            return SessionMap(version, fd)
        os.close(fd)
    return None
