"""A command as it is sent over ssh's standard input: one line of JSON, behind which are words of its own for signals.

So nothing of it is in anyone's list of processes, no shell reads it, and the files that it names come along. The far
end begins with the line HANDSHAKE on its standard error; what comes there before is ssh's, the shell's or sudo's.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from l2tpv3.linux.sent_files import SentFile

PROTOCOL = 1
HANDSHAKE = "l2tpctl run-sent protocol"
"""What the far end's first line begins with; its PROTOCOL and its version follow."""
INTERRUPT = b"interrupt\n"
"""Follows the command where Ctrl-C was typed. The end of the input means as much: nobody waits any more."""
LINE_MAX = 256 << 20
"""Bytes of a command with its files at most; files have a limit of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCommand:
    """words: those behind `l2tpctl`. files: see l2tpv3.linux.sent_files. environment: variables that matter to it.

    encoding: of what it prints. terminal: what it prints goes to one.
    """

    words: tuple[str, ...]
    files: Mapping[str, SentFile] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    terminal: bool = False

    def line(self) -> bytes:
        """The command as a line."""
        document = {
            "words": self.words,
            "files": {path: _file_document(file) for path, file in self.files.items()},
            "environment": dict(self.environment),
            "encoding": self.encoding,
            "terminal": self.terminal,
        }
        return json.dumps(document).encode("ascii") + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> SentCommand:
        """The command in a line. Raises ValueError for what is none."""
        try:
            document = json.loads(line)
            return cls(
                words=tuple(_text(word) for word in document["words"]),
                files={_text(path): _file(file) for path, file in document["files"].items()},
                environment={_text(name): _text(value) for name, value in document["environment"].items()},
                encoding=_text(document["encoding"]),
                terminal=bool(document["terminal"]),
            )
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("not a command") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _file_document(file: SentFile) -> dict[str, Any]:
    content = base64.b64encode(file.content).decode("ascii")
    return {"content": content, "failure": file.failure, "readable_by_all": file.readable_by_all}


def _file(document: Mapping[str, Any]) -> SentFile:
    failure = document["failure"]
    return SentFile(
        content=base64.b64decode(_text(document["content"]), validate=True),
        failure=None if failure is None else (int(failure[0]), _text(failure[1])),
        readable_by_all=bool(document["readable_by_all"]),
    )
