"""Plans of links, by properties: whatever is on record, wanted and gone meanwhile, the steps lead to what is wanted."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.errors import InvalidValueError
from l2tpv3.model.links.observed import LinksSeen
from l2tpv3.model.links.order import in_order
from l2tpv3.model.links.record import LinkRecord, Links, below, place_of, specs_of
from l2tpv3.model.links.spec import LinkSpec, derived_mac
from l2tpv3.model.record import Records, SessionRecord, TunnelRecord
from l2tpv3.model.spec import SessionSpec, TunnelSpec, parse_address
from l2tpv3.plan.link_steps import AddLink, DelLink, LinkStep, SetLink
from l2tpv3.plan.links import LinkChange, plan_links
from l2tpv3.reconcile.link_executor import LinkExecutor
from l2tpv3.testing.links import MemoryBackend
from tests.link_types import LINK_TYPES
from tests.properties import SOME

NICS = ("n0", "n1", "n2")
NAMES = ("la", "lb", "lc", "ld")


def tunnels(*names: str) -> Records:
    """One tunnel `t` with sessions of these names, whose netdevs are called after them."""
    remote = parse_address("192.0.2.2", "")
    record = TunnelRecord(spec=TunnelSpec(name="t", remote=remote), local=remote, datapath="memory", reason="")
    made = (SessionRecord(spec=SessionSpec(name=one, ifname=f"eth-{one}"), mtu=1400) for one in names)
    return {"t": record.with_sessions(tuple(made))}


class World:
    """NICs, sessions' netdevs, links."""

    def __init__(self, sessions: set[str]) -> None:
        self._numbers = itertools.count()
        self.netdevs: dict[str, Hashable] = {name: next(self._numbers) for name in NICS}
        self.maker = MemoryBackend(self.netdevs.get)
        self.runner = LinkExecutor(lambda name: f"mark {name}", lambda _: self.maker)
        self.sessions: set[str] = set()
        self.make_sessions(sessions, frozenset())

    def make_sessions(self, wanted: set[str], anew: frozenset[str]) -> None:
        for name in self.sessions - wanted | self.sessions & anew:
            del self.netdevs[f"eth-{name}"]
        for name in (wanted - self.sessions) | (wanted & anew):
            self.netdevs[f"eth-{name}"] = next(self._numbers)
        self.sessions = set(wanted)

    def take(self, steps: tuple[LinkStep, ...]) -> None:
        for step in steps:
            self.runner.take(step)


def record(words: Mapping[str, Any], records: Records, links: Links) -> LinkRecord:
    spec = LinkSpec.from_words(words)
    mac = spec.mac or (derived_mac("m", spec.name) if spec.options.own_mac else None)
    return LinkRecord(spec=spec, mac=mac, over_netns=place_of(spec, records, links))


@st.composite
def wanted_links(draw: st.DrawFn, sessions: set[str]) -> Links:
    """Each over NICs, sessions, or links whose names come before its own; a netdev is a member of one at most."""
    made: dict[str, LinkRecord] = {}
    free = [*NICS, *(f"t/{one}" for one in sorted(sessions))]
    for name in NAMES:
        words = draw(st.none() | LINK_TYPES)
        if words is None:
            continue
        least, most = {"bridge": (0, 3), "alias": (0, 1), "port": (2, 2)}.get(words["type"], (1, 1))
        if len(free) < least:
            continue
        over = draw(st.lists(st.sampled_from(free), unique=True, min_size=least, max_size=most)) if free else []
        free = [one for one in free if one not in over]
        words |= {"name": name, "over": over}
        if words["type"] != "port":
            free.append(name)
            words |= draw(
                st.fixed_dictionaries({}, optional={"mtu": st.just(1400), "up": st.sampled_from(["on", "off"])})
            )
        made[name] = record(words, tunnels(*sessions), made)
    return made


def bring(observation: World, old: Links, wanted: Links, sessions: set[str], anew: frozenset[str]) -> list[LinkStep]:
    """Plan, take all steps, and give them."""
    renewed = frozenset(("t", one) for one in (observation.sessions ^ sessions) | anew)
    change = LinkChange(
        old=old, wanted=wanted, seen=observation.runner.seen(wanted, old), renewed=renewed,
        tunnels=tunnels(*sessions), tunnels_old=tunnels(*observation.sessions),
    )  # fmt: skip
    before, after = plan_links(change)
    observation.take(before)
    observation.make_sessions(sessions, anew)
    observation.take(after)
    return [*before, *after]


def again(observation: World, links: Links) -> list[LinkStep]:
    change = LinkChange(
        old=links, wanted=links, seen=observation.runner.seen(links), tunnels=tunnels(*observation.sessions)
    )
    before, after = plan_links(change)
    return [*before, *after]


@SOME
@given(st.data())
def test_the_steps_lead_to_what_is_wanted_and_a_second_plan_is_empty(data: st.DataObject) -> None:
    names = st.sets(st.sampled_from(["x", "y"]))
    first = data.draw(names)
    observation = World(first)
    old = data.draw(wanted_links(first))
    bring(observation, {}, old, first, frozenset())
    assert again(observation, old) == []
    # Something removes a link behind our back.
    for name in data.draw(st.sets(st.sampled_from(NAMES))) & old.keys():
        observation.maker.remove(old[name].resolved, f"mark {name}")
    sessions = data.draw(names)
    wanted = data.draw(wanted_links(sessions))
    anew = frozenset(data.draw(st.sets(st.sampled_from(["x", "y"])))) & first & sessions
    bring(observation, old, wanted, sessions, anew)
    assert again(observation, wanted) == []
    for name, one in wanted.items():
        seen = observation.runner.seen({name: one}).present[name]
        assert {*seen.over} == {*below(one.spec, tunnels(*sessions), wanted).values()}
    assert not [name for name in old if name not in wanted and observation.runner.seen({name: old[name]}).present]


def links(*many: dict[str, Any], sessions: tuple[str, ...] = ()) -> dict[str, LinkRecord]:
    made: dict[str, LinkRecord] = {}
    for words in many:
        made[words["name"]] = record(words, tunnels(*sessions), made)
    return made


def said(steps: list[LinkStep]) -> Iterator[str]:
    for step in steps:
        sign = {AddLink: "+", DelLink: "-", SetLink: "~"}[type(step)]
        words = ",".join(step.words) if isinstance(step, SetLink) else ""
        yield f"{sign}{step.link.spec.name} {words}".strip()


BRIDGE = {"name": "br", "type": "bridge", "over": "n0,t/x", "address": "10.0.0.1/24"}
VLAN = {"name": "v7", "type": "vlan", "id": 7, "over": "br"}


def test_a_bridge_is_there_before_the_session_that_joins_it_and_takes_it_in_afterwards() -> None:
    observation = World(set())
    steps = bring(observation, {}, links(BRIDGE, VLAN, sessions=("x",)), {"x"}, frozenset())
    assert list(said(steps)) == ["+br", "~br over", "+v7"]


def test_what_lies_on_a_session_that_is_made_anew_is_made_anew_in_its_turn() -> None:
    observation = World({"x"})
    macvlan = {"name": "mv", "type": "macvlan", "over": "t/x"}
    wanted = links(
        BRIDGE | {"over": "n0"}, macvlan, {"name": "v8", "type": "vlan", "id": 8, "over": "mv"}, sessions=("x",)
    )
    bring(observation, {}, wanted, {"x"}, frozenset())
    steps = bring(observation, wanted, wanted, {"x"}, frozenset({"x"}))
    assert list(said(steps)) == ["-v8", "-mv", "+mv", "+v8"]
    assert steps[0].why == "mv is made anew"
    assert again(observation, wanted) == []


def test_what_changes_in_place_is_not_made_anew_and_nothing_on_it_is_touched() -> None:
    observation = World({"x"})
    old = links(BRIDGE, VLAN, sessions=("x",))
    bring(observation, {}, old, {"x"}, frozenset())
    new = links(BRIDGE | {"over": "n0,n1", "priority": 7, "address": "10.0.0.2/24"}, VLAN, sessions=("x",))
    (step,) = bring(observation, old, new, {"x"}, frozenset())
    assert isinstance(step, SetLink)
    assert {*step.words} == {"over", "priority", "address", "stp"} - {"stp"}


def test_what_can_not_change_in_place_says_so_and_takes_along_what_lies_on_it() -> None:
    observation = World(set())
    old = links({"name": "mv", "type": "macvlan", "over": "n0"}, {"name": "v9", "type": "vlan", "id": 9, "over": "mv"})
    bring(observation, {}, old, set(), frozenset())
    new = links(
        {"name": "mv", "type": "macvlan", "over": "n1", "mode": "vepa"},
        {"name": "v9", "type": "vlan", "id": 9, "over": "mv"},
    )
    steps = bring(observation, old, new, set(), frozenset())
    assert list(said(steps)) == ["-v9", "-mv", "+mv", "+v9"]
    assert steps[1].why == "over, mode can't change in place"


def test_a_change_in_scope_leaves_other_links_alone() -> None:
    observation = World(set())
    old = links({"name": "la", "type": "macvlan", "over": "n0"}, {"name": "lb", "type": "macvlan", "over": "n0"})
    bring(observation, {}, old, set(), frozenset())
    for one in old.values():
        observation.maker.remove(one.resolved, f"mark {one.spec.name}")
    change = LinkChange(old=old, wanted=old, seen=LinksSeen(), tunnels={}, scope=frozenset({"lb"}))
    before, after = plan_links(change)
    assert list(said([*before, *after])) == ["+lb"]
    assert before[0].why == "it is not there"


def test_links_over_one_another_in_a_circle_are_refused() -> None:
    circle = links({"name": "la", "type": "bridge", "over": "lb"}, {"name": "lb", "type": "bridge", "over": "lc"},
                   {"name": "lc", "type": "bridge", "over": "la"})  # fmt: skip
    with pytest.raises(InvalidValueError, match="la over lb over lc over la"):
        in_order(specs_of(circle))


def test_what_a_killed_change_was_making_is_found_and_removed() -> None:
    observation = World(set())
    begun = links({"name": "la", "type": "macvlan", "over": "n0"})
    bring(observation, {}, begun, set(), frozenset())
    change = LinkChange(old={}, maybe=begun, wanted={}, seen=observation.runner.seen(begun), tunnels={})
    before, after = plan_links(change)
    assert list(said([*before, *after])) == ["-la"]


def test_a_link_over_a_session_is_where_that_is() -> None:
    there = tunnels("x")
    moved = dataclasses.replace(there["t"], spec=dataclasses.replace(there["t"].spec, netns="lab"))
    spec = LinkSpec.from_words({"name": "la", "type": "macvlan", "over": "t/x"})
    assert place_of(spec, {"t": moved}, {}) == "lab"
    on_it = LinkSpec.from_words({"name": "lb", "type": "vlan", "id": 1, "over": "la"})
    assert place_of(on_it, {"t": moved}, {"la": LinkRecord(spec=spec, over_netns="lab")}) == "lab"
