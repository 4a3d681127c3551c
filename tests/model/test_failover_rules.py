"""When a session's frames go by its backup, and when by itself again, with the time as an argument."""

from __future__ import annotations

import pytest

from l2tpv3.model.failover_rules import FailoverRules
from l2tpv3.model.probe import ProbeState

ALIVE, DEAD, STARTING = ProbeState.ALIVE, ProbeState.DEAD, ProbeState.STARTING


def rules(*steps: tuple[float, ProbeState, ProbeState], delay_s: float = 10.0) -> FailoverRules:
    """After these: when, the primary's state, the backup's."""
    one = FailoverRules(delay_s)
    for now, primary, backup in steps:
        one.look(primary, backup, now)
    return one


@pytest.mark.parametrize("backup", [DEAD, STARTING])
def test_it_changes_over_to_what_is_known_to_be_alive_alone(backup: ProbeState) -> None:
    assert rules((0.0, DEAD, ALIVE)).on_backup
    assert not rules((0.0, DEAD, backup)).on_backup
    assert rules((0.0, DEAD, backup), (1.0, DEAD, ALIVE)).on_backup
    assert not rules((0.0, STARTING, ALIVE)).on_backup, "the other end says that nobody probes there"


def test_it_reverts_once_the_primary_was_alive_for_long_enough() -> None:
    one = rules((0.0, DEAD, ALIVE), (5.0, ALIVE, ALIVE))
    assert one.on_backup and one.next_at == 15.0
    one.look(ALIVE, ALIVE, 14.9)
    assert one.on_backup
    one.look(ALIVE, ALIVE, 15.0)
    assert not one.on_backup and one.next_at is None


@pytest.mark.parametrize("meanwhile", [DEAD, STARTING])
def test_a_primary_that_flaps_begins_to_wait_anew(meanwhile: ProbeState) -> None:
    one = rules((0.0, DEAD, ALIVE), (5.0, ALIVE, ALIVE), (14.0, meanwhile, ALIVE), (15.0, ALIVE, ALIVE))
    assert one.on_backup and one.next_at == 25.0


def test_a_backup_that_dies_is_left_at_once_for_a_primary_that_does_not() -> None:
    assert not rules((0.0, DEAD, ALIVE), (5.0, ALIVE, ALIVE), (6.0, ALIVE, DEAD)).on_backup
    assert not rules((0.0, DEAD, ALIVE), (5.0, STARTING, DEAD)).on_backup
    assert rules((0.0, DEAD, ALIVE), (5.0, DEAD, DEAD)).on_backup, "neither is better"


def test_without_a_delay_it_reverts_at_once() -> None:
    assert not rules((0.0, DEAD, ALIVE), (1.0, ALIVE, ALIVE), (1.0, ALIVE, ALIVE), delay_s=0.0).on_backup
