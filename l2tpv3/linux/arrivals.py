"""Waits until something may have arrived on this host: an address, a route, a netdev, a network namespace."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Final

from l2tpv3.errors import L2tpError
from l2tpv3.linux.netns import inside
from l2tpv3.linux.readable import wait_readable

POLL_S: Final = 1.0
"""How long a wait lasts at most: rtnetlink tells nothing of a namespace that gets a name, or of one not watched yet."""

_SETTLE_S: Final = 0.02
# linux/rtnetlink.h: link, IPv4 address and route, IPv6 address and route. IPv6 tells an address that has become usable
# (duplicate address detection is over) as a new one.
_GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400


class Arrivals:
    """Listens in these network namespaces (None: the caller's); one that is not there yet is tried at each wait.

    Use it in a `with` block that begins before the first look, so that nothing comes in between unnoticed.
    """

    def __init__(self, namespaces: Iterable[str | None]) -> None:
        self._namespaces = set(namespaces) | {None}
        self._missing = set(self._namespaces)
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Arrivals:
        self._listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more."""
        for one in self._sockets:
            one.close()

    def listens_in(self, namespaces: Iterable[str | None]) -> bool:
        """Whether it was made for these network namespaces."""
        return self._namespaces == set(namespaces) | {None}

    def _listen(self) -> None:
        for netns in sorted(self._missing, key=str):
            with contextlib.suppress(L2tpError, OSError), inside(netns):  # not there, or not ours to enter: polled
                made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
                self._sockets.append(made)
                made.bind((0, _GROUPS))
                self._missing.discard(netns)

    def heard(self) -> bool:
        """Whether something came since this was asked last, or was forgotten. Does not wait."""
        self._listen()
        found = wait_readable(self._sockets, 0)
        if found:
            self.forget()
        return found

    def forget(self) -> None:
        """Ignore what came so far, since our own changes cause notifications, too."""
        for one in self._sockets:
            with contextlib.suppress(OSError):  # BlockingIOError: that was all; ENOBUFS: more came than it holds
                while one.recv(1 << 16):
                    continue

    def wait(self, limit_s: float) -> None:
        """Return when something happened, after POLL_S or after `limit_s` seconds."""
        self._listen()
        if wait_readable(self._sockets, min(limit_s, POLL_S)):
            time.sleep(min(_SETTLE_S, max(0.0, limit_s)))  # an address seldom comes without its route
