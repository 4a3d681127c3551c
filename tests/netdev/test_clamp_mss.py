"""`--clamp-mss`: TCP through a session, in a bridge, has segments that fit; and the filters are found and put back."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netlink.tc import NEW_FILTER, NEW_QDISC, Side, clsact, redirect
from l2tpv3.linux.netlink.tc_bpf import GET_FILTER, names, of_side
from l2tpv3.linux.netns import inside
from tests.datapath.user.ends import End
from tests.datapath.user.test_forged_icmp import fragments
from tests.here import Here
from tests.hosts import UNDERLAY, Host, Hosts
from tests.netdev.test_clamp_program import frame, mss, segment
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

PLAIN = {"tx-cookie": "none", "rx-cookie": "none", "ifname": "pw0"}
FITS = 1446  # of a route of 1500 bytes, UDP over IPv4, without cookies
DATAPATHS = ["user", "ebpf", pytest.param("kernel", marks=pytest.mark.kernel_l2tp)]


def site(hosts: Hosts, here: Host, there: Host, datapath: str, number: int, **words: Any) -> tuple[Here, Host]:
    """A host with a session in a bridge, and a computer on that bridge's LAN: 10.1.0.N, fd01::N."""
    (lan,) = hosts.add(f"lan{number}")
    here.ip_batch([f"link add port type veth peer u0 netns {lan.netns}", "link add br0 type bridge"])
    here.ip_batch(["link set br0 up", "link set port master br0 up"])
    lan.ip_batch([f"addr add 10.1.0.{number}/24 dev u0", f"addr add fd01::{number}/64 dev u0 nodad", "link set u0 up"])
    ours = Here(here)
    ours.add_tunnel("t", {"remote": there.v4, "datapath": datapath})
    ours.add_session("t", "s", {**PLAIN, "mtu": 1500, "bridge": "br0", **words})
    return ours, lan


def segment_size(client: Host, server: Host, address: str) -> tuple[int, int]:
    """What both ends of a TCP connection send at most, once 200 kB have passed."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(server.netns):
        listening = socket.create_server((address, 5000), family=family)
    with inside(client.netns):
        near = socket.socket(family)
    with listening, near:
        near.settimeout(PATIENCE_S)
        near.connect((address, 5000))
        far, _ = listening.accept()
        with far:
            sending = threading.Thread(target=near.sendall, args=(bytes(200_000),))
            sending.start()
            left = 200_000
            while left:
                left -= len(far.recv(left))
            sending.join()
            return tuple(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) for one in (near, far))  # type: ignore[return-value]


@pytest.mark.parametrize("datapath", DATAPATHS)
def test_tcp_through_a_bridge_fits(hosts: Hosts, datapath: str) -> None:
    a, b = hosts.pair()
    ours, near = site(hosts, a, b, datapath, 1, **{"clamp-mss": "on"})
    _, far = site(hosts, b, a, datapath, 2)
    timestamps = 12
    for client, server, number in ((near, far, 2), (far, near, 1)):
        for address, headers in ((f"10.1.0.{number}", 40), (f"fd01::{number}", 60)):
            most = FITS - headers - timestamps
            assert segment_size(client, server, address) == (most, most)
    assert (fragments(End.on(a), 4), fragments(End.on(b), 4)) == (0, 0)
    assert "MSS" not in "".join(ours.session("t", "s").notes)
    ours.set_session("t", "s", {"clamp-mss": "off"})
    assert min(segment_size(near, far, "10.1.0.2")) > FITS - 40, "that was it"
    ours.set_session("t", "s", {"clamp-mss": "on"})
    with inside(far.netns), socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as heard:
        heard.bind(("u0", 0x0800))
        heard.settimeout(PATIENCE_S)
        tagged = segment(4, mss(1460))
        with inside(near.netns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
            sender.bind(("u0", 0))
            sender.send(frame(4, tagged, bytes.fromhex("8100000a")))
        packet = heard.recv(2000)
        while packet[:1] != b"\x45" or packet[12:20] != tagged[12:20]:
            packet = heard.recv(2000)
    assert packet == segment(4, mss(FITS - 4 - 40)), "a tag takes 4 bytes"


def filters(host: Here, ifname: str = "pw0", netns: str | None = None) -> list[dict[int, str]]:
    """The filters at both sides of a netdev: their names by priority."""
    with RouteSocket(netns or host.host.netns) as route:
        index = route.link(ifname).ifindex
        return [names(route.dump(GET_FILTER, of_side(index, side))) for side in (Side.INGRESS, Side.EGRESS)]


@pytest.fixture(params=["user", "ebpf"])
def hub(request: pytest.FixtureRequest, hosts: Hosts) -> Here:
    here = Here(hosts.pair()[0])
    here.add_tunnel("t", {"remote": "10.99.0.2", "datapath": request.param})
    return here


def test_it_is_found_kept_up_and_taken_off(hub: Here) -> None:
    hub.add_session("t", "s", {**PLAIN, "clamp-mss": "on"})
    ours = {1: f"l2tpv3 clamp-mss {FITS}"}
    assert filters(hub) == [ours, ours]
    wanted = hub.stated()
    assert hub.session("t", "s").notes == ()
    assert not hub.plan(wanted).step_texts, "nothing to do"
    hub.host.run(["tc", "filter", "del", "dev", "pw0", "egress"])
    (note,) = hub.session("t", "s").notes
    assert "it does not clamp TCP's MSS as it should; `l2tpctl restore t` mends that" in note
    (step,) = hub.plan(wanted).step_texts
    assert (step.text, step.interrupts) == (f"clamp-mss on one side → for {FITS} bytes", False)
    hub.restore()
    assert filters(hub) == [ours, ours]
    hub.set_session("t", "s", {"mtu": 1300})
    assert filters(hub) == [{1: "l2tpv3 clamp-mss 1300"}] * 2
    hub.host.ip_batch([f"route add 10.99.0.2/32 dev {UNDERLAY} mtu 1200"])
    hub.restore()
    assert filters(hub) == [{1: f"l2tpv3 clamp-mss {FITS - 300}"}] * 2, "the route takes no more in one piece"
    hub.set_session("t", "s", {"netns": f"{hub.host.netns}-in"})
    assert filters(hub, netns=f"{hub.host.netns}-in") == [{1: f"l2tpv3 clamp-mss {FITS - 300}"}] * 2
    hub.set_session("t", "s", {"netns": None, "clamp-mss": None})
    assert filters(hub) == [{}, {}]
    assert "MSS" not in "".join(hub.session("t", "s").notes)


def test_filters_of_others_stay(hub: Here) -> None:
    hub.add_session("t", "s", {**PLAIN})
    with RouteSocket(hub.host.netns) as route:
        index = route.link("pw0").ifindex
        route.make(NEW_QDISC, clsact(index))
        for priority in (1, 3):
            route.make(NEW_FILTER, redirect(index, Side.EGRESS, priority, index))
    hub.set_session("t", "s", {"clamp-mss": "on"})
    name = f"l2tpv3 clamp-mss {FITS}"
    assert filters(hub) == [{1: name}, {1: "", 2: name, 3: ""}]
    hub.set_session("t", "s", {"clamp-mss": "off"})
    assert filters(hub) == [{}, {1: "", 3: ""}]
