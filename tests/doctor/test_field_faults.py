"""The doctor at faults, and at healthy pseudowires, that were written without a look at its checks."""

from __future__ import annotations

import re
import shlex
from functools import partial
from typing import Any

import pytest

from tests.doctor.field import Wire, examine
from tests.doctor.field_faults import FAULTS
from tests.doctor.field_healthy import HEALTHY
from tests.doctor.field_host_faults import HOST_FAULTS
from tests.hosts import Host, Hosts
from tests.points import in_turn
from tests.waiting import eventually

pytestmark = pytest.mark.root

_ALL = FAULTS | HOST_FAULTS
_FAULTS = [(name, datapath) for name, fault in _ALL.items() for datapath in fault.datapaths]
_HEALTHY = [(name, datapath) for name in HEALTHY for datapath in ("user", "ebpf")]


@pytest.mark.parametrize(("name", "datapath"), in_turn(_FAULTS, of=16))
def test_a_fault_is_named(hosts: Hosts, name: str, datapath: str) -> None:
    """At each end where it shows: the verdict says the cause, there is a remedy, and the status says that it ails."""
    fault, wire = _ALL[name], Wire.between(hosts, datapath)
    fault.make(wire)
    remedies = {}
    for end, pattern in fault.verdict.items():
        host = getattr(wire, end)
        said: list[dict[str, Any]] = []
        eventually(partial(_says, host, pattern, said), f"at {end}: {pattern}")
        assert said[-1]["exit"] == 11
        remedies[end] = said[-1]["findings"][0]["remedy"]
    assert all(remedies.values())
    if fault.mends:
        _type(getattr(wire, fault.mends), remedies[fault.mends])
        assert wire.a.ping("10.9.0.2")


@pytest.mark.parametrize(("name", "datapath"), in_turn(_HEALTHY, of=10))
def test_nothing_is_found_where_all_is_well(hosts: Hosts, name: str, datapath: str) -> None:
    """What is found once only, on a busy machine, is looked at again: a finding that stays is a wrong one."""
    wire = Wire.between(hosts, datapath)
    HEALTHY[name](wire)
    for host in (wire.a, wire.b):
        if examine(host)["exit"]:
            again = examine(host)
            assert again["exit"] == 0, again


def _says(host: Host, pattern: str, said: list[dict[str, Any]]) -> bool:
    said.append(examine(host))
    return re.search(pattern, said[-1]["verdict"]) is not None


def _type(host: Host, remedy: str) -> None:
    """Run the first command of a remedy as it stands."""
    quoted = re.search("`([^`]+)`", remedy)
    assert quoted, remedy
    words = shlex.split(quoted[1])
    if words[0] == "l2tpctl":
        host.ctl(*words[1:])
    else:
        host.run(words)
