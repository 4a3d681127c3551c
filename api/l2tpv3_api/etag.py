"""Entity tags of what clients can write, and the conditions that they put on a change (RFC 9110 sections 8.8.3, 13.1).

A tag stands for a spec's words, cookies among them. It is a keyed hash: a bare one of a 4-byte cookie could be found
out by trying all of them. The key stays the same, so that a tag is good over a restart of the service.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from l2tpv3.errors import ExistsError, InvalidValueError, PreconditionError, from_errno
from l2tpv3.read_file import read_file

_KEY_BYTES: Final = 32
_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
HEADER_MAX: Final = 4096
"""Longest If-Match and If-None-Match, in characters."""


class Tagger:
    """Makes tags with the key in `state`/api-etag.key, which is made (mode 0600) when it is not there."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._key: bytes | None = None

    def load(self) -> None:
        """Read the key, or make it. Raises L2tpError."""
        file = self._state / "api-etag.key"
        try:
            if not file.exists():
                self._make(file)
            self._key = read_file(file, 4096)
        except OSError as error:
            raise from_errno(str(file), "read or make it", error.errno or 0) from error
        if len(self._key) != _KEY_BYTES:
            raise InvalidValueError(str(file), f"has {len(self._key)} bytes, not {_KEY_BYTES}", "remove it")

    def _make(self, file: Path) -> None:
        """Whole or not at all; of two at once, one wins."""
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        draft.touch(mode=0o600, exist_ok=False)
        try:
            draft.write_bytes(secrets.token_bytes(_KEY_BYTES))
            with contextlib.suppress(FileExistsError):
                os.link(draft, file)
        finally:
            draft.unlink()

    def of(self, words: Mapping[str, Any], *names: str) -> str:
        """The tag, in its quotes, of a spec's words; names: which tunnel's or session's."""
        return self.of_bytes(json.dumps([names, words], sort_keys=True).encode())

    def of_bytes(self, content: bytes) -> str:
        """The tag, in its quotes, of a whole answer."""
        if self._key is None:
            self.load()
            assert self._key is not None
        return f'"{hmac.new(self._key, content, hashlib.sha256).hexdigest()[:32]}"'


@dataclass(frozen=True, slots=True)
class Conditions:
    """If-Match and If-None-Match of one request: the tags, `*` for any, None where there is no such header.

    malformed: that header is no list of tags, so nobody can tell whether the change is wanted.
    """

    match: frozenset[str] | None = None
    none_match: frozenset[str] | None = None
    malformed: str = ""

    @classmethod
    def of(cls, match: str | None, none_match: str | None) -> Conditions:
        """From the headers' values."""
        wanted, unwanted = _tags(match, weak=False), _tags(none_match, weak=True)
        if match is not None and wanted is None:
            return cls(malformed="If-Match")
        if none_match is not None and unwanted is None:
            return cls(malformed="If-None-Match")
        return cls(wanted, unwanted)

    def check(self, subject: str, tag: str | None) -> None:
        """Raise PreconditionError or (If-None-Match: *) ExistsError unless `tag` may be changed; None: not there."""
        if self.malformed:
            problem = f"{self.malformed} is not a list of entity tags"
            raise PreconditionError(subject, problem, 'give "TAG" as an ETag header had it, or *')
        if self.match is not None and (tag is None or not {tag, "*"} & self.match):
            problem = "it is not there" if tag is None else "someone has changed it since"
            raise PreconditionError(subject, f"If-Match does not hold: {problem}", "get it again, then decide")
        if self.none_match is not None and tag is not None and {tag, "*"} & self.none_match:
            if "*" in self.none_match:
                raise ExistsAlreadyError(subject, "exists already", _removal(subject))
            raise PreconditionError(subject, "If-None-Match does not hold: it is that version", "")

    def unchanged(self, tag: str) -> bool:
        """Whether a client that says If-None-Match has the answer already."""
        return self.none_match is not None and bool({tag, "*"} & self.none_match)


class ExistsAlreadyError(ExistsError):
    """What was to be made only if it isn't there is there."""

    http_status = PreconditionError.http_status


def _removal(subject: str) -> str:
    kind, _, name = subject.partition(" ")
    return f"`l2tpctl {kind} del {name.replace('/', ' ')}` removes it"


def _tags(value: str | None, *, weak: bool) -> frozenset[str] | None:
    """None: there is no header, or it is no list of tags.

    weak: weak tags count like strong ones (RFC 9110 section 8.8.3.2: only If-None-Match compares so).
    """
    if value is None:
        return None
    value = value.strip()
    if value == "*":
        return frozenset("*")
    # Lists may have empty elements, and be empty (RFC 9110 section 5.6.1.2); no tag is in such a one.
    found = [_TAG.fullmatch(one.strip()) for one in value[:HEADER_MAX].split(",") if one.strip()]
    if len(value) > HEADER_MAX or not all(found):
        return None
    return frozenset(f'"{one[2]}"' for one in found if one is not None and (weak or not one[1]))
