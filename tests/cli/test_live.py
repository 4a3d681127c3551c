"""l2tpctl capture, events and metrics: on this host, and on another through its service."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from l2tpv3.capture.pcapng import packets
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from tests.api.served import served
from tests.capture.test_recorder import Pair
from tests.cli.command_line import CommandLine
from tests.hosts import Host

L2TPCTL = Path(sys.executable).with_name("l2tpctl")
Line = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def pair(underlay: tuple[Host, Host]) -> Pair:
    return Pair(underlay)


@pytest.fixture(params=["here", "there"])
def line(request: pytest.FixtureRequest, pair: Pair) -> Iterator[Line]:
    """Starts l2tpctl beside the first host's namespace, with its record; or over a service that has it."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, url: str = "") -> subprocess.Popen[str]:
        command = [str(L2TPCTL), *(["--host", url] if url else []), *words]
        environment = (os.environ if url else pair.a.environment) | {"PYTHONUNBUFFERED": "1"}
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment))
        return started[-1]

    try:
        if request.param == "here":
            yield start
        else:
            with served(create_app(Service(pair.manager), guard=AllowAll())) as url:
                yield lambda *words: start(*words, url=url)
    finally:
        for process in started:
            process.kill()
            process.communicate()


def begun(process: subprocess.Popen[str]) -> str:
    """Its first line on stderr: from then on it captures."""
    assert process.stderr is not None
    return process.stderr.readline()


@pytest.mark.root
def test_a_capture_decoded(pair: Pair, line: Line) -> None:
    process = line("capture", "t", "one", "--filter", "len > 500", "-c", "2", "--seconds", "20")
    assert begun(process) == "capturing session t/one, outer; Ctrl-C ends it\n"
    pair.a.ping("10.9.1.2", "-s", "600")
    out, err = process.communicate()
    assert process.returncode == 0, err
    said = out.splitlines()
    assert "→ u0  10.99.0.1 → 10.99.0.2, UDP 5001 → 5001, session 513, cookie of 8 bytes, sublayer, " in said[0]
    assert "IP / ICMP 10.9.1.1 > 10.9.1.2 echo-request" in said[1]
    assert "← u0  10.99.0.2 → 10.99.0.1" in said[2] and "echo-reply" in said[3]
    assert len(said) == 4 and "0011223344556677" not in out


@pytest.mark.root
def test_inner_frames_decoded(pair: Pair, line: Line) -> None:
    process = line("capture", "t", "one", "--side", "inner", "--filter", "icmp", "-c", "2", "--seconds", "20")
    begun(process)
    pair.a.ping("10.9.1.2")
    out, _ = process.communicate()
    assert ["→ pw1" in out.splitlines()[0], "← pw1" in out.splitlines()[1]] == [True, True]
    assert "echo-reply" in out


@pytest.mark.root
def test_a_capture_in_a_file_until_ctrl_c(pair: Pair, line: Line, tmp_path: Path) -> None:
    path = tmp_path / "it.pcapng"
    process = line("capture", "t", "one", "--side", "inner", "--write", str(path))
    begun(process)
    pair.a.ping("10.9.1.2", count=3)
    while not path.exists() or len(list(packets([path.read_bytes()]))) < 6:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    subprocess.run(["capinfos", path], check=True, capture_output=True)


@pytest.mark.root
def test_a_capture_into_a_pipe_that_closes(pair: Pair, line: Line) -> None:
    process = line("capture", "t", "one", "-w", "-")
    begun(process)
    assert process.stdout is not None
    process.stdout.close()
    pair.a.ping("10.9.1.2", count=3)
    assert process.wait() == 141


@pytest.mark.root
def test_captures_that_can_not_be(line: Line) -> None:
    for words, code, said in (
        (["t", "three"], 3, "no such session"),
        (["u", "one"], 3, "no such tunnel"),
        (["t", "one", "--side", "up"], 1, "side: 'up' is no side"),
        (["t", "one", "--filter", "no such"], 1, "pcap-filter"),
        (["t", "one", "-c", "x"], 1, "packets: 'x' is not a number"),
        (["t", "one", "-w", "/no/such/dir/it"], 3, "/no/such/dir/it"),
    ):
        process = line("capture", *words)
        _, err = process.communicate()
        assert process.returncode == code, err
        assert said in err.splitlines()[-1]


@pytest.mark.root
def test_events(pair: Pair, line: Line) -> None:
    process = line("events", "--json", "--type", "session", "--counters", "0.2")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["type"] == "counters", "it listens from then on"
    pair.a.ip("link", "set", "pw1", "down")
    while (told := json.loads(process.stdout.readline()))["type"] == "counters":
        continue
    assert (told["type"], told["name"], told["document"]["condition"]) == ("session", "one", "down")
    process.send_signal(signal.SIGINT)
    assert process.wait() == 0


@pytest.mark.root
def test_events_in_words(pair: Pair, line: Line) -> None:
    process = line("events", "--counters", "0.2")
    assert process.stdout is not None
    assert "counters of 2 sessions" in process.stdout.readline()
    pair.manager.del_session("t", "two")
    while "counters" in (said := process.stdout.readline()):
        continue
    assert said.split("  ")[1] == "session t/two vanished\n"


@pytest.mark.root
def test_events_of_links_alone(pair: Pair, line: Line) -> None:
    process = line("events", "--type", "link", "--counters", "0.2")
    assert process.stdout is not None
    assert "counters of" in process.stdout.readline()
    pair.manager.links.add("wire", {"type": "alias"})
    while "counters" in (said := process.stdout.readline()):
        continue
    assert said.split("  ")[1] == "link wire appeared: up\n"
    pair.manager.links.delete("wire")


def test_metrics_have_links(siteb: CommandLine) -> None:
    siteb.ok("link add br9 --type bridge")
    assert 'l2tpv3_link_up{link="br9"' in siteb.ok("metrics").out
    siteb.ok("link del br9")


def test_event_types_that_there_are_not(siteb: CommandLine) -> None:
    assert siteb("events --type tunnels").code == 1
    assert siteb("events --counters 0").code == 1


def test_metrics(siteb: CommandLine, tmp_path: Path) -> None:
    text = siteb.ok("metrics").out
    names = {sample.name for one in text_string_to_metric_families(text) for sample in one.samples}
    assert {"l2tpv3_tunnel_up", "l2tpv3_session_rx_packets_total"} <= names
    path = tmp_path / "l2tpv3.prom"
    path.write_text("before")
    assert siteb.ok("metrics", "-o", str(path)).out == ""
    assert path.read_text() == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert sorted(one.name for one in tmp_path.iterdir() if "prom" in one.name) == ["l2tpv3.prom"]
    assert siteb("metrics -o /no/such/dir/x.prom").code == 3
