"""Stands in for a worker: listens on the socket of standard input, and answers as its mode says. Run as a script.

`python stand_in.py MODE` with these modes:

    old        as workers did before there was a handshake; `quit` ends it
    later      the handshake of a protocol to come; `quit` ends it
    nonsense   answers that are no messages
    shape      a proper handshake, then messages of a wrong shape
    huge       a proper handshake, then the beginning of an answer without end
    trickle    a proper handshake, then a byte now and then
    late       a proper handshake, then nothing
    silent     nothing at all
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import time
from typing import Any


def _pack(message: Any) -> bytes:
    body = json.dumps(message).encode()
    return struct.pack("!I", len(body)) + body


def _requests(connection: socket.socket) -> Any:
    while head := connection.recv(4, socket.MSG_WAITALL):
        yield json.loads(connection.recv(struct.unpack("!I", head)[0], socket.MSG_WAITALL))


_OK = {"ok": True}
_WRONG = {
    "report": {"ok": True, "tunnels": [{"tunnel_id": "x\x1b[31m"}]},
    "summary": {"ok": True, "tunnels": [7]},
    "circuits": {"ok": True, "heard": {}},
    "find_session": {"ok": 1},
    "cards": {"ok": True},
}


def _talk(mode: str, protocol: int, connection: socket.socket) -> None:
    for request in _requests(connection):
        op = request["op"]
        if mode == "silent":
            time.sleep(60)
        elif mode == "nonsense":
            connection.sendall(b"\xff\xff\xff\xff")
        elif op == "quit":
            connection.sendall(_pack(_OK))
            sys.exit()
        elif mode == "old":
            known = op in ("report", "summary", "nothing")
            refusal = {"ok": False, "error": "refused", "problem": f"bad request: unknown operation {op!r}"}
            connection.sendall(_pack(_OK | ({} if op == "nothing" else {"tunnels": []}) if known else refusal))
        elif op == "hello":
            connection.sendall(_pack(_OK | {"protocol": protocol + (mode == "later"), "program": ""}))
        elif mode == "shape":
            connection.sendall(_pack(_WRONG.get(op, [])))
        elif mode == "huge":
            connection.sendall(struct.pack("!I", 60 << 20))
            while True:
                connection.sendall(bytes(1 << 20))
        elif mode == "trickle":
            for byte in _pack(_OK | {"tunnels": [], "padding": "x" * 1000}):
                connection.sendall(bytes([byte]))
                time.sleep(0.05)
        elif mode == "late":
            time.sleep(60)


def main() -> None:
    """Serve one connection after the other."""
    mode, protocol = sys.argv[1], int(sys.argv[2])
    with socket.socket(fileno=0) as listener:
        listener.listen(64)
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                _talk(mode, protocol, connection)


if __name__ == "__main__":
    main()
