"""Bringing back what is on record: what is waited for, what is not, and changes that nobody confirmed."""

from __future__ import annotations

import dataclasses
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l2tpv3 import Condition, Manager, Paths
from l2tpv3.errors import ConflictError, MissingError, NoAddressError, NoRouteError, RefusedError
from l2tpv3.linux.boot import boot_id, since_boot_s
from l2tpv3.linux.filelock import exclusive
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.host_records import RecordDelta
from l2tpv3.model.progress import RestoreEvent, RestoreOutcome
from l2tpv3.store.database import AuditEntry, Store
from l2tpv3.store.journal import PendingChange
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.here import Here
from tests.hosts import Host, Hosts
from tests.waiting import PATIENCE_S

PEER = {"remote": "127.0.0.2"}
BRIDGE = frozenset({(None, "br0")})


def make(folder: Path, memory: MemoryDatapath, bridges: frozenset[tuple[str | None, str]] = BRIDGE) -> Manager:
    return Manager(Paths(folder / "state", folder / "run"), [memory], MemoryConfigurator(memory, bridges))


def wanted(mtu: int) -> list[DesiredTunnel]:
    from l2tpv3.model.desired import DesiredSession

    return [DesiredTunnel(name="siteb", words=PEER, sessions=(DesiredSession(name="lan", words={"mtu": mtu}),))]


class AsAfterAReboot:
    """Makes what the store holds belong to another boot."""

    def __init__(self, folder: Path) -> None:
        store = Store(folder / "state")
        pending = store.load().pending
        assert pending is not None
        store.begin(dataclasses.replace(pending, boot="another-boot"))


def test_a_change_that_was_not_confirmed_before_a_reboot_is_undone_by_restore(tmp_path: Path) -> None:
    before = make(tmp_path, MemoryDatapath())
    before.apply(wanted(1400))
    before.apply(wanted(1300), confirm_s=3600)
    AsAfterAReboot(tmp_path)
    after = make(tmp_path, MemoryDatapath())
    assert after.unconfirmed_s() == 0
    assert after.restore() == ["siteb"]
    assert after.session("siteb", "lan").mtu == 1400
    assert after.unconfirmed_s() is None and not after.confirm()
    assert any("before it was confirmed" in entry.what for entry in after.audit())


def test_undoing_it_does_not_depend_on_addresses_that_are_there(tmp_path: Path) -> None:
    """The record goes back at once; only bringing up what was before has to wait."""
    before = make(tmp_path, MemoryDatapath())
    before.apply(wanted(1400))
    before.apply(
        [*wanted(1300), DesiredTunnel(name="new", words={"remote": "127.0.0.3", "local-port": 5})], confirm_s=3600
    )
    AsAfterAReboot(tmp_path)
    after = make(tmp_path, MemoryDatapath(), frozenset())
    store = Store(tmp_path / "state")
    record = store.tunnels()["siteb"]
    pending = store.load().pending
    assert pending is not None
    unreachable = dataclasses.replace(record.spec, local=type(record.local)("192.0.2.77"))
    store.begin(
        dataclasses.replace(
            pending, before=RecordDelta(tunnels={"siteb": dataclasses.replace(record, spec=unreachable), "new": None})
        )
    )
    with pytest.raises(NoAddressError):
        after.restore()
    assert set(after.records()) == {"siteb"}
    assert after.records()["siteb"].spec.local == unreachable.local
    assert after.unconfirmed_s() is None


def test_what_awaits_its_confirmation_can_be_restored_and_still_be_undone(tmp_path: Path) -> None:
    before = make(tmp_path, MemoryDatapath())
    before.apply(wanted(1400))
    before.apply(wanted(1300), confirm_s=3600)
    after = make(tmp_path, MemoryDatapath())  # the worker died
    assert after.restore() == ["siteb"]
    assert after.session("siteb", "lan").mtu == 1300
    assert 3500 < (after.unconfirmed_s() or 0) <= 3600
    with pytest.raises(ConflictError, match="confirmation"):
        after.apply(wanted(1200))
    assert after.rollback() is not None
    assert after.session("siteb", "lan").mtu == 1400


def test_a_deadline_is_counted_since_boot(tmp_path: Path) -> None:
    pending = PendingChange(scope=frozenset(), before=RecordDelta(), target=RecordDelta(), deadline=since_boot_s() + 60)
    assert pending.left_s == 0, "without a boot it is of an earlier program, and due"
    manager = make(tmp_path, MemoryDatapath())
    manager.apply(wanted(1300), confirm_s=1.0)
    assert manager.expire() is None
    time.sleep(1.05)
    assert manager.unconfirmed_s() == 0
    assert manager.expire() is not None
    assert manager.tunnels() == []


def test_one_that_waits_is_in_no_others_way(tmp_path: Path) -> None:
    before = make(tmp_path, MemoryDatapath())
    before.add_tunnel("a", {"remote": "127.0.0.2"})
    before.add_session("a", "lan", {"bridge": "br0"})
    before.add_session("a", "other", {})
    before.add_tunnel("b", {"remote": "127.0.0.3", "local-port": 5})
    memory = MemoryDatapath()
    after = make(tmp_path, memory, frozenset())
    news: list[RestoreEvent] = []
    with pytest.raises(MissingError, match="a/lan: no bridge br0"):
        after.restore(wait_s=1, tell=news.append)
    assert [(one.tunnel, one.outcome) for one in news] == [
        ("b", RestoreOutcome.RESTORED),
        ("a", RestoreOutcome.WAITING),
    ]
    there = {tunnel.tunnel_id: [one.session_id for one in tunnel.sessions] for tunnel in memory.tunnels(None)}
    assert there == {1: [2], 2: []}, "nor in that of its own tunnel's other sessions"
    assert [one.condition for one in after.tunnel("a").sessions] == [Condition.MISSING, Condition.UP]
    complete = make(tmp_path, memory)
    assert complete.restore(tell=news.append) == ["a"]
    assert news[-1] == RestoreEvent("a", RestoreOutcome.RESTORED)
    assert [one.condition for one in complete.tunnel("a").sessions] == [Condition.UP] * 2
    assert complete.restore() == []


class Broken(MemoryDatapath):
    """Makes no tunnel to 127.0.0.3."""

    def add_tunnel(self, tunnel: Any) -> None:
        """See Datapath.add_tunnel."""
        if str(tunnel.remote) == "127.0.0.3":
            raise RefusedError(f"tunnel {tunnel.name}", "the kernel says no")
        super().add_tunnel(tunnel)


def test_what_time_does_not_mend_is_not_waited_for(tmp_path: Path) -> None:
    before = make(tmp_path, MemoryDatapath())
    for number, name in enumerate("abcd", start=2):
        before.add_tunnel(name, {"remote": f"127.0.0.{number}", "local-port": number})
    after = make(tmp_path, Broken())
    began = time.monotonic()
    with pytest.raises(RefusedError, match="tunnel b: the kernel says no"):
        after.restore(wait_s=60)
    assert time.monotonic() - began < 5
    conditions = {one.name: one.condition for one in after.tunnels()}
    assert conditions == {"a": "up", "b": "missing", "c": "up", "d": "up"}


@pytest.mark.parametrize("names", [["b", "d"], ["b", "c", "d"]])
def test_what_is_taken_down_or_deleted_meanwhile_is_left_alone(tmp_path: Path, names: list[str]) -> None:
    """As a supervisor sees it: found missing while a `down` or a `del` is under way, which then gets to its end."""
    before = make(tmp_path, MemoryDatapath())
    for number, name in enumerate("abcd", start=2):
        before.add_tunnel(name, {"remote": f"127.0.0.{number}", "local-port": number})
    after = make(tmp_path, Broken())
    news: list[RestoreEvent] = []
    restored: list[str] = []
    with exclusive(after.paths.runtime):
        thread = threading.Thread(
            target=lambda: restored.extend(after.restore(names, tell=news.append, stopped=False)), daemon=True
        )
        thread.start()
        store = Store(tmp_path / "state")
        stopped = dataclasses.replace(store.tunnels()["b"], stopped=boot_id())
        store.commit(
            RecordDelta(tunnels={"b": stopped, "d": None}), AuditEntry(at=0.0, who="another", what="down and del")
        )
        time.sleep(0.1)
        assert thread.is_alive()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert [(one.tunnel, one.outcome) for one in news] == [(name, RestoreOutcome.RESTORED) for name in restored]
    assert restored == [name for name in names if name == "c"]
    conditions = {one.name: one.condition for one in after.tunnels()}
    assert conditions == {"a": "missing", "b": "missing", "c": "up" if restored else "missing"}
    assert after.restore("d", stopped=False) == [], "nor is one a fault that had gone before"


def test_what_was_taken_down_is_in_no_others_way(tmp_path: Path) -> None:
    """One of them can't be made, which is told; of the one that `down` stopped not a word is said."""
    before = make(tmp_path, MemoryDatapath())
    for number, name in enumerate("abcd", start=2):
        before.add_tunnel(name, {"remote": f"127.0.0.{number}", "local-port": number})
    store = Store(tmp_path / "state")
    stopped = dataclasses.replace(store.tunnels()["c"], stopped=boot_id())
    store.commit(RecordDelta(tunnels={"c": stopped}), AuditEntry(at=0.0, who="another", what="down"))
    after = make(tmp_path, Broken())
    news: list[RestoreEvent] = []
    with pytest.raises(RefusedError, match="tunnel b: the kernel says no"):
        after.restore(["a", "b", "c", "d"], tell=news.append, stopped=False)
    assert {(one.tunnel, one.outcome) for one in news} == {
        ("a", RestoreOutcome.RESTORED),
        ("d", RestoreOutcome.RESTORED),
    }


# -- on hosts ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def rebooted(hosts: Hosts) -> Iterator[Host]:
    """A host with a record that nothing of runs, and without its underlay: no address, no route, no bridge."""
    a, b = hosts.pair()
    here = Here(a)
    a.ip("link", "add", "br0", "type", "bridge")
    here.add_tunnel("v4", {"remote": b.v4, "datapath": "user"})
    here.add_session("v4", "lan", {"bridge": "br0"})
    here.add_tunnel("v6", {"remote": b.v6, "local": a.v6, "datapath": "user"})
    here.add_session("v6", "lan", {"address": ["10.9.0.1/24"]})
    here.down()
    a.ip("link", "del", "br0")
    a.ip("addr", "flush", "dev", "u0")
    yield a


def restoring(host: Host, wait_s: float) -> subprocess.Popen[str]:
    return host.start([_l2tpctl(), "restore", "--wait", str(wait_s)])


def _l2tpctl() -> Path:
    import sys

    return Path(sys.executable).with_name("l2tpctl")


def _until(process: subprocess.Popen[str], word: str) -> list[str]:
    """The lines that it says up to one with this word."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return lines
    raise AssertionError(f"it ended and said {lines}")


@pytest.mark.root
def test_addresses_routes_and_bridges_are_waited_for_at_boot(rebooted: Host) -> None:
    process = restoring(rebooted, 30)
    watchdog = threading.Timer(25, process.kill)
    watchdog.start()
    try:
        said = _until(process, "tunnel v6: waiting")
        assert any("tunnel v4: waiting: session v4/lan: no bridge br0" in line for line in said)
        rebooted.ip("addr", "add", f"{rebooted.v6}/64", "dev", "u0")  # with duplicate address detection
        _until(process, "tunnel v6: restored")
        rebooted.ip("link", "add", "br0", "type", "bridge")
        _until(process, "tunnel v4: waiting: tunnel v4: can't reach")
        began = time.monotonic()
        rebooted.ip("addr", "add", f"{rebooted.v4}/24", "dev", "u0")
        _until(process, "tunnel v4: restored")
        took = time.monotonic() - began
        assert process.wait(PATIENCE_S) == 0
    finally:
        watchdog.cancel()
    assert took < 1.5, "notified, not polled for long"
    here = Here(rebooted)
    assert {one.condition for one in here.tunnels()} == {Condition.UP}
    assert here.session("v4", "lan").netdev.bridge == "br0"


@pytest.mark.root
def test_when_time_is_up_what_could_be_brought_up_stays_up(rebooted: Host) -> None:
    rebooted.ip("addr", "add", f"{rebooted.v6}/64", "dev", "u0", "nodad")
    rebooted.ip("link", "add", "br0", "type", "bridge")
    done = rebooted.ctl("restore", "--wait", "1.5", check=False)
    assert done.returncode == 2, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == "tunnel v6: restored"
    assert [line.startswith("tunnel v4: waiting: ") for line in lines] == [False, True, False], "each reason once"
    assert lines[2].startswith("l2tpctl: tunnel v4: can't reach")
    conditions = {one.name: one.condition for one in Here(rebooted).tunnels()}
    assert conditions == {"v4": Condition.MISSING, "v6": Condition.UP}


@pytest.mark.root
def test_without_wait_it_fails_at_once(rebooted: Host) -> None:
    here = Here(rebooted)
    with pytest.raises(MissingError, match="no bridge br0"):
        here.restore("v4")
    rebooted.ip("link", "add", "br0", "type", "bridge")
    with pytest.raises(NoRouteError):
        here.restore("v4")


@pytest.mark.root
def test_what_runs_is_not_missing_because_its_route_is(hosts: Hosts) -> None:
    a, b = hosts.pair()
    here = Here(a)
    here.add_tunnel("peer", {"remote": b.v4, "datapath": "user"})
    here.add_session("peer", "lan", {})
    a.ip("addr", "flush", "dev", "u0")
    assert here.restore() == []
    assert here.session("peer", "lan").condition is Condition.UP


@pytest.mark.root
def test_network_namespaces_are_waited_for(hosts: Hosts, rebooted: Host) -> None:
    late = f"{rebooted.netns}-x"
    rebooted.ip("addr", "add", f"{rebooted.v4}/24", "dev", "u0")
    rebooted.ip("link", "add", "br0", "type", "bridge")
    here = Here(rebooted)
    here.restore("v4")
    subprocess.run(["ip", "netns", "add", late], check=True)
    try:
        here.set_session("v4", "lan", {"bridge": None, "netns": late})
        here.down()
        subprocess.run(["ip", "netns", "del", late], check=True)
        process = rebooted.start([_l2tpctl(), "restore", "v4", "--wait", "20"])
        assert f"network namespace {late}" in _until(process, "waiting")[-1]
        subprocess.run(["ip", "netns", "add", late], check=True)
        assert process.wait(PATIENCE_S) == 0
        assert here.session("v4", "lan").netdev.netns == late
        here.down()
    finally:
        subprocess.run(["ip", "netns", "del", late], check=False)
