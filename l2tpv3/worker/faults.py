"""The error about a worker that does not answer."""

from __future__ import annotations

import errno

from l2tpv3.errors import WorkerError


def unanswered(pid: int) -> WorkerError:
    """The error about a worker that does not answer in time. pid: 0 when it is not known."""
    who = f"worker {pid}" if pid else "a worker"
    end = f"`kill -9 {pid}`" if pid else "`kill -9`"
    remedy = f"`l2tpctl watch` sees to it; else end it with {end} and `l2tpctl restore`: the netdevs stay"
    return WorkerError(who, "does not answer", remedy, errno=errno.ETIMEDOUT, pid=pid)
