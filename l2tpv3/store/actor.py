"""Who makes a change, for the log."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from contextvars import ContextVar

from l2tpv3.printable import printable

_UID = re.compile("[0-9]{1,10}")
_USER_MAX = 256  # characters; LOGIN_NAME_MAX
_ACTING: ContextVar[str | None] = ContextVar("acting_for", default=None)


@contextlib.contextmanager
def acting_for(name: str) -> Iterator[None]:
    """Note, until the end of the `with` block, that this thread acts for `name`, a client of the service."""
    token = _ACTING.set(name)
    try:
        yield
    finally:
        _ACTING.reset(token)


def caller() -> str:
    """The name that the thread acts for; else `user (uid N)`, seen through sudo.

    It is one line, whatever the environment says.
    """
    acting = _ACTING.get()
    if acting is not None:
        return printable(acting)
    uid = os.environ.get("SUDO_UID", "")
    if not _UID.fullmatch(uid):
        uid = str(os.getuid())
    user = os.environ.get("SUDO_USER") or _name(int(uid))
    return f"{printable(user[:_USER_MAX])} (uid {uid})"


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "?"
