"""Plans tunnels and sessions: from what is on record, wanted and observed to steps in order. Pure functions, no I/O.

A step does one thing to one tunnel or session. What can change in place is changed in place; what can't is replaced,
and the new one is made before the old one goes wherever both can exist at once: a tunnel with another id and port is
there before its predecessor's sessions move over, one at a time.

A tunnel or session may have two records: the one before a change, and the one that a killed change was making of it
(`maybe`). Both are called beliefs here. What is observed decides which one is true. Where it cannot be observed (the
sublayer, in the kernel) and the beliefs differ, the session is made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from l2tpv3.errors import ExistsError, NotFoundError, WorkerError
from l2tpv3.model.fields import SESSION
from l2tpv3.model.observation import Observation
from l2tpv3.model.observed import Session, Tunnel
from l2tpv3.model.record import (
    SessionRecord,
    TunnelRecord,
    differing_words,
    ends,
    identity,
    identity_seen,
    ports,
    shares_port,
    standing_session,
)
from l2tpv3.model.spec import Encap, as_seen, home
from l2tpv3.model.status import NetdevState
from l2tpv3.plan.differences import as_netdev_shows, changed_fields, is_placed, netdev_changes, stands
from l2tpv3.plan.plan_input import PlanInput
from l2tpv3.plan.steps import (
    AddSession,
    AddTunnel,
    DelSession,
    DelTunnel,
    ReplaceSession,
    SetNetdev,
    SetSession,
    SetTunnel,
    Step,
)
from l2tpv3.plan.untangle import untangle


def plan(change: PlanInput) -> tuple[Step, ...]:
    """The steps from what is observed to what is wanted, in the order in which to take them; () when nothing is to do.

    Raises ExistsError when another program added a session with a wanted id to a tunnel of ours, WorkerError when a
    worker that can't be worked with may carry a tunnel that would have to be made or removed.
    """
    names = sorted({*change.old, *change.maybe, *change.wanted})
    plans = [_TunnelPlan(change, name) for name in names]
    sets = _in_order([one for one in plans if one.changed_from is not None])
    doomed = [old for one in plans for old in one.doomed]
    for one in plans:
        one.decide(doomed)
    fresh = [tunnel for one in plans for tunnel in one.fresh()]
    needed = _wanted_ifnames(change) if doomed else set()
    before: list[Step] = []
    middle: list[Step] = []
    after: list[Step] = []
    for one in plans:
        gone = one.gone_before(fresh)
        before += one.removals_before(gone)
        before += one.leftovers()
        middle += one.steps(gone, needed)
        after += one.removals_after(gone)
    removals = [step for step in middle if isinstance(step, DelSession)]
    rest = [step for step in middle if not isinstance(step, DelSession)]
    return untangle([*removals, *before, *sets], rest, after)


def _wanted_ifnames(change: PlanInput) -> set[str]:
    """The names of the netdevs of all sessions that are wanted."""
    return {session.spec.ifname for record in change.wanted.values() for session in record.sessions}


def _in_order(plans: list[_TunnelPlan]) -> list[SetTunnel]:
    """The steps of tunnels that change in place, so that each finds its addresses and ports given up by others.

    Where two tunnels would have to swap them, one of the two is made anew instead.
    """
    steps: list[SetTunnel] = []
    left = list(plans)
    while left:
        free = next((one for one in left if not any(one.waits_for(other) for other in left if other is not one)), None)
        if free is None:
            left.pop().make_anew()
        else:
            left.remove(free)
            steps.append(free.set_tunnel())
    return steps


class _TunnelPlan:
    """One tunnel: its beliefs (see the module), what is wanted, and which of the beliefs really exist."""

    def __init__(self, change: PlanInput, name: str) -> None:
        self.change, self.name = change, name
        known = (change.old.get(name), change.maybe.get(name))
        self.beliefs = [record for record in known if record is not None]
        self._begun = known[1].sessions if known[1] is not None else ()
        self.wanted = change.wanted.get(name)
        whole = change.covers(name)
        live = [record for record in self.beliefs if change.observation.tunnel(record) is not None]
        self.doomed = self._doomed(live) if whole else []
        # One that is there but that this name was never known to have is another's: of a tunnel that goes, or foreign.
        self._there = any(self.wanted is not None and identity(record) == identity(self.wanted) for record in live)
        self.must_add = False
        self.changed_from = self._changed_from(known[1]) if whole else None
        self._seen: dict[int, dict[int, Session]] = {}
        self._by_name = [{one.spec.name: one for one in record.sessions} for record in self.beliefs]

    def _doomed(self, live: list[TunnelRecord]) -> list[TunnelRecord]:
        """The tunnels that exist and cannot stay. A tunnel that both beliefs tell of is listed once."""
        doomed: list[TunnelRecord] = []
        for record in live:
            stays = self.wanted is not None and _identical(record, self.wanted, self.change.observation)
            if not stays and not any(identity(record) == identity(other) for other in doomed):
                doomed.append(record)
        return doomed

    def _changed_from(self, begun: TunnelRecord | None) -> TunnelRecord | None:
        """What the tunnel is, or may be in part, and can be changed from in place; takes it from what goes."""
        if self.wanted is None:
            return None
        settable = self.change.tunnels_in_place.get(self.wanted.datapath, frozenset())
        for record in self.doomed:
            if settable.issuperset(self._differing(record)):
                self.doomed.remove(record)
                return record
        # A datapath may be half-way in a change that was cut short, and still say what it was before.
        if begun is not None and self._there and not self.doomed and identity(begun) != identity(self.wanted):
            return begun if settable.issuperset(differing_words(begun, self.wanted)) else None
        return None

    def _differing(self, old: TunnelRecord) -> tuple[str, ...]:
        assert self.wanted is not None
        return differing_words(old, self.wanted, self.change.observation.tunnel(old))

    def waits_for(self, other: _TunnelPlan) -> bool:
        """Whether this one, which changes in place, gets addresses and ports that another one gives up in doing so."""
        assert self.wanted is not None and other.changed_from is not None
        return not _coexist(other.changed_from, [self.wanted])

    def make_anew(self) -> None:
        """Have this tunnel be made anew: it can't change in place, as another tunnel waits for its addresses."""
        assert self.changed_from is not None
        self.doomed.append(self.changed_from)
        self.changed_from = None

    def set_tunnel(self) -> SetTunnel:
        """The step that changes it in place."""
        assert self.wanted is not None and self.changed_from is not None
        old = self.changed_from
        return SetTunnel(tunnel=self.wanted, old=old, fields=self._differing(old))

    def _find(self, tunnel: Tunnel, session_id: int) -> Session | None:
        """The session with that id that is there."""
        return self._sessions_of(tunnel).get(session_id)

    def _sessions_of(self, tunnel: Tunnel) -> Mapping[int, Session]:
        """The sessions by their ids."""
        key = id(tunnel)  # the observation holds it
        if key not in self._seen:
            self._seen[key] = {one.session_id: one for one in tunnel.sessions}
        return self._seen[key]

    def decide(self, doomed: list[TunnelRecord]) -> None:
        """Whether the tunnel has to be made, given all that go, by whatever name."""
        wanted = self.wanted
        if wanted is not None and self.change.covers(self.name):
            goes = any(identity(wanted) == identity(old) for old in doomed)
            self.must_add = self.changed_from is None and (goes or not self._there)

    def fresh(self) -> Iterator[TunnelRecord]:
        """The tunnel as it is wanted, if it gets addresses, ports or an id that it has not got yet."""
        if self.wanted is not None and (self.must_add or self.changed_from is not None):
            yield self.wanted

    def gone_before(self, fresh: list[TunnelRecord]) -> list[TunnelRecord]:
        """The tunnels to remove first: new ones could not exist beside them, or nothing replaces them."""
        return [old for old in self.doomed if self.wanted is None or not _coexist(old, fresh)]

    def removals_before(self, gone: list[TunnelRecord]) -> Iterator[Step]:
        """The steps that remove those at the beginning."""
        for old in gone:
            yield DelTunnel(tunnel=old, why=self._why_doomed(old))

    def removals_after(self, gone: list[TunnelRecord]) -> Iterator[Step]:
        """The steps that remove, at the end, those that have not gone at the beginning."""
        for old in self.doomed:
            if old not in gone:
                yield DelTunnel(tunnel=old, why="its successor is there")

    def _why_doomed(self, old: TunnelRecord) -> str:
        """What makes a tunnel that is there go."""
        if self.wanted is None:
            return ""
        return f"{', '.join(differing_words(old, self.wanted))} can't change in place"

    def leftovers(self) -> Iterator[Step]:
        """Netdevs of sessions whose tunnel died under them (a worker's TAPs) and that are not wanted any more.

        And the tunnel itself where nothing else reaches it; it is made anew where its name is now.
        """
        if self.change.covers(self.name):
            yield from self._unreached()
        kept = {session.spec.name for session in self.wanted.sessions} if self.wanted else set()
        done: set[str] = set()
        for record in self.beliefs:
            if self.change.observation.tunnel(record) is not None:
                continue
            for session in record.sessions:
                name = session.spec.name
                there = (self.name, name) in self.change.observation.netdevs
                if there and name not in kept | done and self.change.covers(self.name, name):
                    done.add(name)
                    yield DelSession(tunnel=record, session=session)

    def _unreached(self) -> Iterator[DelTunnel]:
        """The tunnel as it is not wanted, and as nothing else finds it."""
        lost = [record for record in self.beliefs if (record.datapath, self.name) in self.change.observation.lost]
        if lost:
            yield DelTunnel(tunnel=lost[0], why="it is in a network namespace that has lost its name")
        for record in self.beliefs:
            fault = self._may_be_carried([record], by_strays=False)  # removing its netdevs ends a stray
            stays = self.wanted is not None and identity(record) == identity(self.wanted)
            if fault is not None and not stays:
                yield DelTunnel(tunnel=record, why=self._blocked(fault))
                return

    def _may_be_carried(self, records: Iterable[TunnelRecord], *, by_strays: bool = True) -> WorkerError | None:
        """Why it can't be told whether one of these, which are not seen, runs all the same; None: none of them does."""
        for record in records:
            if self.change.observation.tunnel(record) is None:
                fault = self.change.observation.may_be_carried(record, by_strays=by_strays)
                if fault is not None:
                    return fault
        return None

    def steps(self, gone: list[TunnelRecord], needed: set[str]) -> Iterator[Step]:
        """All steps of the tunnel and its sessions, without those that remove tunnels.

        needed: the names of all netdevs that are wanted.
        """
        wanted = self.wanted
        if wanted is None:
            return
        staying = [old for old in self.doomed if old not in gone]
        if self.must_add:
            yield from self._free_names(staying, needed)
            yield AddTunnel(tunnel=wanted, why=self._why_missing())
            for session in wanted.sessions:
                yield from self._make(wanted, session, staying, "")
            return
        live = self.change.observation.tunnel(wanted)
        if live is None and self.changed_from is not None:
            live = self.change.observation.tunnel(self.changed_from)
        if live is None:
            self._refuse_missing(wanted)
            return
        yield from self._remove_sessions(wanted, live)
        stand = frozenset[str]() if staying else self._unchanged(wanted, live)
        for session in wanted.sessions:
            if session.spec.name not in stand and self.change.covers(self.name, session.spec.name):
                yield from self._session(wanted, session, live, staying)

    def _unchanged(self, wanted: TunnelRecord, live: Tunnel) -> frozenset[str]:
        """Sessions that are on record as wanted, and there as on record, so far as a quick look tells: most, as a rule.

        `_session` would give no step for any of them.
        """
        old = self.change.old.get(self.name)
        if old is None or len(self.beliefs) != 1:
            return frozenset()
        there = self._sessions_of(live)
        netdevs, found = self.change.observation.netdevs, list[str]()
        for session in wanted.sessions:
            spec = session.spec
            seen, netdev = there.get(spec.session_id), netdevs.get((self.name, spec.name))
            if seen is None or netdev is None or old.session(spec.name) is not session:
                continue
            if (
                seen.peer_session_id == spec.peer_session_id
                and (seen.tx_cookie, seen.rx_cookie) == (spec.tx_cookie, spec.rx_cookie)
                and seen.recv_seq == spec.numbering.recv
                and seen.fragment == spec.fragment
                and seen.channel_probe == spec.channel_probe
                and seen.sublayer in (None, spec.sublayer)
                and stands(session, netdev)
            ):
                found.append(spec.name)
        return frozenset(found)

    def _free_names(self, staying: list[TunnelRecord], needed: set[str]) -> Iterator[Step]:
        """Remove sessions that go with a tunnel which stays until its successor is there, if their names are wanted."""
        assert self.wanted is not None
        kept = {session.spec.name for session in self.wanted.sessions}
        for old in staying:
            seen = self.change.observation.tunnel(old)
            for session in old.sessions:
                spec = session.spec
                if spec.name not in kept and spec.ifname in needed and seen and self._find(seen, spec.session_id):
                    yield DelSession(tunnel=old, session=session)

    def _why_missing(self) -> str:
        """What makes a tunnel have to be made. Raises WorkerError when one of its name may run that is not seen."""
        if (fault := self._may_be_carried(self.beliefs)) is not None:
            return self._blocked(fault)
        return "" if self.doomed or not self.beliefs else "it is not running"

    def _blocked(self, fault: WorkerError) -> str:
        """Why the tunnel that a worker may carry can't be made or removed now, for a plan that is only shown.

        Any other plan is refused: the tunnel would run twice, or run on with nothing on record. Raises the fault.
        """
        if not self.change.to_show:
            raise fault
        return f"{fault.subject}, which may carry it, {fault.problem}"

    def _refuse_missing(self, wanted: TunnelRecord) -> None:
        """A session can't be changed while its tunnel, which is out of scope, is not running; but it can be removed."""
        removed = any(
            wanted.session(one.spec.name) is None and self.change.covers(self.name, one.spec.name)
            for record in self.beliefs
            for one in record.sessions
        )
        changed = any(self.change.covers(self.name, one.spec.name) for one in wanted.sessions)
        if (removed or changed) and (fault := self._may_be_carried(self.beliefs, by_strays=changed)) is not None:
            raise fault
        if changed:
            remedy = f"`l2tpctl restore {self.name}` brings it back"
            raise NotFoundError(f"tunnel {self.name}", "it is on record but not running", remedy)

    def _move(self, wanted: TunnelRecord, session: SessionRecord, staying: list[TunnelRecord]) -> Step | None:
        """The step that takes the session over from a tunnel that is removed, if it is there."""
        for old, before in self._elsewhere(session.spec.name, staying):
            why = "its tunnel is made anew"
            return ReplaceSession(tunnel=wanted, session=session, old_tunnel=old, old=before, why=why)
        return None

    def _elsewhere(self, name: str, staying: list[TunnelRecord]) -> Iterator[tuple[TunnelRecord, SessionRecord]]:
        """A session in those tunnels that go, but are still there."""
        for old in staying:
            before = old.session(name)
            seen = self.change.observation.tunnel(old)
            if before is not None and seen is not None and self._find(seen, before.spec.session_id) is not None:
                yield old, before

    def _add(self, tunnel: TunnelRecord, session: SessionRecord, why: str) -> Iterator[Step]:
        spec = session.spec
        netdev = self.change.observation.netdevs.get((self.name, spec.name))
        homes = (netdev.netns,) if netdev is not None else ()
        yield AddSession(tunnel=tunnel, session=session, adopt=netdev is not None, homes=homes, why=why)
        mine = [there[spec.name] for there in self._by_name if spec.name in there]
        if netdev is None or not mine or self.doomed:
            return
        # It outlived its worker, and what it has of an earlier state and shall not have any more goes.
        old = as_seen(as_netdev_shows(spec, mine, netdev), netns=spec.netns)
        left = [name for name in ("addresses", "bridge") if getattr(old, name) != getattr(spec, name)]
        if not set(old.addresses) <= set(spec.addresses) or old.bridge not in (None, spec.bridge):
            yield SetNetdev(tunnel=tunnel, old=old, session=session, fields=tuple(left))

    def _remove_sessions(self, wanted: TunnelRecord, live: Tunnel) -> Iterator[Step]:
        kept = {session.spec.name for session in wanted.sessions}
        ids: set[int] = set()
        for record in self.beliefs:
            for session in record.sessions:
                name, number = session.spec.name, session.spec.session_id
                if name in kept or number in ids or not self.change.covers(self.name, name):
                    continue
                there = self._find(live, number) is not None or (self.name, name) in self.change.observation.netdevs
                if there:
                    ids.add(number)
                    yield DelSession(tunnel=wanted, session=session)

    def _session(
        self, tunnel: TunnelRecord, wanted: SessionRecord, live: Tunnel, staying: list[TunnelRecord]
    ) -> Iterator[Step]:
        name, number = wanted.spec.name, wanted.spec.session_id
        beliefs = [there[name] for there in self._by_name if name in there]
        mine = [one for one in beliefs if one.spec.session_id == number]
        others = [one for one in beliefs if one not in mine and self._find(live, one.spec.session_id)]
        seen = self._find(live, number)
        if seen is None:
            if others:
                yield self._replace(tunnel, others[0], wanted, "id can't change in place")
            else:
                yield from self._make(tunnel, wanted, staying, "it is not running" if beliefs else "")
            return
        for old, before in self._elsewhere(name, staying):  # killed in between: in both tunnels
            yield DelSession(tunnel=old, session=before, why="its successor is there")
        for other in others:
            yield DelSession(tunnel=tunnel, session=other)
        if mine:
            yield from self._compare(tunnel, wanted, mine, seen)
        elif self._was_ours(number):  # another session is giving it up in this same change
            yield from self._add(tunnel, wanted, "")
        else:
            subject = f"session {self.name}/{name}: --id"
            problem = f"{number} is the id of a session that something else added ({seen.ifname})"
            raise ExistsError(subject, problem, "give another one")

    def _make(
        self, tunnel: TunnelRecord, wanted: SessionRecord, staying: list[TunnelRecord], why: str
    ) -> Iterator[Step]:
        """A session that is not there is moved over from a tunnel that goes, or added."""
        moved = self._move(tunnel, wanted, staying)
        if moved is not None:
            yield moved
        else:
            yield from self._add(tunnel, wanted, why)

    def _was_ours(self, number: int) -> bool:
        return any(one.spec.session_id == number for record in self.beliefs for one in record.sessions)

    def _compare(
        self, tunnel: TunnelRecord, wanted: SessionRecord, mine: list[SessionRecord], seen: Session
    ) -> Iterator[Step]:
        netdev = self.change.observation.netdevs.get((self.name, wanted.spec.name))
        in_place = self.change.in_place.get(tunnel.datapath, frozenset())
        changed = changed_fields(wanted, mine, seen)
        forced = [name for name in changed if name not in in_place and name != "mtu"]
        if forced:
            yield self._replace(tunnel, mine[-1], wanted, f"{_words(forced)} can't change in place")
            return
        if netdev is None:
            yield self._replace(tunnel, mine[-1], wanted, "its netdev is gone")
            return
        settable = tuple(name for name in changed if name in in_place)
        if settable:
            yield SetSession(tunnel=tunnel, old=mine[0], session=wanted, fields=settable)
        yield from self._compare_netdev(tunnel, wanted, mine, netdev)

    def _compare_netdev(
        self, tunnel: TunnelRecord, wanted: SessionRecord, mine: list[SessionRecord], netdev: NetdevState
    ) -> Iterator[Step]:
        """The step that gives the netdev of a session that stays what it lacks."""
        begun = any(one in self._begun for one in mine)
        if not begun and is_placed(tunnel, wanted, mine, netdev):
            return
        believed = as_netdev_shows(wanted.spec, mine, netdev)
        homes = {home(tunnel.spec, one.spec) for one in mine} | {tunnel.spec.netns}
        if begun and netdev.netns in homes:  # a move may not have been made
            believed = as_seen(believed, netns=netdev.netns)
        if netdev.netns not in homes:
            # Somebody moved it. It is not fetched back, since in a guest's namespace it may be none of ours; and a
            # bridge that is called so there is another one.
            believed = as_seen(believed, bridge=wanted.spec.bridge)
        differing = netdev_changes(tunnel, believed, standing_session(wanted), netdev)
        if netdev.clamp_mtu != wanted.clamp_mtu:
            differing = (*differing, "clamp_mss")
        if differing:
            yield SetNetdev(tunnel=tunnel, old=believed, session=wanted, fields=differing, netdev=netdev)

    def _replace(self, tunnel: TunnelRecord, old: SessionRecord, new: SessionRecord, why: str) -> Step:
        return ReplaceSession(tunnel=tunnel, session=new, old_tunnel=tunnel, old=old, why=why)


def _identical(record: TunnelRecord, wanted: TunnelRecord, observation: Observation) -> bool:
    """Whether the tunnel that is there as `record` has it is what is wanted. What can be seen overrules the belief."""
    return identity_seen(record, observation.tunnel(wanted)) == identity(wanted)


def _coexist(old: TunnelRecord, fresh: Iterable[TunnelRecord]) -> bool:
    """Whether a tunnel that is there and tunnels that are to be made can all exist at once."""
    for new in fresh:
        if old.spec.netns != new.spec.netns:
            continue
        if old.datapath == new.datapath and old.spec.tunnel_id == new.spec.tunnel_id:
            return False
        same_port = (ends(old)[0], ports(old.spec)[0]) == (ends(new)[0], ports(new.spec)[0])
        if old.spec.encap is new.spec.encap is Encap.UDP and same_port and not shares_port(old, new):
            return False
    return True


def _words(fields: Iterable[str]) -> str:
    return ", ".join(_WORDS.get(name, name) for name in fields)


_WORDS = {field.attribute: field.word for field in SESSION}
