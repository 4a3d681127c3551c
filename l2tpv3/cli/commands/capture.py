"""`l2tpctl capture`: a session's frames, into a file or decoded on the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from io import RawIOBase
from typing import TYPE_CHECKING, Annotated

import click

from l2tpv3.cli import completion, options
from l2tpv3.cli.commands.tunnel import manager_of
from l2tpv3.cli.output.streams import OutputError
from l2tpv3.cli.parameters import Files, Option
from l2tpv3.errors import InvalidValueError, from_errno
from l2tpv3.printable import printable

if TYPE_CHECKING:
    from l2tpv3.host.base import Capture, Host

EXAMPLES = {
    "capture": """
l2tpctl capture siteb lan                          # decoded, until Ctrl-C
l2tpctl capture siteb lan --side inner --filter 'arp or icmp' -c 20
l2tpctl capture siteb lan -w lan.pcapng --seconds 60
l2tpctl capture siteb lan -w - | wireshark -k -i -
"""
}


def capture(
    ctx: click.Context,
    tunnel: options.TunnelName,
    name: options.SessionName,
    *,
    write: Annotated[
        str | None,
        Option(
            "-w",
            "--write",
            metavar="FILE",
            help="Write pcapng; - is stdout. [default: decode to stdout]",
            files=Files.STREAMED,
        ),
    ] = None,
    side: Annotated[
        str | None,
        Option(
            "--side",
            metavar="outer|inner",
            help="The packets on the underlay, or the frames at the netdev. [default: outer]",
            complete=completion.choice("outer", "inner"),
        ),
    ] = None,
    filter: Annotated[
        str | None, Option("--filter", metavar="EXPR", help="Only what matches; see pcap-filter(7).")
    ] = None,
    count: Annotated[str | None, Option("-c", "--count", metavar="N", help="End after N packets.")] = None,
    seconds: Annotated[str | None, Option("--seconds", metavar="N", help="End after N seconds.")] = None,
    snaplen: Annotated[
        str | None, Option("--snaplen", metavar="N", help="Keep N bytes of each packet. [default: all]")
    ] = None,
) -> None:
    """Capture a session's frames.

    Without -w what they say is printed, cookies by their length alone. A file has them in clear, and all that was sent.
    """
    from l2tpv3.capture import CaptureOptions

    wanted = CaptureOptions.of(side=side, expression=filter, packets=count, seconds=seconds, snaplen=snaplen)
    host = manager_of(ctx)
    with contextlib.ExitStack() as stack:
        if write is None:
            consume = _decoding(host, tunnel, name, wanted.side.value)
        else:
            consume = stack.enter_context(_writing(write))
        capturing = host.capture(tunnel, name, wanted)
        stack.callback(capturing.close)
        print(f"capturing session {tunnel}/{name}, {wanted.side}; Ctrl-C ends it", file=sys.stderr)
        _run(capturing, consume)


def _run(capturing: Capture, consume: Callable[[Iterator[bytes]], None]) -> None:
    def pieces() -> Iterator[bytes]:
        # This is how a capture ends: not an error.
        with contextlib.suppress(KeyboardInterrupt):
            yield from capturing
        yield capturing.finish()

    with contextlib.suppress(KeyboardInterrupt):  # while it was being written
        consume(pieces())
    counted = capturing.counted
    if counted is not None:
        print(f"{counted.delivered} packets captured, {counted.dropped} dropped", file=sys.stderr)


def open_private(path: str) -> int:
    """A descriptor to write a file by, for its owner alone, as frames and cookies have to be. Raises L2tpError."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise from_errno(path, "write to it", error.errno or 0, "give another -w FILE") from error


@contextlib.contextmanager
def _writing(path: str) -> Iterator[Callable[[Iterator[bytes]], None]]:
    if path == "-":
        if sys.stdout.isatty():
            raise InvalidValueError("-w", "pcapng is nothing for a terminal", "redirect stdout, or leave -w out")
        fd = os.dup(sys.stdout.fileno())
    else:
        fd = open_private(path)
    with os.fdopen(fd, "wb", buffering=0) as file:

        def write(pieces: Iterator[bytes]) -> None:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[_write_some(file, view, path) :]

        yield write


def _write_some(file: RawIOBase, view: memoryview, path: str) -> int:
    try:
        return file.write(view) or 0
    except BrokenPipeError:
        raise
    except OSError as error:
        if path == "-":
            raise OutputError.from_os_error(error) from error
        raise from_errno(path, "write to it", error.errno or 0, "give another -w FILE") from error


def _decoding(host: Host, tunnel: str, name: str, side: str) -> Callable[[Iterator[bytes]], None]:
    from l2tpv3.capture import Side, pcapng
    from l2tpv3.capture.decode import Decoder
    from l2tpv3.model.absent import no_session

    status = host.tunnel(tunnel)
    session = next((one for one in status.sessions if one.name == name), None)
    if session is None:
        raise no_session(tunnel, name, (one.name for one in status.sessions))
    lengths = (len(session.spec.rx_cookie), len(session.spec.tx_cookie))
    decoder = Decoder(status, session, Side(side), cookie_lengths=lengths)

    def show(pieces: Iterator[bytes]) -> None:
        for packet in pcapng.packets(pieces):
            for line in decoder.lines(packet):
                print(printable(line), flush=True)

    return show


COMMANDS = {"capture": capture}
