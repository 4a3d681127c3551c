"""Reads a file that a user named, without hanging on what is no file and without growing on what never ends.

Where a file is expected somebody may name a FIFO, which blocks until another process writes, a device (/dev/zero never
ends, and a watchdog device restarts the machine once it was open), or one of the kernel's own, which look like regular
files (/proc/kmsg). A pipe of the shell's, `<(command)` or standard input, is as good as a file: it is read, but not
waited for without limit.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from l2tpv3.linux.readable import wait_readable
from l2tpv3.linux.sent_files import sent_file

PEM_MAX: Final = 16 << 20
"""Bytes of a file of certificates or a key at most."""
PIPE_WAIT_S: Final = 30.0
"""How long a pipe may take until all is read: a program on its other end has to come up with it."""

_NULL: Final = os.makedev(1, 3)  # /dev/null is as good as an empty file: a link to it is how files are masked
_KINDS: Final = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}

AnyPath = str | os.PathLike[str]
"""A path as open() takes it."""


@contextlib.contextmanager
def open_file(path: AnyPath) -> Iterator[int]:
    """The descriptor of a regular file, a shell's pipe or /dev/null, for the length of the block; reads don't block.

    Raises OSError: EINVAL when it is anything else, or what opening it raises; ValueError: a NUL in the path.
    """
    # Looked at before it is opened for real, which in some devices starts something.
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        here = Path(f"/proc/self/fd/{place}")
        kind = os.fstat(place).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        empty = stat.S_ISCHR(kind) and os.fstat(place).st_rdev == _NULL
        shells = stat.S_ISFIFO(kind) and str(here.readlink()).startswith("pipe:")
        if not (stat.S_ISREG(kind) or empty or shells):
            raise OSError(errno.EINVAL, f"it is {_KINDS.get(stat.S_IFMT(kind), 'a device')}, and no regular file")
        file = os.open(here, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        os.close(place)
    try:
        yield file
    finally:
        os.close(file)


def read_file(path: AnyPath, limit_bytes: int) -> bytes:
    """The content of the file, or of the one of that name that was sent along with this command.

    Raises OSError: also EFBIG when it is longer than `limit_bytes`; ValueError as open_file.
    """
    if (sent := sent_file(os.fspath(path))) is not None:
        return sent.read(limit_bytes)
    with open_file(path) as file:
        content = bytearray()
        give_up = time.monotonic() + PIPE_WAIT_S
        while piece := _read(file, limit_bytes + 1 - len(content), give_up):
            content += piece
            if len(content) > limit_bytes:
                raise OSError(errno.EFBIG, f"it is longer than {limit_bytes} bytes")
        return bytes(content)


def readable_by_all(path: AnyPath) -> bool:
    """Whether any user of the host that the file is of may read it; False when it is gone."""
    if (sent := sent_file(os.fspath(path))) is not None:
        return sent.readable_by_all
    try:
        return bool(Path(path).stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _read(file: int, size: int, give_up: float) -> bytes:
    """The next piece; nothing at the end. A regular file that has none at once is one of the kernel's logs."""
    while True:
        try:
            return os.read(file, min(size, 1 << 20))
        except BlockingIOError as error:
            if stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(errno.EINVAL, "it has no end, and is no regular file") from error
            if not wait_readable([file], give_up - time.monotonic()):
                raise OSError(errno.ETIMEDOUT, f"it did not end in {PIPE_WAIT_S:g} s") from error


def check_file(path: AnyPath, limit_bytes: int) -> None:
    """Check that a library which opens `path` by itself will not hang or read without end.

    Raises what read_file raises.
    """
    with open_file(path) as file:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "it is a pipe, and no regular file")
        if os.fstat(file).st_size > limit_bytes:
            raise OSError(errno.EFBIG, f"it is longer than {limit_bytes} bytes")
