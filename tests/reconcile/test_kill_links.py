"""`kill -9` at every operation of a change of links: the next run converges, and nothing is left behind."""

from __future__ import annotations

import pytest

from tests.hosts import Hosts
from tests.link_changes import LINK_SCENARIOS, MODULE_SCENARIOS
from tests.reconcile.killing import MARKS, assert_finished_by_the_next, cases

pytestmark = MARKS


@pytest.mark.parametrize(("datapath", "name"), cases([*LINK_SCENARIOS, *MODULE_SCENARIOS]))
def test_a_killed_change_is_finished_by_the_next(hosts: Hosts, datapath: str, name: str) -> None:
    assert_finished_by_the_next(hosts, datapath, name)
