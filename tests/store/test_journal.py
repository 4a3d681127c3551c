"""The note of a change that awaits its confirmation, or was killed: no other change loses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from l2tpv3 import Condition, Manager, Paths
from l2tpv3.errors import ConflictError, ExistsError, L2tpError, RefusedError
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.spec import TunnelSpec, parse_address
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator

PEER = {"remote": "127.0.0.2"}
OTHER = {"remote": "127.0.0.3", "local-port": 1703}


class Killed(BaseException):
    """Ends a change as SIGKILL does: nothing of it is undone."""


def make(folder: Path, memory: MemoryDatapath, bridges: frozenset[tuple[str | None, str]] = frozenset()) -> Manager:
    return Manager(Paths(folder / "state", folder / "run"), [memory], MemoryConfigurator(memory, bridges))


def add_foreign(memory: MemoryDatapath) -> str:
    """A tunnel with a session that something else made; its name."""
    spec = TunnelSpec(
        name="x", remote=parse_address("127.0.0.9", ""), local=parse_address("127.0.0.1", ""), tunnel_id=9,
        peer_tunnel_id=9, local_port=1709, remote_port=1709,
    )  # fmt: skip
    memory.add_tunnel(spec)
    return "memory:9"


CHANGES: dict[str, Callable[[Manager, str], Any]] = {
    "add_tunnel": lambda manager, _: manager.add_tunnel("new", OTHER),
    "put_tunnel": lambda manager, _: manager.put_tunnel("new", OTHER),
    "set_tunnel": lambda manager, _: manager.set_tunnel("t", {"remote-port": 9}),
    "del_tunnel": lambda manager, _: manager.del_tunnel("t"),
    "add_session": lambda manager, _: manager.add_session("t", "new", {}),
    "put_session": lambda manager, _: manager.put_session("t", "new", {}),
    "set_session": lambda manager, _: manager.set_session("t", "s", {"mtu": 1200}),
    "del_session": lambda manager, _: manager.del_session("t", "s"),
    "apply": lambda manager, _: manager.apply([DesiredTunnel(name="new", words=OTHER)]),
    "adopt": lambda manager, foreign: manager.adopt(foreign),
    "down": lambda manager, _: manager.down(),
    "restore": lambda manager, _: manager.restore(),
    "restore_namespaces": lambda manager, _: manager.restore_namespaces(),
    "heed": lambda manager, _: manager.refresh(),
    "add_link": lambda manager, _: manager.links.add("br0", {"type": "bridge"}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_makes_an_unconfirmed_change_permanent(tmp_path: Path, name: str) -> None:
    memory = MemoryDatapath()
    manager = make(tmp_path, memory)
    manager.add_tunnel("t", PEER)
    manager.add_session("t", "s", {"mtu": 1400})
    foreign = add_foreign(memory)
    before = manager.records()
    (stated,) = manager.stated()
    assert isinstance(stated, DesiredTunnel)
    manager.apply(
        [DesiredTunnel(name="t", words={**stated.words, "remote-port": 1777}, sessions=stated.sessions)], confirm_s=900
    )
    refused = False
    try:
        CHANGES[name](manager, foreign)
    except ConflictError as error:
        refused = True
        assert "confirm" in str(error)
    assert refused != name.startswith(("restore", "heed"))
    assert manager.unconfirmed_s() is not None
    assert manager.rollback() is not None
    assert manager.records() == before


def killed(manager: Manager, change: Callable[[], Any]) -> None:
    """The change is killed once its steps are taken."""

    def die(*_: object, **__: object) -> None:
        raise Killed

    reconciler = manager._reconciler
    reconciler.store.commit = reconciler._convergence.undo = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        change()


def test_an_adoption_leaves_what_a_killed_change_left(tmp_path: Path) -> None:
    memory = MemoryDatapath()
    manager = make(tmp_path, memory)
    killed(manager, lambda: manager.add_tunnel("half", OTHER))
    foreign = add_foreign(memory)
    after = make(tmp_path, memory)
    with pytest.raises(ExistsError):
        after.adopt(foreign, "half")
    after.adopt(foreign, "mine")
    assert after.tunnel("half").condition is Condition.INCOMPLETE
    after.restore()
    assert [one.name for one in after.tunnels()] == ["mine"]


class Refusing(MemoryDatapath):
    """Refuses to make a tunnel to 127.0.0.4."""

    def add_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.add_tunnel."""
        if str(tunnel.remote) == "127.0.0.4":
            raise RefusedError(f"tunnel {tunnel.name}", "no")
        super().add_tunnel(tunnel)


def test_a_change_that_fails_leaves_what_a_killed_one_left(tmp_path: Path) -> None:
    """Neither kept nor taken away by half: it is found by the next change that goes well."""
    memory = Refusing()
    manager = make(tmp_path, memory)
    manager.add_tunnel("t", PEER)
    killed(manager, lambda: manager.set_tunnel("t", {"id": 5, "local-port": 1705}))
    after = make(tmp_path, memory)
    with pytest.raises(L2tpError):
        after.add_tunnel("a", {"remote": "127.0.0.4", "local-port": 1704})
    assert after.tunnel("t").condition is Condition.INCOMPLETE
    after.restore()
    assert [(one.tunnel_id, one.local_port) for one in memory.tunnels(None)] == [(1, 1701)]
    assert after.tunnel("t").condition is Condition.UP


def test_what_is_waited_for_keeps_its_part_of_a_killed_change(tmp_path: Path) -> None:
    """A session whose bridge is not there is left out of a restore, with all that a killed change made of it."""
    memory, bridge = MemoryDatapath(), frozenset({(None, "br0")})
    manager = make(tmp_path, memory, bridge)
    manager.add_tunnel("t", PEER)
    manager.add_session("t", "s", {"bridge": "br0"})
    killed(manager, lambda: manager.set_session("t", "s", {"id": 7}))
    late = make(tmp_path, memory)
    for _ in range(2):
        with pytest.raises(L2tpError, match="no bridge br0"):
            late.restore()
        assert late.session("t", "s").condition is Condition.INCOMPLETE
    assert sum("nothing but the record" in entry.what for entry in late.audit()) <= 1, (
        "nothing to do is no change each time"
    )
    make(tmp_path, memory, bridge).restore()
    (tunnel,) = memory.tunnels(None)
    assert [one.session_id for one in tunnel.sessions] == [1]
