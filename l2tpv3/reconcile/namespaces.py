"""Network namespaces on demand: made with the first netdev that is to go into one, and removed with the last.

Which ones were made is on record before they are, so none is forgotten; each has a mark, so none that somebody else
made under the same name is ever removed, nor one in which there is anything else by now.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from l2tpv3.errors import L2tpError
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netns import inside, is_named, netns_identity, standing_in
from l2tpv3.model.host_records import HostRecords
from l2tpv3.model.ownership import netns_alias
from l2tpv3.model.spec import home
from l2tpv3.paths import Paths
from l2tpv3.store.database import Store

_LOOPBACK: Final = 1  # its index, in every namespace
_FALLBACKS: Final = frozenset(
    ("lo", "sit0", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6tnl0", "ip6gre0")
)
"""What the kernel itself puts into each new namespace (net.core.fb_tunnels_only_for_init_net)."""


class NamespacesOnDemand:
    """The namespaces that one record's netdevs need. Hold the lock of the host while they change."""

    def __init__(self, paths: Paths, store: Store, *, real: bool) -> None:
        """real: False where netdevs exist in memory only; then no namespace is made either."""
        self._store = store
        self._real = real
        self._alias = netns_alias(paths.runtime)

    @contextlib.contextmanager
    def standing_in(self, *, repairs: bool = False) -> Iterator[None]:
        """Have namespaces that can be made appear as empty ones until the end of the `with` block; see netns.StandIns.

        repairs: only those that were made before. Others come from somewhere else, and are waited for.
        Raises what Store.load does.
        """
        made = self._store.namespaces() if repairs and self._real else None
        with standing_in(lambda name: self._real and (made is None or name in made)):
            yield

    def missing(self, wanted: HostRecords, *, repairs: bool = False) -> tuple[str, ...]:
        """The namespaces that have to be made for the netdevs of these. repairs: as for `standing_in`.

        Raises what Store.load does.
        """
        if not self._real:
            return ()
        names = {name for name in homes(wanted) if not name.startswith("/") and not is_named(name)}
        return tuple(sorted(names & self._store.namespaces() if repairs and names else names))

    @contextlib.contextmanager
    def having(self, namespaces: Iterable[str]) -> Iterator[None]:
        """Make them for the block; afterwards those are gone that nothing on record is for.

        Raises UnavailableError where nobody else would see them, NotPermittedError, RefusedError.
        """
        try:
            self._make(namespaces)
            yield
        finally:
            self.tidy()

    def make(self, namespaces: Iterable[str]) -> None:
        """Make these namespaces. Raises what `having` does; then none of them is left."""
        try:
            self._make(namespaces)
        except BaseException:
            self.tidy()
            raise

    def _make(self, namespaces: Iterable[str]) -> None:
        for name in namespaces:
            self._make_one(name)

    def _make_one(self, name: str) -> None:
        from l2tpv3.linux.netns_mount import make_netns  # with ctypes, which most changes do without

        self._store.keep_namespace(name)
        make_netns(name, self._furnish)

    def _furnish(self) -> None:
        with RouteSocket() as route:
            route.set_link(_LOOPBACK, alias=self._alias, up=True)

    def tidy(self) -> None:
        """Remove the namespaces that were made on demand and that nothing needs any more.

        What cannot be removed now is tried again next time.
        """
        with contextlib.suppress(L2tpError):
            made = self._store.namespaces() if self._real else frozenset()
            if not made:
                return
            recorded = self._store.load()
            pending = recorded.pending
            begun = (HostRecords().edited(pending.before), pending.target.made) if pending is not None else ()
            waiting = set[str]().union(*map(named, begun))
            used, on_record = waiting | named(running(recorded.everything)), waiting | named(recorded.everything)
            for name in sorted(made - used):
                with contextlib.suppress(OSError, L2tpError):
                    if self._is_gone(name) and name not in on_record:
                        self._store.forget_namespace(name)

    def _is_gone(self, name: str) -> bool:
        """Remove the namespace. Whether it is gone now, or another program's namespace has its name."""
        from l2tpv3.linux.netns_mount import unname_netns

        if not is_named(name):
            unname_netns(name)  # the file, if somebody was killed who made it
        elif self._is_ours(name):
            if _is_used(name):
                return False
            unname_netns(name)
        return True

    def _is_ours(self, name: str) -> bool:
        with inside(name), RouteSocket() as route:
            return any(link.alias == self._alias for link in route.links() if link.ifindex == _LOOPBACK)


def _is_used(name: str) -> bool:
    """Whether there is a netdev or a process in the namespace."""
    with inside(name), RouteSocket() as route:
        if any(link.ifname not in _FALLBACKS for link in route.links()):
            return True
    identity = netns_identity(name)
    return any(one == identity for one in _of_processes())


def _of_processes() -> Iterator[tuple[int, int]]:
    """The namespaces that processes are in."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                status = (process / "ns/net").stat()
                yield status.st_dev, status.st_ino


def homes(whole: HostRecords) -> set[str]:
    """The names of the namespaces that netdevs of these records are to be in."""
    records = whole.tunnels.values()
    sessions = (home(record.spec, one.spec) for record in records for one in record.sessions)
    links = (one.resolved.home for one in whole.links.values())
    return {name for name in (*sessions, *links) if name is not None}


def named(whole: HostRecords) -> set[str]:
    """The names of all namespaces in these records."""
    tunnels = (record.spec.netns for record in whole.tunnels.values())
    beneath = (one.over_netns for one in whole.links.values())
    return homes(whole) | {name for name in (*tunnels, *beneath) if name is not None}


def running(whole: HostRecords) -> HostRecords:
    """These records without what `down` has stopped."""
    return HostRecords(
        tunnels={name: record for name, record in whole.tunnels.items() if record.stopped is None},
        links={name: record for name, record in whole.links.items() if record.stopped is None},
    )
