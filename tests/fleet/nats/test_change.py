"""A change of many hosts: whatever fails in it, a host has the state before or the one after, and all agree at last."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.errors import UnreachableError
from tests.fleet.nats.fleet_in_memory import CONFIRM_S, World, partitions
from tests.properties import SOME

_OLD, _NEW = dict.fromkeys("abc", "old"), dict.fromkeys("abc", "new more")


@contextmanager
def _world() -> Iterator[World]:
    """Three hosts that have the old state."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        world = World(Path(folder))
        outcome = world.run(_OLD)
        assert outcome is not None and outcome.committed
        world.live_long(2)
        assert world.has() == _OLD
        world.allowed = {name: {_OLD[name], _NEW[name]} for name in _OLD}
        yield world


def _ends(world: World) -> None:
    """Everything is healed: a coordinator's next run ends the change, and soon all hosts have what it decided."""
    world.heal()
    world.recover()
    committed = world.directory.committed("a")
    assert committed is not None
    world.live_long(CONFIRM_S + 10)
    serials = {name: one.state.serial for name in "abc" if (one := world.directory.committed(name)) is not None}
    assert set(serials.values()) == {committed.state.serial}
    assert world.has() == (_NEW if committed.state.serial == world.directory.serial() else _OLD)
    assert not any(host.engine.waiting for host in world.hosts.values())


def test_all_hosts_are_changed() -> None:
    with _world() as world:
        outcome = world.run(_NEW)
        assert outcome is not None and outcome.committed and not outcome.reasons
        world.live_long(2)
        assert world.has() == _NEW


def test_after_a_commit_was_signed_and_got_lost_nothing_else_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(key: str, _: bytes) -> bool:
        raise UnreachableError("the server", f"does not say whether it took {key}")

    with _world() as world:
        monkeypatch.setattr(world.bucket, "create", lost)
        assert world.run(_NEW) is None
        monkeypatch.undo()
        outcome = world.recover()
        assert outcome is not None and outcome.committed
        _ends(world)
        assert world.has() == _NEW


def test_one_host_that_refuses_keeps_all_from_the_change() -> None:
    with _world() as world:
        world.hosts["b"].engine.fails = True
        outcome = world.run(_NEW)
        assert outcome is not None and not outcome.committed
        assert outcome.reasons == {"b": "this host: refuses"}
        _ends(world)
        assert world.has() == _OLD


def test_a_pseudowire_that_passes_no_frames_at_one_end_keeps_all_from_the_change() -> None:
    with _world() as world:
        world.wires = {"a": ["b/s"], "b": ["a/s"]}
        world.hosts["b"].engine.dead_wires = {"a/s"}
        outcome = world.run(_NEW)
        assert outcome is not None and not outcome.committed and not outcome.silent
        assert outcome.reasons == {"b": "pseudowire a/s: no frame that is sent through it is answered"}
        _ends(world)
        assert world.has() == _OLD
        world.hosts["b"].engine.dead_wires = set()
        outcome = world.run(_NEW)
        assert outcome is not None and outcome.committed


def test_one_host_that_is_cut_off_keeps_all_from_the_change() -> None:
    with _world() as world:
        world.hosts["b"].connected = False
        outcome = world.run(_NEW)
        assert outcome is not None and outcome.reasons == {"b": "has not answered"} and outcome.silent == {"b"}
        _ends(world)
        assert world.has() == _OLD


def test_a_host_cut_off_before_the_commit_goes_back_and_has_it_when_it_hears_again() -> None:
    with _world() as world:
        b = world.hosts["b"]

        def cut_off() -> None:
            b.connected = b.connected and b.engine.waiting is None

        world.happens = cut_off
        # its status of the moment at which it was cut off does arrive
        world.bucket.told.clear()
        outcome = world.run(_NEW)
        if outcome is None or not outcome.committed:  # it was cut off before it could say that it is ready
            _ends(world)
            return
        world.live_long(CONFIRM_S + 1)
        assert world.has() == {**_NEW, "b": "old"}
        b.connected, world.happens = True, lambda: None
        world.live_long(2)
        assert world.has() == _NEW


def test_a_change_after_one_that_a_host_missed() -> None:
    with _world() as world:
        world.hosts["c"].connected = False
        outcome = world.run({"a": "new more", "b": "new more"})
        assert outcome is not None and outcome.committed
        world.live_long(2)
        world.hosts["c"].connected = True
        outcome = world.run(_NEW)
        assert outcome is not None and outcome.committed
        world.live_long(2)
        assert world.has() == _NEW


@SOME
@given(st.integers(min_value=0))
def test_partitions_at_random_never_leave_a_third_state(seed: int) -> None:
    with _world() as world:
        world.happens = partitions(world, Random(seed))
        world.run(_NEW)
        world.live_long(10)
        _ends(world)


def test_the_coordinator_is_killed_at_each_operation() -> None:
    for at in range(1, 200):
        with _world() as world:
            world.bucket.kill_at = at
            outcome = world.run(_NEW)
            assert outcome is None or world.bucket.kill_at > 0
            _ends(world)
            if outcome is not None:
                assert at > 5
                return
    pytest.fail("it never came through")


@pytest.mark.parametrize("host", ["a", "c"])
def test_an_agent_is_killed_at_each_call_of_the_engine(host: str) -> None:
    for at in range(1, 20):
        with _world() as world:
            engine = world.hosts[host].engine
            engine.kill_at = at
            world.run(_NEW)
            world.live_long(2)
            survived = engine.kill_at > 0
            _ends(world)
            if survived:
                assert at > 4
                return
    pytest.fail("it was killed each time")


def test_an_agent_that_can_not_finish_at_once_what_a_killed_one_began_does_it_later() -> None:
    with _world() as world:
        engine = world.hosts["a"].engine
        engine.kill_at, engine.finishing_fails = 3, 3  # in the middle of making it
        world.run(_NEW)
        assert engine.finishing_fails < 3
        _ends(world)
        assert engine.finishing_fails < 0


@SOME
@given(st.integers(min_value=0))
def test_kills_and_partitions_together(seed: int) -> None:
    with _world() as world:
        random = Random(seed)
        world.happens = partitions(world, random)
        world.bucket.kill_at = random.randrange(40)
        for host in world.hosts.values():
            host.engine.kill_at = random.randrange(10)
        world.run(_NEW)
        world.live_long(random.choice([1, 10, 30]))
        _ends(world)


def test_a_server_that_is_wiped_changes_nothing_and_gets_back_what_it_lost() -> None:
    with _world() as world:
        world.bucket.values.clear()
        world.live_long(60)
        assert world.has() == _OLD
        world.recover()
        assert sorted(world.bucket.values) == ["desired.a", "desired.b", "desired.c"]
        outcome = world.run(_NEW)
        assert outcome is not None and outcome.committed
        world.live_long(2)
        assert world.has() == _NEW


def test_a_server_that_is_rolled_back_changes_nothing() -> None:
    with _world() as world:
        before = dict(world.bucket.values)
        assert world.run(_NEW) is not None
        world.live_long(2)
        world.allowed = {name: {_NEW[name]} for name in _NEW}
        world.bucket.values = before
        world.live_long(60)
        assert world.has() == _NEW
        for host in world.hosts.values():
            host.restart()
        world.live_long(60)
        world.recover()
        world.live_long(5)
        assert world.has() == _NEW


def test_an_aborted_change_is_not_tried_again_by_a_server_that_is_rolled_back() -> None:
    with _world() as world:
        world.hosts["b"].engine.fails = True
        undecided: dict[str, bytes] = {}

        def note() -> None:
            if world.hosts["a"].engine.waiting is not None and not undecided:
                undecided.update(world.bucket.values)

        world.happens = note
        assert world.run(_NEW) is not None
        _ends(world)
        world.allowed = {name: {"old"} for name in _OLD}
        world.bucket.values = undecided
        for host in world.hosts.values():
            host.restart()
        world.live_long(60)
        assert world.has() == _OLD
