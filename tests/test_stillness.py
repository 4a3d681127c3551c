"""What is heard of netdevs and addresses stands for another list of them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from l2tpv3.netns import inside
from l2tpv3.stillness import Stillness
from tests.hosts import Host

pytestmark = pytest.mark.root


def _keep(stillness: Stillness, seen: object) -> None:
    with stillness.look() as look:
        look.keep(seen)


def _holds(stillness: Stillness, seen: object) -> bool:
    with stillness.look(seen) as look:
        return look.holds


@pytest.fixture
def host(netns: Callable[[str], Host]) -> Host:
    host = netns("a")
    host.ip_batch(["link add d0 type veth peer name p0", "link add br0 type bridge"])
    return host


def test_it_holds_until_something_else_is_seen(host: Host) -> None:
    with inside(host.netns):
        stillness, one, other = Stillness(), object(), object()
        assert not _holds(stillness, one)
        _keep(stillness, one)
        assert _holds(stillness, one) and _holds(stillness, one)
        assert not _holds(stillness, other)
        assert not _holds(stillness, one), "what does not hold is forgotten"
        _keep(stillness, one)
        with stillness.look() as look:
            assert not look.holds
        assert _holds(stillness, one), "a look of which nothing was kept changes nothing"


@pytest.mark.parametrize(
    "command",
    [
        "link set d0 mtu 1300", "link set d0 up", "link set lo alias ours", "link set lo down",
        "link set d0 address 02:00:00:00:00:07",
        "link set d0 name e0", "link set d0 master br0", "link add x0 type bridge", "link del d0",
        "address add 192.0.2.1/24 dev d0", "address add 2001:db8::1/64 dev lo", "address del 127.0.0.1/8 dev lo",
        "link set d0 netns {other}",
    ],
)  # fmt: skip
def test_whatever_is_changed_is_heard(host: Host, netns: Callable[[str], Host], command: str) -> None:
    other = netns("b").netns
    with inside(host.netns):
        stillness, seen = Stillness(), object()
        _keep(stillness, seen)
        assert _holds(stillness, seen)
        host.ip(*command.format(other=other).split())
        assert not _holds(stillness, seen)


def test_what_changes_during_the_look_is_heard(host: Host) -> None:
    with inside(host.netns):
        stillness, seen = Stillness(), object()
        with stillness.look(seen) as look:
            host.ip("link", "set", "d0", "mtu", "1300")
            look.keep(seen)
        assert not _holds(stillness, seen)


def test_nothing_stays_open(host: Host) -> None:
    fds = Path("/proc/self/fd")
    gc.collect()
    before = len(list(fds.iterdir()))
    stillness = Stillness()
    for seen in (object(), object()):
        _keep(stillness, seen)
    assert len(list(fds.iterdir())) == before + 1
    with pytest.raises(ZeroDivisionError), stillness.look():
        raise ZeroDivisionError
    del stillness
    gc.collect()
    assert len(list(fds.iterdir())) == before
