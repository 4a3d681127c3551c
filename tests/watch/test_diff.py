"""What is told of two looks: pure values in, pure values out."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_address

import pytest

from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.observed import Counters
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.model.status import Condition, NetdevState, SessionStatus, TunnelStatus
from l2tpv3.watch.diff import ChangeDetector, Event, targets

NETDEV = NetdevState(ifname="pw0", ifindex=5, mac="02:00:00:00:00:01", mtu=1400, up=True, carrier=True, netns="x")


def session(name: str = "s", **changes: object) -> SessionStatus:
    spec = SessionSpec(name=name, ifname="pw0", tx_cookie=b"secretly", rx_cookie=b"secretly")
    return dataclasses.replace(SessionStatus(name=name, spec=spec, condition=Condition.UP, netdev=NETDEV), **changes)  # type: ignore[arg-type]


def tunnel(*sessions: SessionStatus, name: str = "t", **changes: object) -> TunnelStatus:
    spec = TunnelSpec(name=name, remote=ip_address("192.0.2.1"))
    status = TunnelStatus(name=name, spec=spec, condition=Condition.UP, datapath="user", sessions=sessions)
    return dataclasses.replace(status, **changes)  # type: ignore[arg-type]


def link(name: str = "br7", **changes: object) -> LinkStatus:
    spec = LinkSpec.from_words({"name": name, "type": "bridge", "over": ["eth0", "t/s"]})
    status = LinkStatus(name=name, spec=spec, condition=Condition.UP, netdev=NETDEV, over=("eth0", "pw0"))
    return dataclasses.replace(status, **changes)  # type: ignore[arg-type]


def told(*looks: list[TunnelStatus]) -> list[tuple[str, str, str]]:
    """Type, change and name of what is told after all looks but the first."""
    history = ChangeDetector()
    assert history.happened(looks[0]) == []
    found: list[Event] = [one for look in looks[1:] for one in history.happened(look)]
    assert "secretly" not in str(found) and b"secretly".hex() not in str(found)
    return [(one.type, one.data["change"], str(one.data.get("name", one.data.get("tunnel")))) for one in found]


DEAD = tunnel(session(condition=Condition.MISSING), condition=Condition.MISSING)
DOWN = tunnel(session(condition=Condition.MISSING, netdev=None), condition=Condition.MISSING)
LIVE = tunnel(session(), worker_pid=10)
AGAIN = tunnel(session(), worker_pid=11)
ANEW = tunnel(session(netdev=dataclasses.replace(NETDEV, ifindex=6)), worker_pid=11)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([[], []], []),
        ([[], [tunnel(session())]], [("tunnel", "appeared", "t"), ("session", "appeared", "s")]),
        ([[tunnel(session())], []], [("session", "vanished", "s"), ("tunnel", "vanished", "t")]),
        ([[tunnel(session())], [tunnel(session())]], []),
        ([[tunnel(session())], [tunnel(session(counters=Counters(rx_packets=1)))]], []),
        ([[tunnel(session())], [tunnel(session(mtu=1))]], [("session", "changed", "s")]),
        (
            [[tunnel(session())], [tunnel(session(), session("u"))]],
            [("tunnel", "changed", "t"), ("session", "appeared", "u")],
        ),
        (
            [[LIVE], [DEAD], [AGAIN]],
            [
                ("worker", "died", "t"), ("tunnel", "changed", "t"), ("session", "changed", "s"),
                ("worker", "returned", "t"), ("tunnel", "changed", "t"), ("session", "changed", "s"),
            ],
        ),
        ([[LIVE], [AGAIN]], [("worker", "died", "t"), ("worker", "returned", "t"), ("tunnel", "changed", "t")]),
        ([[LIVE], [ANEW]], [("tunnel", "changed", "t"), ("session", "changed", "s")]),
        ([[LIVE], [DOWN], [ANEW]], [("tunnel", "changed", "t"), ("session", "changed", "s")] * 2),
        ([[LIVE], []], [("session", "vanished", "s"), ("tunnel", "vanished", "t")]),
    ],
)  # fmt: skip
def test_what_happened(looks: list[list[TunnelStatus]], expected: list[tuple[str, str, str]]) -> None:
    assert told(*looks) == expected


def test_what_has_to_be_heard() -> None:
    """Netdevs where they are, those that are missing where they may come, the tunnel's namespace in any case."""
    spec = dataclasses.replace(LIVE.spec, netns="here")
    missing = session("u", netdev=None, spec=dataclasses.replace(session().spec, ifname="pw9", netns="there"))
    found = targets([dataclasses.replace(LIVE, spec=spec, sessions=(session(), missing))])
    assert found.indices == {"x": {5}}
    assert found.names == {"here": {"pw9"}, "there": {"pw9"}}
    assert found.pids == {10}


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([[], []], []),
        ([[link()], [link(counters={"rx_packets": 7})]], []),
        ([[], [link()]], ["appeared"]),
        ([[link()], []], ["vanished"]),
        ([[link()], [link(over=("pw0",), notes=("eth0 is not there",))]], ["changed"]),
        ([[link(worker_pid=7)], [link()]], ["changed"]),
        ([[link()], [link(), link("br8")]], ["appeared"]),
    ],
)
def test_what_happened_to_links(looks: list[list[LinkStatus]], expected: list[str]) -> None:
    history = ChangeDetector()
    assert history.happened([], looks[0]) == []
    found = history.happened([], looks[1])
    assert [(one.type, one.data["change"]) for one in found] == [("link", change) for change in expected]


def test_links_come_after_what_they_are_over_and_go_before() -> None:
    history = ChangeDetector()
    history.happened([])
    both = [one.type for one in history.happened([tunnel(session())], [link()])]
    assert both == ["tunnel", "session", "link"]
    assert [one.type for one in history.happened([])] == ["link", "session", "tunnel"]


def test_what_has_to_be_heard_of_links() -> None:
    """Their netdevs, what they are over, who relays them."""
    found = targets([], [link(over_netns="y", worker_pid=12), link("br9", netdev=None, over=(), over_netns="z")])
    assert found.indices == {"x": {5}}
    assert found.names == {"y": {"eth0", "pw0"}, "z": {"br9", "eth0"}}
    assert found.pids == {12}
