"""`kill -9` at every operation of a change of links, and the way back at once, without the change made to its end."""

from __future__ import annotations

import pytest

from tests.hosts import Hosts
from tests.link_changes import LINK_SCENARIOS, MODULE_SCENARIOS
from tests.reconcile.killing import MARKS, cases, rehearse

pytestmark = MARKS

POINTS = 1
"""How many are tried of each scenario when not all are."""


@pytest.mark.parametrize(("datapath", "name"), cases(["links", *LINK_SCENARIOS, *MODULE_SCENARIOS]))
def test_a_killed_change_of_links_can_be_gone_back_from(hosts: Hosts, datapath: str, name: str) -> None:
    rehearsal = rehearse(hosts, datapath, name)
    rehearsal.at_points(POINTS, rehearsal.kill, rehearsal.go_back)
