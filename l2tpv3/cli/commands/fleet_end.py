"""`l2tpctl fleet-end`: what `l2tpctl fleet` runs at each host. It is not for people."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated

import click

from l2tpv3.cli.commands.apply import expiring
from l2tpv3.cli.commands.tunnel import local_manager
from l2tpv3.cli.parameters import Argument
from l2tpv3.errors import L2tpError, RefusedError
from l2tpv3.version import VERSION

if TYPE_CHECKING:
    from l2tpv3.fleet.far_end import FarEnd

EXAMPLES: dict[str, str] = {}


def fleet_end(
    ctx: click.Context,
    ssh_connection: Annotated[
        str | None, Argument(metavar="[SSH_CONNECTION]", help="The variable of ssh, which sudo does not pass on.")
    ] = None,
) -> None:
    """Do what comes over standard input, a JSON document a line, until its end."""
    from l2tpv3.fleet.far_end import FarEnd
    from l2tpv3.fleet.protocol import LINE_MAX
    from l2tpv3.remote.sent_command import HANDSHAKE, PROTOCOL

    if ssh_connection:
        os.environ["SSH_CONNECTION"] = ssh_connection
    os.environ.pop("L2TPCTL_HOST", None)
    print(f"{HANDSHAKE} {PROTOCOL} {VERSION}", file=sys.stderr, flush=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator says what becomes of a change
    manager = local_manager(ctx, "fleet-end")
    end = FarEnd(manager, lambda confirm_s: expiring(confirm_s, manager))
    requests = os.fdopen(os.dup(0), "rb")
    try:
        while line := requests.readline(LINE_MAX):
            answer = _answer(end, line)
            print(json.dumps(answer), flush=True)
    except BrokenPipeError:
        pass  # nobody waits for the answer any more
    finally:
        end.close()


def _answer(end: FarEnd, line: bytes) -> dict[str, object]:
    from l2tpv3.documents.error import error_document

    try:
        request = json.loads(line)
        return {"answer": end.ask(request)}
    except L2tpError as error:
        return error_document(error)
    except (ValueError, RecursionError):
        remedy = "it is not for people: `l2tpctl fleet apply FILE` runs it at each host"
        return error_document(RefusedError("fleet-end", "standard input has no request", remedy))


COMMANDS = {"fleet-end": fleet_end}
"""The commands of this module, by name."""
