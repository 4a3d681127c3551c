"""Standard output and standard error, whatever the locale and wherever they go.

- A character that the locale's encoding lacks is written in ASCII, instead of ending the command.
- Standard output that can't be written (a full disk, `>&-`) is one error that says so.
- Standard error that can't be written is given up in silence: what was asked for is done all the same.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import sys
from io import TextIOWrapper
from typing import Any

from l2tpv3.errors import RefusedError

_REPLACEMENTS = {"→": "->", "←": "<-", "·": ".", "…": "...", "–": "-", "“": '"', "”": '"', "’": "'", "�": "?"}
_IN_ASCII = "l2tpctl-ascii"


class OutputError(RefusedError):
    """Standard output can't be written to."""

    @classmethod
    def from_os_error(cls, error: OSError) -> OutputError:
        """Make the error from what a write raised. Use as `raise OutputError.from_os_error(error) from error`."""
        remedy = "send it elsewhere; if a change was asked for, it may have been made: `l2tpctl log` tells"
        return cls("standard output", f"can't write to it: {os.strerror(error.errno or 0)}", remedy, errno=error.errno)


def prepare() -> None:
    """Make this process's standard streams usable. To be called once, before anything is opened or printed.

    Of closed descriptors 0 to 2 each is opened on /dev/null first: else a database or socket that is opened later
    would get the number of a standard stream, and what is printed would be written into it.
    """
    _open_closed_descriptors()
    codecs.register_error(_IN_ASCII, _in_ascii)
    if type(sys.stdout) is TextIOWrapper or sys.stdout is None:
        sys.stdout = _checked(sys.stdout, 1, _Output)
    if type(sys.stderr) is TextIOWrapper or sys.stderr is None:
        sys.stderr = _checked(sys.stderr, 2, _Errors)


def write_for(encoding: str, *, terminal: bool) -> None:
    """Have what is printed be as another process's streams have it, to which it goes on.

    encoding: theirs; one that is not known here stays as it is. terminal: whether they end at one.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            with contextlib.suppress(LookupError):
                stream.reconfigure(encoding=encoding, errors=_IN_ASCII)
    if isinstance(sys.stdout, _Output):
        sys.stdout.terminal = terminal


def use_utf8() -> None:
    """Have what follows on standard output be UTF-8 in any locale, as JSON (RFC 8259, 8.1) and TOML have to be."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.encoding.lower().replace("-", "") != "utf8":
        sys.stdout.reconfigure(encoding="utf-8", errors=_IN_ASCII)


def discard() -> None:
    """Let what is still buffered for standard output go nowhere, so that Python does not complain of it at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class _Output(TextIOWrapper):
    """Standard output: what can't be written is an OutputError. A reader that went away stays a BrokenPipeError.

    terminal: it goes to a terminal by way of another process.
    """

    terminal = False

    def isatty(self) -> bool:
        return self.terminal or super().isatty()

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError.from_os_error(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError.from_os_error(error) from error


class _Errors(TextIOWrapper):
    """Standard error: a message that can't be written is lost, and ends nothing."""

    def write(self, text: str, /) -> int:
        with contextlib.suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


def _open_closed_descriptors() -> None:
    # For reading only where it is standard output's: writing to it then fails, as it does without.
    for fd, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            os.open(os.devnull, flags)  # the lowest free number, which is fd: those below it are open by now


def _checked(stream: Any, fd: int, kind: type[TextIOWrapper]) -> Any:
    """Give a standard stream as a `kind`, with our replacements. The old one stays in sys.__stdout__, not closed."""
    if stream is None:
        return kind(os.fdopen(fd, "wb", closefd=False), errors=_IN_ASCII, line_buffering=fd == 2)
    options: dict[str, Any] = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
    return kind(stream.buffer, encoding=stream.encoding, errors=_IN_ASCII, **options)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """The error handler of codecs.register_error: arrows and quotes as people type them, the rest as \\u escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    escaped = (_REPLACEMENTS.get(one) or one.encode("ascii", "backslashreplace").decode() for one in wrong)
    return "".join(escaped), error.end
