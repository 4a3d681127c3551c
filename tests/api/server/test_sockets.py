"""Where the service listens: what it replaces, what it leaves alone, what systemd hands over, how it ends."""

from __future__ import annotations

import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.api.running import Running, home, read_all, running
from tests.waiting import PATIENCE_S


@pytest.fixture
def one() -> Iterator[Running]:
    with home() as there:
        yield there


def refused(one: Running, *options: str) -> str:
    """What a service says that does not start."""
    one.start(*options)
    assert one.process is not None
    assert one.process.wait(PATIENCE_S) != 0
    lines = [line for line in one.log.read_text().splitlines() if line.startswith("l2tpctl: ")]
    assert len(lines) == 1
    return lines[0]


def test_the_socket_is_there_and_gone(one: Running) -> None:
    one.start("--log-format", "json")
    assert one.wait_ready() == [str(one.unix)]
    assert stat.S_ISSOCK(one.unix.stat().st_mode)
    assert one.unix.stat().st_mode & 0o777 == 0o660
    assert one.unix.parent.stat().st_mode & 0o777 == 0o711
    with one.by_unix() as client:
        assert client.get("/v1/tunnels").status_code == 200
    assert one.stop() == 0
    assert not one.unix.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_connections_open(one: Running, number: int) -> None:
    one.start("--log-format", "json", "--listen", "127.0.0.1:0")
    one.wait_ready()
    with one.connect() as idle, one.connect() as half, one.by_unix() as client:
        half.sendall(b"GET / HT")
        client.get("/v1/tunnels")
        with client.stream("GET", "/v1/events") as stream:
            assert stream.status_code == 200
            assert one.stop(number) == 0
            stream.read()  # a proper end, no broken connection
        assert read_all(idle) == b""
    assert [record for record in one.records() if record["level"] == "error"] == []


def test_what_a_killed_one_left_is_replaced(one: Running) -> None:
    one.start("--log-format", "json")
    one.wait_ready()
    assert one.stop(signal.SIGKILL) == -signal.SIGKILL
    assert one.unix.exists()
    one.log.unlink()
    one.start("--log-format", "json")
    one.wait_ready()
    with one.by_unix() as client:
        assert client.get("/v1/tunnels").status_code == 200


def test_one_that_answers_is_left_alone(one: Running) -> None:
    one.start("--log-format", "json")
    one.wait_ready()
    first = one.process
    other = Running(one.home)
    other.log = one.home / "log2"
    said = refused(other)
    assert str(one.unix) in said and "another service answers there" in said
    with one.by_unix() as client:
        assert client.get("/v1/tunnels").status_code == 200
    assert first is not None and first.poll() is None


def test_another_programs_socket_is_left_alone(one: Running) -> None:
    one.unix.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(one.unix))
        other.listen()
        assert "another service answers there" in refused(one)
    assert one.unix.exists()


@pytest.mark.parametrize("what", ["file", "directory", "link"])
def test_what_is_no_socket_is_left_alone(one: Running, what: str) -> None:
    one.unix.parent.mkdir(parents=True)
    if what == "file":
        one.unix.write_text("precious")
    elif what == "directory":
        one.unix.mkdir()
    else:
        one.unix.symlink_to("/etc/passwd")
    assert "is no socket" in refused(one)
    assert one.unix.exists() or one.unix.is_symlink()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--listen", "0.0.0.0:0"], "in clear"),
        (["--listen", "[::]:0"], "in clear"),
        (["--listen", "[::ffff:0.0.0.0]:0"], "in clear"),
        (["--listen", "127.0.0.1:0", "--listen", "0.0.0.0:0"], "in clear"),
        (["--listen", "192.0.2.77:0", "--insecure-plain-http"], "EADDRNOTAVAIL"),
        (["--listen", "no-such-host.invalid:80"], "has no address here"),
        (["--listen", "::1:80"], "brackets"),
        (["--listen", "127.0.0.1:99999"], "not HOST:PORT"),
        (["--unix", "none"], "nothing to listen on"),
        (["--unix", "/" + "x" * 120], "longer than 107 bytes"),
        (["--unix", "/proc/nowhere/sock"], "/proc/nowhere"),
        (["--limit", "rate=0"], "no number above 0"),
        (["--limit", "speed=1"], "not a limit"),
        (["--others", "write"], "'write' is none of read, nothing"),
        (["--log-format", "xml"], "'xml' is none of"),
    ],
)
def test_what_is_refused_at_the_start(one: Running, options: list[str], told: str) -> None:
    assert told in refused(one, *options)
    assert not one.unix.exists()


def test_a_port_that_is_taken(one: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        said = refused(one, "--listen", f"127.0.0.1:{other.getsockname()[1]}")
    assert "EADDRINUSE" in said and "ss -ltnp" in said


def test_plain_tcp_beyond_loopback_where_one_says_so() -> None:
    with running("--unix", "none", "--listen", "0.0.0.0:0", "--insecure-plain-http") as there:
        assert httpx.get(f"http://127.0.0.1:{there.port}/v1/tunnels").status_code == 401


ACTIVATE = """
import os, socket, sys
socks = [socket.socket(socket.AF_UNIX), socket.create_server(("127.0.0.1", 0))]
socks[0].bind(sys.argv[1]); socks[0].listen()
held = [os.dup(sock.fileno()) for sock in socks]
for to, fd in enumerate(held, 3):
    os.dup2(fd, to)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2")
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_sockets_from_systemd(one: Running) -> None:
    """They are taken as they are, and left when the service ends: clients wait for the next one meanwhile."""
    one.unix.parent.mkdir(parents=True)
    path = one.home / "activated.sock"
    one.start("--log-format", "json", before=[sys.executable, "-c", ACTIVATE, str(path)])
    paths = one.wait_ready()
    assert paths[0] == str(path) and len(paths) == 2
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
        assert client.get("http://x/v1/tunnels").status_code == 200
    with one.by_tcp(one.token("t")) as client:
        assert client.get("/v1/tunnels").status_code == 200
    assert not one.unix.exists()
    assert one.stop() == 0
    assert path.exists()


def test_plain_tcp_beyond_loopback_from_systemd_is_refused_too(one: Running) -> None:
    everywhere = ACTIVATE.replace("127.0.0.1", "0.0.0.0")
    one.start(before=[sys.executable, "-c", everywhere, str(one.home / "activated.sock")])
    assert one.process is not None
    assert one.process.wait(PATIENCE_S) == 1
    assert "in clear" in one.log.read_text()


def test_systemd_is_told(one: Running) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(one.home / "notify"))
        systemd.settimeout(PATIENCE_S)
        one.start("--log-format", "json", NOTIFY_SOCKET=str(one.home / "notify"), WATCHDOG_USEC="2000000")
        assert systemd.recv(4096).startswith(b"READY=1\nSTATUS=serves ")
        with one.by_unix() as client:
            assert client.get("/v1/tunnels").status_code == 200
        assert systemd.recv(4096) == b"WATCHDOG=1"
        one.send(signal.SIGHUP)
        told = b""
        while b"RELOADING=1" not in told:
            told = systemd.recv(4096)
        assert systemd.recv(4096).startswith(b"READY=1")
        assert one.stop() == 0
        while told != b"STOPPING=1":
            told = systemd.recv(4096)


def test_journal_socket_gets_records_where_stderr_is_the_journal(one: Running) -> None:
    """systemd's own journal is not here: the bytes are compared with its documented protocol."""
    program = """
import logging, os, sys
from l2tpv3_api import logs
status = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
logs.set_up(journal=sys.argv[1])
log = logging.getLogger("l2tpv3_api.auth")
log.info("root GET /x", extra={"fields": {"identity": "root", "status": 200}})
log.warning("two\\nlines")
"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        path = one.home / "journal"
        journal.bind(str(path))
        journal.settimeout(PATIENCE_S)
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)], env=one.environment(), capture_output=True, check=True
        )
        first, second = journal.recv(65536), journal.recv(65536)
    assert done.stderr == b""
    assert set(first.splitlines()) >= {
        b"MESSAGE=root GET /x", b"PRIORITY=6", b"SYSLOG_IDENTIFIER=l2tpv3-api", b"L2TPV3_IDENTITY=root",
        b"L2TPV3_STATUS=200",
    }  # fmt: skip
    assert second.startswith(b"MESSAGE\n" + (9).to_bytes(8, "little") + b"two\nlines\n")
    assert b"PRIORITY=4" in second
