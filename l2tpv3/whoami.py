"""Who is asking: for the audit trail."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar

_ACTING: ContextVar[str | None] = ContextVar("acting_for", default=None)


@contextlib.contextmanager
def acting_for(name: str) -> Iterator[None]:
    """What the calling thread does within the block, it does for `name`: a service's client."""
    token = _ACTING.set(name)
    try:
        yield
    finally:
        _ACTING.reset(token)


def caller() -> str:
    """Whom the thread acts for; else `user (uid N)`, seen through sudo."""
    acting = _ACTING.get()
    if acting is not None:
        return acting
    uid = os.environ.get("SUDO_UID") or str(os.getuid())
    user = os.environ.get("SUDO_USER") or _name(int(uid) if uid.isdigit() else -1)
    return f"{user} (uid {uid})"


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "?"
