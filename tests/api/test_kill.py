"""The service is no part of the traffic: killed under load it loses no packet, and then tells what is there."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.documents.names import document_to_names
from tests.hosts import Host
from tests.passing import without_passing
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(900)]

PACKETS = 150


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = str(path)

    def connect(self) -> None:
        """See HTTPConnection."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(self._path)


def ask(path: Path, method: str, what: str, body: Any = None) -> Any:
    """One request on a connection of its own; raises OSError or HTTPException when nobody answers."""
    connection = UnixConnection(path)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, what, sent, {} if body is None else {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status < 300, text
        return json.loads(text) if text else None
    finally:
        connection.close()


def serve(host: Host) -> tuple[subprocess.Popen[str], Path]:
    """The service on a host, when it answers."""
    path = host.folder / "api.sock"
    process = host.start([Path(sys.executable).with_name("l2tpctl"), "serve", "--unix", str(path)])
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            ask(path, "GET", "/readyz")
            return process, path
        except (OSError, http.client.HTTPException):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("datapath", ["user", pytest.param("kernel", marks=pytest.mark.kernel_l2tp)])
def test_killed_under_load_it_loses_no_packet_and_then_tells_what_is_there(
    underlay: tuple[Host, Host], datapath: str
) -> None:
    a, b = underlay
    process, path = serve(a)
    ask(path, "PUT", "/v1/tunnels/t", {"remote": b.v4, "datapath": datapath})
    ask(path, "PUT", "/v1/tunnels/t/sessions/s", {"address": ["10.9.0.1/24"]})
    there = a.ctl("peer", "t").stdout
    for line in there.splitlines():
        b.ctl(*line.split()[1:])
    b.ctl("session", "set", "t", "s", "--address", "10.9.0.2/24")
    a.ping("10.9.0.2")

    ended = threading.Event()
    answered = []

    def press(number: int) -> None:
        turn = 0
        while not ended.is_set():
            turn += 1
            try:
                if number:
                    ask(path, "GET", "/v1/tunnels?include=sessions")
                else:
                    ask(path, "PUT", f"/v1/tunnels/x{turn % 2}", {"remote": b.v4, "local-port": 5000 + turn % 2})
                    ask(path, "DELETE", f"/v1/tunnels/x{turn % 2}")
                answered.append(number)
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)  # it was killed

    clients = [threading.Thread(target=press, args=(number,)) for number in range(4)]
    traffic = a.start(["ping", "-q", "-n", "-i", "0.02", "-c", str(PACKETS), "-W", "5", "10.9.0.2"])
    for client in clients:
        client.start()
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not {0, 1} <= set(answered):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        told = traffic.communicate(timeout=PATIENCE_S)[0]
    finally:
        ended.set()
        for client in clients:
            client.join()
    assert f"{PACKETS} packets transmitted, {PACKETS} received" in told

    workers = a.workers()
    _, path = serve(a)
    assert set(workers) <= set(a.workers()), "it starts beside what is there"
    a.ctl("restore")  # finishes a change that was killed half-way
    shown = list(map(without_passing, ask(path, "GET", "/v1/tunnels?include=sessions")["tunnels"]))
    local = list(map(without_passing, json.loads(a.ctl("tunnel", "show", "--json").stdout)["tunnels"]))
    for one in local:
        for part in (one, *one["sessions"]):
            document_to_names(part)
    assert shown == local
    (link,) = json.loads(a.ip("-j", "-d", "link", "show", "dev", shown[0]["sessions"][0]["ifname"]))
    netdev = shown[0]["sessions"][0]["netdev"]
    assert (link["ifindex"], link["address"], link["mtu"]) == (netdev["ifindex"], netdev["mac"], netdev["mtu"])
    ask(path, "PUT", "/v1/tunnels/after", {"remote": b.v4, "local-port": 6000})
    a.ping("10.9.0.2")
