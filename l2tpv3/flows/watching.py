"""Watches the flows of one netdev, interval by interval."""

from __future__ import annotations

import time
from collections.abc import Generator

from l2tpv3.errors import from_errno
from l2tpv3.flows.counting import Counted, FlowCounter
from l2tpv3.flows.report import Flows, rates
from l2tpv3.model.status import NetdevState


def watch_flows(netdev: NetdevState, *, interval_s: float, most: int) -> Generator[Flows, None, None]:
    """Give what passed in each interval from now on, by the `most` busiest flows. Blocks for interval_s each time.

    Nothing counts any more once it is closed. Raises what FlowCounter does, and L2tpError where the counts can't be
    read.
    """
    with FlowCounter(netdev) as counter:
        before, then = _counted(counter), time.monotonic()
        while True:
            time.sleep(max(0.0, then + interval_s - time.monotonic()))
            now, at = _counted(counter), time.monotonic()
            yield rates(before, now, at - then, most)
            before, then = now, at


def _counted(counter: FlowCounter) -> Counted:
    try:
        return counter.counted()
    except OSError as error:
        raise from_errno("flows", "read what was counted", error.errno or 0) from error
