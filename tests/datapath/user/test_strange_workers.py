"""Workers that are not what they should be: of another version, mad, late, endless, without a socket."""

from __future__ import annotations

import ast
import contextlib
import errno
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.datapath.base import Unreachable
from l2tpv3.errors import ConflictError, RefusedError, WorkerError
from l2tpv3.worker import client, pool, protocol
from l2tpv3.worker.protocol import PROTOCOL, BadFieldError, check_answer, check_request
from tests.datapath.user.ends import End, mirrored, passes, session
from tests.hosts import runs
from tests.waiting import eventually

_STAND_IN = Path(__file__).with_name("stand_in.py")
MODES = {
    "old": errno.EPROTONOSUPPORT,
    "later": errno.EPROTONOSUPPORT,
    "nonsense": errno.EPROTO,
    "shape": errno.EPROTO,
    "huge": errno.EPROTO,
    "trickle": errno.ETIMEDOUT,
    "late": errno.ETIMEDOUT,
    "silent": errno.ETIMEDOUT,
}


@contextlib.contextmanager
def standing_in(runtime: Path, mode: str) -> Iterator[int]:
    """A process in a worker's place, in a runtime directory; its pid."""
    path = runtime / "worker-7.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        command = [sys.executable, str(_STAND_IN), mode, str(PROTOCOL)]
        process = subprocess.Popen(command, stdin=listener.fileno(), stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        process.kill()
        process.communicate()
        path.unlink(missing_ok=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for workers that do not answer."""
    monkeypatch.setattr(pool, "LOOK_TIMEOUT_S", 1.0)
    for module in (pool, client):
        monkeypatch.setattr(module, "TIMEOUT_S", 1.0)


@pytest.mark.root
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("mode", MODES)
def test_a_bad_worker_is_told_by_pid_and_holds_up_no_others(ends: tuple[End, End], mode: str) -> None:
    a, b = ends
    near, one = a.tunnel(b.host), session()
    a.add(near, one)
    (well,) = a.host.workers()
    with standing_in(a.host.runtime_dir, mode) as bad:
        started = time.monotonic()
        seen = a.datapath.look(a.host.netns)
        assert time.monotonic() - started < 5
        (fault,) = seen.faults
        assert (fault.pid, fault.errno) == (bad, MODES[mode])
        assert str(bad) in str(fault) and "l2tpctl restore" in fault.remedy
        assert [(tunnel.tunnel_id, tunnel.worker_pid) for tunnel in seen.tunnels] == [(1, well)]
        assert a.datapath.workers() == {well: True, bad: MODES[mode] == errno.EPROTONOSUPPORT}
        # What the other one carries can be changed, and there can be more of it.
        a.datapath.add_session(near, session(2))
        second = a.tunnel(b.host, name="t2", tunnel_id=2, local_port=5002)
        a.datapath.add_tunnel(second)
        a.datapath.add_session(second, session(3))
        a.datapath.del_session(near, session(2))
        a.datapath.del_tunnel(second)
        # What it may carry itself is not taken for gone.
        with pytest.raises(WorkerError, match=f"worker {bad}"):
            a.datapath.del_tunnel(second)
    assert a.datapath.look(a.host.netns).faults == ()


@pytest.mark.root
@pytest.mark.parametrize("mode", ["old", "later"])
def test_one_of_another_version_is_replaced_and_others_are_left_alone(ends: tuple[End, End], mode: str) -> None:
    a, b = ends
    a.add(a.tunnel(b.host), session())
    (well,) = a.host.workers()
    with standing_in(a.host.runtime_dir, mode) as bad:
        (told,) = a.datapath.replace_old(["t1"])
        assert f"worker {bad}: was of another version; it is ended" in str(told)
        assert well in a.host.workers()
        assert a.datapath.look(a.host.netns).faults == ()
        assert not (a.host.runtime_dir / "worker-7.sock").exists()
    assert a.datapath.replace_old(["t1"]) == []


@pytest.mark.root
def test_where_no_worker_can_be_started_none_is_ended(ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = ends
    a.add(a.tunnel(b.host), session())
    with standing_in(a.host.runtime_dir, "old") as bad:
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(WorkerError, match="did not start"):
            a.datapath.replace_old(["t1"])
        (fault,) = a.datapath.look(a.host.netns).faults
        assert fault.pid == bad


@pytest.mark.root
def test_one_that_runs_the_program_of_before_an_upgrade_is_replaced(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = ends
    near, one = a.tunnel(b.host), session()
    a.add(near, one)
    b.add(b.tunnel(a.host), mirrored(one))
    (before,) = a.host.workers()
    index = a.ifindexes()["pw1"]
    monkeypatch.setattr(pool, "digest", lambda: "another")
    assert a.datapath.replace_old(["t2"]) == [], "it carries what nobody would make again"
    (told,) = a.datapath.replace_old(["t1"])
    assert f"worker {before}" in str(told)
    a.datapath.add_tunnel(near)
    a.datapath.add_session(near, one, adopt=True)
    a.wait_for_carrier(one)
    assert a.ifindexes()["pw1"] == index and a.host.workers() != [before]
    passes(a.place(one), b.place(one), [60])


@pytest.mark.root
def test_a_client_of_another_version_is_refused(ends: tuple[End, End]) -> None:
    a, b = ends
    a.add(a.tunnel(b.host), session())
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(a.host.runtime_dir / "worker-0.sock"))
        asker = client.Client(connection, "worker-0.sock")
        with pytest.raises(RefusedError, match="an earlier protocol"):
            asker.request("test", "summary")
        assert asker.request("test", "hello", protocol=PROTOCOL + 1)["protocol"] == PROTOCOL
        with pytest.raises(RefusedError, match=f"protocol {PROTOCOL + 1}: their versions differ"):
            asker.request("test", "summary")


SESSION = {
    "name": "s", "session_id": 1, "peer_session_id": 1, "ifname": "pw1", "tx_cookie": "00000000", "rx_cookie": "",
    "sublayer": "default", "send_seq": False, "recv_seq": False, "reorder_timeout_ms": 0, "mtu": 1400, "vlan": 0,
    "rewrite": False, "fragment": False, "probe_interval_ms": 0, "probe_multiplier": 0, "carrier": False,
    "backup": "", "revert_delay_s": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [{"name": 7}, {"name": "x" * 256}, {"session_id": -1}, {"session_id": True}, {"session_id": 1 << 32},
     {"mtu": 1400.0}, {"vlan": 4095}, {"sublayer": "thick"}, {"send_seq": 1}, {"tx_cookie": "00"},
     {"rx_cookie": "zzzzzzzz"}, {"shape": "a field of a later version"}],
)  # fmt: skip
def test_a_field_that_is_not_as_agreed_is_refused(change: dict[str, Any]) -> None:
    key = {"netns": [1, 2], "tunnel_id": 1}
    check_request("add_session", {**key, "session": SESSION})
    with pytest.raises(BadFieldError, match=next(iter(change))) as caught:
        check_request("add_session", {**key, "session": SESSION | change})
    assert str(change.get("tx_cookie", "secret")) not in str(caught.value), "a cookie is a secret"


@pytest.mark.parametrize(
    "answer",
    [{}, {"ok": 1}, {"ok": True}, {"ok": True, "left": "0"}, {"ok": True, "left": 0, "more": 1}, {"ok": False},
     {"ok": False, "error": "other", "problem": ""}, {"ok": False, "error": "busy", "problem": ["x"]}],
)  # fmt: skip
def test_an_answer_that_is_not_as_agreed_is_told(answer: dict[str, Any]) -> None:
    assert check_answer("del_sessions", {"ok": True, "left": 3})
    assert not check_answer("del_sessions", {"ok": False, "error": "busy", "problem": "2 sessions are left"})
    with pytest.raises(BadFieldError):
        check_answer("del_sessions", answer)


def test_who_changes_what_is_sent_also_raises_the_protocols_number() -> None:
    """Else a worker of before and a command of after, which can't tell, half understand each other."""
    known = {9: "9136e9b2dac48489"}
    assert fields_digest().startswith(known[PROTOCOL]), "raise PROTOCOL and give its digest here"


def fields_digest() -> str:
    """A digest of every operation's fields, and what they may hold, as the source says it but for its docstrings."""
    text = Path(protocol.__file__).read_text()
    tables = ast.parse(text[text.index("_BITS_16, ") : text.index("def check_request")])
    for node in ast.walk(tables):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    said = [node for node in tables.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    tables.body = [node for node in tables.body if node not in said]
    return hashlib.sha256(ast.unparse(tables).encode()).hexdigest()


def carried(a: End, b: End) -> tuple[Any, Any, int]:
    """A tunnel from a to b that carries a session, and its worker's pid."""
    near, one = a.tunnel(b.host), session()
    a.add(near, one)
    b.add(b.tunnel(a.host), mirrored(one))
    (pid,) = a.host.workers()
    return near, one, pid


@pytest.mark.root
def test_a_worker_whose_socket_was_removed_is_found_and_its_netdevs_are_taken_over(ends: tuple[End, End]) -> None:
    a, b = ends
    near, one, pid = carried(a, b)
    a.host.ip("addr", "add", "10.6.0.1/24", "dev", "pw1")
    index = a.ifindexes()["pw1"]
    shutil.rmtree(a.host.runtime_dir)
    passes(a.place(one), b.place(one), [60])
    assert a.datapath.look(a.host.netns) == ([], ())
    (fault,) = a.datapath.unreachable().strays
    assert fault.pid == pid and str(pid) in str(fault) and "`l2tpctl restore`" in fault.remedy
    with pytest.raises(ConflictError, match=rf"port 1701.*worker {pid}"):
        a.datapath.add_tunnel(near)
    (told,) = a.datapath.replace_old(["t1"])
    assert f"worker {pid}" in str(told)
    eventually(lambda: not runs(pid), "it has ended")
    a.datapath.add_tunnel(near)
    a.datapath.add_session(near, one, adopt=True)
    a.wait_for_carrier(one)
    assert a.ifindexes()["pw1"] == index and "10.6.0.1" in a.host.ip("addr", "show", "pw1")
    passes(a.place(one), b.place(one), [60])
    assert a.datapath.unreachable() == Unreachable()


@pytest.mark.root
def test_deleting_the_last_session_of_a_worker_without_a_socket_ends_it(ends: tuple[End, End]) -> None:
    a, b = ends
    near, one, pid = carried(a, b)
    a.datapath.add_session(near, session(2))
    shutil.rmtree(a.host.runtime_dir)
    a.datapath.del_session(near, session(2))
    assert runs(pid)
    passes(a.place(one), b.place(one), [60])
    a.datapath.del_tunnel(near)
    eventually(lambda: not runs(pid), "it has ended")
    assert set(a.ifindexes()) == {"lo", "u0"}


@pytest.mark.root
def test_a_process_that_only_looks_like_a_worker_is_never_ended(ends: tuple[End, End], tmp_path: Path) -> None:
    """Anybody can start such a command line; and another host's runtime directory may have the same path."""
    a, _ = ends
    a.host.runtime_dir.mkdir()
    program = tmp_path / "l2tpv3/worker_process.py"
    program.parent.mkdir(parents=True)
    program.write_text("import time; print('runs', flush=True); time.sleep(60)\n")
    command = [sys.executable, "-I", "-S", str(program), str(a.host.runtime_dir / "worker-0")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as pretender:
        try:
            assert pretender.stdout is not None and pretender.stdout.readline() == b"runs\n"
            (fault,) = a.datapath.unreachable().strays
            assert "looks like" in fault.problem and f"kill {pretender.pid}" in fault.remedy
            assert a.datapath.replace_old([]) == []
            assert pretender.poll() is None
        finally:
            pretender.kill()


@pytest.mark.root
@pytest.mark.parametrize("again", [False, True], ids=["gone", "made-again"])
def test_what_is_in_a_namespace_that_lost_its_name_is_told_and_ended(
    ends: tuple[End, End],
    again: bool,  # noqa: FBT001
) -> None:
    a, b = ends
    near, one, pid = carried(a, b)
    subprocess.run(["ip", "netns", "del", a.host.netns], check=True)
    if again:
        subprocess.run(["ip", "netns", "add", a.host.netns], check=True)
    assert a.datapath.unreachable() == Unreachable((), {"t1": pid})
    if again:
        assert a.datapath.look(a.host.netns) == ([], ())
        a.host.ip_batch(["link set lo up", "addr add 10.99.0.1/24 dev lo", "route add 10.99.0.2 dev lo"])
        a.datapath.add_tunnel(near)
        a.datapath.add_session(near, one)
        assert a.datapath.unreachable().lost == {"t1": pid}, "the one is not taken for the other"
    a.datapath.del_tunnel(near)
    eventually(lambda: not a.host.workers(), "it has ended")


@pytest.mark.root
@pytest.mark.usefixtures("impatient")
def test_one_that_takes_no_connections_any_more_is_told_by_pid(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = ends
    a.add(a.tunnel(b.host), session())
    (pid,) = a.host.workers()
    monkeypatch.setattr(pool, "CONNECT_TIMEOUT_S", 0.1)
    os.kill(pid, signal.SIGSTOP)
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(65):  # as many as listen() has the kernel keep, and one
                one = stack.enter_context(socket.socket(socket.AF_UNIX))
                one.settimeout(0.1)
                one.connect(str(a.host.runtime_dir / "worker-0.sock"))
            assert a.datapath.workers() == {pid: False}
            (fault,) = a.datapath.look(a.host.netns).faults
            assert f"kill -9 {pid}" in fault.remedy
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.root
@pytest.mark.usefixtures("impatient")
def test_one_that_did_not_answer_is_forgotten_as_soon_as_it_has_ended(ends: tuple[End, End]) -> None:
    a, b = ends
    near, one, pid = carried(a, b)
    os.kill(pid, signal.SIGSTOP)
    assert [fault.pid for fault in a.datapath.look(a.host.netns).faults] == [pid]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not runs(pid), "it has ended")
    assert a.datapath.look(a.host.netns) == ([], ())
    a.datapath.add_tunnel(near)
    a.datapath.add_session(near, one, adopt=True)
    a.wait_for_carrier(one)
    passes(a.place(one), b.place(one), [60])
