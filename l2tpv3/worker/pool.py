"""The workers of a runtime directory: find those that live, start one, clear away after those that ended.

RUNTIME/worker-N.sock is a worker's control socket, worker-N.log what it had to say (empty, if all was well). No
process is ever killed here: a worker ends by itself, when it is asked to or has nothing left to do.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from l2tpv3.errors import L2tpError, UnavailableError, WorkerError, from_errno
from l2tpv3.linux import filelock
from l2tpv3.linux.readable import wait_readable
from l2tpv3.worker.client import TIMEOUT_S, Client, bad_answer
from l2tpv3.worker.faults import unanswered
from l2tpv3.worker.program import digest
from l2tpv3.worker.protocol import QUIT
from l2tpv3.worker.strays import Stray, netdevs_of, pid_at
from l2tpv3.worker.strays import end as end_stray
from l2tpv3.worker.strays import find as find_strays

LOCK_TIMEOUT_S: Final = 60.0
START_TIMEOUT_S: Final = 60.0
CONNECT_TIMEOUT_S: Final = 0.5
LOOK_TIMEOUT_S: Final = 3.0
"""How long a look waits for workers that do not answer; for LOOK_AGAIN_S after that it does not wait for them."""
LOOK_AGAIN_S: Final = 2.0
_PROGRAM: Final = Path(__file__).parents[1].resolve() / "worker_process.py"


@dataclass(slots=True)
class LiveWorkers:
    """The workers that live at one moment. clients: connections to those that can be worked with.

    faults: why the others can't be; each has the pid of its worker (0: unknown). listening: by the names of their
    sockets, the pids of all that live.
    """

    clients: list[Client] = field(default_factory=list)
    faults: list[WorkerError] = field(default_factory=list)
    listening: dict[str, int] = field(default_factory=dict)

    def ask_all(self, op: str, **fields: Any) -> list[tuple[Client, dict[str, Any]]]:
        """Ask every client for the same, all at once; give the answers of those that answer as agreed, in their order.

        The others are among the faults afterwards, and not among the clients; those that have ended meanwhile are in
        neither. So a worker that is late, or lies, costs everyone TIMEOUT_S at most.
        """
        give_up = time.monotonic() + TIMEOUT_S
        self._each(self.clients, lambda client: client.ask(op, give_up, **fields))
        answers: list[tuple[Client, dict[str, Any]]] = []

        def take(client: Client, message: dict[str, Any]) -> None:
            answer, files = client.checked("workers", op, message)
            for fd in files:
                os.close(fd)
            answers.append((client, answer))

        order = [client.pid for client in self.clients]
        self._gather(give_up, take)
        answers.sort(key=lambda answer: order.index(answer[0].pid))  # whoever was quicker
        return answers

    def greet_all(self) -> list[Client]:
        """Shake hands with all clients, at once. Gives those that have ended."""
        give_up = time.monotonic() + LOOK_TIMEOUT_S
        ended = self._each(self.clients, lambda client: client.greet(give_up))
        return ended + self._gather(give_up, lambda client, message: client.greeted(message))

    def _gather(self, give_up: float, take: Callable[[Client, dict[str, Any]], None]) -> list[Client]:
        """Have `take` called with each client and its answer, as they come. Gives those that have ended."""
        poll = select.poll()
        waiting = {client.fileno(): client for client in self.clients}
        ended: list[Client] = []

        def read(client: Client) -> None:
            number = client.fileno()
            try:
                message = client.read(give_up)
                if message is not None:
                    take(client, message)
            except L2tpError:
                poll.unregister(number)
                del waiting[number]
                raise
            if message is not None:
                poll.unregister(number)
                del waiting[number]

        for number in waiting:
            poll.register(number, select.POLLIN)
        while waiting:
            ready = poll.poll(max(0.0, give_up - time.monotonic()) * 1000)
            # Those that are late are read as well: what that raises says so.
            ended += self._each([waiting[number] for number, _ in ready] or list(waiting.values()), read)
        return ended

    def require_all(self) -> list[Client]:
        """The clients, where there are no others. Raises the first of the faults."""
        if self.faults:
            raise self.faults[0]
        return self.clients

    def _each(self, clients: list[Client], do: Callable[[Client], None]) -> list[Client]:
        """Do it with these. Those with which it does not go well are clients no more; gives those that have ended."""
        ended = []
        for client in clients:
            try:
                do(client)
                continue
            except WorkerError as error:
                if error.errno == errno.ECONNRESET:
                    ended.append(client)
                else:
                    self.faults.append(error)
            except L2tpError as error:  # it refuses what every worker can do
                self.faults.append(bad_answer(client.pid, error.problem))
            self.clients = [one for one in self.clients if one is not client]
        return ended


class WorkerPool:
    """The workers whose sockets are in `runtime`."""

    def __init__(self, runtime: Path) -> None:
        self.runtime = runtime
        self._hung: dict[str, tuple[int, float]] = {}  # by its socket's name: its pid, until when it is not asked again

    @contextlib.contextmanager
    def locked(self, *, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
        """One change at a time. Makes the runtime directory if need be. Raises BusyError, NotPermittedError."""
        try:
            self.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            remedy = "run as root, or set L2TPV3_RUNTIME_DIR"
            raise from_errno(str(self.runtime), "use this directory", error.errno or 0, remedy) from error
        with filelock.locked(self.runtime, os.O_RDONLY | os.O_DIRECTORY, timeout_s=timeout_s):
            yield

    @contextlib.contextmanager
    def live(self, *, clear: bool = False) -> Iterator[LiveWorkers]:
        """All workers that live, for a `with` block. Takes no more than some seconds, whatever they do.

        clear: remove what dead ones left; only under `locked`, since a worker that is being started looks dead too.
        Raises NotPermittedError.
        """
        with contextlib.ExitStack() as stack:
            crew, dead = self._look(stack)
            if clear:
                for path in dead:
                    _clear(path)
            elif dead:
                self._sweep()
            try:
                yield crew
            finally:
                self._remember_hung(crew)

    def _look(self, stack: contextlib.ExitStack) -> tuple[LiveWorkers, list[Path]]:
        """The workers that live, and the sockets of those that do not."""
        crew, dead = LiveWorkers(), []
        now = time.monotonic()
        self._hung = {name: known for name, known in self._hung.items() if now < known[1]}
        for path in self._sockets():
            if path.name in self._hung and _runs(self._hung[path.name][0]):
                crew.listening[path.name] = self._hung[path.name][0]
                crew.faults.append(unanswered(crew.listening[path.name]))
                continue
            try:
                client = self._connect(path)
            except WorkerError as error:
                crew.faults.append(error)
                crew.listening[path.name] = error.pid
                continue
            if client is None:
                dead.append(path)
            else:
                crew.listening[path.name] = client.pid
                crew.clients.append(stack.enter_context(client))
        dead += [Path(client.path) for client in crew.greet_all()]
        return crew, dead

    def _remember_hung(self, crew: LiveWorkers) -> None:
        again = time.monotonic() + LOOK_AGAIN_S
        silent = {fault.pid for fault in crew.faults if fault.errno == errno.ETIMEDOUT}
        for name, pid in crew.listening.items():
            if pid in silent and name not in self._hung:
                self._hung[name] = pid, again

    def ask_all_again(self) -> None:
        """See HasWorkers.ask_all_again."""
        self._hung.clear()

    def answering(self) -> dict[int, bool]:
        """Every worker's pid (0: unknown), and whether it answers. Takes some seconds when one does not.

        One of another version does: it works, although nothing here can talk with it.
        Raises LockedError where another change has the lock too long.
        """
        with self.live() as crew:
            crew.ask_all("summary")  # one that shakes hands may be mad all the same
            faulty = {fault.pid: fault.errno == errno.EPROTONOSUPPORT for fault in crew.faults}
            return {client.pid: True for client in crew.clients} | faulty

    def strays(self, crew: LiveWorkers) -> list[Stray]:
        """Workers of this runtime directory to which no socket leads any more."""
        return find_strays(self.runtime, crew.listening)

    def replace_old(self, known: Collection[str], marked: Callable[[], Collection[str] | None]) -> list[L2tpError]:
        """See HasWorkers.replace_old. A new worker, which is then there for what the old ones carried, comes first.

        marked: gives the names of all netdevs that could be taken over then; None where all can.
        """
        if not self.runtime.is_dir() and not find_strays(self.runtime, {}):
            return []  # there never was a worker, and `locked` would make the directory
        with self.locked(), self.live(clear=True) as crew:
            old = [client for client in _of_before(crew, known) if client in crew.clients]
            outdated = [fault for fault in crew.faults if fault.errno == errno.EPROTONOSUPPORT]
            strays = [stray for stray in self.strays(crew) if stray.proven]
            if not (old or outdated or strays):
                return []
            self.start().close()
            names = marked()
            return [
                *(_ending(one.pid, "ran the program of before an upgrade", partial(self.quit, one)) for one in old),
                *(
                    _ending(one.pid, "was of another version", partial(self._end, one.pid, crew, names))
                    for one in outdated
                ),
                *(_ending(one.pid, "had lost its control socket", partial(self.end_stray, one)) for one in strays),
            ]

    def _end(self, pid: int, crew: LiveWorkers, marked: Collection[str] | None) -> None:
        """End a worker of another version, in the one word that all of them know. Raises WorkerError."""
        strange: set[str] = set(netdevs_of(pid) or ()) - set(marked) if marked is not None else set()
        if strange:
            problem = f"is of a version whose marks on netdevs are not known here: {', '.join(sorted(strange))}"
            remedy = f"`kill {pid}` ends it and what it carries; then delete the netdevs, and `l2tpctl restore`"
            raise WorkerError(f"worker {pid}", problem, remedy, errno=errno.EPROTONOSUPPORT, pid=pid)
        name = next(name for name, listener in crew.listening.items() if listener == pid)
        client = self._connect(self.runtime / name)
        if client is not None:
            with client:
                client.ask(QUIT, time.monotonic() + TIMEOUT_S)
                self.ended(client)

    def end_stray(self, stray: Stray) -> None:
        """End a worker that has lost its socket, if it is ours. Raises NotPermittedError, WorkerError."""
        end_stray(stray, self.runtime)

    def _sweep(self) -> None:
        """Remove what dead workers left, unless a change is under way, which does so itself, or it is not ours to."""
        with contextlib.suppress(L2tpError, OSError), self.locked(timeout_s=0), contextlib.ExitStack() as stack:
            for path in self._look(stack)[1]:
                _clear(path)

    def _sockets(self) -> list[Path]:
        try:
            paths = list(self.runtime.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise from_errno(str(self.runtime), "read this directory", error.errno or 0) from error
        return sorted(path for path in paths if path.name.startswith("worker-") and path.suffix == ".sock")

    def _connect(self, path: Path) -> Client | None:
        """None: it is dead. Raises WorkerError, ETIMEDOUT when it has taken no connection for long."""
        connection = _unix_socket()
        try:
            connection.settimeout(CONNECT_TIMEOUT_S)
            with _short(path) as short:
                connection.connect(short)
        except (ConnectionRefusedError, FileNotFoundError):
            connection.close()
            return None
        except OSError as error:
            connection.close()
            if isinstance(error, TimeoutError) or error.errno == errno.EAGAIN:  # its backlog is full: it hangs
                raise unanswered(pid_at(path)) from error
            raise from_errno(str(path), "connect to this worker", error.errno or 0) from error
        return Client(connection, str(path))

    def start(self) -> Client:
        """Start a worker; it has dropped everything when this returns. Under `locked`. Raises WorkerError."""
        path, control = self._bind()
        try:
            self._spawn(path, control)
            client = self._connect(path)
            if client is None:
                raise WorkerError(str(path), "the worker ended as soon as it was started", _log_hint(path))
            give_up = time.monotonic() + TIMEOUT_S
            client.greet(give_up)
            while (message := client.read(give_up)) is None:
                continue
            client.greeted(message)
        except BaseException:
            _log(path).unlink(missing_ok=True)  # its last line is in the error
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
        import subprocess  # most commands start no worker

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
            hint = "" if said else _log_hint(path)
            raise WorkerError("worker", f"did not start: {reason}", hint)

    def ended(self, client: Client) -> None:
        """Wait for a worker that has said that it quits, and clear away its socket. Under `locked`.

        Raises WorkerError when it does not end in time.
        """
        client.wait_for_end()
        _clear(Path(client.path))

    def quit(self, client: Client) -> None:
        """End a worker; its sessions' netdevs stay. Under `locked`. Raises WorkerError."""
        client.request("worker", "quit")
        self.ended(client)

    def quit_all(self) -> int:
        """End all workers, and say how many; the netdevs stay, and sessions can be added again with adopt.

        Raises LockedError, and WorkerError for one that does not end.
        """
        with self.locked(), self.live(clear=True) as crew:
            for client in crew.clients:
                self.quit(client)
            return len(crew.clients)


def _of_before(crew: LiveWorkers, known: Collection[str]) -> Iterator[Client]:
    """The workers that run another program than this one, and carry only tunnels and cards that are known."""
    present, names = digest(), dict[Client, set[str]]()
    for client, answer in crew.ask_all("summary"):
        names[client] = {words["name"] for words in answer["tunnels"]}
    for client, answer in crew.ask_all("cards"):
        names[client] |= {words["mark"] for words in answer["cards"]}
    for client, carried in names.items():
        if client.program != present and carried and carried <= set(known):
            yield client


def _runs(pid: int) -> bool:
    """Whether a process has not ended yet, reaped or not. False for 0."""
    try:
        process = os.pidfd_open(pid) if pid else -1
    except OSError:
        return False
    if process < 0:
        return False
    try:
        return not wait_readable([process], 0.0)
    finally:
        os.close(process)


def _ending(pid: int, why: str, end: Callable[[], None]) -> L2tpError:
    """End a worker; what became of it, in words."""
    try:
        end()
    except L2tpError as error:
        return error
    problem = f"{why}; it is ended, and another one takes its place: its tunnels pause for a moment"
    return WorkerError(f"worker {pid}", problem, pid=pid)


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
