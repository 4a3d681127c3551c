"""inotify(7): which files of some directories were changed, made or removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final

from l2tpv3.linux.libc import checked, libc

MODIFY: Final = 0x2
MOVED: Final = 0x40 | 0x80
CREATE: Final = 0x100
DELETE: Final = 0x200
_OVERFLOW: Final = 0x4000
_EVENT = Struct("=iIII")  # struct inotify_event: watch, mask, cookie, length of the name
_READ_BYTES: Final = 1 << 16


class Inotify:
    """Close it. Raises OSError: EMFILE when the user's inotify instances are used up."""

    def __init__(self) -> None:
        self._fd = checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._directories: dict[int, Path] = {}

    def watch(self, directory: Path, mask: int) -> None:
        """Watch the files of a directory. mask: MODIFY, CREATE ... OSError: ENOENT when it is not there."""
        added = checked(libc.inotify_add_watch(self._fd, os.fsencode(directory), mask))
        self._directories[added] = directory

    def fileno(self) -> int:
        """The file descriptor to poll."""
        return self._fd

    def close(self) -> None:
        """Close the inotify descriptor."""
        os.close(self._fd)

    def read(self) -> Iterator[tuple[Path, str, int]]:
        """Directory, name of the file and mask of all that has happened; overflow: an empty name for each directory."""
        while True:
            try:
                data = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                return
            offset = 0
            while offset + _EVENT.size <= len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, offset)
                name = data[offset + _EVENT.size : offset + _EVENT.size + length].rstrip(b"\0")
                offset += _EVENT.size + length
                if mask & _OVERFLOW:
                    yield from ((directory, "", mask) for directory in self._directories.values())
                elif watch in self._directories:
                    yield self._directories[watch], os.fsdecode(name), mask
