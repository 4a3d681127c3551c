"""Who is asking: for the audit trail."""

from __future__ import annotations

import os


def caller() -> str:
    """`user (uid N)`, seen through sudo."""
    uid = os.environ.get("SUDO_UID") or str(os.getuid())
    user = os.environ.get("SUDO_USER") or _name(int(uid) if uid.isdigit() else -1)
    return f"{user} (uid {uid})"


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "?"
