"""Plan and apply of links together with tunnels and sessions, by properties, over the in-memory datapath."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3 import Condition
from l2tpv3.errors import L2tpError, RefusedError
from l2tpv3.model.desired import Desired, DesiredLink, DesiredSession, DesiredTunnel
from l2tpv3.model.links.record import LinkRecord, below
from l2tpv3.model.record import resolved, resolved_session
from tests.link_types import LINK_TYPES
from tests.memory_host import Host, assert_undone_when_it_fails, host, try_apply
from tests.memory_links import NICS
from tests.properties import SOME

TUNNELS, SESSIONS, LINKS = ("a", "b"), ("x", "y"), ("la", "lb", "lc", "ld")

more_words = st.fixed_dictionaries(
    {},
    optional={
        "mtu": st.just(1400),
        "up": st.booleans(),
        "mac": st.just("02:00:5e:00:53:09"),
        "address": st.sampled_from([["10.0.0.1/24"], ["10.0.0.2/24"]]),
    },
)
_MOST = {"bridge": (0, 3), "alias": (0, 1), "port": (2, 2)}


@st.composite
def wanted_states(draw: st.DrawFn) -> tuple[Desired, ...]:
    """Tunnels with sessions, and links over those, over NICs and over links whose names come before theirs.

    A netdev is a member of one at most; but now and then a session says a bridge itself, whoever else has it.
    """
    wanted: list[Desired] = []
    free = [*NICS]
    for number, name in enumerate(TUNNELS):
        if not draw(st.integers(0, 3)):
            continue
        sessions = []
        for other, session in enumerate(SESSIONS):
            if draw(st.booleans()):
                words: dict[str, Any] = {"ifname": f"{name}-{session}"}
                words["id"] = draw(st.sampled_from([other + 1, other + 5]))
                words["bridge"] = draw(st.sampled_from([None, None, None, "br0", "la", "lb"]))
                if words["bridge"] is None and draw(st.booleans()):
                    words["ifname"] += "2"
                sessions.append(DesiredSession(name=session, words=words))
                free.append(f"{name}/{session}")
        remote = {"remote": "127.0.0.2", "id": draw(st.sampled_from([number + 1, number + 5]))}
        ports = {"local-port": 1701 + number, "remote-port": 1701}
        wanted.append(DesiredTunnel(name=name, words={**remote, **ports}, sessions=tuple(sessions)))
    for name in LINKS:
        words = draw(LINK_TYPES) if draw(st.integers(0, 2)) else {}
        least, most = _MOST.get(words.get("type", ""), (1, 1))
        if not words or len(free) < least:
            continue
        over = draw(st.lists(st.sampled_from(free), unique=True, min_size=least, max_size=most)) if free else []
        free = [one for one in free if one not in over]
        words |= {"over": over}
        if words["type"] == "bridge" and over and draw(st.booleans()):
            words["isolated"] = over[:1]
        if words["type"] != "port":
            free.append(name)
            words |= draw(more_words)
            words |= {"ifname": f"{name}-net"} if draw(st.booleans()) else {}
        wanted.append(DesiredLink(name=name, words=words))
    return tuple(draw(st.permutations(wanted)))


@SOME
@given(first=wanted_states(), second=wanted_states(), gone=st.sets(st.sampled_from(LINKS)), prune=st.booleans())
def test_apply_reaches_what_is_wanted_and_a_second_plan_is_empty(
    first: tuple[Desired, ...], second: tuple[Desired, ...], gone: set[str], *, prune: bool
) -> None:
    with host() as one:
        try_apply(one, first)
        lose(one, gone)
        if not try_apply(one, second, prune=prune):
            return
        assert one.manager.plan(second, prune=prune).steps == ()
        assert not one.manager.apply(second, prune=prune).changes
        assert_is_there(one, second, prune=prune)


def lose(one: Host, names: set[str]) -> None:
    """Something removes links behind our back."""
    for status in one.manager.links.all():
        if status.name in names:
            one.maker.remove(status.spec, one.manager.paths.link_mark(status.name))


def assert_is_there(one: Host, wanted: tuple[Desired, ...], *, prune: bool) -> None:
    links = {status.name: status for status in one.manager.links.all()}
    records = {name: LinkRecord(spec=status.spec) for name, status in links.items()}
    recorded = one.manager.records()
    names = {link.name for link in wanted if isinstance(link, DesiredLink)}
    assert names <= set(links)
    if prune:
        assert names == set(links)
        assert set(recorded) == {tunnel.name for tunnel in wanted if isinstance(tunnel, DesiredTunnel)}
    for status in links.values():
        spec = status.spec
        assert status.condition is (Condition.UP if spec.up or status.netdev is None else Condition.DOWN)
        others = {
            session.spec.ifname
            for record in recorded.values()
            for session in record.sessions
            if session.spec.bridge == spec.ifname
        }
        assert {*status.over} - others == {*below(spec, recorded, records).values()} - others
        if status.netdev is not None:
            assert (status.netdev.ifname, status.netdev.addresses) == (spec.ifname, spec.addresses)
            assert (status.netdev.mac, status.netdev.mtu) == (status.mac or status.netdev.mac, spec.mtu or 1500)
    assert not [status for status in one.manager.tunnels() if status.foreign]


@SOME
@given(first=wanted_states(), second=wanted_states(), break_at=st.integers(1, 25))
def test_undoing_any_prefix_of_the_steps_gives_back_what_was(
    first: tuple[Desired, ...], second: tuple[Desired, ...], break_at: int
) -> None:
    with host() as one:
        try_apply(one, first)
        if not can_be(one, second):
            return
        assert_undone_when_it_fails(one, second, break_at)


@SOME
@given(first=wanted_states(), second=wanted_states(), third=wanted_states(), killed_at=st.integers(1, 25))
def test_after_a_change_that_was_killed_any_other_one_leads_to_what_it_wants(
    first: tuple[Desired, ...], second: tuple[Desired, ...], third: tuple[Desired, ...], killed_at: int
) -> None:
    with host() as one:
        try_apply(one, first)
        if not can_be(one, second):
            return
        one.countdown.at, one.countdown.dead = killed_at, True
        try:
            one.manager.apply(second, prune=True)
        except RefusedError as error:
            assert "injected" in str(error)
        one.countdown.at, one.countdown.dead = 0, False
        for wanted in (third, first):
            if can_be(one, wanted):
                one.manager.apply(wanted, prune=True)
                assert one.manager.plan(wanted, prune=True).steps == ()
                assert_is_there(one, wanted, prune=True)
        one.manager.apply((), prune=True)
        assert one.maker.marks() == set()
        assert one.memory.tunnels(None) == []


def can_be(one: Host, wanted: tuple[Desired, ...]) -> bool:
    """Whether it contradicts itself, or what is there, in nothing."""
    try:
        one.manager.plan(wanted, prune=True)
    except L2tpError:
        return False
    return True


@SOME
@given(wanted=wanted_states(), gone=st.sets(st.sampled_from(LINKS)), data=st.data())
def test_what_was_lost_is_found_and_made_again(
    wanted: tuple[Desired, ...], gone: set[str], data: st.DataObject
) -> None:
    with host() as one:
        if not try_apply(one, wanted):
            return
        before = one.picture()
        lose(one, gone)
        for record in one.manager.records().values():
            for session in record.sessions:
                if data.draw(st.booleans()):
                    one.memory.del_session(resolved(record), resolved_session(session))
        one.manager.restore()
        assert one.picture() == before


def test_a_bridge_that_could_not_be_removed_gets_its_members_back() -> None:
    """Undoing makes it anew, and a session is in it by its name, of which no step had been begun."""
    session = DesiredSession(name="y", words={"bridge": "la"})
    tunnel = DesiredTunnel(name="t", words={"remote": "127.0.0.2"}, sessions=(session,))
    with host() as one:
        one.manager.apply((tunnel, DesiredLink(name="la", words={"type": "bridge", "over": []})))
        before = one.picture()
        one.countdown.at = 1
        with pytest.raises(RefusedError):
            one.manager.apply((DesiredLink(name="la", words={"type": "macvlan", "over": ["eth0"]}),), prune=True)
        assert one.picture() == before
