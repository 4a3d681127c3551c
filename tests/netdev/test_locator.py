"""Of several netdevs with a session's mark, the session's is the one that the datapath tells.

Two sessions of one name run side by side when a change is killed that replaces one by the other.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from l2tpv3 import Paths
from l2tpv3.linux.netns import inside
from l2tpv3.model.observed import Session, Tunnel
from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.model.spec import Encap, SessionSpec, TunnelSpec
from l2tpv3.netdev import locator
from l2tpv3.netdev.locator import NetdevLocator
from l2tpv3.reconcile.observer import Observer
from tests.hosts import Host, Hosts

pytestmark = pytest.mark.root

TAP = "tuntap add dev {} mode tap"
"""What the netdevs of the user datapath's sessions are."""

LOCAL, REMOTE = ip_address("10.0.0.1"), ip_address("10.0.0.2")
OLD, NEW = 1, 5


class Reports:
    """A datapath with one tunnel that reports what it is told to."""

    def __init__(self, name: str, *sessions: Session) -> None:
        self.name = name
        self._sessions = sessions

    def tunnels(self, netns: str | None) -> list[Tunnel]:
        """See Datapath.tunnels."""
        return [
            Tunnel(
                tunnel_id=1,
                peer_tunnel_id=1,
                encap=Encap.UDP,
                local=LOCAL,
                remote=REMOTE,
                local_port=1701,
                remote_port=1701,
                sessions=self._sessions,
            )
        ]


def _record(number: int, datapath: str, netns: str | None) -> dict[str, TunnelRecord]:
    spec = TunnelSpec(name="t", remote=REMOTE, local=LOCAL, tunnel_id=1, peer_tunnel_id=1, datapath=datapath)
    session = SessionSpec(name="lan", ifname="lan", session_id=number, peer_session_id=number, netns=netns)
    one = SessionRecord(spec=session, mtu=1400, mac="02:00:00:00:00:01")
    return {"t": TunnelRecord(spec=spec, local=LOCAL, datapath=datapath, reason="", sessions=(one,))}


def _session(number: int, ifname: str, attached: str | None) -> Session:
    return Session(session_id=number, peer_session_id=number, ifname=ifname, attached=attached)


def _netdev(host: Host, paths: Paths, ifname: str, *, marked: bool = True) -> None:
    host.ip(*TAP.format(ifname).split())
    if marked:
        host.ip("link", "set", ifname, "alias", paths.mark("t", "lan"))


def _found(host: Host, datapath: Reports, old: Any, new: Any, *, wanted: Any) -> str | None:
    """The name of the session's netdev, by the record, by what a killed change was making, and by what is wanted."""
    with inside(host.netns):
        paths = Paths(host.state_dir, host.runtime_dir)
        datapaths: dict[str, Any] = {datapath.name: datapath}
        observation = Observer(datapaths, paths, NetdevLocator()).observation(old, new, wanted)
    netdev = observation.netdevs.get(("t", "lan"))
    return netdev.ifname if netdev is not None else None


@pytest.mark.parametrize("made_last", ["lan", "l2tpnew5"])
@pytest.mark.parametrize("home", ["a", "inner"])
def test_the_netdev_of_two_sessions_of_one_name_is_that_of_the_wanted_one(
    hosts: Hosts, made_last: str, home: str
) -> None:
    """The new one is made in the tunnel's namespace, wherever it is going to be."""
    host, inner = hosts.add("a", "inner")
    elsewhere = home == "inner"
    paths = Paths(host.state_dir, host.runtime_dir)
    old, new = (_record(number, "user", inner.netns if elsewhere else None) for number in (OLD, NEW))
    for ifname in sorted(("lan", "l2tpnew5"), key=lambda name: name == made_last):
        _netdev(inner if elsewhere and ifname == "lan" else host, paths, ifname)
    both = Reports("user", _session(OLD, "lan", "lan"), _session(NEW, "l2tpnew5", "l2tpnew5"))
    assert _found(host, both, old, new, wanted=new) == "l2tpnew5"
    assert _found(host, both, old, new, wanted=old) == "lan"
    gone = Reports("user", _session(OLD, "lan", "lan"), _session(NEW, "l2tpnew5", ""))
    assert _found(host, gone, old, new, wanted=new) is None
    alone = Reports("user", _session(OLD, "lan", "lan"))
    assert _found(host, alone, old, new, wanted=new) == "lan"


def test_a_netdev_that_has_no_mark_yet_leaves_the_other_sessions_alone(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    paths = Paths(host.state_dir, host.runtime_dir)
    old, new = (_record(number, "user", None) for number in (OLD, NEW))
    _netdev(host, paths, "lan")
    _netdev(host, paths, "l2tpnew5", marked=False)
    both = Reports("user", _session(OLD, "lan", "lan"), _session(NEW, "l2tpnew5", "l2tpnew5"))
    assert _found(host, both, old, new, wanted=new) is None
    assert _found(host, both, old, new, wanted=old) == "lan"
    elsewhere = Reports("user", _session(OLD, "lan", None), _session(NEW, "l2tpnew5", "l2tpnew5"))
    assert _found(host, elsewhere, old, new, wanted=new) is None


@pytest.mark.parametrize("first_name", ["lan", "l2tpnew1"])
def test_where_only_first_names_are_told_one_that_is_there_is_the_sessions(
    hosts: Hosts, first_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kernel tells them. The netdevs stand for l2tp_eth's, which not every kernel makes."""
    monkeypatch.setitem(locator._KINDS, "kernel", ("tun",))
    (host,) = hosts.add("a")
    paths = Paths(host.state_dir, host.runtime_dir)
    old, new = (_record(number, "kernel", None) for number in (OLD, NEW))
    _netdev(host, paths, "lan")
    _netdev(host, paths, "l2tpnew5", marked=False)
    both = Reports("kernel", _session(OLD, first_name, None), _session(NEW, "l2tpnew5", None))
    assert _found(host, both, old, new, wanted=new) is None
    assert _found(host, both, old, new, wanted=old) == "lan"
    host.ip("link", "set", "l2tpnew5", "alias", paths.mark("t", "lan"))
    assert _found(host, both, old, new, wanted=new) == "l2tpnew5"
    assert _found(host, both, old, new, wanted=old) == "lan"
