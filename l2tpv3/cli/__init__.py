"""`l2tpctl`: words in, manager, tables or JSON out. It holds no logic of its own about tunnels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l2tpv3.host.manager import Manager


def main(argv: Sequence[str] | None = None, *, manager: Manager | None = None) -> int:
    """Run one command and give its exit code; every outcome is told on stdout and stderr, nothing is raised.

    argv: the words after `l2tpctl`; None is those of this process. manager: what to command instead of this
    host's own, for tests and for embedding.
    """
    import sys

    from l2tpv3.cli.run import run

    return run(list(sys.argv[1:] if argv is None else argv), manager)
