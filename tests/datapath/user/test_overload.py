"""More than can be moved, and workers that go away under a transfer: others go on, memory is bounded."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2tpv3.linux.netns import inside
from tests.contract.frames import collect, frame, packet_socket
from tests.datapath.user.ends import End, mirrored, passes, session
from tests.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.root

_SO_RCVBUFFORCE = 33  # asm-generic/socket.h
MEMORY_KB = 40 * 1024
COUNT = 200


@contextlib.contextmanager
def flood(source: tuple[str, str]) -> Iterator[None]:
    """Frames into a netdev, as many as go, from a process of its own."""
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException), packet_socket(source) as sender:
            each = frame(200, 1)
            while True:
                with contextlib.suppress(BlockingIOError, OSError):
                    sender.send(each)
        os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def arriving(source: tuple[str, str], target: tuple[str, str]) -> int:
    """How many of COUNT frames, sent one after the other, arrive."""
    frames = [frame(300, number) for number in range(COUNT)]
    with packet_socket(target) as receiver, packet_socket(source) as sender:
        receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
        for each in frames:
            sender.send(each)
            time.sleep(0.002)
        received = collect(receiver, COUNT, wait_s=5)
    assert received == [each for each in frames if each in received], "in order, none twice, none changed"
    return len(received)


def resident_kb(pid: int) -> int:
    """A process's resident memory."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])


def test_one_session_that_floods_both_ways_leaves_its_neighbour_room(ends: tuple[End, End]) -> None:
    a, b = ends
    near, far, loud, quiet = a.tunnel(b.host), b.tunnel(a.host), session(1), session(2)
    a.add(near, loud, quiet)
    b.add(far, mirrored(loud), mirrored(quiet))
    with flood(a.place(loud)), flood(b.place(loud)):
        assert arriving(a.place(quiet), b.place(quiet)) > COUNT // 4
        assert arriving(b.place(quiet), a.place(quiet)) > COUNT // 4
        assert all(resident_kb(pid) < MEMORY_KB for end in ends for pid in end.host.workers())
    assert min(a.counters(near, loud).rx_packets, b.counters(far, mirrored(loud)).rx_packets) > 1000
    eventually(lambda: arriving(a.place(quiet), b.place(quiet)) == COUNT, "all is well again")
    passes(b.place(loud), a.place(loud), [60, 1414])


def send_all(sender: socket.socket, data: bytes) -> None:
    """Send, and say that this is all."""
    sender.sendall(data)
    sender.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_transfer_goes_on_when_its_worker_is_gone_for_a_while(ends: tuple[End, End], how: str) -> None:
    a, b = ends
    near, far, one = a.tunnel(b.host), b.tunnel(a.host), session()
    a.add(near, one)
    b.add(far, mirrored(one))
    for number, end in enumerate(ends, start=1):
        end.host.ip("addr", "add", f"10.9.0.{number}/24", "dev", one.ifname)
    data = random.Random(1).randbytes(4 << 20) * 16
    with inside(b.host.netns):
        listener = socket.create_server(("10.9.0.2", 0))
    with inside(a.host.netns):
        sender = socket.socket()
    with listener, sender:
        sender.settimeout(PATIENCE_S)
        sender.connect(listener.getsockname())
        taker = listener.accept()[0]
        thread = threading.Thread(target=send_all, args=(sender, data))
        with taker:
            taker.settimeout(PATIENCE_S)
            thread.start()
            got = bytearray(taker.recv(1 << 16))
            (pid,) = a.host.workers()
            if how == "killed":
                os.kill(pid, signal.SIGKILL)
                again = a.again()
                eventually(lambda: pid not in a.host.workers(), "it is gone")
                again.add_tunnel(near)
                again.add_session(near, one, adopt=True)
            else:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.3)
                os.kill(pid, signal.SIGCONT)
            while piece := taker.recv(1 << 20):
                got += piece
        thread.join()
    assert len(got) == len(data)
    assert got == data
