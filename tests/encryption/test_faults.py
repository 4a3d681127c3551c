"""What WireGuard needs and does not get: an error that says so, and nothing taken away."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import socket
from pathlib import Path

import pytest

from l2tpv3.encryption import wireguard, wireguard_go
from l2tpv3.encryption.wireguard import WireGuard
from l2tpv3.errors import ConflictError, L2tpError, UnavailableError
from l2tpv3.linux.netns import inside
from l2tpv3.model.status import TunnelStatus
from tests.here import Here
from tests.hosts import Host
from tests.traced import Call, Fail, traced

pytestmark = pytest.mark.root


def _added(a: Host, b: Host) -> tuple[Here, TunnelStatus]:
    here = Here(a)
    here.add_tunnel("t", {"remote": b.v4, "encrypt": "wireguard", "datapath": "user"})
    status: TunnelStatus = here.tunnel("t")
    return here, status


def _pid(status: TunnelStatus) -> int:
    """Of its wireguard-go."""
    assert status.encryption is not None
    if status.encryption.by != "wireguard-go":
        pytest.skip("the kernel has WireGuard")
    assert status.encryption.pid is not None
    return status.encryption.pid


def test_another_program_s_route_in_the_place_of_the_guard_stays(underlay: tuple[Host, Host]) -> None:
    a, b = underlay
    here, status = _added(a, b)
    assert status.encryption is not None
    here.down()
    a.ip("-6", "route", "add", "unreachable", status.encryption.remote, "table", "local", "metric", str(0xFFFF_FFFE))
    with pytest.raises(ConflictError, match="another program has a route") as refused:
        here.restore()
    assert status.encryption.remote in a.ip("-6", "route", "show", "table", "local", "type", "unreachable")
    a.run(shlex.split(refused.value.remedy.split("`")[1]))
    here.restore()
    assert here.tunnel("t").condition == "up"


def test_wireguard_go_that_was_removed_is_missed(
    underlay: tuple[Host, Host], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here, status = _added(*underlay)
    os.kill(_pid(status), signal.SIGKILL)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(wireguard_go, "_PROGRAM_PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"not installed; `apt install wireguard-go`"):
        here.restore()
    assert wireguard.why_not().endswith("; or `apt install wireguard-go`, which does it outside of the kernel")
    with pytest.raises(UnavailableError, match=r"it can't be encrypted here: .*apt install wireguard-go"):
        here.add_tunnel("u", {"remote": underlay[1].v4, "encrypt": "wireguard"})
    assert len(here.tunnels()) == 1


def test_a_process_that_can_not_be_asked_is_not_taken_for_a_dead_one(underlay: tuple[Host, Host]) -> None:
    here, status = _added(*underlay)
    pid = _pid(status)
    record = here.records()["t"]

    def make() -> None:
        with inside(here.host.netns):
            WireGuard(here.paths.runtime).make(record, None, new_endpoint=False)

    def refuse(call: Call) -> Fail | None:
        unix = call.name == "socket" and call.arguments[0] == socket.AF_UNIX
        return Fail(errno.EMFILE) if unix else None

    ended = traced(make, refuse)
    assert isinstance(ended.error, L2tpError) and "EMFILE" in str(ended.error)
    after = here.tunnel("t")
    assert _pid(after) == pid and after.condition == "up"
