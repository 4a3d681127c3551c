"""What changes around tunnels is heeded: by `restore`, and by `watch` on its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.here import Here
from tests.hosts import Host, Hosts
from tests.waiting import eventually
from tests.watching import as_in_the_unit, told, watch

pytestmark = pytest.mark.root


@pytest.fixture
def moved() -> Iterator[tuple[Host, Host]]:
    """Two hosts with an ebpf tunnel, the route of which leads over another netdev since: a new one."""
    hosts = Hosts()
    try:
        near, far = hosts.pair()
        for one, other, number in ((near, far, 1), (far, near, 2)):
            one.ctl("tunnel", "add", "t", "--remote", other.v4, "--datapath", "ebpf")
            one.ctl("session", "add", "t", "s", "--tx-cookie", "none", "--rx-cookie", "none",
                    "--address", f"10.9.0.{number}/24")  # fmt: skip
        assert near.ping("10.9.0.2", count=3)
        near.ip_batch([f"link add u1 type veth peer u1 netns {far.netns}", "link set u1 up"])
        far.ip_batch(["link set u1 up", f"route add {near.v4} dev u1"])
        near.ip_batch([f"route add {far.v4} dev u1"])
        yield near, far
    finally:
        hosts.close()


def notes(host: Host) -> str:
    """What `tunnel show` has to add."""
    return host.ctl("tunnel", "show", "t").stdout


def test_restore_has_packets_taken_where_they_come_in_now(moved: tuple[Host, Host]) -> None:
    near, _ = moved
    assert near.ping("10.9.0.2", count=3), "the worker takes them"
    assert "come in by u1, which has no program" in notes(near)
    assert near.ctl("restore").stderr == "tunnel t: restored\n"
    assert "no program" not in notes(near)
    assert near.ping("10.9.0.2", count=3)
    assert "nothing to restore" in near.ctl("restore").stderr


def test_watch_does_so_on_its_own(moved: tuple[Host, Host]) -> None:
    near, _ = moved
    with watch(Here(near), as_in_the_unit("l2tpv3-ebpf.conf")) as process:
        eventually(lambda: "no program" not in notes(near))
        assert near.ping("10.9.0.2", count=3)
        told(process, "tunnel t: restored")


def test_ipsec_policies_are_heeded(moved: tuple[Host, Host]) -> None:
    near, far = moved
    near.ctl("restore")
    policy = f"src {near.v4} dst {far.v4} dir out tmpl src {near.v4} dst {far.v4} proto esp mode transport"
    near.run(["ip", "xfrm", "policy", "add", *policy.split()])
    assert "go past IPsec policies" in notes(near)
    assert near.ctl("restore").stderr == "tunnel t: restored\n"
    assert "IPsec" not in notes(near)
    assert not near.ping("10.9.0.2", check=False), "there is no key to encrypt with, so nothing leaves"
    near.run(["ip", "xfrm", "policy", "flush"])
    assert near.ctl("restore").stderr == "tunnel t: restored\n"
    assert near.ping("10.9.0.2", count=3)
