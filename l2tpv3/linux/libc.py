"""The C library, for the calls that Python has no function for."""

from __future__ import annotations

import ctypes
import os
from typing import Final

libc: Final = ctypes.CDLL(None, use_errno=True)
"""The C library. ctypes.get_errno() has the errno of its calls."""


def checked(result: int) -> int:
    """The result of a call, if that is not below 0. Raises OSError with the call's errno."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
