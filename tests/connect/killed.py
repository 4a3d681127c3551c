"""l2tpctl that kills itself before the n-th thing that it has an end do, or right after it: `killed.py N WORDS...`.

Points are before a command is begun at an end, once it was sent, before and after one that waits is told to go on, and
once an answer was read. Where there are not N of them, it ends as l2tpctl does.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from l2tpv3.cli import main
from l2tpv3.remote.ssh import SshCommand

_numbers = itertools.count(1)
_fatal = int(sys.argv[1])


def _point() -> None:
    if next(_numbers) == _fatal:
        os.kill(os.getpid(), signal.SIGKILL)


def _before(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        _point()
        return method(*arguments)

    return call


def _after(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        done = method(*arguments)
        _point()
        return done

    return call


SshCommand.__enter__ = _before(SshCommand.__enter__)  # type: ignore[method-assign]
SshCommand.send = _after(SshCommand.send)  # type: ignore[method-assign]
SshCommand.interrupt = _before(_after(SshCommand.interrupt))  # type: ignore[method-assign]
SshCommand.output = _after(SshCommand.output)  # type: ignore[method-assign]
sys.exit(main(sys.argv[2:]))
