"""After a change of few sessions these alone are looked at again, and all of the host where they are not as wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.errors import BusyError
from l2tpv3.model.observed import Tunnel
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator

PEER = {"remote": "127.0.0.2"}


class Noting(MemoryDatapath):
    """Notes what it is asked for. deaf: how many times a session is not changed although it is said to be."""

    def __init__(self) -> None:
        super().__init__()
        self.lists = 0
        self.asked: list[dict[int, list[int]]] = []
        self.deaf = 0

    def tunnels(self, netns: str | None) -> list[Tunnel]:
        """See Datapath.tunnels."""
        self.lists += 1
        return super().tunnels(netns)

    def some(self, netns: str | None, sessions: Mapping[int, Collection[int]]) -> list[Tunnel]:
        """See FindsSome."""
        self.asked.append({tunnel: list(some) for tunnel, some in sessions.items()})
        before = self.lists
        found = super().some(netns, sessions)
        self.lists = before
        return found

    def set_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.set_session."""
        if self.deaf:
            self.deaf -= 1
        else:
            super().set_session(tunnel, session)


@pytest.fixture
def memory() -> Noting:
    return Noting()


@pytest.fixture
def manager(tmp_path: Path, memory: Noting) -> Manager:
    """A host with two tunnels of three sessions each."""
    made = Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory], MemoryConfigurator(memory))
    for number, tunnel in enumerate(("a", "b"), 1):
        made.add_tunnel(tunnel, {**PEER, "id": number})
        for session in range(3):
            made.add_session(tunnel, f"s{session}", {"id": 10 * number + session})
    memory.lists, memory.asked = 0, []
    return made


def test_what_was_not_touched_is_not_listed_again(manager: Manager, memory: Noting) -> None:
    manager.set_session("b", "s1", {"mtu": 1300})
    assert memory.asked == [{2: [21]}]
    assert memory.lists == 1  # before the change
    assert manager.session("b", "s1").mtu == 1300


def test_a_step_without_effect_is_noticed_and_taken_again(manager: Manager, memory: Noting) -> None:
    memory.deaf = 1
    manager.set_session("b", "s1", {"sequencing": "both"})
    assert memory.asked == [{2: [21]}] * 2
    assert memory.lists == 2  # before the change, and when the session was not as wanted
    assert manager.session("b", "s1").recv_seq


def test_steps_that_never_have_an_effect_are_no_success(manager: Manager, memory: Noting) -> None:
    memory.deaf = 100
    with pytest.raises(BusyError, match="session b/s1"):
        manager.set_session("b", "s1", {"sequencing": "both"})
    assert not manager.session("b", "s1").recv_seq
    assert "both" not in str(manager.records()["b"].session("s1"))


def test_a_change_of_a_tunnel_or_of_many_sessions_looks_at_all(manager: Manager, memory: Noting) -> None:
    manager.add_tunnel("c", PEER)
    manager.set_tunnel("a", {"ttl": 9})
    manager.del_tunnel("b")
    assert memory.asked == []
    assert memory.lists >= 6
