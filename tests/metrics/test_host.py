"""Metrics as prometheus_client's own parsers read them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from l2tpv3 import Manager, Paths
from l2tpv3.metrics.host import LINK_COUNTERS, Family, exposition, families, labels
from l2tpv3.model.encryption import EncryptionStatus
from l2tpv3.model.links.observed import COUNTERS
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.observed import Counters
from l2tpv3.model.status import Condition, NetdevState
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator

Samples = dict[str, list[tuple[dict[str, str], float]]]


def parsed(text: str, *, openmetrics: bool) -> Samples:
    """Each sample's labels and value, by its name."""
    parse: Callable[[str], Any] = (
        openmetrics_parser.text_string_to_metric_families if openmetrics else text_string_to_metric_families
    )
    found: Samples = {}
    for family in parse(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    memory = MemoryDatapath()
    manager = Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory], MemoryConfigurator(memory))
    manager.add_tunnel("siteb", {"remote": "127.0.0.2"})
    manager.add_session("siteb", "lan", {"ifname": "pw0", "mtu": "1400", "tx-cookie": "00112233"})
    manager.add_session("siteb", "dmz", {"up": False})
    manager.add_tunnel("sitec", {"remote": "127.0.0.3", "encap": "ip"})
    record = manager.records()["siteb"]
    session = record.session("lan")
    assert session is not None
    memory.count(record.spec, session.spec, Counters(tx_packets=7, rx_bytes=2**63, rx_cookie_discards=3))
    return manager


def test_what_encrypts_a_tunnel(manager: Manager) -> None:
    siteb, sitec = manager.tunnels()
    status = EncryptionStatus(
        by="wireguard", ifname="l2tpwg0", since=100, handshake=200, endpoint="192.0.2.1:51820", rx_bytes=3, tx_bytes=4
    )
    made = dataclasses.replace(siteb, encryption=status)
    gone = dataclasses.replace(sitec, encryption=EncryptionStatus(lacks=("its netdev",)))
    found = parsed(exposition(families([made, gone]), openmetrics=True), openmetrics=True)
    head = "l2tpv3_tunnel_encryption"
    told = {"tunnel": "siteb", "by": "wireguard", "ifname": "l2tpwg0", "endpoint": "192.0.2.1:51820"}
    assert found[f"{head}_info"] == [(told, 1), ({"tunnel": "sitec"}, 1)]
    assert dict(_by(found[f"{head}_up"], "tunnel")) == {"siteb": 1, "sitec": 0}
    assert found[f"{head}_since_timestamp_seconds"] == [({"tunnel": "siteb"}, 100)]
    assert found[f"{head}_handshake_timestamp_seconds"] == [({"tunnel": "siteb"}, 200)]
    assert dict(_by(found[f"{head}_rx_bytes_total"], "tunnel")) == {"siteb": 3, "sitec": 0}
    assert dict(_by(found[f"{head}_tx_bytes_total"], "tunnel")) == {"siteb": 4, "sitec": 0}
    assert not any(name.startswith(head) for name in parsed(exposition(families([siteb])), openmetrics=False))


@pytest.mark.parametrize("openmetrics", [False, True])
def test_what_is_told(manager: Manager, *, openmetrics: bool) -> None:
    text = exposition(families(manager.tunnels(), "1.2"), openmetrics=openmetrics)
    found = parsed(text, openmetrics=openmetrics)
    lan = {"tunnel": "siteb", "session": "lan"}
    assert found["l2tpv3_build_info"] == [({"version": "1.2"}, 1)]
    assert dict(_by(found["l2tpv3_tunnel_up"], "tunnel")) == {"siteb": 1, "sitec": 1}
    assert dict(_by(found["l2tpv3_tunnel_sessions"], "tunnel")) == {"siteb": 2, "sitec": 0}
    assert dict(_by(found["l2tpv3_session_up"], "session")) == {"lan": 1, "dmz": 0}
    assert dict(_by(found["l2tpv3_session_wanted_up"], "session")) == {"lan": 1, "dmz": 0}
    assert {one["session"]: one["condition"] for one, _ in found["l2tpv3_session_condition"]} == {
        "lan": "up",
        "dmz": "down",
    }
    assert (lan, 7) in found["l2tpv3_session_tx_packets_total"]
    assert (lan, 2**63) in found["l2tpv3_session_rx_bytes_total"]
    assert (lan, 3) in found["l2tpv3_session_rx_cookie_discards_total"]
    assert (lan, 1400) in found["l2tpv3_session_mtu_bytes"]
    (info,) = [one for one, _ in found["l2tpv3_session_info"] if one["session"] == "lan"]
    assert info["ifname"] == "pw0" and info["id"] == "1"
    (info,) = [one for one, _ in found["l2tpv3_tunnel_info"] if one["tunnel"] == "sitec"]
    assert info["remote"] == "127.0.0.3" and "local_port" not in info
    assert "00112233" not in text


def test_whether_those_have_a_worker_that_need_one(manager: Manager) -> None:
    (tunnel, *_) = manager.tunnels()
    of_each = [dataclasses.replace(tunnel, name=name, datapath=name) for name in ("kernel", "user", "ebpf")]
    carried = dataclasses.replace(of_each[2], name="carried", worker_pid=7)
    found = parsed(exposition(families([*of_each, carried])), openmetrics=False)
    assert dict(_by(found["l2tpv3_tunnel_worker_up"], "tunnel")) == {"user": 0, "ebpf": 0, "carried": 1}


def test_cardinality(manager: Manager) -> None:
    """A session's counters have its name as labels and nothing that may change while it lives."""
    found = parsed(exposition(families(manager.tunnels())), openmetrics=False)
    counters = [name for name in found if name.startswith("l2tpv3_session_") and name.endswith("_total")]
    assert len(counters) == 15
    assert {tuple(one) for name in counters for one, _ in found[name]} == {("tunnel", "session")}
    assert sum(len(found[name]) for name in found if name.startswith("l2tpv3_session")) == 2 * 20 + 1, (
        "and whether it is heard, of the one that counted something"
    )


@pytest.mark.parametrize("openmetrics", [False, True])
def test_labels_of_any_text(*, openmetrics: bool) -> None:
    value = 'a "quoted" back\\slash\nand a new line'
    text = exposition([Family("x", "gauge", "x", [f"{labels(name=value)} 1"])], openmetrics=openmetrics)
    assert parsed(text, openmetrics=openmetrics)["x"] == [({"name": value}, 1)]


def test_nothing_at_all() -> None:
    assert set(parsed(exposition(families([])), openmetrics=False)) == {"l2tpv3_build_info"}
    assert exposition(families([]), openmetrics=True).endswith("# EOF\n")


def _by(samples: list[tuple[dict[str, str], float]], label: str) -> list[tuple[str, float]]:
    return [(labels_[label], value) for labels_, value in samples]


@pytest.mark.parametrize("openmetrics", [False, True])
def test_links(*, openmetrics: bool) -> None:
    netdev = NetdevState(ifname="br7", ifindex=5, mac="02:00:00:00:00:01", mtu=1400, up=True, carrier=False, netns="x")
    bridge = LinkSpec.from_words({"name": "br7", "type": "bridge"})
    port = LinkSpec.from_words({"name": "p", "type": "port", "over": ["eth1", "eth2"]})
    links = [
        LinkStatus(
            name="br7", spec=bridge, condition=Condition.UP, netdev=netdev, over=("eth0", "lan0"),
            counters=dict.fromkeys(COUNTERS, 0) | {"rx_packets": 7},
        ),
        LinkStatus(name="p", spec=port, condition=Condition.UP, over=("eth1", "eth2"), counters={"eth1_packets": 3}),
    ]  # fmt: skip
    found = parsed(exposition(families([], links=links), openmetrics=openmetrics), openmetrics=openmetrics)
    assert dict(_by(found["l2tpv3_link_up"], "link")) == {"br7": 1, "p": 1}
    assert found["l2tpv3_link_carrier"] == [({"link": "br7"}, 0)]
    assert found["l2tpv3_link_mtu_bytes"] == [({"link": "br7"}, 1400)]
    assert dict(_by(found["l2tpv3_link_members"], "link")) == {"br7": 2, "p": 2}
    assert found["l2tpv3_link_rx_packets_total"] == [({"link": "br7"}, 7)]
    (info,) = [one for one, _ in found["l2tpv3_link_info"] if one["link"] == "br7"]
    assert info == {"link": "br7", "type": "bridge", "ifname": "br7", "over": "eth0,lan0", "netns": "x"}


def test_every_counter_of_links_is_told() -> None:
    assert tuple(LINK_COUNTERS) == COUNTERS
