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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from l2tpv3.errors import ExistsError, InvalidValueError, PreconditionError, from_errno
from l2tpv3.linux.read_file import read_file
from l2tpv3_api.http.faults import MalformedError

_KEY_BYTES: Final = 32
_PASSING: Final = frozenset(
    ("counters", "last_received_s", "since_s", "round_trip_s", "handshake", "rx_bytes", "tx_bytes")
)
"""Keys of a document whose values time and traffic change, while all else stays."""
_SEEN_CHARACTERS: Final = 12
_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_ONE: Final = rf"(?:{_TAG.pattern})?"
# Lists may have empty elements, and be empty (RFC 9110 section 5.6.1.2); no tag is in such a one. Tags may have commas.
_LIST: Final = re.compile(rf"[ \t]*+{_ONE}(?:[ \t]*+,[ \t]*+{_ONE})*+[ \t]*+")
PATTERN: Final = '^(\\*|((W/)?"[!#-~]*")?( *, *((W/)?"[!#-~]*")?)*)$'
"""What If-Match and If-None-Match are like, for OpenAPI."""
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
        """The tag, in its quotes, of a spec's words; names: which tunnel's or session's.

        Raises L2tpError where the key of the tags can't be read or made, InvalidValueError where it is damaged.
        """
        return self.of_bytes(json.dumps([names, words], sort_keys=True).encode())

    def with_seen(self, tag: str, document: Mapping[str, Any]) -> str:
        """The tag with a second part for what is seen beside, without what is _PASSING: `"WORDS.SEEN"`.

        Who asks again by If-None-Match has the same answer, but for that, where both parts are the same; a change
        depends on the first part alone.
        Raises what `of` does.
        """
        seen = json.dumps(_without_passing(document), sort_keys=True)
        return f'{tag[:-1]}.{self.of_bytes(seen.encode())[1 : 1 + _SEEN_CHARACTERS]}"'

    def of_bytes(self, content: bytes) -> str:
        """The tag, in its quotes, of a whole answer. Raises what `of` does."""
        if self._key is None:
            self.load()
            assert self._key is not None
        return f'"{hmac.new(self._key, content, hashlib.sha256).hexdigest()[:32]}"'


@dataclass(frozen=True, slots=True)
class Conditions:
    """If-Match and If-None-Match of one request: the tags, `*` for any, None where there is no such header."""

    match: frozenset[str] | None = None
    none_match: frozenset[str] | None = None

    @classmethod
    def of(cls, match: str | None, none_match: str | None) -> Conditions:
        """Read the conditions from the values of the headers. Raises MalformedError where one is no list of tags.

        That is 400 and not 412, which says "get it again, and try once more": that would go on for ever.
        """
        return cls(_tags("If-Match", match, weak=False), _tags("If-None-Match", none_match, weak=True))

    def check(self, subject: str, tag: str | None) -> None:
        """Raise PreconditionError or (If-None-Match: *) ExistsError unless `tag` may be changed; None: not there.

        tag: of the words alone.
        """
        self._check_match(subject, tag)
        if self.none_match is not None and tag is not None and {tag, "*"} & _words(self.none_match):
            if "*" in self.none_match:
                raise ExistsAlreadyError(subject, "exists already", _setting(subject))
            raise PreconditionError(subject, "If-None-Match does not hold: it is that version", "")

    def unchanged(self, subject: str, tag: str | None) -> bool:
        """Whether a client that asks for what is there has it already, by its tag (RFC 9110 section 13.2.2): 304.

        tag: None of what has none. Raises PreconditionError where If-Match does not hold.
        """
        self._check_match(subject, tag and _word(tag), foreign=tag is None)
        return self.none_match is not None and bool({tag, "*"} & self.none_match)

    def _check_match(self, subject: str, tag: str | None, *, foreign: bool = False) -> None:
        """foreign: it is there, and has no tag."""
        if self.match is not None and "*" in self.match and (foreign or tag is not None):
            return
        if self.match is not None and (tag is None or tag not in _words(self.match)):
            problem = "it is not there" if tag is None and not foreign else "someone has changed it since"
            raise PreconditionError(subject, f"If-Match does not hold: {problem}", "get it again, then decide")


def _without_passing(value: Any) -> Any:
    """A document without the keys that are _PASSING, at any depth."""
    if isinstance(value, Mapping):
        return {key: _without_passing(one) for key, one in value.items() if key not in _PASSING}
    if isinstance(value, (list, tuple)):
        return [_without_passing(one) for one in value]
    return value


def _word(tag: str) -> str:
    """The tag's part that is of the words."""
    return re.sub(r'\.[^."]*"$', '"', tag)


def _words(tags: Iterable[str]) -> set[str]:
    return set(map(_word, tags))


class ExistsAlreadyError(ExistsError):
    """The error when something exists that was to be made only if it does not (If-None-Match: *)."""

    http_status = PreconditionError.http_status


def _setting(subject: str) -> str:
    kind, _, name = subject.partition(" ")
    return f"`l2tpctl {kind} set {name.replace('/', ' ')}` changes it"


def _tags(header: str, value: str | None, *, weak: bool) -> frozenset[str] | None:
    """None: there is no such header. Raises MalformedError.

    weak: weak tags count like strong ones (RFC 9110 section 8.8.3.2: only If-None-Match compares so).
    """
    if value is None:
        return None
    value = value.strip()
    if value == "*":
        return frozenset("*")
    if len(value) > HEADER_MAX or not _LIST.fullmatch(value):
        raise MalformedError(header, "is not a list of entity tags", 'give "TAG" as an ETag header had it, or *')
    return frozenset(f'"{one[2]}"' for one in _TAG.finditer(value) if weak or not one[1])
