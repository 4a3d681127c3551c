"""The log says what was done, also to what did not run, and how it came about."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    memory = MemoryDatapath()
    made = Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory], MemoryConfigurator(memory))
    made.add_tunnel("siteb", {"remote": "127.0.0.2", "local": "127.17.1.2"})
    made.add_session("siteb", "lan", {})
    return made


def _said(manager: Manager) -> str:
    return manager.audit(1)[0].what


def test_what_was_stopped_is_named_when_it_is_removed(manager: Manager) -> None:
    manager.add_session("siteb", "dmz", {})
    manager.down()
    assert _said(manager) == "down: - tunnel siteb: removed, with 2 sessions"
    manager.del_session("siteb", "dmz")
    assert _said(manager) == "- session siteb/dmz: removed; it was stopped"
    manager.del_tunnel("siteb")
    assert _said(manager) == "- tunnel siteb: removed, with 1 session; it was stopped"


def test_deletions_of_what_runs_are_in_the_past(manager: Manager) -> None:
    manager.del_session("siteb", "lan")
    assert _said(manager) == "- session siteb/lan: removed"
    manager.del_tunnel("siteb")
    assert _said(manager) == "- tunnel siteb: removed"


def test_what_is_removed_beside_what_changes_is_named_as_well(manager: Manager) -> None:
    manager.down()
    manager.apply([DesiredTunnel(name="sitec", words={"remote": "127.0.0.3", "local": "127.17.1.2"})], prune=True)
    added, removed = _said(manager).removeprefix("apply: ").split("; ", 1)
    assert added.startswith("+ tunnel sitec: 127.17.1.2 to 127.0.0.3")
    assert removed == "- tunnel siteb: removed, with 1 session; it was stopped"


def test_how_a_change_came_about(manager: Manager) -> None:
    words = {"remote": "127.0.0.2", "local": "127.17.1.2"}
    wanted = [DesiredTunnel(name="siteb", words=words, sessions=(DesiredSession(name="lan", words={"mtu": 1300}),))]
    manager.apply(wanted, confirm_s=60)
    assert _said(manager).startswith("apply, to be confirmed within 60 s: ~ session siteb/lan: mtu ")
    manager.confirm()
    assert _said(manager) == "confirmed: tunnel siteb"
    wanted[0] = DesiredTunnel(name="siteb", words=words, sessions=(DesiredSession(name="lan", words={"mtu": 1200}),))
    manager.apply(wanted, confirm_s=60)
    manager.rollback()
    assert _said(manager) == "rolled back: ~ session siteb/lan: mtu 1200 → 1300"
    manager.apply(wanted, confirm_s=0)
    manager.expire()
    assert _said(manager) == "rolled back, not confirmed in time: ~ session siteb/lan: mtu 1200 → 1300"
    manager.set_session("siteb", "lan", {"mtu": 1100})
    assert _said(manager) == "~ session siteb/lan: mtu 1300 → 1100"
    manager.down()
    manager.restore()
    assert _said(manager).startswith("restore: + tunnel siteb: ")
