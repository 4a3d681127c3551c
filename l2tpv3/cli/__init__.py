"""`l2tpctl`: words in, manager, tables or JSON out. It holds no logic of its own about tunnels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from l2tpv3.host.manager import Manager


_GARBAGE_THRESHOLD = 50_000
"""How many objects are made before Python looks for unreachable ones among them (gc.set_threshold); usually 700."""


def program() -> NoReturn:
    """Run the command that this process was started with, and end the process with its exit code.

    Nearly all objects that a command makes are modules, classes and functions that stay until the end. To look for
    unreachable ones among them, over and over, and once more when the process ends, takes a fifth of the CPU time of
    `tunnel show` (`bench/startup`). So Python looks less often here, and not at all when the process ends.
    """
    import gc
    import sys

    gc.set_threshold(_GARBAGE_THRESHOLD)
    code = main()
    gc.freeze()
    sys.exit(code)


def main(argv: Sequence[str] | None = None, *, manager: Manager | None = None) -> int:
    """Run one command and give its exit code; every outcome is told on stdout and stderr, nothing is raised.

    argv: the words after `l2tpctl`; None is those of this process. manager: what to command instead of this
    host's own, for tests and for embedding.
    """
    import sys

    from l2tpv3.cli.run import run

    return run(list(sys.argv[1:] if argv is None else argv), manager)
