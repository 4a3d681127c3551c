"""Links beside tunnels, over the in-memory datapath: one change of all, undone as one, restored as one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from l2tpv3 import Condition, Manager, Paths
from l2tpv3.errors import (
    ConflictError,
    ExistsError,
    InvalidValueError,
    MissingError,
    NotFoundError,
    RefusedError,
)
from l2tpv3.model.desired import Desired, DesiredLink, DesiredSession, DesiredTunnel
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.progress import RestoreEvent, RestoreOutcome
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.links import MemoryBackend
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.memory_links import memory_maker

PEER = {"remote": "127.0.0.2"}


class Maker:
    """A MemoryBackend that refuses to make or change a link whose name is in `fails`."""

    def __init__(self, inner: MemoryBackend) -> None:
        self.inner, self.fails = inner, ""

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        def call(*args: Any, **more: Any) -> Any:
            spec = args[1] if name == "change" else args[0]
            if name in ("make", "change") and isinstance(spec, LinkSpec) and spec.name == self.fails:
                raise RefusedError(f"link {spec.name}", "injected")
            return method(*args, **more)

        return call


@dataclasses.dataclass
class Bench:
    """A host whose NICs are `nics`."""

    manager: Manager
    maker: Maker
    memory: MemoryDatapath
    nics: dict[str, int]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    memory = MemoryDatapath()
    placer = MemoryConfigurator(memory)
    nics = {"eth0": 1, "eth1": 2, "eth2": 3}

    maker = Maker(memory_maker(placer, nics))
    manager = Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory], placer, lambda _: maker)
    return Bench(manager, maker, memory, nics)


@pytest.fixture
def manager(bench: Bench) -> Manager:
    bench.manager.add_tunnel("site", PEER)
    bench.manager.add_session("site", "lan", {"ifname": "lan0"})
    return bench.manager


def link(name: str, **words: Any) -> DesiredLink:
    return DesiredLink(name=name, words={word.replace("_", "-"): value for word, value in words.items()})


def tunnel(*sessions: DesiredSession) -> DesiredTunnel:
    return DesiredTunnel(name="site", words=PEER, sessions=sessions)


def session(name: str, **words: Any) -> DesiredSession:
    return DesiredSession(name=name, words={"ifname": f"{name}0", **words})


def test_a_link_over_a_nic_and_a_session(manager: Manager) -> None:
    made = manager.links.add("br0", {"type": "bridge", "over": ["eth1", "site/lan"], "address": ["192.0.2.1/24"]})
    assert (made.condition, set(made.over)) == (Condition.UP, {"eth1", "lan0"})
    assert made.netdev is not None and made.netdev.mac == made.mac
    assert [one.name for one in manager.links.all()] == ["br0"]
    manager.links.delete("br0")
    assert manager.links.all() == []
    with pytest.raises(NotFoundError, match="no such link"):
        manager.links.get("br0")


def test_what_is_set_stays_but_for_what_is_given(manager: Manager) -> None:
    manager.links.add("br0", {"type": "bridge", "over": ["eth1"], "priority": "4096"})
    change = manager.links.set("br0", {"mtu": "1400", "over": ["eth2"]})
    assert not change.recreated
    now = manager.links.get("br0")
    assert now.spec.to_words()["priority"] == 4096
    assert (now.spec.mtu, now.over) == (1400, ("eth2",))
    manager.links.set("br0", {"priority": None})
    assert manager.links.get("br0").spec.to_words()["priority"] == 32768


def test_what_can_not_change_in_place_is_made_anew(manager: Manager) -> None:
    manager.links.add("v5", {"type": "vlan", "over": ["site/lan"], "id": "5"})
    change = manager.links.set("v5", {"id": "6"})
    assert change.recreated and change.why == "id can't change in place"


def test_a_session_that_is_made_anew_takes_its_links_along(manager: Manager) -> None:
    manager.links.add("v5", {"type": "vlan", "over": ["site/lan"], "id": "5"})
    manager.links.add("br5", {"type": "bridge", "over": ["v5", "eth1"]})
    before = manager.links.get("v5").netdev
    assert manager.set_session("site", "lan", {"id": "77"}).recreated
    now = manager.links.get("v5")
    assert now.condition is Condition.UP and now.netdev is not None and before is not None
    assert now.netdev.ifindex != before.ifindex
    assert set(manager.links.get("br5").over) == {"v5", "eth1"}
    assert not manager.plan(manager.stated()).changes


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        ({"type": "bridge", "over": ["eth9"]}, MissingError, "no netdev eth9"),
        ({"type": "bridge", "over": ["site/none"]}, MissingError, "no session site/none"),
        ({"type": "bridge", "over": ["br0"]}, InvalidValueError, "can't be over itself"),
        ({"type": "vlan", "over": ["eth1"]}, InvalidValueError, "needs its number"),
        ({"type": "bridge", "over": ["eth1"], "ifname": "lan0"}, ConflictError, "netdev of session site/lan"),
        ({"type": "bridge", "over": ["eth1"], "ifname": "eth2"}, ConflictError, "exists already"),
        ({"type": "bridge", "over": ["eth0"]}, ConflictError, "what link other is over already"),
        ({"type": "tunnel"}, InvalidValueError, "no type of link"),
    ],
)
def test_refusals_touch_nothing(manager: Manager, words: dict[str, Any], error: type[Exception], said: str) -> None:
    manager.links.add("other", {"type": "bridge", "over": ["eth0"]})
    audit = manager.audit()
    with pytest.raises(error, match=said):
        manager.links.add("br0", words)
    assert [one.name for one in manager.links.all()] == ["other"]
    assert manager.audit() == audit


def test_a_name_is_had_once(manager: Manager) -> None:
    manager.links.add("br0", {"type": "bridge"})
    with pytest.raises(ExistsError, match="link set br0"):
        manager.links.add("br0", {"type": "bridge"})


def test_what_a_link_is_over_can_not_go(manager: Manager) -> None:
    manager.links.add("br0", {"type": "bridge", "over": ["site/lan"]})
    manager.links.add("v7", {"type": "vlan", "id": 7, "over": ["br0"]})
    with pytest.raises(ConflictError, match="link br0 is over it"):
        manager.del_session("site", "lan")
    with pytest.raises(ConflictError, match="link br0 is over it"):
        manager.del_tunnel("site")
    with pytest.raises(ConflictError, match="link v7 is over it"):
        manager.links.delete("br0")
    with pytest.raises(MissingError, match="link br0: --over: no session site/lan"):
        manager.apply([tunnel(), link("br0", type="bridge", over=["site/lan"])], prune=True)


def test_a_session_joins_a_bridge_that_is_a_link_by_either_end(manager: Manager) -> None:
    manager.links.add("br0", {"type": "bridge", "over": ["eth1"]})
    manager.set_session("site", "lan", {"bridge": "br0"})
    assert not manager.plan(manager.stated()).changes
    with pytest.raises(ConflictError, match="session site/lan is a member of it"):
        manager.links.delete("br0")
    for words in ({"ifname": "br9"}, {"type": "macvlan"}):
        with pytest.raises(ConflictError, match="session site/lan is a member of it"):
            manager.links.set("br0", words)


def test_all_at_once_and_nothing_the_second_time(bench: Bench) -> None:
    manager = bench.manager
    wanted: list[Desired] = [
        link("v5", type="vlan", id=5, over=["br0"]),
        link("br0", type="bridge", over=["eth1", "site/lan"]),
        tunnel(session("lan"), session("own", bridge="br1")),
        link("br1", type="bridge"),
    ]
    steps = manager.apply(wanted, prune=True).step_texts
    assert [one.subject for one in steps] == [
        "link br0", "link br1", "tunnel site", "session site/lan", "session site/own", "link br0", "link v5",
    ]  # fmt: skip
    assert not manager.apply(wanted, prune=True).changes
    assert not manager.plan(manager.stated(), prune=True).changes
    steps = manager.apply([tunnel(session("lan"))], prune=True).step_texts
    assert [f"{one.sign}{one.subject}" for one in steps] == [
        "-link v5", "-link br1", "-link br0", "-session site/own",
    ]  # fmt: skip
    assert manager.links.all() == []


def test_a_step_that_fails_undoes_all(bench: Bench) -> None:
    manager = bench.manager
    start: list[Desired] = [tunnel(session("lan")), link("br0", type="bridge", over=["site/lan"], priority=1)]
    manager.apply(start, prune=True)
    before = (manager.stated(), [dataclasses.replace(one, netdev=None) for one in manager.links.all()])
    bench.maker.fails = "v5"
    with pytest.raises(RefusedError, match="injected"):
        manager.apply(
            [
                tunnel(session("lan", id=9), session("more")),
                link("br0", type="bridge", over=["eth1"], priority=2),
                link("br2", type="bridge", over=["site/more"]),
                link("v5", type="vlan", id=5, over=["eth2"]),
            ],
            prune=True,
        )
    assert (manager.stated(), [dataclasses.replace(one, netdev=None) for one in manager.links.all()]) == before
    assert not manager.plan(start, prune=True).changes


def test_what_nobody_confirms_is_undone(manager: Manager) -> None:
    manager.links.add("br0", {"type": "bridge", "over": ["eth1"]})
    manager.apply([link("br0", type="bridge", over=["eth2"]), link("al", type="alias", over=["eth1"])], confirm_s=60)
    assert {one.name for one in manager.links.all()} == {"al", "br0"}
    outcome = manager.rollback()
    assert outcome is not None and outcome.changes
    assert [(one.name, one.over) for one in manager.links.all()] == [("br0", ("eth1",))]


def test_down_and_restore(manager: Manager, bench: Bench) -> None:
    manager.links.add("br0", {"type": "bridge", "over": ["eth1", "site/lan"]})
    manager.down()
    stopped = manager.links.get("br0")
    assert (stopped.condition, stopped.notes) == (Condition.MISSING, ("`l2tpctl down` stopped it",))
    assert manager.restore() == ["link br0", "site"]
    again = manager.links.get("br0")
    assert (again.condition, set(again.over), again.notes) == (Condition.UP, {"eth1", "lan0"}, ())
    assert manager.restore() == []


def test_after_a_reboot_links_come_without_what_is_late(manager: Manager, bench: Bench) -> None:
    manager.links.add("br0", {"type": "bridge", "over": ["eth1", "site/lan"]})
    manager.links.add("v5", {"type": "vlan", "id": 5, "over": ["eth2"]})
    manager.down()
    late = bench.nics.pop("eth1"), bench.nics.pop("eth2")
    news: list[RestoreEvent] = []
    with pytest.raises(MissingError, match="no netdev eth"):
        manager.restore(tell=news.append)
    assert manager.links.get("br0").over == ("lan0",)
    assert manager.links.get("br0").notes == ("eth1 is not there",)
    assert manager.links.get("v5").condition is Condition.MISSING
    assert RestoreEvent("site", RestoreOutcome.RESTORED) in news
    bench.nics["eth1"], bench.nics["eth2"] = late
    assert manager.restore() == ["link br0", "link v5"]
    assert set(manager.links.get("br0").over) == {"eth1", "lan0"}


def test_a_bridge_is_changed_while_a_member_is_unplugged_but_not_given_one(manager: Manager, bench: Bench) -> None:
    manager.links.add("br0", {"type": "bridge", "over": ["eth1", "site/lan"]})
    unplugged = bench.nics.pop("eth1")
    manager.links.set("br0", {"priority": "4096", "over": ["eth1", "eth2", "site/lan"]})
    now = manager.links.get("br0")
    assert (set(now.over), now.notes) == ({"lan0", "eth2"}, ("eth1 is not there",))
    assert not manager.plan(manager.stated(), prune=True).changes
    with pytest.raises(MissingError, match="no netdev eth7"):
        manager.links.set("br0", {"over": ["eth1", "eth7"]})
    bench.nics["eth1"] = unplugged
    assert manager.restore() == ["link br0"]
    assert set(manager.links.get("br0").over) == {"eth1", "eth2", "lan0"}


def test_mtu_auto_takes_back_what_was_given(manager: Manager) -> None:
    manager.links.add("br0", {"type": "bridge", "mtu": "1400"})
    manager.links.set("br0", {"mtu": "auto"})
    netdev = manager.links.get("br0").netdev
    assert netdev is not None and netdev.mtu == 1500


def test_a_link_that_something_else_removed_comes_back(manager: Manager, bench: Bench) -> None:
    manager.links.add("br0", {"type": "bridge", "over": ["eth1"]})
    record = manager.links.get("br0")
    bench.maker.remove(record.spec, manager.paths.link_mark("br0"))
    assert manager.links.get("br0").condition is Condition.MISSING
    assert [one.subject for one in manager.plan(manager.stated()).step_texts] == ["link br0"]
    assert manager.restore() == ["link br0"]


def test_export_states_what_apply_makes_again(manager: Manager) -> None:
    manager.links.add("br0", {"type": "bridge", "over": ["eth1"], "up": "off", "mtu": "1300", "stp": "off"})
    stated = manager.stated()
    assert link("br0", type="bridge", over=["eth1"], up=False, mtu=1300, stp="off") in stated
    assert manager.stated(["site"]) == stated[:1]
    manager.links.delete("br0")
    manager.apply(stated)
    assert manager.stated() == stated


def test_transient_links_are_known_as_such(manager: Manager) -> None:
    assert manager.links.add("br0", {"type": "bridge"}, transient=True).transient
    assert manager.apply([link("br0", type="bridge")]).changes
    assert not manager.links.get("br0").transient


def test_a_links_address_is_its_hosts_own_and_stays(tmp_path: Path) -> None:
    """Two records on one machine, as in two network namespaces; both bridges may be on one pseudowire."""

    def make(folder: str) -> Manager:
        placer = MemoryConfigurator(memory := MemoryDatapath())
        maker = memory_maker(placer)
        return Manager(Paths(tmp_path / folder, tmp_path / folder / "run"), [memory], placer, lambda _: maker)

    hosts = [make("a"), make("b")]
    macs = [one.links.add("lan", {"type": "bridge"}).mac for one in hosts]
    assert None not in macs and macs[0] != macs[1]
    hosts[0].links.delete("lan")
    assert make("a").links.add("lan", {"type": "bridge"}).mac == macs[0]
