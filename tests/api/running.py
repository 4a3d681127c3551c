"""The service as a process of its own, over the in-memory datapath: real uvicorn, real sockets, real signals."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from l2tpv3 import Paths
from l2tpv3_api.auth.identity import scopes
from l2tpv3_api.auth.tokens import Tokens
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]

_PROGRAM = """
import sys
from l2tpv3 import Manager, Paths
from l2tpv3.cli import main
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.memory_links import memory_makers
memory = MemoryDatapath()
placer = MemoryConfigurator(memory, frozenset({(None, "br0")}))
manager = Manager(Paths.from_environment(), [memory], placer, memory_makers(placer))
sys.exit(main(sys.argv[1:], manager=manager))
"""


class Running:
    """One service. log: what it wrote on stderr, JSON lines. Comes from `running`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.paths = Paths(home / "state", home / "run")
        self.unix = self.paths.runtime / "api.sock"
        self.log = home / "log"
        self.tokens = Tokens(self.paths.state)
        self.process: subprocess.Popen[bytes] | None = None
        self.said: list[str] = []
        self._own_sockets = 0

    def environment(self) -> dict[str, str]:
        """What a process of this host has."""
        paths = os.pathsep.join(map(str, (ROOT, ROOT / "api")))
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": paths,
            "L2TPV3_STATE_DIR": str(self.paths.state),
            "L2TPV3_RUNTIME_DIR": str(self.paths.runtime),
        }

    def start(self, *options: str, before: Sequence[str] = (), **environment: str) -> None:
        """Start `l2tpctl serve` with these options. before: a command that runs it."""
        command = [*before, sys.executable, "-c", _PROGRAM, "serve", *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env={**self.environment(), **environment}, stderr=log)

    def wait_ready(self) -> list[str]:
        """Wait until it serves, and give the places where."""
        assert self.process is not None
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up:
            for record in self.records():
                if record["message"].startswith("serves "):
                    self.said = record["message"].removeprefix("serves ").split(", ")
                    self._own_sockets = self._sockets()
                    return self.said
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise AssertionError("it does not get ready")

    def records(self) -> list[dict[str, Any]]:
        """What it logged."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait_for_record(self, **expected: Any) -> dict[str, Any]:
        """Wait for a record with these fields."""
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up:
            for record in self.records():
                if all(record.get(key) == value for key, value in expected.items()):
                    return record
            time.sleep(0.02)
        raise AssertionError(f"no record {expected} in {self.log.read_text()}")

    def wait_for_room(self) -> None:
        """Wait until it holds no connection: the end of one takes its place away only when the service hears of it."""
        give_up = time.monotonic() + PATIENCE_S
        while (more := self._sockets() - self._own_sockets) > 0:
            assert time.monotonic() < give_up, f"{more} connections stay"
            time.sleep(0.02)

    def _sockets(self) -> int:
        count = 0
        for file in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                count += str(file.readlink()).startswith("socket:")
        return count

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self.process is not None
        return self.process.pid

    @property
    def port(self) -> int:
        """The port of its first TCP socket."""
        return int(next(place for place in self.said if not place.startswith("/")).rpartition(":")[2])

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, and give its exit code."""
        self.send(number)
        assert self.process is not None
        return self.process.wait(PATIENCE_S)

    def by_unix(self) -> httpx.Client:
        """A client at its unix socket."""
        return httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self.unix)), base_url="http://l2tpv3", timeout=PATIENCE_S
        )

    def by_tcp(self, token: str = "", **options: Any) -> httpx.Client:
        """A client at its TCP port."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=PATIENCE_S, **options)

    def token(self, name: str, *words: str) -> str:
        """A new token with these scopes."""
        return self.tokens.add(name, scopes(words))[1]

    def connect(self) -> socket.socket:
        """A TCP connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def connect_unix(self) -> socket.socket:
        """A connection to its unix socket."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE_S)
        sock.connect(str(self.unix))
        return sock

    def say(self, request: bytes) -> bytes:
        """Send bytes by TCP, and give all that comes until the service closes."""
        with self.connect() as sock:
            sock.sendall(request)
            return read_all(sock)


def read_all(sock: socket.socket) -> bytes:
    """What comes until the end, also when that is a reset."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            said += piece
    return said


@contextlib.contextmanager
def home() -> Iterator[Running]:
    """A place for a service that is not started yet, which users other than root can reach; it is ended afterwards."""
    path = Path(tempfile.mkdtemp(prefix="l2tpv3-api-"))
    path.chmod(0o711)
    one = Running(path)
    try:
        yield one
    finally:
        if one.process is not None and one.process.poll() is None:
            one.process.terminate()
            try:
                one.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
        shutil.rmtree(path)


@contextlib.contextmanager
def running(*options: str) -> Iterator[Running]:
    """A service that is ready, with these options."""
    with home() as one:
        one.start("--log-format", "json", *options)
        one.wait_ready()
        yield one
