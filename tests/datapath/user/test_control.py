"""A worker's control socket and what comes over it, good and bad."""

from __future__ import annotations

import array
import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.errors import NotFoundError, RefusedError
from l2tpv3.worker.client import Client
from l2tpv3.worker.messages import REQUEST_MAX, BadMessage, Unpacker, pack
from l2tpv3.worker.pool import WorkerPool
from l2tpv3.worker.protocol import OPERATIONS, PROTOCOL
from tests.datapath.user.ends import End, mirrored, passes, session
from tests.waiting import PATIENCE_S, eventually


def test_messages_come_out_however_they_are_cut() -> None:
    messages: list[dict[str, Any]] = [{"op": "report"}, {"op": "x" * 500, "n": [1, 2]}, {}]
    stream = b"".join(map(pack, messages))
    for size in (1, 3, 7, len(stream)):
        unpacker = Unpacker(REQUEST_MAX)
        found = []
        for start in range(0, len(stream), size):
            found += unpacker.feed(stream[start : start + size])
        assert found == messages


@pytest.mark.parametrize(
    "data",
    [struct.pack("!I", REQUEST_MAX + 1), struct.pack("!I", 2) + b"[]", struct.pack("!I", 3) + b"{,}",
     struct.pack("!I", 0), struct.pack("!I", 2) + b"\xff\xff", struct.pack("!I", 50_000) + b"[" * 50_000],
)  # fmt: skip
def test_bad_messages_are_told(data: bytes) -> None:
    with pytest.raises(BadMessage):
        Unpacker(REQUEST_MAX).feed(data)


@pytest.fixture
def busy(ends: tuple[End, End]) -> Iterator[tuple[End, Client]]:
    """A worker that carries a session, and a connection to it; afterwards it still does."""
    a, b = ends
    near, one = a.tunnel(b.host), session()
    a.add(near, one)
    b.add(b.tunnel(a.host), mirrored(one))
    (pid,) = a.host.workers()
    eventually(lambda: open_files(pid) == 7, "earlier connections are closed")  # 3, epoll, listener, TAP, UDP
    before = open_files(pid)
    with WorkerPool(a.host.runtime_dir).live() as crew:
        (client,) = crew.clients
        assert client.pid == pid
        yield a, client
    passes(a.place(one), b.place(one), [60])
    passes(b.place(one), a.place(one), [60])
    assert len(a.seen(near).sessions) == 1
    assert a.host.workers() == [pid]
    eventually(lambda: open_files(pid) == before, "all files and connections are closed")
    assert (a.host.runtime_dir / "worker-0.log").read_text() == ""


def open_files(pid: int) -> int:
    """How many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def ask(client: Client, op: str, **fields: Any) -> None:
    """A request that need not be one. Raises what the worker refuses."""
    give_up = time.monotonic() + PATIENCE_S
    client.ask(op, give_up, **fields)
    client.answer("test", op if op in OPERATIONS else "nothing", give_up)


@pytest.mark.root
def test_bad_requests_are_answered_and_harm_nothing(busy: tuple[End, Client]) -> None:
    _, client = busy
    (tunnel,) = client.request("test", "summary")["tunnels"]
    key = {"netns": tunnel["netns"], "tunnel_id": tunnel["tunnel_id"]}
    for op, fields in (
        ("frobnicate", {}),
        ("add_tunnel", {}),
        ("add_tunnel", {"tunnel": 7}),
        ("add_tunnel", {"tunnel": {"netns": [1, 2], "encap": "carrier-pigeon"}}),
        ("add_tunnel", {"tunnel": {**tunnel, "tunnel_id": 99}}),  # no socket came along
        ("add_session", {**key, "session": {}}),
        ("add_session", {**key, "session": []}),
        ("del_session", {**key, "session_id": [1]}),
        ("del_session", {"netns": 5, "tunnel_id": 1, "session_id": 1}),
        ("set_session", {**key, "session": {"name": "s1"}}),
        ("report", {"netns": {}}),
        ("report", {"netns": None, "x": 1}),
        ("find_session", {}),
        ("hello", {}),
    ):
        with pytest.raises(RefusedError, match="bad request"):
            ask(client, op, **fields)
    requests: dict[str, dict[str, Any]] = {
        "del_tunnel": {},
        "del_sessions": {"keep": False},
        "del_session": {"session_id": 5},
    }
    for op, more in requests.items():
        with pytest.raises(NotFoundError):
            client.request("test", op, netns=[0, 0], tunnel_id=5, **more)


@pytest.mark.root
def test_files_that_are_not_wanted_are_closed(busy: tuple[End, Client]) -> None:
    _, client = busy
    reader, writer = os.pipe()
    try:
        client.request("test", "summary", [reader, writer])
        with pytest.raises(RefusedError):
            client.request("test", "add_session", [reader, reader], netns=[0, 0], tunnel_id=1, session={})
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.root
@pytest.mark.parametrize("junk", [b"\xff" * 100, b"\0\0\0\2[]", b"\0\0\0\5{}", b"", b"\0"])
def test_junk_ends_the_connection_only(busy: tuple[End, Client], junk: bytes) -> None:
    a, _ = busy
    reader, writer = os.pipe()
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(a.host.runtime_dir / "worker-0.sock"))
        if junk:
            raw.sendmsg([junk], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [reader, writer]))])
    os.close(reader)
    os.close(writer)


@pytest.mark.root
def test_a_client_that_does_not_read_does_not_stop_the_worker(busy: tuple[End, Client]) -> None:
    a, client = busy
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(a.host.runtime_dir / "worker-0.sock"))
        deaf.settimeout(0.2)
        deaf.sendall(pack({"op": "hello", "protocol": PROTOCOL}))
        request = pack({"op": "report", "netns": None})
        try:
            for _ in range(3000):
                deaf.sendall(request * 10)
        except TimeoutError:
            pass  # the worker does not read on while its answers are not taken
        assert client.request("test", "nothing") == {}


@pytest.mark.root
def test_the_report_follows_a_rename(busy: tuple[End, Client]) -> None:
    a, client = busy
    a.host.ip_batch(["link set pw1 down", "link set pw1 name other0"])
    try:
        (tunnel,) = client.request("test", "report", netns=None)["tunnels"]
        assert tunnel["sessions"][0]["seen_ifname"] == "other0"
    finally:
        a.host.ip_batch(["link set other0 name pw1", "link set pw1 up"])
