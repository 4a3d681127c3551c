"""Leave the worker no file that it was not handed: a Landlock domain that allows nothing (landlock(7)).

It stands behind the seccomp filter, which refuses open() altogether, and behind the user that the worker becomes. It
matters most where that user has to stay root, in a unit without CAP_SETUID: root owns most files, and needs no
capability for those. What is open already is not concerned.
"""

from __future__ import annotations

import ctypes
import os
from struct import Struct
from typing import Final

from l2tpv3.linux.libc import libc

_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same on every architecture
_CREATE_RULESET_VERSION = 1
_attr = Struct("=3Q")  # struct landlock_ruleset_attr: handled_access_fs, handled_access_net, scoped

# What each ABI version can take away (include/uapi/linux/landlock.h): bits of handled_access_fs
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET_SINCE, _SCOPED_SINCE = 4, 6
_NET_RIGHTS: Final = 0b11  # TCP: bind, connect
_SCOPED: Final = 0b11  # abstract unix sockets and signals stay within the domain


def rights(abi: int) -> bytes:
    """The struct landlock_ruleset_attr of everything that this ABI version can take away."""
    files = (1 << _FILE_RIGHTS[min(abi, max(_FILE_RIGHTS))]) - 1
    size = 24 if abi >= _SCOPED_SINCE else 16 if abi >= _NET_SINCE else 8
    return _attr.pack(files, _NET_RIGHTS, _SCOPED)[:size]


def isolate() -> bool:
    """Enter such a domain, for this process (one thread, no_new_privs set). False: this kernel has none."""
    abi = _call(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    if abi < 1:
        return False
    attr = rights(abi)
    ruleset = _call(_CREATE_RULESET, attr, len(attr), 0)
    if ruleset < 0:
        return False
    try:
        return _call(_RESTRICT_SELF, ruleset, 0, 0) == 0
    finally:
        os.close(ruleset)


def _call(number: int, first: bytes | int | None, second: int, third: int) -> int:
    head = ctypes.c_long(first) if isinstance(first, int) else ctypes.c_char_p(first)
    return int(libc.syscall(ctypes.c_long(number), head, ctypes.c_ulong(second), ctypes.c_ulong(third)))
