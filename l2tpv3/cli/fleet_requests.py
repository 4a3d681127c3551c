"""Answers the coordinator of a fleet over standard input and output: a JSON document a line, until its end.

It is run at each host of a fleet for each change. So what takes the whole manager is imported when it is asked for.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from l2tpv3.errors import L2tpError, RefusedError
from l2tpv3.fleet.noted import holds
from l2tpv3.fleet.protocol import FLEET_PROTOCOL, LINE_MAX
from l2tpv3.paths import Paths
from l2tpv3.remote.sent_command import HANDSHAKE, PROTOCOL
from l2tpv3.version import VERSION

if TYPE_CHECKING:
    from l2tpv3.fleet.far_end import FarEnd
    from l2tpv3.host.manager import Manager


def serve(local_manager: Callable[[], Manager], ssh_connection: str | None = None) -> None:
    """Answer until standard input ends. local_manager: gives what commands this host."""
    if ssh_connection:
        os.environ["SSH_CONNECTION"] = ssh_connection
    os.environ.pop("L2TPCTL_HOST", None)
    print(f"{HANDSHAKE} {PROTOCOL} {VERSION}", file=sys.stderr, flush=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator says what becomes of a change
    answering = _Answering(local_manager)
    requests = os.fdopen(os.dup(0), "rb")
    try:
        while line := requests.readline(LINE_MAX):
            print(json.dumps(answering.answer(line)), flush=True)
    except BrokenPipeError:
        pass  # nobody waits for the answer any more
    finally:
        answering.close()


class _Answering:
    """Answers requests. What they need of the manager is made when it is first needed."""

    def __init__(self, local_manager: Callable[[], Manager]) -> None:
        self._local_manager = local_manager
        self._end: FarEnd | None = None

    def answer(self, line: bytes) -> dict[str, Any]:
        """The answer to a line; a document of an error where it is none, or what it asks for fails."""
        try:
            request = json.loads(line)
            if isinstance(request, dict) and request.get("verb") == "noted":
                return {"answer": _noted(str(request.get("digest")))}
            return {"answer": self._made().ask(request)}
        except L2tpError as error:
            return _document(error)
        except (ValueError, RecursionError):
            remedy = "it is not for people: `l2tpctl fleet apply FILE` runs it at each host"
            return _document(RefusedError("fleet-end", "standard input has no request", remedy))

    def _made(self) -> FarEnd:
        if self._end is None:
            from l2tpv3.cli.expiring import expiring
            from l2tpv3.fleet.far_end import FarEnd

            manager = self._local_manager()
            self._end = FarEnd(manager, lambda confirm_s: expiring(confirm_s, manager))
        return self._end

    def close(self) -> None:
        """Stop what goes on."""
        if self._end is not None:
            self._end.close()


def _noted(document: str) -> dict[str, Any]:
    """Whether this host is as it was when it last had the document of that digest in full."""
    note = holds(Paths.from_environment(), document)
    identity = "" if note is None else note.identity
    return {"protocol": FLEET_PROTOCOL, "version": VERSION, "noted": note is not None, "identity": identity}


def _document(error: L2tpError) -> dict[str, Any]:
    from l2tpv3.documents.error import error_document

    return error_document(error)
