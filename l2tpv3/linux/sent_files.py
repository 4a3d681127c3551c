"""Files of another host that were sent along with a command, to be read here in place of this host's own.

A process that runs one command for another host (`l2tpctl --host ssh://...`) is told of them once, before the command
begins. They keep the names that were typed, so that errors name them so; see `read_file`.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as it was read on the other host.

    content: its bytes. failure: the errno and the text why it could not be read; None where it could.
    readable_by_all: whether any user of that host may read it.
    """

    content: bytes = b""
    failure: tuple[int, str] | None = None
    readable_by_all: bool = False

    def read(self, limit_bytes: int) -> bytes:
        """The content. Raises OSError as reading the file did there, and EFBIG when it is longer than `limit_bytes`."""
        if self.failure is not None:
            raise OSError(*self.failure)
        if len(self.content) > limit_bytes:
            raise OSError(errno.EFBIG, f"it is longer than {limit_bytes} bytes")
        return self.content


_sent: dict[str, SentFile] = {}


def have_sent(files: Mapping[str, SentFile]) -> None:
    """Have this process read these files as they were sent, from now on. Keys are paths, as str(Path(...)) has them."""
    _sent.clear()
    _sent.update(files)


def sent_file(path: str) -> SentFile | None:
    """The file of that name that was sent; None when there is none, and the name is this host's."""
    return _sent.get(path) if _sent else None
