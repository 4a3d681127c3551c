"""The privileged side of a worker's control socket: one request at a time, each with one deadline for all of it.

What a worker answers is a stranger's: it may be late, endless, of a shape that was never agreed on, or of another
version. All of that is a WorkerError that names the worker's pid and says what helps. Its errno says what kind it is:
ETIMEDOUT (no answer in time), EPROTO (an answer of a wrong shape), EPROTONOSUPPORT (another version), ECONNRESET (it
has ended).
"""

from __future__ import annotations

import array
import contextlib
import errno
import os
import socket
import time
from collections.abc import Sequence
from struct import Struct
from typing import Any, Final

from l2tpv3.errors import BusyError, ConflictError, ExistsError, L2tpError, NotFoundError, RefusedError, WorkerError
from l2tpv3.linux.readable import wait_readable
from l2tpv3.worker import protocol
from l2tpv3.worker.faults import unanswered
from l2tpv3.worker.messages import ANSWER_MAX, FDS_MAX, BadMessage, Unpacker, close_all, pack

TIMEOUT_S: Final = 10.0
"""How long a worker may take to answer. It answers between two batches of frames, so milliseconds are usual."""

_KINDS: Final[dict[str, type[L2tpError]]] = {
    kind.slug: kind for kind in (BusyError, ConflictError, ExistsError, NotFoundError, RefusedError)
}
_credentials = Struct("3i")  # struct ucred: pid, uid, gid

_ANSWER_LEAST: Final = 1 << 20
_BYTES_PER_FILE: Final = 2048
"""Bytes of the longest answer: a session takes some 700, and each has an open file."""
_UNKNOWN_OPERATION: Final = "bad request: unknown operation"


class Client:
    """A connection to one worker. Close it, or use it in a `with` block. After an error that is a WorkerError it is of
    no use any more.

    pid: the worker's, as the kernel knows it from its listen() (unix(7), SO_PEERCRED). path: its control socket, as
    the user would write it. program: which one it runs, see program.digest(); "" before `greeted`.
    """

    def __init__(self, connection: socket.socket, path: str) -> None:
        self.path = path
        self.program = ""
        self._socket = connection
        self._incoming: _Incoming | None = None
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _credentials.size)
        self.pid: int = _credentials.unpack(peer)[0]

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the worker goes on."""
        self._socket.close()

    def greet(self, give_up: float) -> None:
        """Send the handshake. give_up: when to, on the monotonic clock. Raises WorkerError."""
        self.ask(protocol.HELLO, give_up, protocol=protocol.PROTOCOL)

    def greeted(self, message: dict[str, Any]) -> None:
        """Take the answer to the handshake, as `read` gave it. Raises WorkerError, EPROTONOSUPPORT for a worker of
        another version."""
        try:
            answer, files = self.checked("worker", protocol.HELLO, message)
            close_all(files)
        except WorkerError:
            raise
        except L2tpError as error:
            self.close()
            if error.problem.startswith(_UNKNOWN_OPERATION):
                raise other_version(self.pid, "an earlier protocol") from error
            raise bad_answer(self.pid, error.problem) from error
        if answer["protocol"] != protocol.PROTOCOL:
            self.close()
            raise other_version(self.pid, f"protocol {answer['protocol']}")
        self.program = answer["program"]

    def request(self, subject: str, op: str, fds: Sequence[int] = (), **fields: Any) -> dict[str, Any]:
        """Ask for `op`; give the answer's fields. Files that came back are closed, which is what they are sent for.

        subject: what an error is about. Raises the error that the worker's answer names, or WorkerError.
        """
        answer, files = self.exchange(subject, op, fds, **fields)
        close_all(files)
        return answer

    def exchange(
        self, subject: str, op: str, fds: Sequence[int] = (), **fields: Any
    ) -> tuple[dict[str, Any], list[int]]:
        """Do what `request` does, and give the files that came with the answer too. The caller closes them.

        Raises WorkerError as `request` does.
        """
        give_up = time.monotonic() + TIMEOUT_S
        self.ask(op, give_up, fds, **fields)
        return self.answer(subject, op, give_up)

    def ask(self, op: str, give_up: float, fds: Sequence[int] = (), **fields: Any) -> None:
        """Send a request, whose answer is to be taken with `answer`. Raises WorkerError."""
        data = pack({"op": op} | fields)
        try:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            self._wait_until(give_up)
            sent = self._socket.sendmsg([data], ancillary)
            if sent < len(data):  # sending nothing fails too, when the worker has answered and ended meanwhile
                self._wait_until(give_up)
                self._socket.sendall(data[sent:])
        except OSError as error:
            raise self._broken(error) from error

    def answer(self, subject: str, op: str, give_up: float) -> tuple[dict[str, Any], list[int]]:
        """The answer to a request for `op`, checked, and the files with it. Raises as `request` does."""
        while (message := self.read(give_up)) is None:
            continue
        return self.checked(subject, op, message)

    def fileno(self) -> int:
        """The socket's, for poll()."""
        return self._socket.fileno()

    def read(self, give_up: float) -> dict[str, Any] | None:
        """A piece of an answer; None: it is not whole yet. Waits for the first byte of the piece. Raises WorkerError.

        The deadline is for all of it, however many pieces it comes in.
        """
        if self._incoming is None:
            self._incoming = _Incoming(_answer_max(self.pid))
        try:
            self._wait_until(give_up)
            return self._incoming.read(self._socket)
        except (OSError, BadMessage) as error:
            raise self._broken(error) from error

    def checked(self, subject: str, op: str, message: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        """Do what `answer` does, for a message that `read` gave.

        Raises L2tpError where the worker says one, WorkerError for an answer that is not as agreed.
        """
        try:
            met = protocol.check_answer(op, message)
        except protocol.BadFieldError as error:
            raise self._broken(error) from error
        files = self._incoming.files if self._incoming is not None else []
        self._incoming = None
        if met:
            return message, files
        close_all(files)
        raise _KINDS[message["error"]](subject, message["problem"])

    def _broken(self, error: Exception) -> WorkerError:
        """Make the connection unusable: what arrives from now on would be taken for the answer to something else."""
        if self._incoming is not None:
            close_all(self._incoming.files)
            self._incoming = None
        self.close()
        return self._failed(error)

    def _wait_until(self, give_up: float) -> None:
        left = give_up - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)

    def _failed(self, error: Exception) -> WorkerError:
        if isinstance(error, TimeoutError):
            return unanswered(self.pid)
        if isinstance(error, ValueError):
            return bad_answer(self.pid, str(error))
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        remedy = f"its log is {self.path.removesuffix('.sock')}.log"
        gone = errno.ECONNRESET if isinstance(error, (ConnectionError, BrokenPipeError)) else None
        return WorkerError(f"worker {self.pid}", f"failed: {reason}", remedy, errno=gone, pid=self.pid)

    def wait_for_end(self) -> None:
        """Return once the worker, which has said that it quits, is gone. Raises WorkerError."""
        give_up = time.monotonic() + TIMEOUT_S
        try:
            while True:
                self._wait_until(give_up)
                if not self._socket.recv(4096):
                    break
        except TimeoutError as error:
            raise self._failed(error) from error
        except OSError:
            pass  # reset: it is gone
        # A connection closes a little before its process is gone. pid 0: it is in another pid namespace.
        with contextlib.suppress(ProcessLookupError):
            if self.pid:
                process = os.pidfd_open(self.pid)
                try:
                    wait_readable([process], give_up - time.monotonic())
                finally:
                    os.close(process)


class _Incoming:
    """An answer that is coming, and nothing behind it. files: those that came with it."""

    def __init__(self, longest: int) -> None:
        """longest: in bytes."""
        self.files: list[int] = []
        self._unpacker = Unpacker(longest)

    def read(self, connection: socket.socket) -> dict[str, Any] | None:
        """Take what there is; None: it is not whole yet. Raises OSError, BadMessage."""
        data, ancillary, _, _ = connection.recvmsg(1 << 16, socket.CMSG_SPACE(FDS_MAX * 4), socket.MSG_CMSG_CLOEXEC)
        for _level, _kind, content in ancillary:
            received = array.array("i")
            received.frombytes(content)
            self.files.extend(received)
        if len(self.files) > FDS_MAX:
            raise BadMessage(f"more than {FDS_MAX} files with one answer")
        if not data:
            raise ConnectionResetError("it closed the connection")
        messages = self._unpacker.feed(data)
        if len(messages) > 1 or (messages and self._unpacker.left):
            raise BadMessage("more than one answer")
        return messages[0] if messages else None


def _answer_max(pid: int) -> int:
    """Bytes of the longest answer that this worker can have reason to give: it has a file for each session."""
    try:
        files = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - only to be counted
    except OSError:  # another pid namespace, or a /proc that hides others' processes
        return ANSWER_MAX
    return min(ANSWER_MAX, _ANSWER_LEAST + files * _BYTES_PER_FILE)


def bad_answer(pid: int, problem: str) -> WorkerError:
    """The error about a worker whose answer is not one."""
    remedy = f"end it with `kill -9 {pid}`, then `l2tpctl restore`: the netdevs stay"
    said = f"does not answer as agreed: {problem[:200]}"
    return WorkerError(f"worker {pid}", said, remedy, errno=errno.EPROTO, pid=pid)


def other_version(pid: int, theirs: str) -> WorkerError:
    """The error about a worker of another version of this program."""
    problem = f"is of another version: it speaks {theirs}, and this is protocol {protocol.PROTOCOL}"
    remedy = "`l2tpctl restore` replaces it: its tunnels pause for a moment, the netdevs stay"
    return WorkerError(f"worker {pid}", problem, remedy, errno=errno.EPROTONOSUPPORT, pid=pid)
