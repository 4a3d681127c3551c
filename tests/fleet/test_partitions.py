"""Hosts that are cut off from the coordinator at any moment of a change: all are old or new, and alike after healing.

The hosts are real managers on a datapath in memory; what is between them and the coordinator loses what it is told to.
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.errors import L2tpError, UnreachableError
from l2tpv3.fleet.change import FleetChange, end_what_was_begun, make_plan, reaches_of, require_all
from l2tpv3.fleet.end import ANSWERS_WITHIN_S, FleetEnd, target_of
from l2tpv3.fleet.far_end import FarEnd
from l2tpv3.fleet.protocol import FLEET_PROTOCOL
from l2tpv3.fleet.reached import Reached
from l2tpv3.fleet.state import read_state
from l2tpv3.host.manager import Manager
from l2tpv3.paths import Paths
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from l2tpv3.version import VERSION
from tests.fleet.authored import fleet_of
from tests.points import sample

PARTITIONS, TRIED = 500, 6
NAMES = ("h1", "h2", "h3")
TABLES = (
    '[mesh.lan]\nmtu = 1400\n[wire.x]\nends = ["h1", "h2"]\n',
    '[mesh.lan]\nmtu = 1300\n[wire.y]\nends = ["h2", "h3"]\n',
)


class Network:
    """What is between the coordinator and the hosts. Each request has a moment before it and one behind it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.heal()

    def heal(self) -> None:
        """Let all pass from now on."""
        self.moments, self._at, self._hosts, self._away = 0, 0, frozenset[str](), frozenset[str]()

    def cut(self, hosts: frozenset[str], at: int) -> None:
        """Cut these hosts off at that moment."""
        self.heal()
        self._at, self._hosts = at, hosts

    def pass_through(self, name: str) -> None:
        """Let a request or an answer pass. Raises UnreachableError for a host that is cut off."""
        with self._lock:
            self.moments += 1
            if self.moments == self._at:
                self._away = self._hosts
            away = name in self._away
        if away:
            raise UnreachableError(f"host {name}", "is cut off")


class HostInMemory(FleetEnd):
    """One host, and the coordinator's side of its connection."""

    def __init__(self, name: str, folder: Path, network: Network) -> None:
        super().__init__(name, target_of(name, "here"))
        memory = MemoryDatapath()
        paths = Paths(folder / name / "state", folder / name / "run")
        self.manager = Manager(paths, [memory], MemoryConfigurator(memory))
        self._far, self._network = self._far_end(), network

    def _far_end(self) -> FarEnd:
        return FarEnd(self.manager, lambda _: contextlib.nullcontext())

    def __enter__(self) -> FleetEnd:
        self._network.pass_through(self.name)
        self._far = self._far_end()
        return self

    def __exit__(self, *_: object) -> None:
        self._far.close()

    def _ask(self, verb: str, request: Mapping[str, Any], within_s: float = ANSWERS_WITHIN_S) -> dict[str, Any]:
        self._network.pass_through(self.name)
        answer = self._answer(verb, json.loads(json.dumps(request)))
        self._network.pass_through(self.name)
        return answer

    def _answer(self, verb: str, request: dict[str, Any]) -> dict[str, Any]:
        """What the host says. No frame passes here, so each that is sent in a test is said to be answered."""
        if verb == "listen":
            return {"mtus": [1400] * len(request["sessions"]), "unwell": {}}
        if verb == "send":
            return {"answered": [lengths for _, _, lengths in request["frames"]]}
        if verb == "noted":
            return {"protocol": FLEET_PROTOCOL, "version": VERSION, "noted": False, "identity": ""}
        return self._far.ask({"verb": verb, **request})

    def has(self) -> list[tuple[str, int]]:
        """The tunnels of the host, with the MTU of each."""
        return sorted((one.name, one.sessions[0].spec.mtu or 0) for one in self.manager.tunnels())

    def let_time_pass(self) -> None:
        """End what waits for its confirmation, as time would do it."""
        if self.manager.unconfirmed() is not None:
            self.manager.rollback()


class FleetInMemory:
    """Three hosts and their fleet's file, which says one of TABLES."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.network = folder, Network()
        self.hosts = {name: HostInMemory(name, folder, self.network) for name in NAMES}
        self.said: list[str] = []

    def apply(self, tables: str) -> None:
        """What `fleet apply` does. Raises L2tpError."""
        fleet = fleet_of(self._folder, 3, tables, reach="ssh://h{n}", net="127.0.0")
        state = read_state(fleet.file)
        with Reached(reaches_of(fleet, state), lambda name, _: self.hosts[name]) as reached:
            require_all(reached, partial=False, tell=self.said.append)
            end_what_was_begun(fleet, state, reached, self.said.append)
            plan = make_plan(fleet, state, reached)
            FleetChange(fleet, state, reached, plan, confirm_s=600, tell=self.said.append).run()

    def state(self) -> dict[str, Any]:
        """The fleet's state file."""
        found: dict[str, Any] = json.loads((self._folder / "fleet.toml.state").read_text())
        return found

    def has(self) -> dict[str, list[tuple[str, int]]]:
        """What each host has."""
        return {name: host.has() for name, host in self.hosts.items()}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetInMemory:
    return FleetInMemory(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def states(fleet: FleetInMemory) -> list[dict[str, list[tuple[str, int]]]]:
    """What the hosts have, by the number of TABLES."""
    found = []
    for tables in TABLES:
        fleet.network.heal()
        fleet.apply(tables)
        found.append(fleet.has())
    assert found[0] != found[1]
    return found


@pytest.mark.parametrize("number", sample(PARTITIONS, TRIED))
def test_hosts_that_are_cut_off_are_old_or_new(
    fleet: FleetInMemory, states: list[dict[str, list[tuple[str, int]]]], number: int
) -> None:
    draws = random.Random(number)
    fleet.network.heal()
    fleet.apply(TABLES[0])
    old, new = states
    assert fleet.has() == old
    fleet.network.cut(frozenset(draws.sample(NAMES, draws.randint(1, 3))), at=draws.randint(1, 36))
    with contextlib.suppress(L2tpError):
        fleet.apply(TABLES[1])
    state = fleet.state()
    committed = "mtu = 1300" in state["committed"]["h1"]
    patient = [name for name in NAMES if draws.random() < 0.5]
    for name in patient:
        fleet.hosts[name].let_time_pass()
    for name in NAMES:
        assert fleet.hosts[name].has() in (old[name], new[name]), "no third state"
        assert committed or name not in patient or fleet.hosts[name].has() == old[name]
    fleet.network.heal()
    fleet.apply(TABLES[1])
    assert fleet.has() == new
    assert all(host.manager.unconfirmed() is None for host in fleet.hosts.values())
    state = fleet.state()
    assert not state["prepared"] and not state["owed"]
