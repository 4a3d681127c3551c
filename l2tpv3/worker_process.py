"""The worker process: it moves frames, and can do nothing else.

It is run as `python -I -S worker_process.py RUNTIME/worker-N`, and starts with three open files: the bound control
socket as standard input; a pipe as standard output, into which it writes one line, `ready` or why it could not start;
its log as standard error. The order is what matters: become its own session, import everything, drop everything, and
only then listen and read.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable

IDLE_S = 5.0
"""A worker that no tunnel was given for so many seconds after its start ends: whoever started it was killed."""
_FAILURES_LOGGED = 20


def main() -> None:
    """Start, and serve until the last tunnel is deleted or `quit` is asked for."""
    if os.fork():
        os._exit(0)  # the starter waits for this one; the worker itself has nobody who must wait for it
    os.setsid()
    os.umask(0o077)
    os.chdir("/")
    control, ready = _take_standard_files()
    try:
        serve = _prepare(control)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        with contextlib.suppress(BrokenPipeError):
            os.write(ready, reason.replace("\n", " ").encode())
        raise
    try:
        os.write(ready, b"ready")
    except BrokenPipeError:
        return  # whoever started this was killed, so nobody knows of it
    os.close(ready)
    serve()


def _take_standard_files() -> tuple[int, int]:
    control, ready = os.dup(0), os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return control, ready


def _prepare(control: int) -> Callable[[], None]:
    """Import, drop, listen; what is returned serves."""
    import gc
    import socket
    import time

    from l2tpv3.datapath.user.handlers import Tunnels
    from l2tpv3.links.relay.handlers import Cards
    from l2tpv3.worker import program
    from l2tpv3.worker.loop import Loop
    from l2tpv3.worker.requests import Requests
    from l2tpv3.worker.sandbox import landlock, privileges, seccomp
    from l2tpv3.worker.server import About, Server

    listener = socket.socket(fileno=control)
    listener.settimeout(0)
    loop = Loop()
    loop.on_failure = _FailureLog()
    privileges.set_process_name("l2tpv3-worker")
    about = About(os.geteuid(), program.digest(), privileges.limit())
    privileges.be_patient()
    other_user = privileges.drop(*privileges.find_user())
    landlock.isolate()
    if not seccomp.confine() and not other_user:
        raise PermissionError("it can neither leave root (CAP_SETUID) nor confine its system calls (seccomp)")
    listener.listen(64)

    def end() -> None:
        server.end_when_answered()

    def ends_when_empty() -> bool:
        if requests.empty:
            end()
        return requests.empty

    def serve() -> None:
        loop.run()
        tunnels.close()

    tunnels = Tunnels(loop, ends_when_empty)
    requests = Requests(end, tunnels, Cards(loop, ends_when_empty))
    server = Server(listener, loop, requests, about)
    loop.at(time.monotonic() + IDLE_S, lambda _now: end() if requests.empty else None)
    gc.collect()
    gc.freeze()  # what is here now stays; frames make no cycles
    gc.set_threshold(50_000)  # a batch makes hundreds of views at once, and lets go of them
    return serve


class _FailureLog:
    """Tells of bugs in the log, a bounded number of times."""

    def __init__(self) -> None:
        self._left = _FAILURES_LOGGED

    def __call__(self, fd: int, error: Exception) -> None:
        if self._left:
            self._left -= 1
            with contextlib.suppress(OSError):  # the log is full
                print(f"a handler failed (file {fd}):", file=sys.stderr)
                traceback.print_exception(error)
                sys.stderr.flush()


if __name__ == "__main__":
    # Without site-packages (-S) this project's own place is not on the path; the standard library goes first.
    sys.path.append(__file__.rsplit("/", 2)[0])
    main()
