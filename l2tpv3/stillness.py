"""Whether netdevs and their addresses are as at the last look: the kernel tells of each change to whoever listens.

Listing ten thousand netdevs takes the kernel longer than all else of a plan that finds nothing to do. A change is told
before the call that makes it returns, so a socket at which nothing has come yet says the same as another list. What is
heard is not looked at: whatever it is, there is another list. But for one thing: a new alias of a netdev that is down
is not told (netdev_state_change()), so this says nothing of those.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections.abc import Iterator
from typing import Final

from l2tpv3.monitor.listener import Listener, Overrun

_GROUPS: Final = (1, 5, 9)  # RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR (linux/rtnetlink.h)


class Stillness:
    """Of the calling thread's network namespace: a socket in another one would keep that in being after its end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: object = None
        self._ear: Listener | None = None
        self._close: weakref.finalize[[], Stillness] | None = None

    @contextlib.contextmanager
    def look(self, known: object = None) -> Iterator[Look]:
        """Listen from before a look on, and after the block if what was seen is kept.

        known: what was kept, this very object, which is not to be looked at again if it still holds.
        """
        look = Look(holds=known is not None and self._holds(known))
        try:
            yield look
            if look.ear is not None and look.seen is not None:
                with self._lock:
                    self._replace(look.seen, look.ear)
                look.ear = None
        finally:
            if look.ear is not None:
                look.ear.close()

    def _holds(self, known: object) -> bool:
        with self._lock:
            if self._ear is None:
                return False
            if self._seen is known and _is_silent(self._ear):
                return True
            self._replace(None, None)
            return False

    def _replace(self, seen: object, ear: Listener | None) -> None:
        if self._close is not None:
            self._close()
        self._seen, self._ear = seen, ear
        self._close = weakref.finalize(self, ear.close) if ear is not None else None


class Look:
    """One look. holds: nothing has changed, so it needs none. ear: what listens meanwhile, where that can be had."""

    def __init__(self, *, holds: bool) -> None:
        self.holds = holds
        self.seen: object = None
        self.ear: Listener | None = None
        if not holds:
            with contextlib.suppress(OSError):
                self.ear = Listener(socket.NETLINK_ROUTE, None, _GROUPS)

    def keep(self, seen: object) -> None:
        """What was seen: it holds until something changes."""
        self.seen = seen


def _is_silent(ear: Listener) -> bool:
    try:
        return not any(True for _ in ear.read())
    except (Overrun, OSError):
        return False
