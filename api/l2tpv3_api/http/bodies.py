"""Bodies that clients send: bounded, parsed, checked as files are, with all that is wrong told at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from typing import Any, Final

from starlette.requests import Request

from l2tpv3.config.document import Document
from l2tpv3.config.reader import EnoughError, Findings, Reader
from l2tpv3.documents.names import to_words
from l2tpv3.errors import InvalidValueError
from l2tpv3.model import ids
from l2tpv3.model.desired import Desired
from l2tpv3.model.fields import SECRETS
from l2tpv3.model.links.options import TYPES, LinkType, own_fields
from l2tpv3.model.links.spec import COMMON, LinkSpec
from l2tpv3.model.spec import SessionSpec, Sublayer, TunnelSpec, session_attributes, tunnel_attributes, with_remote
from l2tpv3.model.values import parse_words
from l2tpv3_api.http.body_process import BodyProcesses
from l2tpv3_api.http.faults import BodyError, ClashError, Fault, MediaTypeError, TooLargeError, fault
from l2tpv3_api.http.json_table import parse_table
from l2tpv3_api.http.state_body import JSON, TOML, fault_of, parse_state, table_document

WORDS_BYTES: Final = 64 << 10
"""Longest body with the words of one tunnel, session or link."""
STATE_BYTES: Final = 16 << 20
"""Longest body with a whole wanted state: some 30,000 sessions."""

MERGE_PATCH: Final = "application/merge-patch+json"

_LARGE: Final = 64 << 10  # parsed in a process of its own: to start one takes as long as to parse this
_QUOTED_MAX: Final = 500
_NAME_MAX: Final = 128
_UNKNOWN: Final = ("unknown key", "not a word of")


async def read_bytes(request: Request, limit: int, *kinds: str) -> tuple[bytes, str]:
    """The body and its media type, one of `kinds`. Raises MediaTypeError, TooLargeError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in kinds:
        problem = f"{kind[:80]!r} is not taken here" if kind else "is missing"
        raise MediaTypeError("Content-Type", problem, f"send {' or '.join(kinds)}")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise TooLargeError("body", f"more than {limit} bytes", "send less at once")
    return bytes(body), kind


async def read_table(request: Request, *kinds: str) -> dict[str, Any]:
    """A body that is one JSON object. Raises InvalidValueError."""
    data, _ = await read_bytes(request, WORDS_BYTES, *kinds)
    return parse_table(data)


async def read_state(
    request: Request, datapaths: Collection[str], processes: BodyProcesses, threads: Executor | None = None
) -> list[Desired]:
    """A body that is a whole wanted state, JSON shaped as files are, or a file itself. Raises InvalidValueError.

    processes: parses the large ones. threads: in which the others are parsed; None: asyncio's own.
    """
    data, kind = await read_bytes(request, STATE_BYTES, JSON, TOML)
    if len(data) > _LARGE:
        return await processes.parse(data, kind, datapaths)
    return await asyncio.get_running_loop().run_in_executor(threads, parse_state, data, kind, datapaths)


def tunnel_words(
    name: str, table: Mapping[str, Any], datapaths: Collection[str], *, faults: Collection[Fault] = ()
) -> dict[str, Any]:
    """The words of a tunnel, whole and checked. faults: what else is wrong with the body. Raises BodyError."""
    kind = _TunnelTable(name, datapaths, whole=True)
    return _whole(kind, kind, table, _by_words(name, table), faults)


def tunnel_patch(name: str, table: Mapping[str, Any], datapaths: Collection[str]) -> dict[str, Any]:
    """Some words of a tunnel, checked; None where one is to be reset. Raises BodyError."""
    given, reset = _split(_by_words(name, table))
    faults = [fault(("remote",), "it has no default", "give the peer's address")] if "remote" in reset else []
    return _words(_TunnelTable(name, datapaths, whole=False), table, given, reset, faults)


def session_words(name: str, table: Mapping[str, Any], datapaths: Collection[str]) -> dict[str, Any]:
    """The words of a session, checked. Raises BodyError."""
    kind = _SessionTable(name, datapaths)
    return _whole(kind, kind, table, _by_words(name, table), ())


def session_patch(name: str, table: Mapping[str, Any], datapaths: Collection[str]) -> dict[str, Any]:
    """Some words of a session, checked; None where one is to be reset. Raises BodyError."""
    given, reset = _split(_by_words(name, table))
    return _words(_SessionTable(name, datapaths), table, given, reset, ())


def link_words(name: str, table: Mapping[str, Any], *, faults: Collection[Fault] = ()) -> dict[str, Any]:
    """The words of a link, whole and checked. faults: what else is wrong with the body. Raises BodyError."""
    type_ = table.get("type")
    like = LinkType(type_) if type_ in tuple(LinkType) else None
    return _whole(_LinkTable(name, None), _LinkTable(name, like), table, _by_words(name, table), faults)


def link_patch(name: str, table: Mapping[str, Any], now: LinkType) -> dict[str, Any]:
    """Some words of a link, checked; None where one is to be reset. now: its type, if none is given.

    Raises BodyError; ClashError where all that is wrong is that its type has no such words.
    """
    given, reset = _split(_by_words(name, table))
    faults = [fault(("type",), "it needs a type", f"give one of {', '.join(LinkType)}")] if "type" in reset else []
    given_type = given.get("type")
    like = LinkType(given_type) if given_type in tuple(LinkType) else now
    kept = {word: None for word in reset if word != "type"}
    return _words(_LinkTable(name, like), table, given, kept, faults)


def _by_words(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """The body by words, without the name where that is the one which the path has. Raises BodyError."""
    unnamed = {word: value for word, value in table.items() if word != "name"} if table.get("name") == name else table
    try:
        return to_words(unnamed)
    except InvalidValueError as error:
        raise BodyError(error.subject, error.problem, error.remedy, [fault((error.subject,), error.problem)]) from None


def _split(table: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, None]]:
    """What a merge patch (RFC 7396) gives, and what it resets."""
    given = {word: value for word, value in table.items() if value is not None}
    return given, dict.fromkeys(word for word, value in table.items() if value is None)


class _TunnelTable:
    """How a tunnel's words are read."""

    def __init__(self, name: str, datapaths: Collection[str], *, whole: bool) -> None:
        self._name, self._datapaths, self._whole = name, datapaths, whole

    def read(self, document: Document, findings: Findings) -> Mapping[str, Any]:
        """The words that are good; the others are noted."""
        return Reader(document, self._datapaths, findings).tunnel_words(self._name, whole=self._whole)

    def make(self, table: Mapping[str, Any]) -> None:
        """Raise what the command line tells of the words."""
        TunnelSpec(**with_remote(tunnel_attributes({"name": self._name, **table})))


class _SessionTable:
    """How a session's words are read."""

    def __init__(self, name: str, datapaths: Collection[str]) -> None:
        self._name, self._datapaths = name, datapaths

    def read(self, document: Document, findings: Findings) -> Mapping[str, Any]:
        """The words that are good; the others are noted."""
        return Reader(document, self._datapaths, findings).session_words(self._name)

    def make(self, table: Mapping[str, Any]) -> None:
        """Raise what the command line tells of the words."""
        SessionSpec(**session_attributes({"name": self._name, "ifname": "l2tpeth0", **table}))


class _LinkTable:
    """How a link's words are read. like: of which type the link is whose words are changed; None: they are all."""

    def __init__(self, name: str, like: LinkType | None) -> None:
        self._name, self._like = name, like

    def read(self, document: Document, findings: Findings) -> Mapping[str, Any]:
        """The words that are good; the others are noted."""
        return Reader(document, (), findings).link_words(self._name, like=self._like)

    def make(self, table: Mapping[str, Any]) -> None:
        """Raise what the command line tells of the words."""
        what = f"link {self._name}"
        if self._like is None:
            LinkSpec.from_words({**table, "name": self._name})
            return
        own = {word: value for word, value in table.items() if word not in COMMON and word != "type"}
        known = own_fields(self._like)
        if unknown := {word: value for word, value in own.items() if word not in known}:
            LinkSpec.from_words({**unknown, "type": self._like, "name": self._name})
        parse_words(own, known, what, TYPES)
        parse_words({word: value for word, value in table.items() if word in COMMON}, COMMON, what, TYPES)


_Table = _TunnelTable | _SessionTable | _LinkTable


def _whole(
    kind: _Table, nulls: _Table, sent: Mapping[str, Any], table: Mapping[str, Any], faults: Collection[Fault]
) -> dict[str, Any]:
    """The words of a whole thing, as GET tells them in `wanted`: null is a word's default, as if it were left out.

    nulls: knows which words those may be. sent: the body, of which table is what it says by words.
    """
    given, reset = _split(table)
    words = _words(kind, sent, given, reset, faults, nulls)
    return {word: value for word, value in words.items() if word not in reset}


def _words(
    kind: _Table,
    sent: Mapping[str, Any],
    given: Mapping[str, Any],
    reset: Mapping[str, None],
    faults: Collection[Fault],
    nulls: _Table | None = None,
) -> dict[str, Any]:
    findings, unknown = Findings(), Findings()
    words: Mapping[str, Any] = {}
    with contextlib.suppress(EnoughError):
        words = kind.read(table_document(dict(given)), findings)
    if reset:  # whether those are words at all: any value does, as only their names are looked at
        with contextlib.suppress(EnoughError):
            (nulls or kind).read(table_document({word: {} for word in reset}), unknown)
        findings.problems += (one for one in unknown.problems if one.problem.startswith(_UNKNOWN))
    if not findings.problems and not faults:
        return {**words, **reset}
    told = (*(fault_of(one, sent) for one in findings.problems), *faults)
    first = _first(kind, given)
    if first is None and findings.problems:
        first = findings.problems[0].subject, findings.problems[0].problem, findings.problems[0].remedy
    clash = not faults and all(one.clash for one in findings.problems)
    error = ClashError if clash else BodyError
    raise error(*(first or ("body: " + ".".join(map(str, told[0].path)), told[0].detail, "")), told)


def _first(kind: _Table, given: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """What the command line would have told first."""
    try:
        kind.make(given)
    except InvalidValueError as error:
        if len(str(error)) < _QUOTED_MAX and error.field not in SECRETS:  # files of this host are no remedy here
            return error.subject, error.problem, error.remedy
    except (TypeError, ValueError, OverflowError):
        pass  # not what the specs' parsers are made for; Reader has found it
    return None


def adoption(table: Mapping[str, Any]) -> tuple[str, str | None, str]:
    """foreign, name and sublayer of a request to adopt a tunnel. Raises BodyError."""
    known = ("foreign", "name", "sublayer")
    faults = [fault((word,), "unknown key", f"known are {', '.join(known)}") for word in table if word not in known]
    for word in known:
        value = table.get(word)
        if word == "foreign" and word not in table:
            faults.append(fault((), "foreign is missing", "give the tunnel as /v1/tunnels calls it"))
        elif word in table and (not isinstance(value, str) or not 0 < len(value) <= _NAME_MAX):
            faults.append(fault((word,), "not a name"))
    if "sublayer" in table and table["sublayer"] not in tuple(Sublayer):
        faults.append(fault(("sublayer",), "unknown", f"give one of {', '.join(Sublayer)}"))
    if "name" in table and isinstance(table["name"], str):
        try:
            ids.parse_name(table["name"], "tunnel name")
        except InvalidValueError as error:
            faults.append(fault(("name",), error.problem, error.remedy))
    if faults:
        raise BodyError("body", faults[0].detail, "", faults)
    return table["foreign"], table.get("name"), table.get("sublayer", Sublayer.DEFAULT.value)
