"""Sockets that stay open between calls while many are to come: opening one takes longer than a request."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """A socket, or what has one."""

    def close(self) -> None:
        """Close the file or socket."""


_T = TypeVar("_T", bound=Closable)


class SocketCache(Generic[_T]):
    """Sockets by network namespace. make: opens one in a namespace (None: the calling thread's).

    Outside of `open` each use has a socket of its own. Every thread has its own, too, so that answers don't mix; in the
    block the thread must not leave its network namespace, for that is what None stands for.
    """

    def __init__(self, make: Callable[[str | None], _T]) -> None:
        self._make = make
        self._local = threading.local()

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Keep the sockets that this thread opens open until the end of the `with` block."""
        if self._sockets() is not None:
            yield
            return
        self._local.sockets = {}
        try:
            yield
        finally:
            sockets, self._local.sockets = self._local.sockets, None
            for one in sockets.values():
                one.close()

    @contextlib.contextmanager
    def use(self, netns: str | None) -> Iterator[_T]:
        """A socket in that namespace, alone for the length of the block."""
        one = self.take(netns)
        try:
            yield one
        finally:
            self.put_back(netns, one)

    def take(self, netns: str | None) -> _T:
        """A socket in that namespace, alone until it is put back."""
        sockets = self._sockets()
        one = sockets.pop(netns, None) if sockets is not None else None
        return self._make(netns) if one is None else one

    def put_back(self, netns: str | None, one: _T) -> None:
        """The socket that was taken is not in use any more."""
        sockets = self._sockets()
        if sockets is None or netns in sockets:
            one.close()
        else:
            sockets[netns] = one

    def _sockets(self) -> dict[str | None, _T] | None:
        found: dict[str | None, _T] | None = getattr(self._local, "sockets", None)
        return found
