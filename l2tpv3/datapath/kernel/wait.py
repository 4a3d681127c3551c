"""Waiting until something that is being deleted is gone, and finding the netdevs that must go with it.

From Linux 6.11 on ("l2tp: delete sessions using work queue") a session's netdev goes after the session itself, which
goes after the request is acknowledged. Before, session delete was synchronous and all of this is true at once.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator

from l2tpv3.errors import BusyError, L2tpError
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netns import inside

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.0005, 0.05
_STANDSTILL_S = 2.0

Netdev = tuple[str | None, int]
"""A network namespace and an interface index in it."""


def find(paths: Iterable[tuple[str | None, str]]) -> list[Netdev]:
    """The netdevs (namespace, name) that exist. A namespace that is gone has none."""
    by_netns: dict[str | None, set[str]] = {}
    for netns, name in paths:
        by_netns.setdefault(netns, set()).add(name)
    return [(netns, index) for netns, names in by_netns.items() for index in _indices(netns, names)]


def _indices(netns: str | None, names: set[str]) -> Iterator[int]:
    try:
        with RouteSocket(netns) as route:
            if len(names) > 1:
                yield from (link.ifindex for link in route.links() if link.ifname in names)
                return
            for name in names:
                # Not by socket.if_nametoindex(): for a name that is free its ioctl has the kernel run modprobe.
                yield route.link(name).ifindex
    except (OSError, L2tpError):
        return  # it is gone, or its namespace


def wait_gone(netdevs: list[Netdev]) -> None:
    """Return when none of them exists any more, or none has gone for a while.

    What is still there then only has the name that the session's netdev had before somebody renamed it.
    """
    deadline = time.monotonic() + _STANDSTILL_S
    for pause in _pauses():
        left = [(netns, index) for netns, index in netdevs if _exists(netns, index)]
        if len(left) < len(netdevs):
            deadline = time.monotonic() + _STANDSTILL_S
        if not left or time.monotonic() > deadline:
            return
        netdevs = left
        time.sleep(pause)


def _exists(netns: str | None, index: int) -> bool:
    try:
        with inside(netns):
            socket.if_indextoname(index)
    except (OSError, L2tpError):
        return False
    return True


def wait_until(done: Callable[[], bool], limit_s: float, subject: str) -> None:
    """Return when `done` says so. Raises BusyError about `subject` after `limit_s`."""
    deadline = time.monotonic() + limit_s
    for pause in _pauses():
        if done():
            return
        if time.monotonic() > deadline:
            raise BusyError(subject, f"the kernel is still deleting it after {limit_s:.0f} s", "try again later")
        time.sleep(pause)


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE_S
    while True:
        yield pause
        pause = min(pause * 2, _LONGEST_PAUSE_S)
