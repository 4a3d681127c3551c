"""Sees to it that a change that nobody confirms is undone, by a process that outlives the one that made the change."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from l2tpv3.linux.own_program import own_program

if TYPE_CHECKING:
    from l2tpv3.host.base import Host
    from l2tpv3.host.manager import Manager


@contextlib.contextmanager
def expiring(confirm_s: float | None, host: Host) -> Iterator[None]:
    """See to it that what is not confirmed is undone, whatever becomes of this process in the block or after it.

    Nothing has to be done where nothing is to be confirmed, or the host sees to it. Otherwise a process of its own
    session, as the shell may go and its terminal, begins to watch once this pipe is closed: by the end of the block, or
    by the kernel when this process is killed.
    """
    if confirm_s is None or host.undoes_unconfirmed:
        yield
        return
    reading, writing = os.pipe()
    try:
        subprocess.Popen(
            [*own_program(), "expire"],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        yield
    finally:
        os.close(reading)
        os.close(writing)


def undo_in_time(local_manager: Callable[[], Manager]) -> None:
    """Wait until standard input ends, and undo what waits for its confirmation once its time is over.

    local_manager: gives what commands this host. It takes long to make, and nearly always everything is confirmed.
    """
    from l2tpv3.paths import Paths
    from l2tpv3.store.database import Store  # SQLite takes long to import

    store = Store(Paths.from_environment().state)
    while os.read(0, 1):
        pass
    while (pending := store.pending()) is not None and pending.left_s is not None:
        if pending.left_s <= 0:
            local_manager().expire()
            break
        time.sleep(min(pending.left_s, 5.0))  # sleep leaves time in suspend out, the deadline does not
