"""l2tpctl at a host, which kills itself before the n-th thing that it is asked or writes down, or right after it."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from l2tpv3.cli import main
from l2tpv3.fleet.far_end import FarEnd
from l2tpv3.store.database import Store

_numbers = itertools.count(1)
_fatal = int(sys.argv[1])


def _point() -> None:
    if next(_numbers) == _fatal:
        os.kill(os.getpid(), signal.SIGKILL)


def _around(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **words: Any) -> Any:
        _point()
        done = function(*arguments, **words)
        _point()
        return done

    return call


FarEnd.ask = _around(FarEnd.ask)  # type: ignore[method-assign]
for name in ("begin", "commit", "forget_pending"):
    setattr(Store, name, _around(getattr(Store, name)))
sys.exit(main(sys.argv[2:]))
