"""The quick way through a plan or an apply where little or nothing has changed since the last one.

What recall.py remembers stands for all that is as it was. What is left, some sessions of which other words are wanted
now, is planned by the same plan.py with a look at these sessions alone. Whenever anything is out of the ordinary there
is no quick way (None), and the caller goes the long one, which looks at everything and says what is wrong.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from l2tpv3.datapath.kernel import KernelDatapath
from l2tpv3.errors import L2tpError, NotFoundError
from l2tpv3.everything import Everything
from l2tpv3.link.base import home
from l2tpv3.link.netdev import Netdevs
from l2tpv3.mtu import find_route
from l2tpv3.netlink.tape import Tape
from l2tpv3.places import Places
from l2tpv3.plan import Change, InPlace, LinkBeliefs
from l2tpv3.recall import Recall, Remembered, RouteTaken, Stamp, digests_of
from l2tpv3.records import Records, SessionRecord, TunnelRecord, resolved
from l2tpv3.replay import Item, Part, changes, differences, pare, replay
from l2tpv3.spec import TunnelSpec
from l2tpv3.state import Tunnel
from l2tpv3.status import NetdevState
from l2tpv3.stillness import Stillness
from l2tpv3.store import Recorded, Store
from l2tpv3.wanted import Wanted, WantedTunnel
from l2tpv3.world import World

_TUNNELS_MAX, _SESSIONS_MAX = 8, 64
"""Beyond these, one look at everything takes less than one at each."""

_RACY_NS = 1_000_000_000
_INPUTS = (
    {"old", "maybe", "wanted", "world", "in_place", "tunnels_in_place", "scope", "links"},
    {"tunnels", "netdevs", "faults", "lost", "links"},
)
"""What plans look at (Change, World) and this knows of. With something else in it, nothing is remembered; nor is it
where there are links."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of `plan` and `apply`. settle: makes of what is on record and some of `wanted` what shall be."""

    wanted: tuple[Wanted, ...]
    prune: bool
    settle: Callable[[Everything, tuple[Wanted, ...]], Everything]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """This host is as remembered, but for what `touched` want. digests: of all that is wanted."""

    remembered: Remembered
    digests: dict[str, bytes]
    touched: tuple[WantedTunnel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """A change of some sessions in place of all. recorded, after: their tunnels, whole. change: these sessions only."""

    recorded: Recorded
    after: Everything
    change: Change


class Quick:
    """One host's quick way."""

    def __init__(self, places: Places, store: Store, recall: Recall, kernel: KernelDatapath, in_place: InPlace) -> None:
        self._places, self._store, self._recall = places, store, recall
        self._kernel, self._in_place = kernel, in_place
        self._stillness = Stillness()

    def known(self, request: Request) -> Known | None:
        """What is known of it without a look at everything."""
        remembered = self._recall.load()
        if remembered is None:
            return None
        with self._stillness.look(remembered) as look:
            changed = changes([take for take in remembered.takes if not (look.holds and _is_told(take))])
            digests = digests_of(request.wanted)
            found = changed()
            if digests is None or found is None or found or not all(map(_is_taken_still, remembered.routes)):
                return None
            if remembered.all_up:
                look.keep(remembered)
        tunnels = [one for one in request.wanted if isinstance(one, WantedTunnel)]
        touched = tuple(one for one in tunnels if remembered.digests.get(one.name) != digests[one.name])
        if len(touched) > _TUNNELS_MAX or (request.prune and (touched or remembered.pruned != tuple(sorted(digests)))):
            return None
        return Known(remembered=remembered, digests=digests, touched=touched)

    def narrow(self, request: Request, known: Known) -> Narrow | None:
        """The change of what is touched, if it is only of sessions that keep their ids and netdevs' places."""
        names = [one.name for one in known.touched]
        recorded = self._store.load(names)
        if recorded.pending is not None or sorted(recorded.tunnels) != sorted(names):
            return None
        try:
            settled = request.settle(recorded.everything, known.touched)
        except L2tpError:
            return None
        after = settled.tunnels
        pairs = [(recorded.tunnels[name], after[name]) for name in names]
        if sorted(after) != sorted(names) or not all(_is_narrow(before, now) for before, now in pairs):
            return None
        scope = frozenset((now.spec.name, one.spec.name) for before, now in pairs for one in _differing(before, now))
        if len(scope) > _SESSIONS_MAX:
            return None
        old, wanted = (
            {
                name: record.with_sessions(tuple(one for one in record.sessions if (name, one.spec.name) in scope))
                for name, record in records.items()
            }
            for records in (recorded.tunnels, after)
        )
        world = self.look(old)
        change = Change(old=old, wanted=wanted, world=world, in_place=self._in_place, scope=scope)
        return Narrow(recorded=recorded, after=settled, change=change)

    def look(self, records: Records) -> World:
        """What is there of a few sessions; of others of their tunnels it says nothing."""
        tunnels: dict[tuple[str, str | None], dict[int, Tunnel]] = {}
        netdevs: dict[tuple[str, str], NetdevState] = {}
        for name, record in records.items():
            ids = [one.spec.session_id for one in record.sessions]
            if (seen := self._kernel.some(record.spec.netns, record.spec.tunnel_id, ids)) is not None:
                tunnels.setdefault((record.datapath, record.spec.netns), {})[seen.tunnel_id] = seen
            for session in record.sessions:
                if (netdev := self._netdev(record, session)) is not None:
                    netdevs[name, session.spec.name] = netdev
        return World(tunnels=tunnels, netdevs=netdevs)

    def _netdev(self, record: TunnelRecord, session: SessionRecord) -> NetdevState | None:
        mark = self._places.mark(record.spec.name, session.spec.name)
        with contextlib.suppress(NotFoundError), Netdevs(home(record.spec, session.spec)) as netdevs:
            return next((one for one in netdevs.some([session.spec.ifname]) if one.alias == mark), None)
        return None

    # -- remembering ---------------------------------------------------------------------------------------------

    def stamp(self) -> Stamp | None:
        """The record as it is before it is looked at; None when there is none."""
        try:
            return self._recall.stamp(())
        except OSError:
            return None

    def keep(self, tape: Tape | None, change: Change, request: Request | None, stamp: Stamp | None = None) -> None:
        """Remember a look that found nothing to do for anything on record. The caller holds the lock.

        stamp: of the record before it was read, where the lock was not held then.
        """
        fields = tuple({one.name for one in dataclasses.fields(kind)} for kind in (Change, World))
        if tape is None or tape.spoiled or change.maybe or change.scope is not None or fields != _INPUTS:
            return
        if not change.wanted or change.links != LinkBeliefs(scope=change.links.scope):
            return  # nothing is quick anyway, and links are on no tape
        if stamp is not None and time.time_ns() - stamp[0][2] < _RACY_NS:
            return  # a file that was changed again within a tick of its clock would look the same
        digests = digests_of(request.wanted) if request is not None else {}
        if digests is None:
            return
        before = self._recall.load()
        pruned = tuple(sorted(digests)) if request is not None and request.prune else None
        known = {**(before.digests if before else {}), **digests}
        self._recall.keep(
            Remembered(
                digests=known,
                takes=list(map(pare, tape.takes)),
                pruned=pruned,
                all_up=_all_up(change.wanted),
                routes=routes_of(change.wanted),
            ),
            _namespaces(change.wanted.values()),
            stamp,
        )

    def keep_after(self, known: Known, narrow: Narrow) -> None:
        """Remember how it is after a narrow change, unless something else has changed. The caller holds the lock."""
        before = known.remembered.takes
        with self._stillness.look() as look:
            takes, now = replay(before), list[Part]()
            found = differences(before, takes, now) if takes is not None else None
            if takes is None or found is None or not all(map(self._ours(narrow), found)):
                return
            digests = {**known.remembered.digests, **known.digests}
            namespaces = {take.netns for take in takes} | set(_namespaces(narrow.after.tunnels.values()))
            all_up = known.remembered.all_up and _all_up(narrow.after.tunnels)
            routes = known.remembered.routes
            remembered = Remembered(digests=digests, takes=now, all_up=all_up, routes=routes)
            self._recall.keep(remembered, namespaces)
            if all_up:
                look.keep(remembered)

    def _ours(self, narrow: Narrow) -> Callable[[Item], bool]:
        """Whether an item is of a session that was changed."""
        change = narrow.change
        both = [(record, one) for record in change.wanted.values() for one in record.sessions]
        marks = {self._places.mark(record.spec.name, one.spec.name) for record, one in both}
        ids = {(record.spec.tunnel_id, one.spec.session_id) for record, one in both}
        indices = {netdev.ifindex for netdev in change.world.netdevs.values()}

        def ours(item: Item) -> bool:
            match item:
                case ("link", link):
                    return getattr(link, "alias", None) in marks
                case ("session", int(tunnel), int(session), _):
                    return (tunnel, session) in ids
                case ("address", int(index), _):
                    return index in indices
            return False

        return ours


def routes_of(records: Records) -> tuple[RouteTaken, ...]:
    """By what the local addresses and MTUs of these tunnels were chosen: no dump of netdevs or addresses tells it."""
    specs = map(resolved, records.values())
    return tuple((one.netns, str(one.remote), one.remote_port, str(one.local), _mtu_of_route(one)) for one in specs)


def _is_taken_still(route: RouteTaken) -> bool:
    netns, remote, port, local, mtu = route
    words = {"name": "tunnel", "remote": remote, "remote-port": port, "local": local, "netns": netns}
    return _mtu_of_route(TunnelSpec.from_words({key: value for key, value in words.items() if value})) == mtu


def _mtu_of_route(tunnel: TunnelSpec) -> int | None:
    """None where there is no route, or where this host does not have the local address."""
    try:
        return find_route(tunnel).mtu
    except L2tpError:
        return None


def _is_told(take: Part) -> bool:
    """Whether it lists what Stillness hears of."""
    return take.protocol == socket.NETLINK_ROUTE and take.netns is None


def _all_up(records: Records) -> bool:
    return all(one.spec.up for record in records.values() for one in record.sessions)


def _is_narrow(before: TunnelRecord, now: TunnelRecord) -> bool:
    """Whether only sessions differ, and none in what others could want too."""
    if before.datapath != KernelDatapath.name or dataclasses.replace(before, sessions=now.sessions) != now:
        return False
    if [one.spec.name for one in before.sessions] != [one.spec.name for one in now.sessions]:
        return False
    return all(
        _place(old) == _place(new) for old, new in zip(before.sessions, now.sessions, strict=True) if old is not new
    )


def _place(session: SessionRecord) -> tuple[object, ...]:
    spec = session.spec
    return spec.session_id, spec.ifname, spec.netns, spec.bridge


def _differing(before: TunnelRecord, now: TunnelRecord) -> list[SessionRecord]:
    return [new for old, new in zip(before.sessions, now.sessions, strict=True) if old is not new and old != new]


def _namespaces(records: Iterable[TunnelRecord]) -> set[str | None]:
    found: set[str | None] = set()
    for record in records:
        found.add(record.spec.netns)
        found.update(home(record.spec, one.spec) for one in record.sessions)
    return found
