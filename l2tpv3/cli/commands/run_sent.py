"""`l2tpctl run-sent`: the far end of `l2tpctl --host ssh://...`. It runs a command that comes over standard input."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Annotated, Final

import click

from l2tpv3.cli.output import streams
from l2tpv3.cli.parameters import Argument
from l2tpv3.errors import InvalidValueError
from l2tpv3.version import VERSION

if TYPE_CHECKING:
    from l2tpv3.remote.sent_command import SentCommand

EXAMPLES: dict[str, str] = {}

SENDER_GONE: Final = threading.Event()
"""Set when the sender has hung up: what interrupts the command then is not its Ctrl-C."""
ENVIRONMENT: Final = ("CREDENTIALS_DIRECTORY", "COLUMNS", "LINES", "TERM", "NO_COLOR", "L2TPV3_DEBUG")
"""The variables that a sent command may bring along."""


def run_sent(
    ctx: click.Context,
    ssh_connection: Annotated[
        str | None, Argument(metavar="[SSH_CONNECTION]", help="The variable of ssh, which sudo does not pass on.")
    ] = None,
) -> None:
    """Run the command that is sent over standard input."""
    from l2tpv3.cli.run import run
    from l2tpv3.linux.sent_files import have_sent
    from l2tpv3.remote.sent_command import HANDSHAKE, PROTOCOL

    print(f"{HANDSHAKE} {PROTOCOL} {VERSION}", file=sys.stderr, flush=True)
    source = os.dup(0)
    command, signals = _received(source)
    _leave_stdin()
    os.environ.pop("L2TPCTL_HOST", None)
    os.environ.update({name: value for name, value in command.environment.items() if name in ENVIRONMENT})
    if ssh_connection:
        os.environ["SSH_CONNECTION"] = ssh_connection
    have_sent(command.files)
    streams.write_for(command.encoding, terminal=command.terminal)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_interrupt_when_told, args=(source, signals), daemon=True).start()
    code = run(list(command.words))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the sender may hang up now
    ctx.exit(code)


def _received(source: int) -> tuple[SentCommand, bytes]:
    """The command, and what came behind it already. Raises InvalidValueError."""
    from l2tpv3.remote.sent_command import LINE_MAX, SentCommand

    received = bytearray()
    piece = b" "
    while piece and b"\n" not in piece and len(received) <= LINE_MAX:
        piece = os.read(source, 1 << 20)
        received += piece
    line, _, signals = received.partition(b"\n")
    try:
        return SentCommand.of_line(bytes(line)), bytes(signals)
    except ValueError as error:
        remedy = "it is not for people: `l2tpctl --host ssh://HOST COMMAND` runs it at the far end"
        raise InvalidValueError("run-sent", "standard input has no command", remedy) from error


def _leave_stdin() -> None:
    """Give the command an empty standard input: what comes over the real one is for it no more."""
    nowhere = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nowhere, 0)
    os.close(nowhere)


def _interrupt_when_told(source: int, signals: bytes) -> None:
    """Interrupt this process when the sender says so, or has gone: then ssh closes its end."""
    while signals or os.read(source, 1 << 16):
        signals = b""
        os.kill(os.getpid(), signal.SIGINT)
    SENDER_GONE.set()
    os.kill(os.getpid(), signal.SIGINT)


COMMANDS = {"run-sent": run_sent}
