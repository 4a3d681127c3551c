"""What is wanted is made into records in time that grows with it: by counting steps, which no load can disturb."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import l2tpv3
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from tests.memory_host import Host, host

FEW, MANY = 60, 240
PACKAGE = Path(l2tpv3.__file__).parent
PURE = tuple(f"{PACKAGE / name}/" for name in ("resolve", "plan", "reconcile", "model", "testing"))
"""What makes records and steps of what is wanted, and the host in memory. None of it waits for anything."""


def _steps(call: Callable[[], object]) -> int:
    """How many lines are run of these packages, those within comprehensions included."""
    count = 0

    def in_frame(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return in_frame

    def on_call(frame: FrameType, _event: str, _argument: object) -> Any:
        return in_frame if frame.f_code.co_filename.startswith(PURE) else None

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def _sessions(number: int, **words: object) -> tuple[DesiredSession, ...]:
    return tuple(DesiredSession(name=f"s{one}", words={"mtu": 1400, **words}) for one in range(number))


def _one_tunnel(size: int, **words: object) -> tuple[DesiredTunnel, ...]:
    return (DesiredTunnel(name="t", words={"remote": "127.0.0.2", **words}, sessions=_sessions(size)),)


def _tunnels(size: int, **words: object) -> tuple[DesiredTunnel, ...]:
    return tuple(
        DesiredTunnel(name=f"t{one}", words={"remote": f"127.0.1.{one + 1}", **words}, sessions=_sessions(1))
        for one in range(size)
    )


def _to_one_peer(size: int) -> tuple[DesiredTunnel, ...]:
    return tuple(DesiredTunnel(name=f"t{one}", words={"remote": "127.0.0.2", "encap": "ip"}) for one in range(size))


WANTED: dict[str, Callable[[int], tuple[DesiredTunnel, ...]]] = {
    "sessions of a tunnel": _one_tunnel,
    "sessions of a tunnel over IP": lambda size: _one_tunnel(size, encap="ip"),
    "tunnels": _tunnels,
    "tunnels over IP": lambda size: _tunnels(size, encap="ip"),
    "tunnels to one peer": _to_one_peer,
}


def _plan(one: Host, wanted: tuple[DesiredTunnel, ...]) -> int:
    return _steps(lambda: one.manager.plan(wanted))


@pytest.mark.parametrize("kind", WANTED)
def test_choosing_what_is_left_open_grows_with_the_number(kind: str) -> None:
    steps = []
    for size in (FEW, MANY):
        with host() as one:
            steps.append(_plan(one, WANTED[kind](size)))
    assert 0 < steps[1] < 1.3 * MANY / FEW * steps[0], steps


def test_so_does_making_it_for_the_first_time() -> None:
    """Ids, names and cookies of all sessions are left open."""
    steps = []
    for size in (FEW, MANY):
        with host() as one:
            steps.append(_steps(lambda host=one, size=size: host.manager.apply(_one_tunnel(size))))  # type: ignore[misc]
    assert 0 < steps[1] < 1.3 * MANY / FEW * steps[0], steps


def test_what_is_as_wanted_takes_few_steps_each() -> None:
    """Fewer than what is new: nothing of a session is parsed, compared with others, or planned for."""
    with host() as one:
        wanted = _one_tunnel(MANY)
        first = _plan(one, wanted)
        one.manager.apply(wanted)
        again = _plan(one, wanted)
    assert 0 < again < first / 2, (first, again)


@pytest.mark.parametrize("kind", ["sessions of a tunnel", "tunnels over IP"])
def test_so_does_changing_all_that_is_there(kind: str) -> None:
    """With one more, whose id and name have to be chosen beside all the others."""
    steps = []
    for size in (FEW, MANY):
        with host() as one:
            one.manager.apply(WANTED[kind](size))
            more = WANTED[kind](size + 1)
            changed = tuple(
                DesiredTunnel(name=it.name, words=it.words, sessions=_sessions(len(it.sessions), vlan=5)) for it in more
            )
            steps.append(_plan(one, changed))
    assert steps[1] < 1.3 * MANY / FEW * steps[0], steps
