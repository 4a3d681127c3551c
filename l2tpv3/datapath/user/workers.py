"""The workers of a runtime directory: find those that live, start one, clear away after those that ended.

RUNTIME/worker-N.sock is a worker's control socket, worker-N.log what it had to say (empty, if all was well). No
process is ever killed here: a worker ends by itself, when it is asked to or has nothing left to do.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from l2tpv3 import lock
from l2tpv3.datapath.base import unanswered
from l2tpv3.datapath.user.client import TIMEOUT_S, Client
from l2tpv3.errors import L2tpError, UnavailableError, WorkerError, from_errno
from l2tpv3.readable import wait_readable

LOCK_TIMEOUT_S: Final = 60.0
START_TIMEOUT_S: Final = 20.0
LOOK_TIMEOUT_S: Final = 3.0
"""How long a look waits for a worker that does not answer; for LOOK_AGAIN_S after that it does not wait for it."""
LOOK_AGAIN_S: Final = 2.0
_PROGRAM: Final = Path(__file__).with_name("worker.py").resolve()


class Workers:
    """The workers whose sockets are in `runtime`."""

    def __init__(self, runtime: Path) -> None:
        self.runtime = runtime
        self._hung: dict[Path, tuple[int, float]] = {}  # its pid (0: unknown), and until when it is not asked again

    @contextlib.contextmanager
    def locked(self, *, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
        """One change at a time. Makes the runtime directory if need be. Raises BusyError, NotPermittedError."""
        try:
            self.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            remedy = "run as root, or set L2TPV3_RUNTIME_DIR"
            raise from_errno(str(self.runtime), "use this directory", error.errno or 0, remedy) from error
        with lock.locked(self.runtime, os.O_RDONLY | os.O_DIRECTORY, timeout_s=timeout_s):
            yield

    @contextlib.contextmanager
    def live(self, *, clear: bool = False, hung: list[int] | None = None) -> Iterator[list[Client]]:
        """Connections to all workers that live, for a `with` block. Raises NotPermittedError, WorkerError.

        hung: gets the pids (0: unknown) of those that do not answer, about which else an error is raised. clear: remove
        what dead ones left; only under `locked`, since a worker that is being started looks dead too.
        """
        with contextlib.ExitStack() as stack:
            clients, dead = [], []
            for path in self._sockets():
                try:
                    client = self._connect(path, quickly=hung is not None)
                except WorkerError as error:
                    if hung is None or error.errno != errno.ETIMEDOUT:
                        raise
                    hung.append(self._hung.get(path, (0, 0.0))[0])
                    continue
                if client is not None:
                    clients.append(stack.enter_context(client))
                elif clear:
                    _clear(path)
                else:
                    dead.append(path)
            if dead:
                self._sweep()
            yield clients

    def answering(self) -> dict[int, bool]:
        """Every worker's pid (0: unknown), and whether it answers. Takes some seconds when one does not."""
        hung: list[int] = []
        with self.live(hung=hung) as clients:
            return {client.pid: True for client in clients} | dict.fromkeys(hung, False)

    def _sweep(self) -> None:
        """Remove what dead workers left, unless a change is under way, which does so itself, or it is not ours to."""
        with contextlib.suppress(L2tpError, OSError), self.locked(timeout_s=0):
            for path in self._sockets():
                try:
                    client = self._connect(path, quickly=True)
                except WorkerError:
                    continue  # it hangs, but it lives
                if client is None:
                    _clear(path)
                else:
                    client.close()

    def _sockets(self) -> list[Path]:
        try:
            paths = list(self.runtime.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise from_errno(str(self.runtime), "read this directory", error.errno or 0) from error
        return sorted(path for path in paths if path.name.startswith("worker-") and path.suffix == ".sock")

    def _connect(self, path: Path, *, quickly: bool = False) -> Client | None:
        """None: it is dead. quickly: it is only to be looked at. Raises WorkerError, ETIMEDOUT when it hangs."""
        pid, again = self._hung.pop(path, (0, 0.0))
        if quickly and time.monotonic() < again:
            self._hung[path] = pid, again
            raise unanswered(pid)
        timeout_s = LOOK_TIMEOUT_S if quickly else TIMEOUT_S
        connection = _unix_socket()
        try:
            connection.settimeout(timeout_s)
            with _short(path) as short:
                connection.connect(short)
        except (ConnectionRefusedError, FileNotFoundError):
            connection.close()
            return None
        except OSError as error:
            connection.close()
            if isinstance(error, TimeoutError) or error.errno == errno.EAGAIN:  # its backlog is full: it hangs
                raise unanswered(pid) from error
            raise from_errno(str(path), "connect to this worker", error.errno or 0) from error
        client = Client(connection, str(path), timeout_s)
        try:
            client.request("worker", "nothing")  # one that is just ending still takes connections
        except WorkerError as error:
            client.close()
            if error.errno == errno.ETIMEDOUT:
                self._hung[path] = client.pid, time.monotonic() + LOOK_AGAIN_S
            if error.errno != errno.ECONNRESET:
                raise
            return None
        client.timeout_s = TIMEOUT_S
        return client

    def start(self) -> Client:
        """Start a worker; it has dropped everything when this returns. Under `locked`. Raises WorkerError."""
        path, control = self._bind()
        try:
            self._spawn(path, control)
            client = self._connect(path)
            if client is None:
                raise WorkerError(str(path), "the worker ended as soon as it was started", _log_hint(path))
        except BaseException:
            _clear(path)
            raise
        finally:
            control.close()
        return client

    def _bind(self) -> tuple[Path, socket.socket]:
        control = _unix_socket()
        os.fchmod(control.fileno(), 0o600)  # bind() gives the file this mode; the umask is that of other threads, too
        number = 0
        while True:
            path = self.runtime / f"worker-{number}.sock"
            try:
                with _short(path) as short:
                    control.bind(short)
                return path, control
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    control.close()
                    raise from_errno(str(path), "make this socket", error.errno or 0) from error
            number += 1

    def _spawn(self, path: Path, control: socket.socket) -> None:
        """Run the program; return when it says that it is ready."""
        if not sys.executable:
            raise UnavailableError("worker", "this Python does not know its own program", "set sys.executable")
        reader, writer = os.pipe()
        try:
            try:
                log = os.open(_log(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
                try:
                    command = [sys.executable, "-I", "-S", str(_PROGRAM), str(path.with_suffix(""))]
                    starter = subprocess.Popen(
                        command, stdin=control.fileno(), stdout=writer, stderr=log, env={}, cwd="/"
                    )
                finally:
                    os.close(log)
            except OSError as error:
                raise from_errno("worker", f"run {sys.executable}", error.errno or 0) from error
            finally:
                os.close(writer)
            said = _read_all(reader, time.monotonic() + START_TIMEOUT_S)
            starter.wait()
        finally:
            os.close(reader)
        if said != b"ready":
            reason = said.decode(errors="replace") or "it ended, or said nothing"
            raise WorkerError("worker", f"did not start: {reason}", _log_hint(path))

    def ended(self, client: Client) -> None:
        """Wait for a worker that has said that it quits, and clear away its socket. Under `locked`."""
        client.wait_for_end()
        _clear(Path(client.path))

    def quit(self, client: Client) -> None:
        """End a worker; its sessions' netdevs stay. Under `locked`. Raises WorkerError."""
        client.request("worker", "quit")
        self.ended(client)

    def quit_all(self) -> int:
        """End all workers, and say how many; the netdevs stay, and sessions can be added again with adopt."""
        with self.locked(), self.live(clear=True) as clients:
            for client in clients:
                self.quit(client)
            return len(clients)


def _unix_socket() -> socket.socket:
    try:
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise from_errno("workers", "open a socket to reach them", error.errno or 0) from error


def _log(path: Path) -> Path:
    return path.with_suffix(".log")


def _log_hint(path: Path) -> str:
    try:
        last = _log(path).read_text(errors="replace").strip().rpartition("\n")[2]
    except OSError:
        last = ""
    return f"it said: {last}" if last else ""


def _clear(path: Path) -> None:
    """Remove a dead worker's log, unless it says something, then its socket, by which the rest is found."""
    with contextlib.suppress(FileNotFoundError):
        if not _log(path).stat().st_size:
            _log(path).unlink()
    path.unlink(missing_ok=True)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of the socket that fits into the 107 bytes of sun_path (unix(7)), however long the directory's is."""
    if len(os.fsencode(path)) <= 107:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _read_all(fd: int, give_up: float) -> bytes:
    """What comes through a pipe until its end or the time."""
    said = b""
    while wait_readable([fd], give_up - time.monotonic()):
        piece = os.read(fd, 4096)
        if not piece:
            break
        said += piece
    return said
