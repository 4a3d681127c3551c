"""l2tpctl that kills itself before the n-th thing that it asks of another host or writes down, or right after it.

`killed.py PART N WORDS...`, with a PART of POINTS. Where there are not N of them, it ends as l2tpctl does. With 0 for N
it prints how many there are, as the last line of its standard error.
"""

from __future__ import annotations

import inspect
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
from l2tpv3.fleet.far_end import FarEnd
from l2tpv3.fleet.nats.connection import NatsBucket
from l2tpv3.fleet.nats.directory import Directory
from l2tpv3.fleet.nats.engine import HostEngine
from l2tpv3.fleet.nats.memory import Memory
from l2tpv3.store.database import Store

_STORE: list[tuple[Any, str]] = [(Store, name) for name in ("begin", "commit", "forget_pending")]
POINTS: dict[str, list[tuple[Any, str]]] = {
    "coordinator": [(FleetEnd, "__enter__"), (FleetEnd, "_ask"), (change, "write_state")],
    "end": [(FarEnd, "ask"), *_STORE],
    "push": [
        *((NatsBucket, name) for name in ("put", "create", "statuses")),
        *((Directory, name) for name in ("note", "note_committed", "end")),
    ],
    "agent": [*((HostEngine, name) for name in ("make", "test", "keep", "go_back")), (Memory, "write"), *_STORE],
}
"""What is counted: in `fleet apply`, in what it runs at a host, in `fleet push`, and in `watch --fleet`."""

_numbers = itertools.count(1)
_lock = threading.Lock()
_fatal = int(sys.argv[2])
_passed = 0


def _point() -> None:
    global _passed
    with _lock:
        _passed = next(_numbers)
        if _passed == _fatal:
            os.kill(os.getpid(), signal.SIGKILL)


def _around(function: Callable[..., Any]) -> Callable[..., Any]:
    async def wait(*arguments: Any, **words: Any) -> Any:
        _point()
        done = await function(*arguments, **words)
        _point()
        return done

    def call(*arguments: Any, **words: Any) -> Any:
        _point()
        done = function(*arguments, **words)
        _point()
        return done

    return wait if inspect.iscoroutinefunction(function) else call


for owner, name in POINTS[sys.argv[1]]:
    setattr(owner, name, _around(vars(owner)[name]))
status = main(sys.argv[3:])
print(_passed, file=sys.stderr)
sys.exit(status)
