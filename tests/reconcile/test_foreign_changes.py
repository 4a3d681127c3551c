"""What another program has changed of ours is seen by the next plan, and put right by the next apply."""

from __future__ import annotations

import time

import pytest

from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from tests.here import Here
from tests.hosts import Host, Hosts
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

TUNNELS, SESSIONS = 3, 4
NETDEV_CHANGES = [
    "link set pw0x0 mtu 1300", "link set pw0x1 down", "link set pw1x2 alias none", "address del 10.2.1.1/24 dev pw2x1",
    "link set pw0x3 alias none",
]  # fmt: skip
L2TP_CHANGES = ["l2tp del session tunnel_id 2 session_id 3", "l2tp del tunnel tunnel_id 3"]


def _wanted(peer: str, datapath: str) -> list[DesiredTunnel]:
    """The last session of the first tunnel is down: the kernel announces fewer changes of such a netdev."""
    found = []
    for tunnel in range(TUNNELS):
        sessions = []
        for number in range(SESSIONS):
            address = [f"10.{tunnel}.{number}.1/24"]
            is_down = (tunnel, number) == (0, SESSIONS - 1)
            words = {"id": number + 1, "ifname": f"pw{tunnel}x{number}", "mtu": 1400, "address": address}
            sessions.append(DesiredSession(name=f"s{number}", words={**words, "up": not is_down}))
        port = 5000 + tunnel
        words = {"remote": peer, "id": tunnel + 1, "local-port": port, "remote-port": port, "datapath": datapath}
        found.append(DesiredTunnel(name=f"t{tunnel}", words=words, sessions=tuple(sessions)))
    return found


def _await_deletion(host: Host) -> None:
    """The kernel deletes a tunnel with its sessions by and by."""
    give_up = time.monotonic() + PATIENCE_S
    while "pw2x" in host.ip("-br", "link") or "Tunnel 3" in host.ip("l2tp", "show", "tunnel"):
        assert time.monotonic() < give_up
        time.sleep(0.05)


@pytest.mark.parametrize("datapath", ["user", pytest.param("kernel", marks=pytest.mark.kernel_l2tp)])
def test_what_another_program_changes_shows_and_is_put_right(hosts: Hosts, datapath: str) -> None:
    a, b = hosts.pair()
    here, wanted = Here(a), _wanted(b.v4, datapath)
    here.apply(wanted)
    assert here.plan(wanted).steps == ()
    for command in (*NETDEV_CHANGES, *(L2TP_CHANGES if datapath == "kernel" else ())):
        a.ip(*command.split())
        if "del tunnel" in command:
            _await_deletion(a)
        assert here.plan(wanted).steps != (), command
        here.apply(wanted)
        assert here.plan(wanted).steps == (), command
