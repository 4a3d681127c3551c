"""l2tpctl that kills itself before the n-th thing that it asks of a host or writes down, or right after it.

`killed.py N WORDS...`. Where there are not N of them, it ends as l2tpctl does. `killed.py 0 WORDS...` prints how many
there are, as the last line of its standard error.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from l2tpv3.cli import main
from l2tpv3.fleet import change
from l2tpv3.fleet.end import FleetEnd
from l2tpv3.fleet.state import write_state

_numbers = itertools.count(1)
_fatal = int(sys.argv[1])
_lock = threading.Lock()
_passed = 0


def _point() -> None:
    global _passed
    with _lock:
        _passed = next(_numbers)
        if _passed == _fatal:
            os.kill(os.getpid(), signal.SIGKILL)


def _around(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **words: Any) -> Any:
        _point()
        done = function(*arguments, **words)
        _point()
        return done

    return call


FleetEnd.__enter__ = _around(FleetEnd.__enter__)  # type: ignore[method-assign]
FleetEnd._ask = _around(FleetEnd._ask)  # type: ignore[method-assign]
vars(change)["write_state"] = _around(write_state)
status = main(sys.argv[2:])
print(_passed, file=sys.stderr)
sys.exit(status)
