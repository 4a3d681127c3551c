"""A worker's control socket: connections, whole messages, answers. It never blocks, and outlives bad messages."""

from __future__ import annotations

import array
import select
import socket
from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.worker.loop import Loop
from l2tpv3.worker.messages import FDS_MAX, REQUEST_MAX, BadMessage, Unpacker, close_all, pack
from l2tpv3.worker.protocol import HELLO, PROTOCOL, QUIT, BadFieldError, check_request
from l2tpv3.worker.requests import Answer, Fields, Requests

_CHUNK: Final = 64 * 1024
_FD_SPACE: Final = socket.CMSG_SPACE(FDS_MAX * 4)
_credentials = Struct("3i")  # struct ucred: pid, uid, gid


class About(NamedTuple):
    """A worker as it was started. owner: the user id that may ask, besides root. program: see program.digest().

    files_max: how many open files it may have.
    """

    owner: int
    program: str
    files_max: int


class Server:
    """Accepts on the listening socket and answers with `requests`."""

    def __init__(self, listener: socket.socket, loop: Loop, requests: Requests, about: About) -> None:
        self.about = about
        self._listener = listener
        self._loop = loop
        self._requests = requests
        self._owners = (0, about.owner)
        self._connections: set[_Connection] = set()
        self.ending = False
        loop.watch(listener.fileno(), self._accept)

    def end_when_answered(self) -> None:
        """Stop the loop, once every answer is on its way."""
        self.ending = True
        self.check_ending()

    def check_ending(self) -> None:
        """Stop the loop if it is to end and nothing is left to send."""
        if self.ending and not any(connection.busy for connection in self._connections):
            self._loop.stop()

    def _accept(self, _events: int) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # whoever it was has gone, or there are too many open files
        connection.settimeout(0)
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _credentials.size)
        if self.ending or _credentials.unpack(peer)[1] not in self._owners:
            connection.close()
            return
        self._connections.add(_Connection(connection, self._loop, self._requests, self))

    def dropped(self, connection: _Connection) -> None:
        """Note that a connection is closed."""
        self._connections.discard(connection)
        self.check_ending()


class _Connection:
    """One client: what it sent so far, and what it has not yet taken."""

    def __init__(self, connection: socket.socket, loop: Loop, requests: Requests, server: Server) -> None:
        self._socket = connection
        self._loop = loop
        self._requests = requests
        self._server = server
        self._unpacker = Unpacker(REQUEST_MAX)
        self._fds: list[int] = []
        self._files_lost = False
        self._speaks = 0  # which protocol the client speaks, once it has said so
        self._out: list[tuple[memoryview, list[int]]] = []
        self.busy = False
        loop.watch(connection.fileno(), self._ready)

    def _ready(self, events: int) -> None:
        if events & select.EPOLLOUT:
            self._send()
        if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) and self._socket.fileno() >= 0:
            self._receive()

    def _receive(self) -> None:
        try:
            data, ancillary, flags, _ = self._socket.recvmsg(_CHUNK, _FD_SPACE, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            data, ancillary, flags = b"", [], 0
        # The kernel drops files that it finds no number for below the limit of open files (unix(7), SCM_RIGHTS).
        self._files_lost |= bool(flags & socket.MSG_CTRUNC)
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                files = array.array("i")
                files.frombytes(content[: len(content) - len(content) % files.itemsize])
                self._fds.extend(files)
        if not data:
            self._close()
            return
        self._handle(data)

    def _handle(self, data: bytes) -> None:
        self.busy = True
        try:
            messages = self._unpacker.feed(data)
        except BadMessage as error:
            self._out.append((memoryview(pack({"ok": False, "error": "refused", "problem": str(error)})), []))
            self._send()
            self._close()  # where the next message begins is not known
            return
        for message in messages:
            fields, files = self._answer(message)
            self._out.append((memoryview(pack(fields)), files))
        self._send()

    def _answer(self, message: Fields) -> Answer:
        fds, self._fds = self._fds, []
        lost, self._files_lost = self._files_lost, False
        op = message.get("op")
        if lost:
            most = self._server.about.files_max
            problem = f"the worker has as many open files as it may ({most}); each session takes one"
        elif op == HELLO:
            problem = self._greet(message)
        elif self._speaks != PROTOCOL and op != QUIT:
            theirs = f"protocol {self._speaks}" if self._speaks else "an earlier protocol"
            problem = f"this worker speaks protocol {PROTOCOL}, and who asks {theirs}: their versions differ"
        else:
            return self._requests.answer(message, fds)
        close_all(fds)
        if problem:
            return {"ok": False, "error": "refused", "problem": problem}, []
        return {"ok": True, "protocol": PROTOCOL, "program": self._server.about.program}, []

    def _greet(self, message: Fields) -> str:
        """Note which protocol the client speaks. Gives what is wrong with the message, "" for nothing."""
        try:
            check_request(HELLO, {field: value for field, value in message.items() if field != "op"})
        except BadFieldError as error:
            return f"bad request: {error}"
        self._speaks = message["protocol"]
        return ""

    def _send(self) -> None:
        while self._out:
            data, files = self._out[0]
            try:
                ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
                sent = self._socket.sendmsg([data], ancillary)
            except BlockingIOError:
                # Until it takes its answers nothing more is read from it.
                self._loop.watch(self._socket.fileno(), self._ready, select.EPOLLOUT)
                return
            except OSError:
                self._close()
                return
            close_all(files)
            if sent == len(data):
                self._out.pop(0)
            else:
                self._out[0] = (data[sent:], [])
        self._loop.watch(self._socket.fileno(), self._ready)
        self.busy = False
        self._server.check_ending()

    def _close(self) -> None:
        if self._socket.fileno() < 0:
            return
        self.busy = False
        self._loop.forget(self._socket.fileno())
        self._socket.close()
        close_all(self._fds)
        for _, files in self._out:
            close_all(files)
        self._out.clear()
        self._server.dropped(self)
