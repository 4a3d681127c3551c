"""A port that follows: a cable pulled at one site is a lost link at the other, and back; `l2tpctl watch` at both."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from l2tpv3.errors import InvalidValueError
from l2tpv3.linux.netns import inside
from l2tpv3.wire.circuit_status import CircuitStatus
from tests.hosts import Hosts
from tests.links.port_sites import Site, two
from tests.waiting import eventually
from tests.watching import said, watch

pytestmark = pytest.mark.root


@pytest.fixture
def sites(hosts: Hosts) -> Iterator[tuple[Site, Site]]:
    """Two that follow each other, looked after, and addressed."""
    a, b = two(hosts, carrier="follow")
    for number, site in enumerate((a, b), start=1):
        site.gear.ip_batch([f"addr add 10.9.0.{number}/24 dev w0"])
    with watch(a.here) as one, watch(b.here) as other:
        assert a.gear.ping("10.9.0.2")
        yield a, b
        assert (one.poll(), other.poll()) == (None, None)


def test_a_pulled_cable_shows_at_the_other_end_and_back(sites: tuple[Site, Site]) -> None:
    for one, other in (sites, sites[::-1]):
        one.pull()
        print(f"seen after {eventually(lambda other=other: not other.has_link()):.2f} s")  # type: ignore[misc]
        assert "NO-CARRIER" in other.flags("l2tpeth0")
        time.sleep(3.0)
        assert not other.has_link(), "it stays so"
        assert "UP" in one.flags("n0").split(">")[0].split(",")[1:], "and its own end waits for the cable"
        assert other.link("get").notes == ("n0 is down, as the far end is", "l2tpeth0 has no carrier")
        one.plug()
        print(f"back after {eventually(other.has_link):.2f} s")
        assert one.gear.ping("10.9.0.2" if one is sites[0] else "10.9.0.1", count=3)
        assert other.link("get").notes == ()
    time.sleep(3.0)
    assert sites[0].has_link() and sites[1].has_link()


def test_both_pulled_and_put_back_one_after_the_other(sites: tuple[Site, Site]) -> None:
    a, b = sites
    a.pull()
    b.pull()
    time.sleep(3.0)
    a.plug()
    eventually(lambda: "LOWER_UP" not in a.flags("n0"))
    time.sleep(2.0)
    b.plug()
    eventually(lambda: a.has_link() and b.has_link())
    assert a.gear.ping("10.9.0.2")


def test_a_dead_way_counts_as_a_lost_link_and_a_worker_that_is_replaced_does_not(sites: tuple[Site, Site]) -> None:
    a, b = sites
    time.sleep(1.5)  # both have been heard
    (worker,) = a.host.workers()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: a.host.workers() not in ([], [worker]))
    for _ in range(30):
        assert a.has_link() and b.has_link()
        time.sleep(0.1)
    assert a.gear.ping("10.9.0.2")
    a.host.ip_batch(["link set u0 down"])
    print(f"silent for {eventually(lambda: not a.has_link() and not b.has_link()):.2f} s")
    a.host.ip_batch(["link set u0 up"])
    eventually(lambda: a.has_link() and b.has_link())
    assert a.gear.ping("10.9.0.2")


def test_the_watching_may_end_and_begin_again_meanwhile(hosts: Hosts) -> None:
    a, b = two(hosts, carrier="follow")
    with contextlib.ExitStack() as stack:
        stack.enter_context(watch(a.here))
        with watch(b.here):
            a.pull()
            eventually(lambda: not b.has_link())
        time.sleep(1.5)
        assert not b.has_link()
        a.plug()
        time.sleep(1.5)
        assert not b.has_link(), "nobody may set it up"
        stack.enter_context(watch(b.here))
        eventually(lambda: b.has_link() and a.has_link())


def test_one_that_follows_no_more_gets_its_link_back(sites: tuple[Site, Site]) -> None:
    a, b = sites
    a.pull()
    eventually(lambda: not b.has_link())
    b.link("set", {"carrier": "alone"})
    eventually(b.has_link)
    eventually(lambda: "NO-CARRIER" not in b.flags("l2tpeth0"))
    b.link("set", {"carrier": "follow"})
    eventually(lambda: not b.has_link())
    b.link("delete")
    eventually(b.has_link)


@pytest.mark.parametrize("how", ["delete", "alone", "moved", "down"])
def test_a_port_that_ends_gives_its_link_back_though_nobody_watches(hosts: Hosts, how: str) -> None:
    a, b = two(hosts, carrier="follow")
    with watch(a.here), watch(b.here):
        a.pull()
        eventually(lambda: not b.has_link())
    assert not b.has_link()
    b.host.ip_batch(["link add n1 type veth peer name n2"])
    match how:
        case "delete":
            b.link("delete")
        case "alone":
            b.link("set", {"carrier": "alone"})
        case "moved":
            b.link("set", {"over": "n1,peer/cable"})
        case "down":
            b.here.down()
    eventually(b.has_link)


def test_an_end_that_says_nothing_is_not_followed(hosts: Hosts) -> None:
    a, b = two(hosts)
    a.link("set", {"carrier": "follow"})
    with watch(a.here) as watching:
        b.pull()
        time.sleep(7.0)
        assert a.has_link()
        a.pull()
        b.plug()
        time.sleep(2.0)
        assert b.has_link(), "alone means alone"
        watching.send_signal(signal.SIGTERM)
        assert said(watching) == ""


@pytest.mark.parametrize(
    "status",
    [
        CircuitStatus(1, 1, active=False, cookie=bytes(8)),
        CircuitStatus(1, 1, active=False),
        CircuitStatus(1, 2, active=False, cookie=bytes.fromhex("0011223344556677")),
        CircuitStatus(2, 1, active=False, cookie=bytes.fromhex("0011223344556677")),
    ],
    ids=["another cookie", "no cookie", "another sender", "another session"],
)
def test_nobody_without_the_cookie_takes_a_link_away(sites: tuple[Site, Site], status: CircuitStatus) -> None:
    """From the far end's own address and port: what a blind forger would send."""
    a, b = sites
    with inside(b.host.netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
        forger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        forger.bind((b.host.v4, 1701))
        for number in range(20):
            forger.sendto(status.encode("udp", 1, number), (a.host.v4, 1701))
            time.sleep(0.02)
            assert "NO-CARRIER" not in a.flags("l2tpeth0")
    assert a.has_link()


def test_two_nics_have_no_far_end(hosts: Hosts) -> None:
    (host,), (gear,) = hosts.add("h"), hosts.add("g")
    site = Site(host, gear)
    host.ip_batch(["link add n1 type veth peer name n2"])
    with pytest.raises(InvalidValueError, match="no one far end"):
        site.link("add", {"type": "port", "over": "n0,n1", "carrier": "follow"})
