"""A body that is a whole wanted state: JSON shaped as files are, or a file itself."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from l2tpv3.config.conflicts import find_clashes
from l2tpv3.config.document import Document, read_sent
from l2tpv3.config.link_reader import ReadLink
from l2tpv3.config.problem import ConfigError, Problem
from l2tpv3.config.reader import EnoughError, Findings, Reader, ReadTunnel
from l2tpv3.documents.names import place, state_to_words
from l2tpv3.errors import InvalidValueError
from l2tpv3.model.desired import Desired, DesiredTunnel
from l2tpv3.model.source import Source
from l2tpv3_api.http.faults import BodyError, ClashError, Fault, MalformedError, fault
from l2tpv3_api.http.json_table import parse_table

JSON: Final = "application/json"
TOML: Final = "application/toml"

_BODY: Final = Path("body")


def parse_state(data: bytes, kind: str, datapaths: Collection[str]) -> list[Desired]:
    """The tunnels and links of a body. kind: JSON or TOML. datapaths: what a tunnel's `datapath` may be.

    Takes time in proportion to the body. Raises MalformedError, BodyError, ClashError.
    """
    sent = {} if kind == TOML else parse_table(data)
    document = read_sent(data, _BODY) if kind == TOML else table_document(_by_words(sent))
    if isinstance(document, Problem):
        raise MalformedError(document.subject, document.problem, document.remedy)
    findings = Findings()
    tunnels: list[ReadTunnel] = []
    links: list[ReadLink] = []
    with contextlib.suppress(EnoughError):
        reader = Reader(document, datapaths, findings)
        tunnels, links = reader.tunnels(), reader.links()
    clash = all(one.clash for one in findings.problems)  # each part of it can be meant, but not all of them together
    if not findings.problems:
        find_clashes(tunnels, links, findings)
    if findings.problems:
        kind_of_error = ClashError if clash else BodyError
        raise kind_of_error(*_told(findings), [fault_of(one, sent) for one in findings.problems])
    return [
        *(_without_places(tunnel.wanted) for tunnel in tunnels),
        *(dataclasses.replace(link.wanted, source=None) for link in links),
    ]


def _without_places(tunnel: DesiredTunnel) -> DesiredTunnel:
    """Drop the places in the body: they served error messages, and would keep the whole text in memory."""
    sessions = tuple(dataclasses.replace(session, source=None) for session in tunnel.sessions)
    return dataclasses.replace(tunnel, sessions=sessions, source=None)


def _told(findings: Findings) -> tuple[str, str, str]:
    error = ConfigError(findings.problems)
    return error.subject, error.problem, error.remedy


def table_document(content: dict[str, Any]) -> Document:
    """A table that a client sent, as a document of which no key has a line."""
    return Document(content, Source(_BODY, (), lambda _: 0), sent=True)


def _by_words(sent: dict[str, Any]) -> dict[str, Any]:
    try:
        return state_to_words(sent)
    except InvalidValueError as error:
        raise BodyError("body", str(error), "", [fault((), str(error))]) from None


def fault_of(problem: Problem, sent: Mapping[str, Any]) -> Fault:
    """A problem with a body as problem documents have it. sent: the body, whose spelling its place has."""
    line = f"line {problem.line}: " if problem.line else ""
    return fault(place(problem.path, sent), line + problem.problem, problem.remedy)
