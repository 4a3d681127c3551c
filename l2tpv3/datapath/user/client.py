"""The privileged side of a worker's control socket: one request at a time, with a time limit."""

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

from l2tpv3.datapath.base import unanswered
from l2tpv3.datapath.user.messages import ANSWER_MAX, FDS_MAX, BadMessage, Unpacker, pack
from l2tpv3.errors import BusyError, ConflictError, ExistsError, L2tpError, NotFoundError, RefusedError, WorkerError
from l2tpv3.readable import wait_readable

TIMEOUT_S: Final = 10.0
"""How long a worker may take to answer. It answers between two batches of frames, so milliseconds are usual."""

_KINDS: Final[dict[str, type[L2tpError]]] = {
    kind.slug: kind for kind in (BusyError, ConflictError, ExistsError, NotFoundError, RefusedError)
}
_credentials = Struct("3i")  # struct ucred: pid, uid, gid


class Client:
    """A connection to one worker. Close it, or use it in a `with` block.

    pid: the worker's, as the kernel knows it from its listen() (unix(7), SO_PEERCRED). path: its control socket, as
    the user would write it. timeout_s: how long it may take over an answer, in seconds.
    """

    def __init__(self, connection: socket.socket, path: str, timeout_s: float = TIMEOUT_S) -> None:
        self.path = path
        self.timeout_s = timeout_s
        self._socket = connection
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _credentials.size)
        self.pid: int = _credentials.unpack(peer)[0]
        self._unpacker = Unpacker(ANSWER_MAX)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the worker goes on."""
        self._socket.close()

    def request(self, subject: str, op: str, fds: Sequence[int] = (), **fields: Any) -> dict[str, Any]:
        """Ask for `op`; give the answer's fields. Files that came back are closed, which is what they are sent for.

        subject: what an error is about. Raises the error that the worker's answer names, or WorkerError, with errno
        ECONNRESET when the worker has ended, ETIMEDOUT when it does not answer in time.
        """
        answer, files = self.exchange(subject, op, fds, **fields)
        for fd in files:
            os.close(fd)
        return answer

    def exchange(
        self, subject: str, op: str, fds: Sequence[int] = (), **fields: Any
    ) -> tuple[dict[str, Any], list[int]]:
        """As request, but give the files that came with the answer too; the caller closes them."""
        files: list[int] = []
        try:
            self._send(pack({"op": op} | fields), fds)
            answer = self._receive(files, time.monotonic() + self.timeout_s)
        except (OSError, BadMessage) as error:
            for fd in files:
                os.close(fd)
            raise self._failed(error) from error
        if answer.get("ok") is True:
            return answer, files
        for fd in files:
            os.close(fd)
        kind = _KINDS.get(str(answer.get("error")), RefusedError)
        raise kind(subject, str(answer.get("problem")))

    def _send(self, data: bytes, fds: Sequence[int]) -> None:
        self._socket.settimeout(self.timeout_s)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sent = self._socket.sendmsg([data], ancillary)
        if sent < len(data):  # sending nothing fails too, when the worker has answered and ended meanwhile
            self._socket.sendall(data[sent:])

    def _receive(self, files: list[int], give_up: float) -> dict[str, Any]:
        space = socket.CMSG_SPACE(FDS_MAX * 4)
        while True:
            self._socket.settimeout(max(0.001, give_up - time.monotonic()))
            data, ancillary, _, _ = self._socket.recvmsg(1 << 16, space, socket.MSG_CMSG_CLOEXEC)
            for _level, _kind, content in ancillary:
                received = array.array("i")
                received.frombytes(content)
                files.extend(received)
            if not data:
                raise ConnectionResetError("it closed the connection")
            messages = self._unpacker.feed(data)
            if messages:
                return messages[0]

    def _failed(self, error: Exception) -> WorkerError:
        subject = f"worker {self.pid}"
        if isinstance(error, TimeoutError):
            return unanswered(self.pid)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        remedy = f"its log is {self.path.removesuffix('.sock')}.log"
        gone = errno.ECONNRESET if isinstance(error, ConnectionError) else None
        return WorkerError(subject, f"failed: {reason}", remedy, errno=gone)

    def wait_for_end(self) -> None:
        """Return once the worker, which has said that it quits, is gone. Raises WorkerError."""
        give_up = time.monotonic() + TIMEOUT_S
        try:
            self._socket.settimeout(TIMEOUT_S)
            while self._socket.recv(4096):
                continue
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
