"""`kill -9` of `fleet push`, or of an agent, with a real server: all hosts are old or new, and none has more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.fleet.nats.test_watch import end_file
from tests.hosts import Host, Hosts
from tests.points import sample
from tests.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.root, pytest.mark.timeout(0 if os.environ.get("L2TPV3_TEST_FULL") else 600)]

_L2TPCTL = Path(sys.executable).with_name("l2tpctl")
_KILLED = [sys.executable, str(Path(__file__).parents[1] / "killed.py")]
_NO_POINT = 1_000_000
CALLS = 28
"""About how many calls there are that are counted; where there are fewer, nothing is killed."""
MOMENTS, MOMENT_S = 72, 3.0
"""How many moments are drawn, and within how many seconds."""
POINTS = [*sample(CALLS, 1), *(CALLS + number for number in sample(MOMENTS, 1))]
"""What this run tries: first calls, then moments; 100 in a full run."""


class Pair:
    """Hosts a and b, which follow a fleet. The server and the coordinator are at host a."""

    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self.a, self.b = self.all = hosts.pair()
        self.folder = folder
        self.url = f"nats://{self.a.v4}:4222"
        self.a.start([_L2TPCTL, "fleet", "serve", "--listen", f"{self.a.v4}:4222"])
        for host in self.all:
            line = self.a.ctl("fleet", "enroll", host.name, "--url", self.url).stdout
            host.ctl("fleet", "join", "-", stdin=line)
        self.agents = {host.name: self.agent(host) for host in self.all}
        self.has = "x"
        self.write("x")
        eventually(lambda: self.a.ctl(*self.push(50), check=False).returncode == 0)
        self.check_whole()

    def agent(self, host: Host, point: int = _NO_POINT) -> subprocess.Popen[str]:
        """An agent that kills itself at that point."""
        return host.start([*_KILLED, "agent", str(point), "watch", "--fleet", self.url])

    def end_agent(self, name: str) -> None:
        """End a host's agent as its service does."""
        self.agents[name].terminate()
        self.agents[name].wait(PATIENCE_S)

    def write(self, tunnel: str) -> None:
        """Write the files that have this tunnel and no other."""
        for host, peer, inner in ((self.a, self.b, "10.9.0.1"), (self.b, self.a, "10.9.0.2")):
            text = end_file(host.v4, peer.v4, inner).replace("tunnel.f", f"tunnel.{tunnel}")
            (self.folder / f"{host.name}.toml").write_text(text)

    def push(self, wait_s: float) -> list[str]:
        """The words of the command that pushes them."""
        files = [f"{host.name}={self.folder / f'{host.name}.toml'}" for host in self.all]
        return ["fleet", "push", "--url", self.url, "--confirm", f"{wait_s + 2:g}", "--wait", f"{wait_s:g}", *files]

    def begin_push(self, wait_s: float, point: int = _NO_POINT) -> subprocess.Popen[str]:
        """Begin to push the tunnel that the hosts do not have."""
        self.write(self.other)
        return self.a.start([*_KILLED, "push", str(point), *self.push(wait_s)])

    @property
    def other(self) -> str:
        """The tunnel that the hosts do not have."""
        return "y" if self.has == "x" else "x"

    def tunnels(self, host: Host) -> list[str]:
        """The tunnels of a host that are up with their session."""
        return [one["name"] for one in json.loads(host.ctl("--json").stdout)["tunnels"]
                if one["condition"] == one["sessions"][0]["condition"] == "up"]  # fmt: skip

    def all_have(self, tunnel: str) -> bool:
        """Whether each host has this tunnel for good, and nothing else."""
        return all(
            self.tunnels(host) == [tunnel]
            and not json.loads(host.ctl("end-facts").stdout)["unconfirmed"]
            and len(json.loads(host.run(["ip", "-j", "link", "show", "type", "tun"]).stdout)) == 1
            for host in self.all
        )

    def check_whole(self) -> None:
        """Wait until all hosts have what they are to have."""
        eventually(lambda: self.all_have(self.has), f"not all hosts have {self.has}, or one has more")

    def close(self) -> None:
        """Have the hosts have nothing, and end the agents."""
        for host in self.all:
            (self.folder / f"{host.name}.toml").write_text("")
        self.a.ctl(*self.push(50))
        eventually(lambda: not any(self.tunnels(host) for host in self.all))
        for name in self.agents:
            self.end_agent(name)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    hosts = Hosts()
    try:
        made = Pair(hosts, tmp_path_factory.mktemp("pull"))
        yield made
        made.close()
    finally:
        hosts.close()


def kill_at_a_moment(process: subprocess.Popen[str], point: int) -> None:
    """Kill a process at a moment that is drawn for this point, and wait until it is gone."""
    time.sleep(Random(point).uniform(0.0, MOMENT_S))
    process.kill()
    process.wait(PATIENCE_S)


@pytest.mark.parametrize("point", POINTS)
def test_the_coordinator_is_killed(pair: Pair, point: int) -> None:
    pushing = pair.begin_push(4.0 if point % 2 else 30.0, point if point <= CALLS else _NO_POINT)
    if point > CALLS:
        kill_at_a_moment(pushing, point)
    pushing.wait(PATIENCE_S)
    assert pushing.returncode in (-signal.SIGKILL, 0, 2)
    if point % 2:  # by turns: the next run comes after the time to confirm, and while it lasts
        eventually(lambda: pair.all_have(pair.has) or pair.all_have(pair.other), "a host has something else")
    pair.a.ctl("fleet", "push", "--url", pair.url)
    eventually(lambda: pair.all_have(pair.has) or pair.all_have(pair.other), "a host has something else")
    if pair.all_have(pair.other):
        pair.has = pair.other
    eventually(lambda: "differs" not in (said := pair.a.ctl("fleet", "hosts", "--url", pair.url).stdout)
               and "waits" not in said)  # fmt: skip
    pair.check_whole()


@pytest.mark.parametrize("point", POINTS)
def test_an_agent_is_killed(pair: Pair, point: int) -> None:
    name = "ab"[point // 2 % 2]
    host = pair.a if name == "a" else pair.b
    if point <= CALLS:
        pair.end_agent(name)
        pair.agents[name] = pair.agent(host, point)
    pushing = pair.begin_push(4.0 if point % 2 else 30.0)
    if point > CALLS:
        kill_at_a_moment(pair.agents[name], point)
    eventually(lambda: pair.agents[name].poll() is not None or pushing.poll() is not None)
    if point % 2:  # by turns: it comes back when all is over, and while the others wait for it
        pushing.wait(PATIENCE_S)
    if pair.agents[name].poll() is not None:
        pair.agents[name] = pair.agent(host)
    pushing.wait(PATIENCE_S)
    assert pushing.returncode in (0, 2)
    pair.has = pair.other if pushing.returncode == 0 else pair.has
    if pair.agents[name].poll() is not None:  # it was killed at a point behind the commit
        pair.agents[name] = pair.agent(host)
    pair.check_whole()
