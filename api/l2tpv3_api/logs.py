"""The log of the service: records with fields, sent to the journal where stderr is one, else printed as lines.

No record has a header field, a query or a body in it. What looks like a token is taken out wherever it is found, in
case somebody puts one where it does not belong, such as a path.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import struct
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from l2tpv3.printable import printable, printable_lines
from l2tpv3_api.auth.tokens import PATTERN
from l2tpv3_api.settings import LogFormat

NAME: Final = "l2tpv3_api"
JOURNAL: Final = "/run/systemd/journal/socket"
_IDENTIFIER: Final = "l2tpv3-api"
_DATAGRAM_MAX: Final = 60000  # below the least that a socket's buffer takes; a record is a few hundred bytes


def set_up(format: LogFormat = LogFormat.AUTO, stream: TextIO | None = None, journal: str = JOURNAL) -> None:
    """Send the service's records, and uvicorn's errors, to where `format` says. stream: instead of stderr."""
    stream = stream or sys.stderr
    if format is LogFormat.AUTO:
        format = _fitting(stream)
    handler: logging.Handler
    if format is LogFormat.JOURNAL:
        handler = JournalHandler(journal)
    else:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(JsonLines() if format is LogFormat.JSON else Lines())
    handler.addFilter(_redact)
    for name, level in ((NAME, logging.INFO), ("uvicorn.error", logging.ERROR), ("asyncio", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of a record beside its message, from `extra={"fields": {...}}`."""
    found = getattr(record, "fields", None)
    return found if isinstance(found, dict) else {}


def _fitting(stream: TextIO) -> LogFormat:
    """systemd.exec(5), $JOURNAL_STREAM: device and inode of what it connected stderr to."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return LogFormat.TEXT
    if os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}":
        return LogFormat.JOURNAL
    return LogFormat.TEXT if stream.isatty() else LogFormat.JSON


def _redact(record: logging.LogRecord) -> bool:
    if record.exc_info and not record.exc_text:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    if record.exc_text:
        record.exc_text = PATTERN.sub(_hidden, record.exc_text)
    record.msg, record.args = PATTERN.sub(_hidden, record.getMessage()), None
    told = fields(record)
    for key, value in told.items():
        if isinstance(value, str):
            told[key] = PATTERN.sub(_hidden, value)
    return True


def _hidden(match: Any) -> str:
    return f"l2tpv3_{match[1]}_..."


class Lines(logging.Formatter):
    """A line for people: what happened; exceptions below it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with control characters escaped."""
        line = f"{record.levelname.lower()}: {printable(record.getMessage())}"
        return f"{line}\n{printable_lines(record.exc_text)}" if record.exc_text else line


class JsonLines(logging.Formatter):
    """A JSON object on a line: time (RFC 3339, UTC), level, message and the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the record as one line of JSON."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        document = {"time": moment, "level": record.levelname.lower(), "logger": record.name}
        document |= {"message": record.getMessage(), **fields(record)}
        if record.exc_text:
            document["exception"] = record.exc_text
        return json.dumps(document, default=str)


class JournalHandler(logging.Handler):
    """The journal's native protocol: fields that `journalctl L2TPV3_STATUS=403` finds.

    systemd, "Native Journal Protocol": KEY=VALUE lines; a value with a line feed has its length before it, 64-bit
    little-endian. What the journal has no room for at the moment is dropped and counted: logging holds up no request.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record to the journal."""
        message = printable_lines(record.getMessage() + (f"\n{record.exc_text}" if record.exc_text else ""))
        told: dict[str, Any] = {
            "MESSAGE": message,
            "PRIORITY": _priority(record.levelno),
            "SYSLOG_IDENTIFIER": _IDENTIFIER,
            "LOGGER": record.name,
        }
        told |= {f"L2TPV3_{key.upper()}": value for key, value in fields(record).items()}
        try:
            self._socket.sendto(b"".join(_field(key, str(value)) for key, value in told.items()), self._path)
        except OSError:
            self.dropped += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        super().close()


def _field(key: str, value: str) -> bytes:
    data = value.encode(errors="backslashreplace")[: _DATAGRAM_MAX // 2]
    if b"\n" in data:
        return key.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
    return key.encode() + b"=" + data + b"\n"


def _priority(level: int) -> int:
    """syslog(3): 2 critical, 3 error, 4 warning, 6 informational, 7 debug."""
    for threshold, priority in ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6)):
        if level >= threshold:
            return priority
    return 7
