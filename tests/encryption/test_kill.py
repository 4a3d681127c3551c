"""Changes of encrypted tunnels, killed: nothing is in the clear meanwhile and afterwards, by a capture of the underlay.

At each operation of the change a frame is sent into each session that there is then.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time

import pytest

from l2tpv3 import Manager
from l2tpv3.linux.netns import inside
from tests.changes import SCENARIOS, Bench, is_operation, make_bench
from tests.encryption.underlay import Wire, in_the_clear
from tests.hosts import UNDERLAY, Host, Hosts
from tests.points import sample
from tests.traced import Call, Kill, traced

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

SESSIONS = ("lan", "two")
POINTS = 3
FRAME = b"\xff" * 6 + b"\2\0\0\0\0\1" + b"\x88\xb5" + bytes(100)
_NOT_THERE = (errno.ENODEV, errno.ENXIO, errno.ENETDOWN, errno.ENOBUFS, errno.EIO)


class _Sender:
    """Sends frames into the sessions of a host, as far as they are there."""

    def __init__(self, host: Host) -> None:
        with inside(host.netns):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.sent = 0

    def send(self) -> None:
        for ifname in SESSIONS:
            try:
                self._socket.sendto(FRAME, (ifname, 0))
                self.sent += 1
            except OSError as error:
                if error.errno not in _NOT_THERE:
                    raise

    def close(self) -> None:
        self._socket.close()


def _change(bench: Bench, sender: _Sender, name: str, at: int) -> int:
    """Make the change of a scenario, killed at that operation (0: at none), frames all the while; its operations."""
    count = 0

    def on_call(call: Call) -> Kill | None:
        nonlocal count
        if not is_operation(call):
            return None
        count += 1
        sender.send()
        return Kill() if count == at else None

    ended = traced(lambda: bench.call(SCENARIOS[name](bench).change), on_call)
    assert ended.error is None
    return count


def _take_the_netdev_away(bench: Bench, sender: _Sender) -> None:
    """As somebody may do; with frames before and after."""
    for line in bench.host.ip("-o", "link").splitlines():
        ifname = line.split(":")[1].strip()
        sender.send()
        if ifname.startswith("l2tpwg"):
            bench.host.ip("link", "del", ifname)
    for _ in range(10):
        sender.send()
        time.sleep(0.01)  # for the worker to forward it


@pytest.mark.parametrize(
    "name", ["an encrypted tunnel", "an encrypted tunnel with other keys", "ports and peers of WireGuard are swapped"]
)
def test_nothing_is_in_the_clear_when_a_change_is_killed(hosts: Hosts, name: str) -> None:
    bench = make_bench(hosts, "user")
    bench.host.ip("-6", "route", "add", "default", "via", bench.host.v6.replace("::1", "::2"))  # where it would go
    bench.host.ip("link", "set", "other0", "down")  # what is in the clear
    scenario = SCENARIOS[name](bench)
    bench.call(scenario.start)
    with Wire(bench.host.netns, UNDERLAY) as wire, contextlib.closing(_Sender(bench.host)) as sender:
        operations = _change(bench, sender, name, at=0)
        for point in sample(operations, POINTS):
            bench.call(scenario.back)
            sent = sender.sent
            _change(bench, sender, name, at=point)
            _take_the_netdev_away(bench, sender)
            bench.call(Manager.restore)
            sender.send()
            clear = [said for kind, packet in wire.packets() if (said := in_the_clear(kind, packet))]
            assert not clear, f"killed at point {point} of {operations}"
            assert sender.sent > sent or name == "an encrypted tunnel"
    bench.call(Manager.down)
