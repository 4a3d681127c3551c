"""The state of a fleet: each host, and each pseudowire as both of its ends see it."""

from __future__ import annotations

from typing import Any

from l2tpv3.documents.schemas import FLEET_SCHEMA
from l2tpv3.errors import L2tpError
from l2tpv3.fleet.end import Documents, FleetEnd
from l2tpv3.fleet.model import Fleet
from l2tpv3.fleet.pairs import Pair, all_pairs
from l2tpv3.fleet.reached import Reached
from l2tpv3.fleet.state import FleetState
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class HostLine:
    """A host. state: "as committed", or what else. good: nothing is wrong with it."""

    name: str
    reach: str
    version: str | None
    state: str
    good: bool


@value_class(frozen=True, slots=True, kw_only=True)
class WireEnd:
    """One end of a pseudowire. condition: that of its session; "unknown" where the host can't be asked, "not made"
    where it is not there. last_received_s: seconds since its last good packet.
    """

    host: str
    condition: str
    hearing: str | None = None
    last_received_s: float | None = None
    mtu: int | None = None
    notes: tuple[str, ...] = ()


@value_class(frozen=True, slots=True, kw_only=True)
class WireLine:
    """A pseudowire."""

    key: str
    ends: tuple[WireEnd, WireEnd]

    @property
    def good(self) -> bool:
        """Whether both ends are up, and neither says that it hears nothing."""
        return all(end.condition == "up" and end.hearing in (None, "heard") for end in self.ends)


@value_class(frozen=True, slots=True, kw_only=True)
class Overview:
    """All of it."""

    hosts: tuple[HostLine, ...]
    wires: tuple[WireLine, ...]

    @property
    def wrong(self) -> bool:
        """Whether something is wrong with a host or a pseudowire."""
        return not (all(one.good for one in self.hosts) and all(one.good for one in self.wires))


def overview(fleet: Fleet, state: FleetState, reached: Reached) -> Overview:
    """Ask all hosts. Raises KeyboardInterrupt after Ctrl-C."""

    def ask(end: FleetEnd) -> tuple[str, bool, bool, dict[str, Any]]:
        name = end.name
        before = (*state.before(name), *([state.prepared[name]] if name in state.prepared else []))
        documents = Documents(before=before, new=state.committed.get(name, ""))
        facts = end.facts(documents)
        changes, _ = end.plan(documents)
        return facts.version, facts.facts.unconfirmed, changes, end.show(documents)

    answers: dict[str, tuple[str, bool, bool, dict[str, Any]] | L2tpError] = dict(reached.each(ask))
    if reached.interrupted:
        raise KeyboardInterrupt
    answers |= reached.unreachable
    hosts = tuple(_host_line(fleet, state, name, answer) for name, answer in answers.items())
    seen = {name: answer[3] for name, answer in answers.items() if not isinstance(answer, L2tpError)}
    wires = tuple(
        WireLine(key=pair.key, ends=(_wire_end(pair, 0, seen), _wire_end(pair, 1, seen))) for pair in all_pairs(fleet)
    )
    return Overview(hosts=hosts, wires=wires)


def _host_line(
    fleet: Fleet, state: FleetState, name: str, answer: tuple[str, bool, bool, dict[str, Any]] | L2tpError
) -> HostLine:
    reach = fleet.hosts[name].reach if name in fleet.hosts else state.reaches.get(name, "")
    if isinstance(answer, L2tpError):
        return HostLine(name=name, reach=reach, version=None, state=f"not known: {answer.problem}", good=False)
    version, unconfirmed, changes, _ = answer
    if unconfirmed:
        text = "a change waits for its confirmation"
    elif name in state.prepared or name in state.owed:
        text = "a change was cut off: `l2tpctl fleet apply` ends it"
    elif changes:
        text = "not as committed: `l2tpctl fleet plan` tells the difference"
    elif name not in fleet.hosts:
        text = "has left the fleet: `l2tpctl fleet apply` cleans up there"
    elif name not in state.committed:
        text = "new: `l2tpctl fleet apply` sets it up"
    else:
        return HostLine(name=name, reach=reach, version=version, state="as committed", good=True)
    return HostLine(name=name, reach=reach, version=version, state=text, good=False)


def _wire_end(pair: Pair, end: int, seen: dict[str, dict[str, Any]]) -> WireEnd:
    host = pair.hosts[end]
    if host not in seen:
        return WireEnd(host=host, condition="unknown")
    shown = seen[host].get(pair.tunnels[end])
    if shown is None:
        return WireEnd(host=host, condition="not made")
    condition = str(shown.get("condition"))
    hearing, last = shown.get("hearing"), shown.get("last_received_s")
    return WireEnd(
        host=host,
        condition=condition if condition != "up" else str(shown.get("session", "not made")),
        hearing=None if hearing is None else str(hearing),
        last_received_s=float(last) if isinstance(last, int | float) else None,
        mtu=shown["mtu"] if isinstance(shown.get("mtu"), int) else None,
        notes=tuple(map(str, shown.get("notes", ()))),
    )


def overview_document(found: Overview) -> dict[str, Any]:
    """The document that `l2tpctl fleet status --json` prints."""
    return {
        "schema": FLEET_SCHEMA,
        "hosts": [
            {"name": one.name, "reach": one.reach, "version": one.version, "state": one.state, "good": one.good}
            for one in found.hosts
        ],
        "wires": [
            {"name": one.key, "good": one.good, "ends": [_end_document(end) for end in one.ends]} for one in found.wires
        ],
    }


def _end_document(end: WireEnd) -> dict[str, Any]:
    return {
        "host": end.host,
        "condition": end.condition,
        "hearing": end.hearing,
        "last_received_s": end.last_received_s,
        "mtu": end.mtu,
        "notes": list(end.notes),
    }
