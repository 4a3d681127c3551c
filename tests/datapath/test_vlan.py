"""VLAN pseudowires by the commands, on either datapath, and between the two."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

import pytest

from l2tpv3.linux.netns import inside
from tests.contract.frames import Tap
from tests.hosts import UNDERLAY, Host
from tests.waiting import eventually
from tests.wire.test_vlan import PLAIN, tagged

pytestmark = pytest.mark.root

SOURCE = bytes(PLAIN)[6:12]
"""The MAC address that the test's frames are from; a kernel's own frames have others."""

_ETH_P_IP = 0x0800
_FRAME_AT = 14 + 20 + 8 + 8 + 4  # behind ethernet, IPv4, UDP, L2TP and sublayer
KERNEL = pytest.mark.kernel_l2tp
DATAPATHS = ["user", pytest.param("kernel", marks=KERNEL)]
MIXED = [pytest.param(("user", "kernel"), marks=KERNEL), pytest.param(("kernel", "user"), marks=KERNEL)]
PAIRS = [("user", "user"), *MIXED, pytest.param(("kernel", "kernel"), marks=KERNEL)]


def made(host: Host, remote: str, datapath: str, *words: str, cookies: str = "none") -> None:
    """A tunnel t with a session s, its netdev pw0."""
    host.ctl("tunnel", "add", "t", "--remote", remote, "--datapath", datapath)
    host.ctl("session", "add", "t", "s", "--ifname", "pw0", "--tx-cookie", cookies, "--rx-cookie", cookies, *words)


def told(host: Host) -> dict[str, Any]:
    """The session as `show --json` has it."""
    one: dict[str, Any] = json.loads(host.ctl("session", "show", "t", "s", "--json").stdout)["sessions"][0]
    return one


def netdevs(host: Host) -> set[str]:
    """Those of a host."""
    with inside(host.netns):
        return {name for _, name in socket.if_nameindex()}


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_ends_with_different_numbers_reach_each_other(underlay: tuple[Host, Host], pair: tuple[str, str]) -> None:
    """Full frames as well, since the MTU leaves room for the tag."""
    a, b = underlay
    before = netdevs(a), netdevs(b)
    made(a, b.v4, pair[0], "--vlan", "100", "--address", "10.9.0.1/24")
    made(b, a.v4, pair[1], "--vlan", "200", "--address", "10.9.0.2/24")
    assert (told(a)["vlan"], told(a)["egress"], told(a)["mtu"]) == (100, "remove", 1442)
    assert told(a)["netdev"]["mtu"] == 1442
    assert a.ping("10.9.0.2", count=3)
    assert a.ping("10.9.0.2", "-s", str(1442 - 28), "-M", "do")
    for host in underlay:
        host.ctl("tunnel", "del", "t")
    assert (netdevs(a), netdevs(b)) == before


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_priorities_go_through(underlay: tuple[Host, Host], pair: tuple[str, str]) -> None:
    """From frames tagged by hand at one end to frames tagged with another number behind a bridge at the other."""
    a, b = underlay
    for host, remote, datapath, vlan in ((a, b.v4, pair[0], 100), (b, a.v4, pair[1], 200)):
        made(host, remote, datapath, "--vlan", str(vlan), "--egress", "rewrite")
        host.ip_batch([
            "link add br9 type bridge", "link add out0 type veth peer name out1", "link set out0 master br9 up",
            "link set pw0 master br9", "link set br9 up", "link set out1 up",
        ])  # fmt: skip
    for source, target, here, there in ((a, b, 100, 200), (b, a, 200, 100)):
        bad = [PLAIN, tagged(99), tagged(0, prio=5)]
        good = [(0, 0, PLAIN), (5, 0, PLAIN), (7, 1, PLAIN), (1, 0, tagged(9, prio=2))]
        frames = [tagged(here, prio=prio, dei=dei, inside=one) for prio, dei, one in good]
        with Tap((target.netns, "out1"), source=SOURCE) as receiver, Tap((source.netns, "pw0")) as sender:
            for frame in (*bad, *frames):
                with contextlib.suppress(OSError):  # tc's way to say that it drops one
                    sender.socket.send(bytes(frame))
            expected = [bytes(tagged(there, prio=prio, dei=dei, inside=one)) for prio, dei, one in good]
            assert receiver.collect(len(expected)) == expected
            assert receiver.collect(1, wait_s=0.05) == []


@KERNEL
def test_a_packets_priority_is_that_of_its_tag(underlay: tuple[Host, Host]) -> None:
    """The kernel's VLAN netdev: out of the socket's priority, and back into the packet's, which a filter sees."""
    a, b = underlay
    made(a, b.v4, "kernel", "--vlan", "100", "--address", "10.9.0.1/24")
    made(b, a.v4, "user", "--vlan", "200", "--egress", "rewrite")
    a.ip("neigh", "add", "10.9.0.2", "lladdr", "02:00:00:00:00:02", "dev", "pw0")
    with inside(a.netns):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender, Tap((b.netns, UNDERLAY), _ETH_P_IP) as receiver:
        for priority in range(7):  # 7 and more are for CAP_NET_ADMIN
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, priority)
            sender.sendto(b"x", ("10.9.0.2", 9))
        expected = [bytes((0x81, 0, number << 5, 100)) for number in range(7)]
        tags: list[bytes] = []
        while len(tags) < len(expected):
            (packet,) = receiver.collect(1)
            tag = packet[_FRAME_AT + 12 :][:6]
            if tag[4:] == b"\x08\x00":
                tags.append(tag[:4])
        assert tags == expected
    a.run(["tc", "qdisc", "add", "dev", "pw0", "clsact"])
    match = ["basic", "match", "meta(priority eq 5)", "action", "pass"]
    a.run(["tc", "filter", "add", "dev", "pw0", "ingress", "prio", "1", "protocol", "all", *match])
    with Tap((b.netns, "pw0")) as sender_there:
        for priority in (5, 0, 5, 3):
            sender_there.socket.send(bytes(tagged(200, prio=priority)))
    eventually(lambda: " 2 pkt " in a.run(["tc", "-s", "filter", "show", "dev", "pw0", "ingress"]).stdout)


@pytest.mark.parametrize("datapath", DATAPATHS)
def test_show_says_who_does_it(underlay: tuple[Host, Host], datapath: str) -> None:
    a, b = underlay
    made(a, b.v4, datapath, "--vlan", "100")
    text = a.ctl("session", "show", "t", "s").stdout
    by = {"kernel": " by this VLAN netdev", "user": ""}[datapath]
    assert f"100 (pseudowire type 0x0004), tag removed at egress{by}\n" in text
    assert told(a)["netdev"]["kind"] == {"kernel": "vlan", "user": "tun"}[datapath]
    a.ctl("session", "set", "t", "s", "--egress", "rewrite")
    text = a.ctl("session", "show", "t", "s").stdout
    by = {"kernel": " by tc filters of this netdev", "user": ""}[datapath]
    assert f"100 (pseudowire type 0x0004), tag rewritten at egress{by}\n" in text


@pytest.mark.parametrize("datapath", DATAPATHS)
def test_what_becomes_of_it(hosts: Any, underlay: tuple[Host, Host], datapath: str) -> None:
    """Renamed, moved, of another MTU, in a bridge, of another number, no VLAN any more: nothing is left of what was."""
    a, b = underlay
    (inner,) = hosts.add("inner")
    made(a, b.v4, datapath, "--vlan", "100")
    others = netdevs(a) - {"pw0"}
    a.ctl("session", "set", "t", "s", "--ifname", "pw9", "--mtu", "8000", "--address", "10.9.0.1/24")
    assert told(a)["netdev"]["ifname"] == "pw9"
    assert told(a)["netdev"]["mtu"] == 8000
    a.ctl("session", "set", "t", "s", "--netns", inner.netns, "--ifname", "pw0", "--mtu", "auto")
    assert "pw0" in netdevs(inner)
    a.ctl("session", "set", "t", "s", "--netns", "none", "--address", "none")
    a.ip("link", "add", "br9", "type", "bridge")
    a.ctl("session", "set", "t", "s", "--bridge", "br9", "--vlan", "4094")
    assert (told(a)["netdev"]["bridge"], told(a)["vlan"], told(a)["netdev"]["mtu"]) == ("br9", 4094, 1442)
    assert netdevs(a) == others | {"pw0", "br9"}
    a.ctl("session", "set", "t", "s", "--vlan", "none")
    assert (told(a)["vlan"], told(a)["netdev"]["mtu"], told(a)["egress"]) == (None, 1446, None)
    a.ctl("session", "del", "t", "s")
    assert netdevs(a) & {"pw0", "pw9"} == set()
    assert not [name for name in netdevs(a) if name.startswith("l2tpv")]


@KERNEL
def test_a_vlan_netdev_that_was_deleted_is_made_again(underlay: tuple[Host, Host]) -> None:
    a, b = underlay
    made(a, b.v4, "kernel", "--vlan", "100", "--address", "10.9.0.1/24")
    made(b, a.v4, "kernel", "--vlan", "200", "--address", "10.9.0.2/24")
    a.ip("link", "del", "pw0")
    assert told(a)["condition"] == "missing"
    a.ctl("restore")
    assert told(a)["condition"] == "up"
    assert b.ping("10.9.0.1")


@KERNEL
def test_rewriting_in_another_namespace_is_refused(hosts: Any, underlay: tuple[Host, Host]) -> None:
    a, b = underlay
    (inner,) = hosts.add("inner")
    made(a, b.v4, "kernel", "--vlan", "100", "--netns", inner.netns)
    refused = a.ctl("session", "set", "t", "s", "--egress", "rewrite", check=False)
    assert refused.returncode == 2
    assert "session t/s: --netns: on the kernel datapath --egress rewrite needs" in refused.stderr
    assert (told(a)["egress"], told(a)["condition"]) == ("remove", "up")


@KERNEL
def test_nothing_but_the_vlan_gets_out_or_in(underlay: tuple[Host, Host]) -> None:
    """The l2tpeth netdev under the VLAN netdev has to be up, and says nothing; nor does it answer."""
    a, b = underlay
    made(a, b.v4, "kernel", "--vlan", "100", "--address", "10.9.0.1/24")
    made(b, a.v4, "user", "--address", "10.9.0.2/24")
    (below,) = [name for name in netdevs(a) if name.startswith("l2tpv")]
    assert a.ip("-o", "address", "show", "dev", below) == ""
    assert not b.ping("10.9.0.1", "-W", "1", check=False)
    a.ip("link", "set", below, "down")
    a.ip("link", "set", below, "up")
    b.ip("link", "set", "pw0", "promisc", "on")
    with Tap((b.netns, "pw0")) as receiver:
        a.run(["ping", "-c", "1", "-W", "1", "-I", below, "255.255.255.255", "-b"], check=False)
        a.run(["ping", "-c", "1", "-W", "1", "10.9.0.2"], check=False)
        seen = {(one[12:14], one[14] & 0x0F, one[15]) for one in receiver.collect(20, wait_s=1)}
    assert seen == {(b"\x81\x00", 0, 100)}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--vlan", "0"], "--vlan: 0 is out of range; give 1 to 4094, or none"),
        (["--vlan", "4095"], "--vlan: 4095 is out of range"),
        (["--vlan", "x"], "--vlan"),
        (["--egress", "rewrite"], "--egress rewrite has no tag to act on without a VLAN"),
        (["--vlan", "5", "--egress", "keep"], "--egress: 'keep' is unknown; give one of remove, rewrite"),
    ],
)
def test_what_is_no_vlan(underlay: tuple[Host, Host], words: list[str], problem: str) -> None:
    a, b = underlay
    a.ctl("tunnel", "add", "t", "--remote", b.v4, "--datapath", "user")
    refused = a.ctl("session", "add", "t", "s", *words, check=False)
    assert refused.returncode == 1
    assert problem in refused.stderr
