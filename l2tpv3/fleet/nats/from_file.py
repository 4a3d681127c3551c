"""A fleet's file whose hosts pull their states from NATS: what `fleet plan`, `fleet apply` and `fleet status` do then.

The coordinator's folder (Directory) knows what was committed for each host. The state file beside the fleet's file has
what was drawn, as for hosts that are reached by ssh, and the names of the hosts that have something of the file.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from l2tpv3.errors import L2tpError, NotFoundError
from l2tpv3.fleet.change import FleetPlan, new_text, reaches_of
from l2tpv3.fleet.draws import draw
from l2tpv3.fleet.end import Documents
from l2tpv3.fleet.model import NATS, Fleet
from l2tpv3.fleet.nats.change import Coordinator, Outcome, Say
from l2tpv3.fleet.nats.connection import NatsBucket
from l2tpv3.fleet.nats.directory import Directory
from l2tpv3.fleet.nats.pushing import push
from l2tpv3.fleet.nats.status import HostReport
from l2tpv3.fleet.overview import HostLine, Overview, WireEnd, WireLine
from l2tpv3.fleet.own_part import read_text
from l2tpv3.fleet.pairs import Pair, all_pairs
from l2tpv3.fleet.state import FleetState, write_state
from l2tpv3.model.desired import DesiredLink, DesiredTunnel
from l2tpv3.model.progress import StepText

OLD_S: Final = 100.0
"""A host that has said nothing for so long is not connected: agents say how their host is each 30 seconds at most."""


def pulled_plan(fleet: Fleet, state: FleetState, directory: Directory, left_out: Collection[str] = ()) -> FleetPlan:
    """What a change would do, by what was committed. Puts what is drawn into the state, which is not written.

    left_out: hosts that stay as they are, with their pseudowires. Raises NotFoundError for a host that is not enrolled.
    """
    enrolled = directory.hosts()
    for name in fleet.hosts:
        if name not in enrolled:
            remedy = f"`l2tpctl fleet enroll {name}` here, and what it prints there"
            raise NotFoundError(f"host {name}", "is not enrolled", remedy)
    names = [name for name in reaches_of(fleet, state) if name in enrolled]
    had = {name: _committed_text(directory, name) for name in names}
    state.committed |= had
    pairs = all_pairs(fleet)
    state.drawn = draw(pairs, state.drawn, {}, settled=state.drawn)
    state.number_hosts(fleet)
    documents = {
        name: Documents(before=(had[name],), new=new_text(fleet, state, name, pairs, left_out))
        for name in names
        if name not in left_out
    }
    here = tuple(pair for pair in pairs if not {*pair.hosts} & {*left_out})
    return FleetPlan(
        documents=documents,
        steps={name: list(_steps(had[name], one.new)) for name, one in documents.items()},
        changing=tuple(name for name, one in documents.items() if one.new != had[name]),
        pairs=here,
        touched=frozenset(),
        waiting=tuple(pair.key for pair in pairs if pair not in here),
    )


def _committed_text(directory: Directory, name: str) -> str:
    committed = directory.committed(name)
    return "" if committed is None else committed.text or ""


def _steps(before: str, new: str) -> Iterator[StepText]:
    """How one document differs from another, a line for each tunnel and link."""
    had, wanted = _by_name(before), _by_name(new)
    for key in {**had, **wanted}:
        if had.get(key) == wanted.get(key):
            continue
        sign, words = "~", _differing(had.get(key), wanted.get(key))
        if key not in had:
            sign = "+"
        elif key not in wanted:
            sign = "-"
        tunnel, link = (key[1], None) if key[0] == "tunnel" else (None, key[1])
        yield StepText(sign=sign, tunnel=tunnel, link=link, text=words)


def _by_name(text: str) -> dict[tuple[str, str], DesiredTunnel | DesiredLink]:
    found: dict[tuple[str, str], DesiredTunnel | DesiredLink] = {}
    for one in read_text(text):
        if isinstance(one, DesiredTunnel | DesiredLink):
            found["tunnel" if isinstance(one, DesiredTunnel) else "link", one.name] = one
    return found


def _differing(had: DesiredTunnel | DesiredLink | None, wanted: DesiredTunnel | DesiredLink | None) -> str:
    """Which words of a tunnel with its sessions, or of a link, differ."""
    before, after = _words(had), _words(wanted)
    if had is None or wanted is None:
        there = after if had is None else before
        return " to ".join(str(there[word]) for word in ("local", "remote") if word in there)
    return ", ".join(sorted(word for word in before.keys() | after.keys() if before.get(word) != after.get(word)))


def _words(one: DesiredTunnel | DesiredLink | None) -> Mapping[str, Any]:
    if one is None:
        return {}
    inner = {} if isinstance(one, DesiredLink) else {word: value for session in one.sessions
                                                     for word, value in session.words.items()}  # fmt: skip
    return {**inner, **one.words}


async def apply_pulled(
    fleet: Fleet,
    state: FleetState,
    directory: Directory,
    coordinator: Coordinator,
    *,
    confirm_s: float,
    partial: bool,
    say: Say,
) -> Outcome | None:
    """Make the hosts what the file says: all, or none; None where they are. Hold the fleet's locks meanwhile.

    Raises L2tpError.
    """
    planned = pulled_plan(fleet, state, directory)
    state.prepared = {name: planned.documents[name].new for name in planned.changing}
    state.reaches |= dict.fromkeys(state.prepared, NATS)
    if not planned.changing:
        _end_prepared(fleet, state)
        return None
    write_state(fleet.file, state)  # first: what is drawn is kept, and so is which hosts may have something of it

    def texts(left_out: Collection[str]) -> dict[str, str]:
        chosen = pulled_plan(fleet, state, directory, left_out)
        return {name: chosen.documents[name].new for name in chosen.changing}

    outcome = await push(
        directory, coordinator, texts, confirm_s=confirm_s, wait_s=confirm_s / 2, partial=partial, say=say
    )
    planned = pulled_plan(fleet, state, directory)  # it takes over what is committed now
    if outcome.committed:
        state.made = (state.made | {pair.key for pair in planned.pairs}) & {*state.drawn}
    _end_prepared(fleet, state)
    return outcome


def _end_prepared(fleet: Fleet, state: FleetState) -> None:
    """Note that no change is under way, and forget hosts that have left the fleet and have nothing of it any more."""
    for name in [name for name, text in state.committed.items() if name not in fleet.hosts and not text]:
        del state.committed[name]
        state.reaches.pop(name, None)
    state.prepared = {}
    write_state(fleet.file, state)


async def pulled_overview(fleet: Fleet, state: FleetState, directory: Directory, bucket: NatsBucket) -> Overview:
    """What the hosts said last. Raises L2tpError where the server can't be asked."""
    lines, seen = [], {}
    enrolled = directory.hosts()
    for name in reaches_of(fleet, state):
        if name not in enrolled:
            lines.append(_line(name, None, "is not enrolled"))
            continue
        value = await bucket.status(name)
        try:
            report = None if value is None else HostReport.checked(value, enrolled[name], directory.key.fleet)
        except L2tpError as error:
            lines.append(_line(name, None, f"not known: {error.problem}"))
            continue
        committed = directory.committed(name)
        problem = _problem(report, 0 if committed is None else committed.state.serial)
        lines.append(_line(name, report, problem))
        if report is not None:
            seen[name] = (report, problem)
    wires = tuple(WireLine(key=pair.key, ends=(_end(pair, 0, seen), _end(pair, 1, seen))) for pair in all_pairs(fleet))
    return Overview(hosts=tuple(lines), wires=wires)


def _line(name: str, report: HostReport | None, problem: str) -> HostLine:
    version = None if report is None else report.version
    return HostLine(name=name, reach=NATS, version=version, state=problem or "as committed", good=not problem)


def _problem(report: HostReport | None, wanted: int) -> str:
    """What is wrong with a host, in words; "" for nothing. wanted: the serial number of what it is to have."""
    if report is None:
        return "never heard: `l2tpctl watch --fleet` does not run there, or can't connect"
    if (age_s := time.time() - report.at) > OLD_S:
        return f"said nothing for {age_s:.0f} s, by its clock"
    if report.waiting is not None:
        return "a change waits for the decision"
    if report.committed != wanted:
        return f"not as committed{f': {report.error}' if report.error else ''}"
    return "" if wanted else "new: `l2tpctl fleet apply` sets it up"


def _end(pair: Pair, end: int, seen: Mapping[str, tuple[HostReport, str]]) -> WireEnd:
    host = pair.hosts[end]
    if host not in seen:
        return WireEnd(host=host, condition="unknown")
    report, problem = seen[host]
    if problem:
        return WireEnd(host=host, condition="not as committed", notes=(problem,))
    return WireEnd(host=host, condition=report.tunnels.get(pair.tunnels[end], "not made"))
