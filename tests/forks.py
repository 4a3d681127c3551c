"""`l2tpctl` in a fork of a process that has imported all of it: quick, where a Python of its own is slow to start.

Starting one costs 0.15 s of CPU here and about 4 s in the guest; a fork costs some milliseconds. What runs is the
program's own entry point with the words, environment, folder, standard streams and namespace of the call, in a process
of its own. What is about the program's start (imports, signals, systemd) is tested with a program that really starts.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

_MESSAGE_BYTES = 1 << 17
_CLONE_NEWNS, _CLONE_NEWNET = 0x0002_0000, 0x4000_0000  # linux/sched.h
_MS_REC, _MS_SLAVE, _MNT_DETACH = 0x4000, 0x8_0000, 2  # linux/mount.h, linux/fs.h
_START_S = 240.0  # on an emulated CPU that other processes use, too
_PROGRAM = Path(sys.executable).with_name("l2tpctl")
_libc = ctypes.CDLL(None, use_errno=True)


class Forks:
    """Runs l2tpctl in forks of a process that starts with the first call. Several threads may call at once."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def run(
        self, words: Sequence[str], *, netns: str, environment: dict[str, str], stdin: str = "", timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run `l2tpctl` with these words to its end, as `ip netns exec` does. Raises TimeoutExpired.

        What it prints goes into files in memory, so that nobody has to read while it runs.
        """
        argv = [str(_PROGRAM), *words]
        request = {"argv": argv, "environment": environment, "folder": str(Path.cwd()), "netns": netns}
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(os.fdopen(os.memfd_create(name), "w+b")) for name in ("in", "out", "err")]
            streams[0].write(stdin.encode())
            streams[0].seek(0)
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            stack.enter_context(ours)
            with theirs:
                descriptors = [theirs.fileno(), *(stream.fileno() for stream in streams)]
                socket.send_fds(self._started(), [json.dumps(request).encode()], descriptors)
            status = _await_end(ours, argv, timeout_s)
            for stream in streams[1:]:
                stream.seek(0)
            out, err = (stream.read().decode() for stream in streams[1:])
        return subprocess.CompletedProcess(argv, status, out, err)

    def _started(self) -> socket.socket:
        """The socket by which the process that forks is asked; that process is started if there is none yet."""
        with self._starting:
            if self._socket is None:
                self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with theirs:
                    self._server = subprocess.Popen(
                        [sys.executable, "-m", "tests.forks", str(theirs.fileno())],
                        pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                        cwd=Path(__file__).parents[1], start_new_session=True,
                    )  # fmt: skip
                self._socket.settimeout(_START_S)
                if self._socket.recv(16) != b"ready":
                    raise RuntimeError("the process that forks did not start")
            return self._socket

    def close(self) -> None:
        """End the process that forks, and with it what it has running."""
        if self._socket is not None and self._server is not None:
            self._socket.close()
            self._server.wait()
            self._socket = self._server = None


def _await_end(ours: socket.socket, argv: list[str], timeout_s: float) -> int:
    """The exit status, negative for a signal as subprocess has it; kills what takes too long or is not waited for."""
    ours.settimeout(timeout_s)
    pid = 0
    try:
        pid = int(ours.recv(64))
        return int(ours.recv(64))
    except TimeoutError:
        raise subprocess.TimeoutExpired(argv, timeout_s) from None
    finally:
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _serve(requests: socket.socket) -> None:
    """Fork for each request; tell its process number and, at its end, its status. Until nobody can ask any more."""
    _import_all()
    requests.send(b"ready")
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.data is not None:
                    pid, reply = key.data
                    selector.unregister(key.fileobj)
                    os.close(key.fd)
                    with contextlib.suppress(BrokenPipeError), reply:
                        reply.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                    continue
                said, descriptors, _, _ = socket.recv_fds(requests, _MESSAGE_BYTES, 4)
                if not said:
                    for one in list(selector.get_map().values()):
                        if one.data is not None:
                            os.kill(one.data[0], signal.SIGKILL)
                    return
                pid = os.fork()
                if not pid:
                    _be_program(json.loads(said), descriptors[1:])
                for descriptor in descriptors[1:]:
                    os.close(descriptor)
                reply = socket.socket(fileno=descriptors[0])
                with contextlib.suppress(BrokenPipeError):
                    reply.send(b"%d" % pid)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, reply))


def _import_all() -> None:
    """Import the whole package but the workers' program, so that no fork has to: commands import much of it late."""
    import gc

    import l2tpv3

    for module in pkgutil.walk_packages(l2tpv3.__path__, "l2tpv3."):
        if not module.name.endswith(("worker_process", "__main__")):
            importlib.import_module(module.name)
    gc.freeze()


def _be_program(request: dict[str, Any], streams: list[int]) -> NoReturn:
    """In the fork: take the streams, namespace, folder and environment of the request, run the program, and exit."""
    status = 70
    try:
        _enter(request["netns"])
        os.chdir(request["folder"])
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        os.closerange(3, 1 << 16)
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = request["argv"]
        from l2tpv3.cli import main

        status = main()
        sys.stdout.flush()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(status & 0xFF)


def _enter(netns: str) -> None:
    """Enter a network namespace, and mount the /sys that belongs to it, as `ip netns exec` does (ip-netns(8))."""
    with Path("/run/netns", netns).open("rb") as file:
        _called(_libc.setns(file.fileno(), _CLONE_NEWNET))
    _called(_libc.unshare(_CLONE_NEWNS))
    _called(_libc.mount(b"", b"/", b"none", ctypes.c_ulong(_MS_SLAVE | _MS_REC), None))
    _libc.umount2(b"/sys", _MNT_DETACH)
    _called(_libc.mount(netns.encode(), b"/sys", b"sysfs", ctypes.c_ulong(0), None))


def _called(result: int) -> None:
    """Raise OSError with errno when a C function has returned -1."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


FORKS = Forks()
"""The one of this test process."""

if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
