"""A session in a bridge that carries its own tunnel's packets is refused, however they get there."""

from __future__ import annotations

import pytest

from l2tpv3.errors import ConflictError
from l2tpv3.linux.netns import inside
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.model.spec import TunnelSpec, parse_address
from l2tpv3.netdev.underlay import way_through
from tests.here import Here
from tests.hosts import Hosts

pytestmark = pytest.mark.root

_LAN = ["link add eth1 type veth peer w1", "link set eth1 up", "link set w1 up", "link add br0 type bridge"]
_IN_IT = [*_LAN, "link set eth1 master br0", "link set br0 up"]
_ADDRESS = "addr add 10.1.0.1/24 dev"


@pytest.fixture
def host(hosts: Hosts) -> Here:
    """A host on its own; tests say how 10.1.0.2 is reached."""
    return Here(hosts.add("h")[0])


@pytest.mark.parametrize(
    ("lines", "way"),
    [
        ([*_IN_IT, f"{_ADDRESS} br0"], ("br0",)),
        ([*_IN_IT, f"{_ADDRESS} eth1"], ("eth1", "br0")),
        ([*_LAN, "link set br0 up", f"{_ADDRESS} eth1"], ()),
        # br1 is joined to br0 by a veth
        (
            [*_IN_IT, "link add br1 type bridge", "link add c0 type veth peer c1", "link set c0 master br0 up",
             "link set c1 master br1 up", "link set br1 up", f"{_ADDRESS} br1"],
            ("br1", "c1", "c0", "br0"),
        ),
        # a veth's other end is a port
        (
            [*_IN_IT, "link add c0 type veth peer c1", "link set c0 master br0 up", "link set c1 up", f"{_ADDRESS} c1"],
            ("c1", "c0", "br0"),
        ),
    ],
    ids=["the bridge", "its port", "beside it", "another bridge", "a veth"],
)  # fmt: skip
def test_the_way_of_a_tunnels_packets(host: Here, lines: list[str], way: tuple[str, ...]) -> None:
    host.host.ip_batch(lines)
    local, remote = (parse_address(text, "x") for text in ("10.1.0.1", "10.1.0.2"))
    tunnel = TunnelSpec(name="t", remote=remote, local=local, netns=host.host.netns)
    assert way_through(tunnel, "br0") == way


def test_add_set_apply_and_links_refuse_it(host: Here) -> None:
    host.host.ip_batch(
        [*_IN_IT, f"{_ADDRESS} br0", "link add lo1 type veth peer lo2", "link set lo1 up", "link set lo2 up"]
    )
    host.host.ip_batch(["addr add 10.2.0.1/24 dev lo1"])
    host.add_tunnel("t", {"remote": "10.1.0.2", "datapath": "user"})
    host.add_tunnel("u", {"remote": "10.2.0.2", "datapath": "user"})
    message = r"br0 carries the tunnel's own packets"
    with pytest.raises(ConflictError, match=message):
        host.add_session("t", "lan", {"bridge": "br0"})
    host.add_session("t", "lan", {})
    with pytest.raises(ConflictError, match=message):
        host.set_session("t", "lan", {"bridge": "br0"})
    wanted = DesiredTunnel(
        name="t",
        words={"remote": "10.1.0.2", "datapath": "user"},
        sessions=(DesiredSession(name="lan", words={"bridge": "br0"}),),
    )
    with pytest.raises(ConflictError, match=message):
        host.apply([wanted])
    host.add_session("u", "lan", {"bridge": "br0"})
    with pytest.raises(ConflictError, match=message):
        host.set_tunnel("u", {"remote": "10.1.0.3"})
    host.del_session("u", "lan")
    host.host.ip("link", "del", "br0")
    with inside(host.host.netns):
        links = host.manager.links
        links.add("br0", {"type": "bridge", "over": ["eth1"], "address": ["10.1.0.1/24"]})
        with pytest.raises(ConflictError, match=message):
            links.set("br0", {"over": ["eth1", "t/lan"]})
        assert links.get("br0").over == ("eth1",)
