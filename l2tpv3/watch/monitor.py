"""Monitor: everything that may announce a change, behind one file descriptor."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Collection, Mapping
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Final

from l2tpv3.errors import L2tpError
from l2tpv3.linux import inotify
from l2tpv3.linux.inotify import Inotify
from l2tpv3.linux.netlink.multicast import Overrun
from l2tpv3.linux.netns import NETNS_DIR, netns_path
from l2tpv3.paths import CARDS, EBPF, Paths
from l2tpv3.store.receptions import CHANGED
from l2tpv3.value_class import value_class
from l2tpv3.watch.l2tp_events import L2tpListener
from l2tpv3.watch.netdev_events import LinkListener


class Change(StrEnum):
    """The thing that changed. OVERRUN: notifications were lost, so it may have been anything."""

    L2TP = "l2tp"
    NETDEV = "netdev"
    RECORD = "record"
    WORKER = "worker"
    NAMESPACE = "namespace"
    HEARING = "hearing"
    OVERRUN = "overrun"


EARLY: Final = frozenset({Change.L2TP, Change.NAMESPACE})
"""Changes that are announced before they are done, so that one has to look again a little later.

The kernel tells of a tunnel's deletion, and then does it in the background; `ip netns add` makes a name, and then
mounts the namespace on it.
"""


@value_class(frozen=True, slots=True, kw_only=True)
class Targets:
    """What to watch: netdevs by index and by name, in each network namespace (None: ours); processes by pid."""

    indices: Mapping[str | None, Collection[int]] = field(default_factory=dict)
    names: Mapping[str | None, Collection[str]] = field(default_factory=dict)
    pids: frozenset[int] = frozenset()


_RECORD: Final = "l2tpv3.db"
_RECORDS: Final = frozenset({_RECORD, f"{_RECORD}-wal", ""})
"""The events of the record's files to watch: not of -shm, nor their making and removing, which reading does, too."""


class Monitor:
    """Poll `fileno` (also an asyncio loop's add_reader); when it is readable, `read`. Close it.

    Raises OSError where this host lets nobody listen. Where the kernel has no generic netlink, or directories are
    absent, the rest works.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._sockets = (paths.runtime, paths.runtime / EBPF, paths.runtime / CARDS)
        self._poll = select.epoll()
        self._lock = threading.Lock()
        self._links: dict[tuple[int, int], LinkListener] = {}  # by the namespace's device and inode
        self._workers: dict[int, int] = {}  # pid: its pidfd
        self._ended: set[int] = set()
        self._l2tp: L2tpListener | None = None
        self._files = Inotify()
        try:
            self._poll.register(self._files.fileno(), select.EPOLLIN)
            with contextlib.suppress(OSError):
                self._l2tp = L2tpListener()
                self._poll.register(self._l2tp.fileno(), select.EPOLLIN)
            self._watch_files()
        except BaseException:
            self.close()
            raise

    def _watch_files(self) -> None:
        for directory, mask in (
            (self._paths.state, inotify.MODIFY | inotify.MOVED),
            *((directory, inotify.CREATE | inotify.DELETE) for directory in self._sockets),
            (Path(NETNS_DIR), inotify.CREATE | inotify.DELETE),
        ):
            with contextlib.suppress(OSError):
                self._files.watch(directory, mask)

    def fileno(self) -> int:
        """Readable when something may have changed."""
        return self._poll.fileno()

    def close(self) -> None:
        """Close all file descriptors."""
        with self._lock:
            self._files.close()
            if self._l2tp is not None:
                self._l2tp.close()
            for links in self._links.values():
                links.close()
            self._links = {}
            for pidfd in self._workers.values():
                os.close(pidfd)
            self._workers = {}
            self._poll.close()

    # -- what to be told of --------------------------------------------------------------------------------------

    def aim(self, targets: Targets) -> bool:
        """Watch these from now on. True when something is watched that was not before: then look once more.

        Enters the namespaces, so call it in a thread that may be in another one for a moment, not within an event loop.
        """
        self._watch_files()  # again: what was not there may be now; it costs nothing
        fresh = self._aim_at_namespaces(targets)
        return self._aim_at_workers(targets.pids) or fresh

    def _aim_at_namespaces(self, targets: Targets) -> bool:
        there: dict[tuple[int, int], tuple[set[int], set[str]]] = {}
        fresh = False
        for netns in {None, *targets.indices, *targets.names}:
            try:
                status = Path("/proc/thread-self/ns/net" if netns is None else netns_path(netns)).stat()
                key = (status.st_dev, status.st_ino)
                if key not in self._links:
                    listener = LinkListener(netns)
                    with self._lock:
                        self._links[key] = listener
                        self._poll.register(listener.fileno(), select.EPOLLIN)
                    fresh = True
            except (OSError, L2tpError):
                continue  # it is gone, or not ours to enter
            indices, names = there.setdefault(key, (set(), set()))
            indices.update(targets.indices.get(netns, ()))
            names.update(targets.names.get(netns, ()))
        with self._lock:
            for key in self._links.keys() - there.keys():
                self._links.pop(key).close()  # which takes it off the poll
            for key, (indices, names) in there.items():
                self._links[key].indices, self._links[key].names = indices, names
        return fresh

    def _aim_at_workers(self, pids: frozenset[int]) -> bool:
        fresh = False
        with self._lock:
            self._ended &= pids
            for pid in self._workers.keys() - pids:
                os.close(self._workers.pop(pid))
            for pid in pids - self._workers.keys() - self._ended:
                try:
                    self._workers[pid] = pidfd = os.pidfd_open(pid)
                except OSError:  # it has ended since
                    self._ended.add(pid)
                    fresh = True
                else:
                    self._poll.register(pidfd, select.EPOLLIN)
        return fresh

    # -- being told ----------------------------------------------------------------------------------------------

    def read(self) -> frozenset[Change]:
        """Read what has changed since the last call; empty when nothing did that matters. Does not block."""
        found: set[Change] = set()
        with self._lock:
            if self._poll.closed:
                return frozenset()
            listeners = [(Change.NETDEV, one) for one in self._links.values()]
            for change, listener in ((Change.L2TP, self._l2tp), *listeners):
                try:
                    if listener is not None and listener.read():
                        found.add(change)
                except Overrun:
                    found.add(Change.OVERRUN)
            found.update(self._read_files())
            found.update(self._read_workers())
        return frozenset(found)

    def _read_files(self) -> set[Change]:
        found = set()
        for directory, name, _ in self._files.read():
            if directory == self._paths.state:
                if name in _RECORDS:
                    found.add(Change.RECORD)
            elif directory in self._sockets:
                if name.startswith("worker-") or not name:
                    found.add(Change.WORKER)
                elif name == CHANGED:
                    found.add(Change.HEARING)
            else:
                found.add(Change.NAMESPACE)
        return found

    def _read_workers(self) -> set[Change]:
        ready = {fd for fd, _ in self._poll.poll(0)}
        ended = {pid for pid, pidfd in self._workers.items() if pidfd in ready}
        for pid in ended:
            os.close(self._workers.pop(pid))  # or it would stay readable
        self._ended |= ended
        return {Change.WORKER} if ended else set()
