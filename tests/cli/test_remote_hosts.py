"""Two hosts, each with a service, commanded from a third place: traffic, captures, events, and a service that dies."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.capture import pcapng
from tests.hosts import Host
from tests.passing import without_passing
from tests.waiting import PATIENCE_S

L2TPCTL = str(Path(sys.executable).with_name("l2tpctl"))

pytestmark = pytest.mark.root


class There:
    """A host as it is seen from elsewhere. service: its `l2tpctl serve`."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.service = self._serve()
        self._started: list[subprocess.Popen[str]] = []

    @property
    def _socket(self) -> Path:
        return self.host.runtime_dir / "api.sock"

    def _serve(self) -> subprocess.Popen[str]:
        service = self.host.start([L2TPCTL, "serve", "--log-format", "json"])
        assert service.stdout is not None
        assert any("serves " in line for line in service.stdout)
        return service

    def kill(self) -> None:
        """End the service without a warning."""
        self.service.send_signal(signal.SIGKILL)  # `ip netns exec` has become it
        self.service.wait()

    def serve_again(self) -> None:
        """Start another."""
        self.service = self._serve()

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin a command; it is ended with the test."""
        command = [L2TPCTL, "--host", f"unix://{self._socket}", *words]
        self._started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return self._started[-1]

    def end(self) -> None:
        """End what was begun, and leave nothing on the host."""
        for one in self._started:
            if one.poll() is None:
                one.kill()
            one.communicate()
        self.host.ctl("tunnel", "del", "t")

    def ctl(self, *words: str) -> str:
        """What a command prints; it has to succeed."""
        out, err = (done := self.start(*words)).communicate(timeout=PATIENCE_S)
        assert done.returncode == 0, err
        return out


@pytest.fixture
def joined(underlay: tuple[Host, Host]) -> Iterator[tuple[There, There]]:
    """Two hosts whose session `lan` was made at one, and at the other by what `peer` printed."""
    a, b = map(There, underlay)
    a.ctl("tunnel", "add", "t", "--remote", underlay[1].v4, "--datapath", "user")
    a.ctl("session", "add", "t", "lan", "--address", "10.9.0.1/24")
    for line in a.ctl("peer", "t").splitlines():
        b.ctl(*shlex.split(line)[1:], *(["--datapath", "user"] if " tunnel " in line else ["--address", "10.9.0.2/24"]))
    try:
        yield a, b
    finally:
        for one in (a, b):
            one.end()


def still(text: str) -> list[dict[str, Any]]:
    """The tunnels of a document, without what moves by itself."""
    return list(map(without_passing, json.loads(text)["tunnels"]))


def test_traffic_and_what_is_told_of_it(joined: tuple[There, There], tmp_path: Path) -> None:
    a, _ = joined
    assert a.host.ping("10.9.0.2")
    (seen,) = json.loads(a.ctl("session", "stats", "t", "lan", "--json"))["sessions"]
    assert seen["counters"]["tx_packets"] > 0 < seen["counters"]["rx_packets"]
    assert a.ctl("tunnel", "show", "t", "--show-secrets") == a.host.ctl("tunnel", "show", "t", "--show-secrets").stdout
    assert a.ctl("export") == a.host.ctl("export").stdout
    file = tmp_path / "lan.pcapng"
    capturing = a.start("capture", "t", "lan", "--side", "inner", "--filter", "icmp", "-c", "2", "-w", str(file))
    assert capturing.stderr is not None
    assert "Ctrl-C ends it" in capturing.stderr.readline()
    while capturing.poll() is None:
        a.host.run(["ping", "-c1", "-W1", "10.9.0.2"])
    assert capturing.stderr.read().startswith("2 packets captured, 0 dropped")
    assert capturing.wait() == 0
    assert len(list(pcapng.packets([file.read_bytes()]))) == 2
    assert file.stat().st_mode & 0o777 == 0o600


def test_who_is_behind_a_session_and_what_passes_it(joined: tuple[There, There]) -> None:
    a, _ = joined
    pinging = a.host.start(["ping", "-q", "-n", "-i", "0.02", "10.9.0.2"])
    assert "far end" in a.ctl("hosts", "t/lan", "--listen", "0.5")
    watching = a.start("torch", "t/lan", "--interval", "0.3", "--json")
    assert watching.stdout is not None
    ways: set[tuple[bool, str]] = set()
    while len(ways) < 2:
        flows = json.loads(watching.stdout.readline())["flows"]
        ways |= {(one["out"], one["source"]) for one in flows if one["protocol"] == "icmp"}
    watching.send_signal(signal.SIGINT)
    assert watching.wait(PATIENCE_S) == 0
    pinging.kill()
    assert ways == {(True, "10.9.0.1"), (False, "10.9.0.2")}
    refused = a.start("torch", "t/lan", "--interval", "11")
    assert "interval_s" in refused.communicate(timeout=PATIENCE_S)[1] and refused.returncode == 1


def test_a_capture_that_is_interrupted_leaves_a_whole_file(joined: tuple[There, There], tmp_path: Path) -> None:
    a, _ = joined
    file = tmp_path / "lan.pcapng"
    capturing = a.start("capture", "t", "lan", "-w", str(file))
    assert capturing.stderr is not None
    capturing.stderr.readline()
    give_up = time.monotonic() + PATIENCE_S
    while not file.stat().st_size and time.monotonic() < give_up:
        a.host.run(["ping", "-c1", "-W1", "10.9.0.2"])
    capturing.send_signal(signal.SIGINT)
    assert capturing.wait(PATIENCE_S) == 0
    data = file.read_bytes()
    assert b"".join(pcapng.whole_blocks([data])) == data != b""


def test_events_go_on_over_the_death_of_the_service(joined: tuple[There, There]) -> None:
    a, _ = joined
    following = a.start("events", "--type", "session", "--json")
    assert following.stdout is not None
    # what happens before it listens is not told: change something until it is
    os.set_blocking(following.stdout.fileno(), False)
    give_up = time.monotonic() + PATIENCE_S
    line = ""
    up = False
    while not line and time.monotonic() < give_up:
        a.host.ctl("session", "set", "t", "lan", "--up" if up else "--down")
        up = not up
        time.sleep(0.3)
        line = following.stdout.readline()
    os.set_blocking(following.stdout.fileno(), True)
    assert json.loads(line)["name"] == "lan"
    a.host.ctl("session", "set", "t", "lan", "--up")
    a.kill()
    assert a.host.ping("10.9.0.2"), "no traffic depends on it"
    refused = a.start("tunnel", "show")
    _, err = refused.communicate(timeout=PATIENCE_S)
    assert refused.returncode == 2 and "can't connect" in err
    a.serve_again()
    assert still(a.ctl("--json")) == still(a.host.ctl("--json").stdout)
    told = ""
    give_up = time.monotonic() + PATIENCE_S
    a.ctl("session", "add", "t", "second")
    while "second" not in told and time.monotonic() < give_up:
        told = following.stdout.readline()
        if '"reset"' in told:  # what was missed is not told again
            a.ctl("session", "del", "t", "second")
            a.ctl("session", "add", "t", "second")
    assert json.loads(told)["name"] == "second"
    following.send_signal(signal.SIGINT)
    assert following.wait(PATIENCE_S) == 0
