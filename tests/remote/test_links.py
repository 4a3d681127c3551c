"""Links of another host: every call gives, and refuses, what it does on the host itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3 import Manager, Paths
from l2tpv3.documents.link import link_from_json, link_to_json
from l2tpv3.documents.state import state_from_json, state_to_json
from l2tpv3.errors import L2tpError
from l2tpv3.host.base import Host
from l2tpv3.model.desired import DesiredLink
from l2tpv3.model.links.observed import COUNTERS
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.progress import RestoreEvent, StepText
from l2tpv3.model.status import Condition
from l2tpv3.remote.client import Client
from l2tpv3.remote.host import RemoteHost
from l2tpv3.remote.target import Target
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from tests.api.served import served
from tests.documents.status_values import COUNTS, NAMES, NETDEVS, TEXTS
from tests.memory_links import memory_makers
from tests.properties import SOME

WORDS: list[dict[str, Any]] = [
    {"type": "bridge", "over": ["eth0", "siteb/lan"], "vlan-filtering": True, "vlan": ["eth0=10u+20-29"], "mtu": 1400},
    {"type": "bond", "over": ["eth0"], "primary": "eth0", "arp-interval-ms": 200, "arp-target": ["192.0.2.1"]},
    {"type": "alias", "over": [], "up": False},
    {"type": "macvlan", "over": ["eth0"], "mode": "source", "source-mac": ["02:00:5e:00:53:01"]},
    {"type": "ipvlan", "over": ["eth0"], "mode": "l3", "netns": "blue", "address": ["192.0.2.1/24", "2001:db8::1/64"]},
    {"type": "vlan", "over": ["eth0"], "id": 7, "ifname": "v7", "mac": "02:00:5e:00:53:02"},
    {"type": "vnic", "over": ["eth0"], "over-netns": "red"},
    {"type": "port", "over": ["eth0", "siteb/lan"]},
]
SPECS = st.builds(
    lambda words, name: LinkSpec.from_words({"ifname": "l0", **words, "name": name}),
    st.sampled_from([words for words in WORDS if words["type"] != "port"]),
    NAMES,
) | st.just(LinkSpec.from_words({**WORDS[-1], "name": "p"}))
STATUSES = st.builds(
    lambda spec, more: LinkStatus(name=spec.name, spec=spec, **more),
    SPECS,
    st.fixed_dictionaries(
        {
            "condition": st.sampled_from(Condition),
            "mac": st.none() | st.just("02:00:5e:00:53:01"),
            "over_netns": st.none() | st.just("red"),
            "transient": st.booleans(),
            "netdev": st.none() | NETDEVS,
            "over": st.lists(st.sampled_from(["eth0", "lan0"]), unique=True).map(tuple),
            "words": st.just({"stp": "on", "sources": ["02:00:5e:00:53:01"]}),
            "counters": st.dictionaries(st.sampled_from(COUNTERS), COUNTS),
            "worker_pid": st.none() | st.integers(1, 2**22),
            "notes": st.lists(TEXTS, max_size=2).map(tuple),
        }
    ),
)


def over_the_wire(document: Any) -> Any:
    return json.loads(json.dumps(document))


@SOME
@given(STATUSES)
def test_a_status_is_read_back_as_it_was(status: LinkStatus) -> None:
    told = over_the_wire(link_to_json(status))
    assert link_from_json(told) == status
    told["wanted"]["brand-new"] = told["brand-new"] = 7
    assert link_from_json(told) == status


def test_a_state_is_read_back_as_it_was() -> None:
    wanted = [
        DesiredLink.from_spec(LinkSpec.from_words({**words, "name": f"l{number}"}))
        for number, words in enumerate(WORDS)
    ]
    assert state_from_json(over_the_wire(state_to_json(wanted))) == wanted


@pytest.fixture(params=["local", "remote"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    memory = MemoryDatapath()
    placer = MemoryConfigurator(memory)
    makers = memory_makers(placer)
    manager = Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory], placer, makers)
    manager.add_tunnel("siteb", {"remote": "127.0.0.2"})
    manager.add_session("siteb", "lan", {"ifname": "lan0"})
    if request.param == "local":
        yield manager
        return
    with served(create_app(Service(manager), guard=AllowAll())) as url:
        yield RemoteHost(Client(Target(url=url, base=url)))


def test_a_link_comes_changes_and_goes(host: Host) -> None:
    made = host.links.add("br7", {"type": "bridge", "over": "eth0,siteb/lan", "priority": "4096", "up": "on"})
    assert (made.condition, made.over) == (Condition.UP, ("eth0", "lan0"))
    assert host.links.get("br7") == made and host.links.all() == [made]
    change = host.links.set("br7", {"mtu": "1400", "priority": None})
    assert (change.recreated, host.links.get("br7").spec.to_words()["priority"]) == (False, 32768)
    host.links.add("v5", {"type": "vlan", "id": "5", "over": ["br7"]}, transient=True)
    assert host.links.get("v5").transient
    change = host.links.set("v5", {"id": "6"})
    assert (change.recreated, change.why) == (True, "id can't change in place")
    host.links.delete("v5")
    host.links.delete("br7")
    assert host.links.all() == []


_said: dict[str, tuple[int, str, str]] = {}

REFUSALS: dict[str, Callable[[Host], object]] = {
    "no such": lambda host: host.links.get("none"),
    "no name": lambda host: host.links.get("a/b"),
    "no such to set": lambda host: host.links.set("none", {"mtu": "1400"}),
    "no such to delete": lambda host: host.links.delete("none"),
    "exists": lambda host: host.links.add("br7", {"type": "bridge"}),
    "no type": lambda host: host.links.add("x", {}),
    "odd type": lambda host: host.links.add("x", {"type": "bridg"}),
    "odd name": lambda host: host.links.add("-x", {"type": "bridge"}),
    "odd value": lambda host: host.links.add("x", {"type": "bridge", "priority": "many"}),
    "odd word": lambda host: host.links.add("x", {"type": "bridge", "hash": "layer2"}),
    "no member": lambda host: host.links.add("x", {"type": "bridge", "isolated": ["eth0"]}),
    "no such netdev": lambda host: host.links.add("x", {"type": "bridge", "over": ["eth9"]}),
    "taken": lambda host: host.links.add("x", {"type": "bridge", "over": ["eth0"]}),
    "set an odd value": lambda host: host.links.set("br7", {"mtu": "5"}),
    "set an odd word": lambda host: host.links.set("br7", {"hash": "layer2"}),
    "set what does not fit": lambda host: host.links.set("br7", {"isolated": ["eth1"]}),
    "set another type": lambda host: host.links.set("br7", {"type": "vlan"}),
    "reset the type": lambda host: host.links.set("br7", {"type": None}),
    "is needed": lambda host: host.links.delete("br7"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refusals_read_the_same(host: Host, what: str) -> None:
    host.links.add("br7", {"type": "bridge", "over": ["eth0"]})
    host.links.add("v5", {"type": "vlan", "id": "5", "over": ["br7"]})
    with pytest.raises(L2tpError) as caught:
        REFUSALS[what](host)
    said = (caught.type.exit_code, caught.value.slug, str(caught.value))
    assert _said.setdefault(what, said) == said


def test_whole_states_steps_and_news(host: Host) -> None:
    wanted = [*host.stated(), DesiredLink(name="br7", words={"type": "bridge", "over": ["siteb/lan"]})]
    (planned, *_) = host.plan(wanted).step_texts
    assert planned.subject == "link br7"
    steps: list[StepText] = []
    did = host.apply(wanted, on_step=steps.append)
    assert did.changes and tuple(steps) == did.step_texts
    assert host.stated() == wanted
    assert host.stated(["siteb"]) == wanted[:1]
    host.down()
    news: list[RestoreEvent] = []
    assert host.restore(tell=news.append) == ["link br7", "siteb"]
    assert {one.subject for one in news} == {"link br7", "tunnel siteb"}
