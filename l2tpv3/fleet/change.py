"""A change of a fleet as one transaction: planned at all hosts, applied at all, tested, committed and confirmed.

The fleet's state file is the journal. Before the first host applies, it says what is prepared; once all pseudowires
have been tested, one write of it is the commit record, and only then the hosts confirm. So when whoever coordinates is
killed before that write, all hosts go back by themselves, and the next run has them do so at once. When it is killed
after that write, the next run brings every host to what was committed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final

from l2tpv3.config import dump
from l2tpv3.connect.coordinator import Action, Coordinator, Outcome, Verb
from l2tpv3.errors import ConflictError, L2tpError, RefusedError, UnreachableError
from l2tpv3.fleet.documents import host_document
from l2tpv3.fleet.draws import draw
from l2tpv3.fleet.end import Documents, FleetEnd, HostFacts
from l2tpv3.fleet.model import NATS, Fleet
from l2tpv3.fleet.own_part import read_text
from l2tpv3.fleet.pairs import Pair, all_pairs
from l2tpv3.fleet.reached import Reached, with_more
from l2tpv3.fleet.state import FleetState, write_state
from l2tpv3.fleet.wires import longest_test_s, test_wires
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.progress import StepText
from l2tpv3.value_class import value_class

MARGIN_S: Final = 5.0
"""Nothing is committed when a host would go back by itself this soon."""

Tell = Callable[[str], None]


@value_class(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """What a change would do. documents: of each host that is reached. steps: at each; changing: hosts that have any.

    pairs: those whose ends are both reached. touched: the keys of those among them that the change is about. waiting:
    the keys of pairs that stay as they are, as an end of theirs can't be reached.
    """

    documents: Mapping[str, Documents]
    steps: Mapping[str, list[StepText]]
    changing: tuple[str, ...]
    pairs: tuple[Pair, ...]
    touched: frozenset[str]
    waiting: tuple[str, ...]

    @property
    def tested(self) -> list[Pair]:
        """The pairs that are tested before the change is committed: those that it is about."""
        return [pair for pair in self.pairs if pair.key in self.touched]


def reaches_of(fleet: Fleet, state: FleetState) -> dict[str, str]:
    """How each host is reached: those of the fleet, and those that were of it and still have something of it."""
    left = {name: state.reaches[name] for name in (*state.committed, *state.prepared) if name not in fleet.hosts}
    return {**{name: host.reach for name, host in fleet.hosts.items()}, **left}


def is_pulled(fleet: Fleet, state: FleetState) -> bool:
    """Whether the fleet's hosts pull from NATS. Raises RefusedError where only some of them do."""
    reaches = reaches_of(fleet, state)
    pulled = [name for name, reach in reaches.items() if reach == NATS]
    others = [name for name in reaches if name not in pulled]
    if pulled and others:
        problem = f"host {pulled[0]} pulls from NATS, and host {others[0]} is reached otherwise"
        raise RefusedError(str(fleet.file), problem, "write two files: each change is of hosts of one kind")
    return bool(pulled)


def require_all(reached: Reached, *, partial: bool, tell: Tell) -> None:
    """Raise UnreachableError where a host can't be reached. partial: only tell of it then."""
    errors = list(reached.unreachable.values())
    if errors and not (partial and reached.ends):
        error = with_more(errors)
        if not partial and isinstance(error, UnreachableError):
            error.remedy += "; `--partial` leaves such hosts out, and their pseudowires wait"
        raise error
    for error in errors:
        tell(f"left out: {error}")


def end_what_was_begun(fleet: Fleet, state: FleetState, reached: Reached, tell: Tell) -> None:
    """End a change that was cut off: back where there is no commit record, else forth. Raises L2tpError.

    A host that can't be reached now stays noted; it has gone back by itself once its confirmation time was over.
    """
    back = {name: text for name, text in state.prepared.items() if name in reached.ends}
    undone = reached.all(lambda end: end.roll_back(Documents(before=state.before(end.name), new=back[end.name])), back)
    for name in back:
        tell(f"host {name}: a change that was cut off {'has been undone' if undone[name] else 'is not there any more'}")
        del state.prepared[name]
    owed = [name for name in state.owed if name in reached.ends]

    def conclude(end: FleetEnd) -> None:
        end.conclude(Documents(before=state.before(end.name), new=state.committed.get(end.name, "")))

    reached.all(conclude, owed)
    for name in owed:
        tell(f"host {name}: brought to what was committed")
        _confirmed(fleet, state, name)
    if back or owed:
        write_state(fleet.file, state)


def make_plan(fleet: Fleet, state: FleetState, reached: Reached, *, begun: bool = False) -> FleetPlan:
    """Ask all hosts what they have, draw what is new, and ask them what the change would do. Touches nothing.

    What is drawn and numbered is put into the state, which is not written. begun: a change of this fleet was cut off,
    and may wait at hosts for its confirmation. Raises L2tpError where a host refuses.
    """
    pairs = all_pairs(fleet)
    state.number_hosts(fleet)
    same = _unchanged(fleet, state, reached, pairs)
    others = [name for name in reached.ends if name not in same]
    facts = reached.all(lambda end: end.facts(_possible(state, end.name)), others)
    _check_apart({**same, **{name: one.identity for name, one in facts.items()}})
    _check_nothing_waits(facts, begun=begun)
    state.drawn = draw(pairs, state.drawn, {name: one.facts for name, one in facts.items()}, settled=state.made)
    texts = {name: state.committed[name] for name in same}
    texts |= {name: new_text(fleet, state, name, pairs, reached.unreachable) for name in others}
    documents = {name: Documents(before=state.before(name), new=text) for name, text in texts.items()}
    planned = reached.all(lambda end: end.plan(documents[end.name]), others)
    return _plan_of(pairs, documents, planned, reached.unreachable)


def _plan_of(
    pairs: Collection[Pair],
    documents: Mapping[str, Documents],
    planned: Mapping[str, tuple[bool, list[StepText]]],
    unreachable: Collection[str],
) -> FleetPlan:
    """A plan of what hosts answered: whether they would change anything, and their steps."""
    steps = {name: steps for name, (_, steps) in planned.items()}
    waiting = frozenset(pair.key for pair in pairs if {*pair.hosts} & {*unreachable})
    here = tuple(pair for pair in pairs if pair.key not in waiting)
    return FleetPlan(
        documents=documents,
        steps=steps,
        changing=tuple(name for name, (changes, _) in planned.items() if changes),
        pairs=here,
        touched=frozenset(pair.key for pair in here if _is_touched(pair, steps)),
        waiting=tuple(pair.key for pair in pairs if pair.key in waiting),
    )


def _possible(state: FleetState, host: str) -> Documents:
    """The documents that a host may have of this fleet."""
    return Documents(before=state.before(host), new=state.prepared.get(host, ""))


def _unchanged(fleet: Fleet, state: FleetState, reached: Reached, pairs: Collection[Pair]) -> dict[str, str]:
    """Hosts of which nothing else is wanted than is committed, and that are as they were then: what each is, by name.

    Only these hosts are asked, and little is asked of each.
    """
    drawn = draw(pairs, state.drawn, {}, settled=state.made)
    expected = replace(state, drawn=drawn)
    texts = {
        name: new_text(fleet, expected, name, pairs, reached.unreachable)
        for name in reached.ends
        if name in state.committed and name not in state.owed and name not in state.prepared
    }
    wanted = [name for name, text in texts.items() if text == state.committed[name]]
    noted = reached.all(lambda end: end.noted(texts[end.name]), wanted)
    return {name: identity for name, identity in noted.items() if identity is not None}


def _check_apart(identities: Mapping[str, str]) -> None:
    """Raise ConflictError where two hosts are one. identities: what each host is, by name."""
    seen: dict[str, str] = {}
    for name, identity in identities.items():
        other = seen.setdefault(identity, name)
        if other != name:
            raise ConflictError(
                f"host {name}", f"is the same as host {other}", "one of both is reached by a wrong name"
            )


def _check_nothing_waits(facts: Mapping[str, HostFacts], *, begun: bool) -> None:
    """Raise ConflictError where a change of somebody's waits for its confirmation."""
    for name, one in facts.items():
        if one.facts.unconfirmed and not begun:
            remedy = "`l2tpctl confirm` or `l2tpctl rollback` there first"
            raise ConflictError(f"host {name}", "a change waits for its confirmation", remedy)


def new_text(fleet: Fleet, state: FleetState, host: str, pairs: Collection[Pair], unreachable: Collection[str]) -> str:
    """The document that a host is to have; of a host that has left the fleet it is empty. pairs: all of the fleet."""
    if host not in fleet.hosts:
        return ""
    own = [pair for pair in pairs if host in pair.hosts]
    waiting = [pair for pair in own if {*pair.hosts} & {*unreachable}]
    kept: dict[str, DesiredTunnel | None] = {}
    if waiting:
        now = {one.name: one for one in read_text(state.committed.get(host, "")) if isinstance(one, DesiredTunnel)}
        kept = {pair.key: now.get(pair.tunnels[pair.at(host)]) for pair in waiting}
    return dump(host_document(fleet, state, host, own, kept))


def _is_touched(pair: Pair, steps: Mapping[str, list[StepText]]) -> bool:
    return any(
        step.tunnel == tunnel
        for name, tunnel in zip(pair.hosts, pair.tunnels, strict=True)
        for step in steps.get(name, ())
    )


# -- the transaction -----------------------------------------------------------------------------------------------


class FleetChange:
    """Carries a plan out. confirm_s: when a host that hears no more goes back by itself. tell: is told what is done."""

    def __init__(
        self, fleet: Fleet, state: FleetState, reached: Reached, plan: FleetPlan, *, confirm_s: float, tell: Tell
    ) -> None:
        self._fleet, self._state, self._reached, self._plan = fleet, state, reached, plan
        self._confirm_s, self._tell = confirm_s, tell
        self._cause: BaseException | None = None
        self._deadline_s = 0.0

    def run(self) -> None:
        """Do it. Raises what went wrong, after the hosts have gone back; or, once it is committed, after the others
        have confirmed: then the next run brings the rest to what is committed.
        """
        state, changing = self._state, self._plan.changing
        for name in self._reached.ends:
            if name in self._fleet.hosts:
                state.reaches[name] = self._fleet.hosts[name].reach
        if not changing:
            self._commit()
            self._conclude([])
            return
        state.prepared |= {name: self._plan.documents[name].new for name in changing}
        write_state(self._fleet.file, state)
        self._deadline_s = time.monotonic() + self._confirm_s - MARGIN_S
        coordinator = Coordinator(len(changing), deadline_s=self._deadline_s, records=True)
        while actions := coordinator.next_together(time.monotonic()):
            if actions[0].end is None:
                self._do_alone(actions[0], coordinator)
            else:
                self._do_at_hosts(actions, coordinator)
        if coordinator.outcome is Outcome.OLD:
            self._gone_back(coordinator)
        self._conclude([changing[end] for end in range(len(changing)) if end not in coordinator.confirmed])

    def _do_alone(self, action: Action, coordinator: Coordinator) -> None:
        """Test all pseudowires, or write the commit record."""
        try:
            if self._reached.interrupted:
                raise KeyboardInterrupt
            if action.verb is Verb.TEST:
                self._test()
            else:
                self._commit()
            coordinator.succeeded(action)
        except (L2tpError, OSError, KeyboardInterrupt) as error:
            self._cause = self._cause or error
            coordinator.failed(action, cut_off=False)

    def _do_at_hosts(self, actions: list[Action], coordinator: Coordinator) -> None:
        """Apply, confirm or roll back, at all hosts at once."""
        verb = actions[0].verb
        ends = {self._plan.changing[action.end]: action for action in actions if action.end is not None}
        self._tell(f"{_DOING[verb]} at {len(ends)} host{'' if len(ends) == 1 else 's'}")
        for name, answer in self._reached.each(lambda end: self._ask(end, verb), ends).items():
            if isinstance(answer, L2tpError):
                self._tell(f"{_DOING[verb]}: {answer}")
                self._cause = self._cause or answer
                cut_off = isinstance(answer, UnreachableError)
                coordinator.failed(ends[name], cut_off=cut_off)
            else:
                coordinator.succeeded(ends[name])

    def _ask(self, end: FleetEnd, verb: Verb) -> None:
        documents = self._plan.documents[end.name]
        if verb is Verb.APPLY:
            end.apply(documents, self._confirm_s)
        elif verb is Verb.CONFIRM:
            end.confirm(documents)
        else:
            end.roll_back(documents)

    def _test(self) -> None:
        """Raise RefusedError where a pseudowire that the change is about does not pass frames.

        Of others it is told what is wrong with them, as far as a host says so that is asked in any case.
        """
        pairs = self._plan.tested
        self._tell(f"testing {len(pairs)} pseudowire{'' if len(pairs) == 1 else 's'}")
        seconds = min(longest_test_s(len(pairs)), max(0.0, self._deadline_s - time.monotonic()) / 2)
        found = test_wires(self._reached, pairs, seconds)
        for pair in self._plan.pairs:
            if pair.key not in self._plan.touched:
                for host, tunnel in zip(pair.hosts, pair.tunnels, strict=True):
                    if (says := found.unwell.get(host, {}).get(tunnel)) is not None:
                        self._tell(f"pseudowire {pair.key}, which this change does not touch: host {host}: {says}")
        wrong = list(found.wrong)
        if wrong:
            more = f" (and {len(wrong) - 1} more: {', '.join(wrong[1:6])})" if len(wrong) > 1 else ""
            raise RefusedError(
                f"pseudowire {wrong[0]}", found.wrong[wrong[0]] + more, "`l2tpctl doctor` at its hosts may say why"
            )

    def _commit(self) -> None:
        """Write the commit record."""
        state = self._state
        for name, documents in self._plan.documents.items():
            if name in self._plan.changing:
                state.owed[name] = list(documents.before)
            state.committed[name] = documents.new
            state.prepared.pop(name, None)
        state.made = (state.made | {pair.key for pair in self._plan.pairs}) & {*state.drawn}
        write_state(self._fleet.file, state)

    def _gone_back(self, coordinator: Coordinator) -> None:
        """Note that the change is no more, and raise its cause."""
        for end, name in enumerate(self._plan.changing):
            if name in self._state.owed and self._state.committed.get(name) == self._plan.documents[name].new:
                self._uncommit(name)
            if end in coordinator.uncertain:
                self._tell(f"host {name}: its state is not known; it goes back within {self._confirm_s:g} s")
                self._state.prepared[name] = self._plan.documents[name].new
            else:
                self._state.prepared.pop(name, None)
        write_state(self._fleet.file, self._state)
        if self._cause is None:
            problem = f"it took longer than the {self._confirm_s:g} s until the hosts would go back"
            raise RefusedError("fleet apply", problem, "give a longer --confirm")
        raise self._cause

    def _uncommit(self, name: str) -> None:
        """Take back what a commit record that could not be written said of a host."""
        before = self._plan.documents[name].before
        del self._state.owed[name], self._state.committed[name]
        if before:
            self._state.committed[name] = before[0]

    def _conclude(self, unconfirmed: Collection[str]) -> None:
        """Note which hosts have confirmed. Raises the cause where some have not."""
        for name in self._plan.documents:
            if name not in unconfirmed:
                _confirmed(self._fleet, self._state, name)
        write_state(self._fleet.file, self._state)
        if unconfirmed:
            self._tell(
                f"committed, but not confirmed at {', '.join(unconfirmed)}: the next `l2tpctl fleet apply` sees to it"
            )
            if self._cause is not None:
                raise self._cause
        if self._reached.interrupted:
            raise KeyboardInterrupt


_DOING: Final = {Verb.APPLY: "applying", Verb.CONFIRM: "confirming", Verb.ROLL_BACK: "undoing"}


def _confirmed(fleet: Fleet, state: FleetState, name: str) -> None:
    """Note that a host has what is committed. One that has left the fleet is forgotten."""
    state.owed.pop(name, None)
    if name not in fleet.hosts:
        state.committed.pop(name, None)
        state.reaches.pop(name, None)
