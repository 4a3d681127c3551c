"""Control messages between the privileged side and a worker: a length of 4 bytes, then JSON; file descriptors beside.

A request is {"op": NAME, ...}; an answer {"ok": true, ...} or {"ok": false, "error": SLUG, "problem": TEXT}, where SLUG
is that of an l2tpv3.errors class. What else is in them: protocol.py.
"""

from __future__ import annotations

import json
import os
from struct import Struct
from typing import Any, Final

REQUEST_MAX: Final = 64 * 1024
"""Bytes of the longest request that a worker reads."""
ANSWER_MAX: Final = 64 * 1024 * 1024
"""Bytes of the longest answer: as many sessions as a worker can have open files."""
FDS_MAX: Final = 64
"""File descriptors with one message; the kernel's bound is 253 (SCM_MAX_FD)."""

_LENGTH = Struct("!I")


class BadMessage(ValueError):
    """The bytes are no message; what follows them can't be understood either."""


def pack(message: dict[str, Any]) -> bytes:
    """The bytes of a message."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


class Unpacker:
    """Takes bytes as they come, gives whole messages."""

    def __init__(self, limit: int) -> None:
        """limit: bytes of the longest message that is taken."""
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The messages that `data` completes. Raises BadMessage."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > self._limit:
                raise BadMessage(f"a message of {length} bytes; {self._limit} at most")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            messages.append(_parse(body))
        return messages

    @property
    def left(self) -> int:
        """How many bytes of a message that is not complete have come."""
        return len(self._buffer)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"not JSON: {error}") from None
    if not isinstance(message, dict):
        raise BadMessage("not an object")
    return message


def close_all(files: list[int]) -> None:
    """Close descriptors that came with a message, or were to go with one, and empty the list."""
    for fd in files:
        os.close(fd)
    files.clear()
