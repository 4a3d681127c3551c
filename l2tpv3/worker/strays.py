"""Workers that no control socket leads to any more: somebody removed the socket's file, and they go on moving frames.

They are found among the processes by their command line, which names the socket's path. That alone proves nothing: any
user can start such a command line, and a container's worker may have the same path. What proves it is the worker's log,
which it has open as its standard error: a file of that name and of our own user, with mode 0600, on the very file
system of the runtime directory. Nobody else can have opened that; and a container's /run is another file system.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from l2tpv3.errors import NotPermittedError, WorkerError

_PROC: Final = Path("/proc")
_PROGRAMS: Final = (b"/l2tpv3/worker_process.py", b"/l2tpv3/datapath/user/worker.py")
"""The second is that of versions before 1.0, the workers of which may still run after an upgrade."""
_LOG: Final = 2  # standard error
_PATIENCE_S: Final = 5.0


class Stray(NamedTuple):
    """A worker without a control socket. proven: whether it is known to be ours, or only looks like it.

    netdevs: the present names of its TAPs; None where that can't be told.
    """

    pid: int
    path: Path
    proven: bool
    netdevs: frozenset[str] | None

    def fault(self) -> WorkerError:
        """The error that tells the user about this worker."""
        problem = f"has lost its control socket {self.path}: it moves frames, but can't be asked for anything"
        if self.proven:
            remedy = "`l2tpctl restore` ends it and another one takes its netdevs over, which takes a moment"
        else:
            problem = f"looks like one that {problem}"
            remedy = f"see whether it is this host's; then `kill {self.pid}` and `l2tpctl restore`: the netdevs stay"
        return WorkerError(f"worker {self.pid}", problem, remedy, errno=errno.ENOTCONN, pid=self.pid)


def find(runtime: Path, listening: Mapping[str, int]) -> list[Stray]:
    """The workers without a socket whose sockets were in `runtime`.

    listening: by the names of the sockets that are there, the pids (0:
    unknown) of who listens on them."""
    return [
        Stray(pid, path, _is_proven(pid, path, runtime), netdevs_of(pid))
        for pid, path in _workers(runtime)
        if not _is_reached(pid, path, listening)
    ]


def pid_at(path: Path) -> int:
    """The pid of the worker with that socket, from which it can't be had; 0: it can't be told, or not for sure."""
    return next(
        (pid for pid, at in _workers(path.parent) if at.name == path.name and _is_proven(pid, at, path.parent)), 0
    )


def _is_reached(pid: int, path: Path, listening: Mapping[str, int]) -> bool:
    if path.name in listening:
        return listening[path.name] in (0, pid)
    return path.is_socket()  # it is just being started, and will listen there


def _workers(runtime: Path) -> Iterator[tuple[int, Path]]:
    """Processes with the command line of a worker of that runtime directory, and the path of its socket."""
    begin = os.fsencode(f"{runtime if runtime.is_absolute() else runtime.absolute()}/worker-")
    for process in _PROC.iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")[:-1]
                if len(words) == 5 and words[3].endswith(_PROGRAMS) and words[4].startswith(begin):
                    yield int(process.name), Path(os.fsdecode(words[4])).with_suffix(".sock")


def _is_proven(pid: int, path: Path, runtime: Path) -> bool:
    # The directory may have been removed, too.
    place = next(path for path in (runtime, *runtime.absolute().parents) if path.is_dir()).stat()
    link = Path(f"/proc/{pid}/fd/{_LOG}")
    try:
        log, name = link.stat(), link.readlink().name.removesuffix(" (deleted)")
    except OSError:
        return False
    return (
        name == path.with_suffix(".log").name
        and (log.st_dev, log.st_uid) == (place.st_dev, os.geteuid())
        and stat.S_ISREG(log.st_mode)
        and stat.S_IMODE(log.st_mode) == 0o600
    )


def netdevs_of(pid: int) -> frozenset[str] | None:
    """The names of the TAPs that a process has open; None where that can't be told.

    As tun_chr_show_fdinfo() in drivers/net/tun.c says.
    """
    found = set()
    try:
        for file in Path(f"/proc/{pid}/fdinfo").iterdir():
            for line in file.read_bytes().splitlines():
                if line.startswith(b"iff:"):
                    found.add(os.fsdecode(line.removeprefix(b"iff:").strip()))
    except OSError:
        return None
    return frozenset(found - {""})  # a TAP that is gone has no name


def end(stray: Stray, runtime: Path) -> None:
    """End one that is proven to be ours; its netdevs stay. Nothing happens when it has ended by itself.

    Raises NotPermittedError, WorkerError (it does not end).
    """
    try:
        process = os.pidfd_open(stray.pid)
    except ProcessLookupError:
        return
    try:
        # Looked at once more, now that the number can't come to mean another process.
        if not _is_proven(stray.pid, stray.path, runtime) or stray.pid not in dict(_workers(runtime)):
            return
        kill(process, stray.pid)
    finally:
        os.close(process)


def kill(process: int, pid: int) -> None:
    """End a worker: politely, then not. process: its pidfd. Returns once it is gone.

    Raises NotPermittedError, WorkerError (it does not end).
    """
    import signal

    poll = select.poll()
    poll.register(process, select.POLLIN)
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            signal.pidfd_send_signal(process, number)
        except ProcessLookupError:
            return
        except PermissionError as error:
            problem = "can't be ended from here"
            raise NotPermittedError(
                f"worker {pid}", problem, f"`kill {pid}` as root, then `l2tpctl restore`"
            ) from error
        if poll.poll(_PATIENCE_S * 1000):
            return
    raise WorkerError(f"worker {pid}", "was killed and runs still", "try again", pid=pid)
