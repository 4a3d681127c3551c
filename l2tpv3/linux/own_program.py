"""Says how l2tpctl runs itself in another process."""

from __future__ import annotations

import sys

_CODE = "import sys; from l2tpv3.cli import main; sys.exit(main())"


def own_program() -> list[str]:
    """The words that run l2tpctl by this Python; those of a command follow.

    -P: without it, Python would take modules from the folder that the user is in, which may be somebody else's.
    """
    return [sys.executable, "-P", "-c", _CODE]
