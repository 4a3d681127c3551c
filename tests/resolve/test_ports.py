"""The ports and the datapath that a tunnel gets by itself, and that it keeps them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.datapath.base import Support
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.progress import RestoreEvent
from l2tpv3.model.spec import TunnelSpec
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator

LOCAL = "127.17.1.1"  # nobody else's: a port of it is taken when a test takes it


class Fake(MemoryDatapath):
    """A datapath of any name that works or not, and takes several tunnels on one port if it is called `user`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.works = name, True

    def probe(self) -> Support:
        return Support(works=self.works, reason=f"{self.name} is {'there' if self.works else 'missing'}")

    def add_tunnel(self, tunnel: TunnelSpec) -> None:
        if self.name == "user":
            self._tunnels[tunnel.netns, tunnel.tunnel_id], self._sessions[tunnel.netns, tunnel.tunnel_id] = tunnel, {}
        else:
            super().add_tunnel(tunnel)


class Machine:
    """A host with a kernel and a user datapath in memory."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(folder / "state", folder / "run")
        self.kernel, self.user = Fake("kernel"), Fake("user")
        self.boot()

    def boot(self) -> None:
        """Nothing runs."""
        for one in (self.kernel, self.user):
            one._tunnels.clear()
            one._sessions.clear()
        self.manager = Manager(self.paths, [self.kernel, self.user], MemoryConfigurator(self.user))

    def add(self, name: str, remote: str, **words: object) -> tuple[int, int]:
        """Make a tunnel. Its ports."""
        self.manager.add_tunnel(name, {"remote": remote, "local": LOCAL, **words})
        return self.ports(name)

    def ports(self, name: str) -> tuple[int, int]:
        spec = self.manager.records()[name].spec
        return spec.local_port, spec.remote_port


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def taken() -> Iterator[None]:
    """Another program has port 1701."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOCAL, 1701))
        yield


def test_second_tunnels_get_the_next_port_where_it_can_not_be_shared(machine: Machine) -> None:
    assert machine.add("a", "127.0.0.2") == (1701, 1701)
    assert machine.add("b", "127.0.0.3") == (1702, 1701)
    assert machine.add("c", "127.0.0.2") == (1703, 1702)  # its peer has 1701 for `a`
    assert machine.add("d", "127.0.0.4", **{"remote-port": 9}) == (1704, 9)
    machine.manager.del_tunnel("b")
    assert machine.add("e", "127.0.0.5") == (1702, 1701)  # the lowest that is free
    assert machine.add("f", "127.0.0.6", encap="ip") == (1701, 1701)  # over IP there are none
    machine.manager.set_tunnel("f", {"encap": "udp"})
    assert machine.ports("f") == (1705, 1701)


def test_on_the_user_datapath_tunnels_to_different_peers_share_a_port(machine: Machine) -> None:
    machine.kernel.works = False
    assert machine.add("a", "127.0.0.2") == (1701, 1701)
    assert machine.add("b", "127.0.0.3") == (1701, 1701)
    assert machine.add("c", "127.0.0.2") == (1702, 1702)


@pytest.mark.parametrize(("kernel", "second"), [(True, (1701, 1702)), (False, (1701, 1701))])
def test_a_peer_with_tunnels_to_two_addresses_here(machine: Machine, *, kernel: bool, second: tuple[int, int]) -> None:
    """If it is as this end, they share a port there on `user`, and have one each on `kernel`."""
    machine.kernel.works = kernel
    assert machine.add("a", "127.0.0.2") == (1701, 1701)
    assert machine.add("b", "127.0.0.2", local="127.17.1.2") == second


@pytest.mark.usefixtures("taken")
def test_a_port_of_another_program_is_not_chosen(machine: Machine) -> None:
    assert machine.add("a", "127.0.0.2") == (1702, 1701)


def test_files_without_ports_change_nothing_that_was_chosen(machine: Machine) -> None:
    words = {"remote": "127.0.0.2", "local": LOCAL, "id": 7}
    files = [
        DesiredTunnel(name="left-open", words=words),
        DesiredTunnel(name="stated", words={"remote": "127.0.0.3", "local": LOCAL, "local-port": 1701}),
    ]
    machine.manager.apply(files)
    assert machine.ports("stated") == (1701, 1701)
    assert machine.ports("left-open") == (1702, 1701)
    assert not machine.manager.apply(files).changes
    machine.manager.apply([files[0]], prune=True)
    assert machine.ports("left-open") == (1702, 1701)
    machine.manager.put_tunnel("left-open", words)
    assert machine.ports("left-open") == (1702, 1701)
    assert not machine.manager.apply(machine.manager.stated()).changes
    machine.manager.set_tunnel("left-open", {"local-port": None})
    assert machine.ports("left-open") == (1701, 1701)
    machine.manager.set_tunnel("left-open", {"local-port": None})
    assert machine.ports("left-open") == (1701, 1701)


def test_the_chosen_datapath_is_kept_when_a_better_one_appears(machine: Machine) -> None:
    machine.kernel.works = False
    machine.add("a", "127.0.0.2")
    machine.add("b", "127.0.0.3")
    machine.boot()
    machine.kernel.works = True
    told: list[RestoreEvent] = []
    assert machine.manager.restore(tell=told.append) == ["a", "b"]
    assert [one.changed for one in told] == ["", ""]
    machine.manager.set_tunnel("a", {"remote": "127.0.0.4"})
    assert {one.datapath for one in machine.manager.records().values()} == {"user"}


def test_restore_falls_back_to_a_datapath_that_works_and_says_so(machine: Machine) -> None:
    machine.add("a", "127.0.0.2")
    machine.boot()
    machine.kernel.works = False
    told: list[RestoreEvent] = []
    assert machine.manager.restore(tell=told.append) == ["a"]
    assert machine.manager.records()["a"].datapath == "user"
    assert told[0].changed.startswith("datapath kernel → user (no kernel datapath: kernel is missing")
