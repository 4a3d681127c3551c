"""Reads tunnels and links from a document's tables. Problems are noted, and the rest is read on."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from l2tpv3.config.document import Document
from l2tpv3.config.link_reader import LinkTable, ReadLink
from l2tpv3.config.problem import PROBLEMS_MAX, Problem
from l2tpv3.config.secrets import COOKIE, CREDENTIAL, KEY, PRE_SHARED_KEY, SecretKind, find_secret
from l2tpv3.config.suggestions import unknown_key
from l2tpv3.errors import InvalidValueError
from l2tpv3.linux.read_file import readable_by_all
from l2tpv3.model import ids
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.model.fields import SECRETS
from l2tpv3.model.links.options import LinkType
from l2tpv3.model.source import Source
from l2tpv3.model.spec import SessionSpec, TunnelSpec, with_remote
from l2tpv3.model.values import (
    SESSION_FIELDS,
    TUNNEL_FIELDS,
    session_attributes,
    tunnel_attributes,
    with_remote_name,
)
from l2tpv3.value_class import value_class

# Names are checked on their own; ends that a file lacks or has wrong are filled in so that the rest can be checked.
_NAME = "new"
_IFNAME = "l2tpeth0"

_TEXT_MAX = 1024  # characters; nothing here is longer, and messages quote it
_INTEGER_BITS = 63  # TOML's integers (toml.io 1.0 "Integer")

_PEERS = frozenset({"remote", "remote-name"})
"""Words of a tunnel of which one has to be there."""
_TUNNEL_WORDS = tuple(TUNNEL_FIELDS)
_SESSION_WORDS = tuple(SESSION_FIELDS)

_Spec = TypeVar("_Spec", TunnelSpec, SessionSpec)


class EnoughError(Exception):
    """There are so many problems that reading stops. Whoever made the Findings reports those that it has."""


@dataclass(slots=True)
class Findings:
    """Problems and warnings found while files are read.

    problems: the files cannot be used; PROBLEMS_MAX are noted at most.

    warnings: it may; Problem.at's arguments, since nobody may want to know their lines.
    """

    problems: list[Problem] = field(default_factory=list)
    warnings: list[tuple[Source, str, str]] = field(default_factory=list)

    def add(self, source: Source, problem: str, remedy: str = "", *, clash: bool = False) -> None:
        """Note a problem with a key. Raises EnoughError when that was the last one that is noted."""
        self.problems.append(Problem.at(source, problem, remedy, clash=clash))
        if len(self.problems) >= PROBLEMS_MAX:
            raise EnoughError

    def warn(self, source: Source, problem: str, remedy: str) -> None:
        """Note a warning."""
        self.warnings.append((source, problem, remedy))


@value_class(frozen=True, slots=True)
class ReadTunnel:
    """A tunnel from a file beside the specs that its good words make, the rest defaults: for what compares them."""

    wanted: DesiredTunnel
    spec: TunnelSpec
    sessions: tuple[tuple[DesiredSession, SessionSpec], ...]


class Reader:
    """Reads the tunnels of one document. datapaths: the words that `datapath` may have."""

    def __init__(self, document: Document, datapaths: Collection[str], findings: Findings) -> None:
        self._document, self._datapaths, self._findings = document, datapaths, findings
        self._folder = document.root.file.parent
        self._warned: set[str] = set()

    def tunnels(self) -> list[ReadTunnel]:
        """Every tunnel in the order of the file; of those with problems, what is good of them."""
        root = self._document.root
        for key in self._document.content:
            if key not in ("tunnel", "link"):
                self._findings.add(root.of(key), *unknown_key(key, ("tunnel", "link")))
        source = root.of("tunnel")
        tables = self._table(self._document.content.get("tunnel", {}), source, "[tunnel.NAME]")
        found = (self._tunnel(name, content, source.of(name)) for name, content in tables.items())
        return [tunnel for tunnel in found if tunnel is not None]

    def links(self) -> list[ReadLink]:
        """Every link in the order of the file that nothing is wrong with."""
        source = self._document.root.of("link")
        tables = self._table(self._document.content.get("link", {}), source, "[link.NAME]")
        found = (self._link(name, content, source.of(name)) for name, content in tables.items())
        return [link for link in found if link is not None]

    def _link(self, name: str, content: object, source: Source) -> ReadLink | None:
        if not isinstance(content, dict):
            self._table(content, source, "[link.NAME]")
            return None
        self._name(name, "link name", source)
        return self._link_table(name if ids.is_name(name) else _NAME, content, source).read()

    def _link_table(self, name: str, content: Mapping[str, object], source: Source) -> LinkTable:
        def note(source: Source, problem: str, remedy: str, *, clash: bool) -> None:
            self._findings.add(source, as_keys(problem), as_keys(remedy), clash=clash)

        return LinkTable(name, content, source, note, _check_plausible)

    def link_words(self, name: str, *, like: LinkType | None = None) -> Mapping[str, Any]:
        """The words of one link, where the document is its table. like: its type, where the table is a part of it."""
        source = self._document.root
        self._name(name, "link name", source)
        table = self._link_table(name if ids.is_name(name) else _NAME, self._document.content, source)
        if like is not None:
            return table.words(like)
        read = table.read()
        return read.wanted.words if read is not None else {}

    def tunnel_words(self, name: str, *, whole: bool) -> Mapping[str, Any]:
        """The words of one tunnel, where the document is its table and has no sessions. whole: it is no part of it."""
        content, source = self._document.content, self._document.root
        self._name(name, "tunnel name", source)
        words = self._words(content, _TUNNEL_WORDS, source)
        if whole and _PEERS.isdisjoint(content):
            self._findings.add(source, "remote is missing", "give the peer's address as remote")
        return _canonical(self._tunnel_spec(words, source).to_words(), with_remote_name(words))

    def session_words(self, name: str) -> Mapping[str, Any]:
        """The words of one session, where the document is its table."""
        read = self._session(name, self._document.content, self._document.root)
        return read[0].words if read is not None else {}

    def _tunnel(self, name: str, content: object, source: Source) -> ReadTunnel | None:
        if not isinstance(content, dict):
            self._table(content, source, f"[tunnel.NAME] above {name}" if name in _TUNNEL_WORDS else "[tunnel.NAME]")
            return None
        self._name(name, "tunnel name", source)
        words = self._words(content, _TUNNEL_WORDS, source, extra="session")
        if _PEERS.isdisjoint(content):
            self._findings.add(source, "remote is missing", "give the peer's address as remote")
        spec = self._tunnel_spec(words, source)
        here = source.of("session")
        tables = self._table(content.get("session", {}), here, f"[{source.key}.session.NAME]")
        read = [self._session(key, value, here.of(key)) for key, value in tables.items()]
        sessions = tuple(session for session in read if session is not None)
        given = _canonical(spec.to_words(), with_remote_name(words))
        wanted = DesiredTunnel(
            name=name, words=given, sessions=tuple(session for session, _ in sessions), source=source
        )
        return ReadTunnel(wanted, spec, sessions)

    def _session(self, name: str, content: object, source: Source) -> tuple[DesiredSession, SessionSpec] | None:
        if not isinstance(content, dict):
            self._table(content, source, f"[{source.table.key}.NAME]")
            return None
        self._name(name, "session name", source)
        words = self._words(content, _SESSION_WORDS, source)
        spec = self._session_spec(words, source)
        if len(set(spec.addresses)) < len(spec.addresses):
            self._findings.add(source.of("address"), "an address is given twice", "give each once")
        canonical = {**spec.to_words(), "tx-cookie": spec.tx_cookie, "rx-cookie": spec.rx_cookie}
        return DesiredSession(name=name, words=_canonical(canonical, words), source=source), spec

    def _table(self, value: object, source: Source, heading: str) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self._findings.add(source, "not a table", f"write the heading {heading}")
        return {}

    def _name(self, name: str, what: str, source: Source) -> None:
        try:
            ids.parse_name(name, what)
        except InvalidValueError as error:
            self._findings.add(source, error.problem, error.remedy)

    def _words(
        self, content: dict[str, Any], known: Collection[str], source: Source, *, extra: str = ""
    ) -> dict[str, Any]:
        """The words of a table that may be what they should; the others are noted. extra: a key that is no word."""
        words: dict[str, Any] = {}
        for key, value in content.items():
            if key == extra:
                continue
            if key not in known or key == "name":
                other = _SESSION_WORDS if extra else _TUNNEL_WORDS
                whose = "session" if extra else "tunnel"
                keys = [*(word for word in known if word != "name"), *([extra] if extra else [])]
                self._findings.add(source.of(key), *unknown_key(key, keys, elsewhere=other, whose=whose))
                continue
            try:
                words[key] = self._value(key, value, source)
            except InvalidValueError as error:
                self._findings.add(source.of(key), error.problem, error.remedy)
        return words

    def _value(self, key: str, value: object, table: Source) -> object:
        """What a parser of spec.py takes. Raises InvalidValueError."""
        if key in SECRETS:
            return self._secret(key, value, table, _KINDS[key])
        if key == "address" and isinstance(value, str):
            value = [value]
        _check_plausible(key, value)
        if key == "datapath" and isinstance(value, str) and value not in self._datapaths:
            raise InvalidValueError(key, f"{value!r} is unknown", f"give one of {', '.join(self._datapaths)}")
        return value

    def _secret(self, key: str, value: object, table: Source, kind: SecretKind) -> bytes:
        if self._document.sent:
            return _sent_secret(value, kind)
        if not isinstance(value, str):
            raise InvalidValueError(kind.what, "not text", f"give it in quotes, as {kind.quoted}")
        _check_plausible(kind.what, value, secret=True)
        secret, file = find_secret(value, self._folder, kind)
        if file is not None:
            if readable_by_all(file):
                self._warn_of(table.of(key), f"the {kind.what} in {file}", str(file))
        elif secret and self._document.readable_by_all:
            self._warn_of(table.of(key), f"a {kind.what} in this file", str(table.file))
        return secret

    def _warn_of(self, source: Source, what: str, file: str) -> None:
        if file not in self._warned:
            self._warned.add(file)
            self._findings.warn(source, f"{what} can be read by every user", f"chmod o-r {file}")

    # -- what spec.py refuses ------------------------------------------------------------------------------------

    def _tunnel_spec(self, words: dict[str, Any], source: Source) -> TunnelSpec:
        while True:
            try:
                return TunnelSpec(**{"name": _NAME, **with_remote(tunnel_attributes(words))})
            except InvalidValueError as error:
                self._blame(error, words, source)

    def _session_spec(self, words: dict[str, Any], source: Source) -> SessionSpec:
        while True:
            try:
                return SessionSpec(**{"name": _NAME, "ifname": _IFNAME, **session_attributes(words)})
            except InvalidValueError as error:
                self._blame(error, words, source)

    def _blame(self, error: InvalidValueError, words: dict[str, Any], source: Source) -> None:
        """Note `error` with the word that it is about, and take that word away: what is left may have faults too."""
        guilty = error.field
        if guilty not in words:
            if not words:
                raise error  # nothing that the file says
            self._findings.add(source, as_keys(error.problem), as_keys(error.remedy))
            words.clear()
            return
        self._findings.add(source.of(guilty), as_keys(error.problem), as_keys(error.remedy))
        del words[guilty]


_KINDS = {
    "private-key": KEY,
    "next-private-key": KEY,
    "pre-shared-key": PRE_SHARED_KEY,
    "tx-cookie": COOKIE,
    "rx-cookie": COOKIE,
}


def _sent_secret(value: object, kind: SecretKind) -> bytes:
    if not isinstance(value, str) or value.startswith(("@", CREDENTIAL)):
        raise InvalidValueError(kind.what, f"not a {kind.what}", kind.sent)
    _check_plausible(kind.what, value, secret=True)
    try:
        return kind.parse(value, kind.what)
    except InvalidValueError as error:  # its remedy has a file, too
        raise InvalidValueError(kind.what, error.problem, kind.sent) from None


def _canonical(all_words: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in all_words.items() if word in given}


def as_keys(text: str) -> str:
    """spec.py speaks of the command line's options: the same words without dashes are a file's keys."""
    return re.sub(r"(?<![\w-])--(?=[a-z])", "", text)


def _check_plausible(key: str, value: object, *, secret: bool = False) -> None:
    """What holds for any value: spec.py's parsers quote what they refuse, and hand the rest to the system."""
    if value is None:  # JSON has it, and TOML has not
        raise InvalidValueError(key, "null where a value belongs", "give a value, or leave the key out")
    if isinstance(value, dict):
        raise InvalidValueError(key, "a table where a value belongs", f"write {key} = VALUE")
    if isinstance(value, list):
        for item in value:
            _check_plausible(key, item)
    elif isinstance(value, int) and value.bit_length() > _INTEGER_BITS:
        raise InvalidValueError(key, "a number of more than 64 bits", "give a smaller one")
    elif isinstance(value, str):
        if not value:
            raise InvalidValueError(key, "empty", "give a value, or leave the key out")
        if len(value) > _TEXT_MAX:
            raise InvalidValueError(key, f"a text of {len(value)} characters", f"{_TEXT_MAX} are the most")
        if not value.isprintable():
            shown = "text" if secret else repr(value)
            raise InvalidValueError(key, f"{shown} with control characters", "leave them out")
