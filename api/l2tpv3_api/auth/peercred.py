"""Who is at the other end of a unix socket, as the kernel knows it: no secret to keep, nothing to forge.

unix(7), SO_PEERCRED and SO_PEERGROUPS: what the process was when it connected. The groups come from the kernel too,
so that nothing has to be looked up in a directory service while others wait.
"""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass
from typing import Final

_UCRED: Final = struct.Struct("3i")
_GID: Final = struct.Struct("I")
_SO_PEERGROUPS: Final = getattr(socket, "SO_PEERGROUPS", 59)  # asm-generic/socket.h; Linux 4.13


@dataclass(frozen=True, slots=True)
class Peer:
    """A process at the other end of a unix socket. groups: all of them, its gid included."""

    pid: int
    uid: int
    gid: int
    groups: frozenset[int]


def peer_of(connection: socket.socket) -> Peer | None:
    """Who connected; None where it is no unix socket, or its kernel does not tell."""
    if connection.family != socket.AF_UNIX:
        return None
    try:
        pid, uid, gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    except OSError:
        return None
    if uid < 0:  # overflowed: a user of another user namespace that has no number here
        return None
    return Peer(pid, uid, gid, frozenset({gid, *_groups(connection)}))


def _groups(connection: socket.socket) -> tuple[int, ...]:
    size = 64 * _GID.size
    while True:
        try:
            found = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, size)
        except OSError as error:
            if error.errno == errno.ERANGE and size < 65536 * _GID.size:  # NGROUPS_MAX
                size *= 4
                continue
            return ()  # gid alone: whoever is only in the group by a supplementary one is a stranger then
        return tuple(gid for (gid,) in _GID.iter_unpack(found))
