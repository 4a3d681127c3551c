"""Tunnels and bridges while they are read from another tool's file: words with their lines, checked like our own."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from l2tpv3.config.conflicts import find_clashes
from l2tpv3.config.link_reader import ReadLink
from l2tpv3.config.problem import ConfigError, Problem
from l2tpv3.config.reader import Findings, ReadTunnel
from l2tpv3.errors import InvalidValueError
from l2tpv3.model.desired import Desired, DesiredLink, DesiredSession, DesiredTunnel
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.source import KeyPath, Source
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.value_class import value_class

_IFNAME = "l2tpeth0"  # stands in where the netdev's name is left to be chosen
_UNNAMEABLE = re.compile(r"[^A-Za-z0-9._-]+")
_TEXT_MAX = 200  # characters of a foreign text that a message quotes


@value_class(frozen=True, slots=True)
class Place:
    """A line of a file, counted from 1; 0 is the file as a whole."""

    file: Path
    line: int


@dataclass(slots=True)
class Draft:
    """A tunnel, a session or a link (whose words have a `type`).

    words: as from_words takes them, without `name`; `set` keeps the place of each. wrong: words whose values were
    complained of, so that nobody complains of their absence as well.
    """

    name: str
    place: Place
    words: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    sessions: list[Draft] = field(default_factory=list)
    wrong: set[str] = field(default_factory=set)

    @property
    def is_link(self) -> bool:
        """Whether it is a link, not a tunnel or a session."""
        return "type" in self.words

    def set(self, word: str, value: Any, place: Place) -> None:
        """Set one word of the tunnel or session."""
        self.words[word] = value
        self.places[word] = place


class Warnings:
    """Problems, which are errors, and warnings about what is left out, in another tool's files."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def add(self, place: Place, problem: str, remedy: str) -> None:
        """Note what keeps the files from being imported."""
        self.problems.append(Problem(place.file, place.line, "", problem, remedy))

    def warn(self, place: Place, problem: str, remedy: str) -> None:
        """Note what is left out."""
        self.warnings.append(Problem(place.file, place.line, "", problem, remedy))

    def add_vrf(self, place: Place, ifname: str) -> None:
        """Note that a netdev is in a VRF: without it, what that keeps apart would be routed with all the rest."""
        remedy = "take it out, and put the netdev into the VRF by other means before packets pass"
        self.add(place, f"the VRF of {ifname} can't be imported", remedy)

    def refused(self, place: Place, error: InvalidValueError) -> None:
        """Note a parser's error."""
        self.problems.append(Problem(place.file, place.line, error.subject, error.problem, error.remedy))


def quoted(text: str) -> str:
    """A foreign text for a message: in quotes, cut, on one line."""
    return repr(text if len(text) <= _TEXT_MAX else text[:_TEXT_MAX] + "…")


def name_from(text: str, taken: Container[str], fallback: str) -> str:
    """A name of ours from a foreign one, that nothing has taken."""
    base = _UNNAMEABLE.sub("-", text).strip("-._")[:50] or fallback
    name, number = base, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name


def finish(
    drafts: list[Draft], complaints: Warnings, files: list[Path], warn: Callable[[Problem], None] | None
) -> list[Desired]:
    """The drafts as wanted tunnels and links that say everything: what they leave out has the foreign tool's default.

    Ids of ours clash as they do in files of ours. Raises ConfigError with all complaints.
    """
    tunnels = [draft for draft in drafts if not draft.is_link]
    reads = [read for draft in tunnels if (read := _tunnel(draft, complaints)) is not None]
    links = [link for draft in drafts if draft.is_link and (link := _link(draft, complaints)) is not None]
    findings = Findings()
    find_clashes(reads, links, findings)
    problems = [*complaints.problems, *findings.problems]
    if not drafts and not problems:
        remedy = "look whether the format is the right one"
        problems = [Problem(files[0], 0, "", "there is no L2TPv3 ethernet tunnel in it", remedy)]
    if problems:
        raise ConfigError(sorted(problems, key=lambda one: (files.index(one.file), one.line)))
    if warn is not None:
        _warn_of_netdevs_left_down(tunnels, complaints)
        for warning in complaints.warnings:
            warn(warning)
    return [*(read.wanted for read in reads), *(link.wanted for link in links)]


def _warn_of_netdevs_left_down(tunnels: list[Draft], complaints: Warnings) -> None:
    """Say once that a tool leaves netdevs down: none of its lines says so."""
    sessions = [session for draft in tunnels for session in draft.sessions]
    left = [one for one in sessions if one.words.get("up") is False and "up" not in one.places]
    if left:
        names = ", ".join(one.name for one in left[:3]) + (" and others" if len(left) > 3 else "")
        problem = f"the files don't set the netdev up: up = false for {names}"
        complaints.warn(left[0].place, problem, "take that out to have it up")


def _tunnel(draft: Draft, complaints: Warnings) -> ReadTunnel | None:
    source = _source(draft, ("tunnel", draft.name))
    sessions = [read for one in draft.sessions if (read := _session(one, source, complaints)) is not None]
    if "remote" not in draft.words:
        if "remote" not in draft.wrong:
            complaints.add(draft.place, "this tunnel has no peer's address", "give it")
        return None
    try:
        spec = TunnelSpec.from_words({"name": draft.name, **draft.words})
    except InvalidValueError as error:
        _blame(error, draft, complaints)
        return None
    stated = DesiredTunnel.from_specs(spec)
    wanted = DesiredTunnel(
        name=draft.name, words=stated.words, sessions=tuple(wanted for wanted, _ in sessions), source=source
    )
    return ReadTunnel(wanted, spec, tuple(sessions))


def _session(draft: Draft, tunnel: Source, complaints: Warnings) -> tuple[DesiredSession, SessionSpec] | None:
    source = _source(draft, (*tunnel.path, "session", draft.name))
    try:
        spec = SessionSpec.from_words({"name": draft.name, "ifname": _IFNAME, **draft.words})
    except InvalidValueError as error:
        _blame(error, draft, complaints)
        return None
    words = dict(DesiredSession.from_spec(spec).words)
    if "ifname" not in draft.words:
        del words["ifname"]
    return DesiredSession(name=draft.name, words=words, source=source), spec


def _link(draft: Draft, complaints: Warnings) -> ReadLink | None:
    try:
        spec = LinkSpec.from_words({"name": draft.name, **draft.words})
    except InvalidValueError as error:
        _blame(error, draft, complaints)
        return None
    source = _source(draft, ("link", draft.name))
    return ReadLink(DesiredLink(name=draft.name, words=spec.stated_words(), source=source), spec)


def _source(draft: Draft, path: KeyPath) -> Source:
    def line_of(asked: KeyPath) -> int:
        word = asked[len(path)] if len(asked) > len(path) else None
        return draft.places.get(str(word), draft.place).line

    return Source(draft.place.file, path, line_of)


def _blame(error: InvalidValueError, draft: Draft, complaints: Warnings) -> None:
    """Note what spec.py refuses at the line of the word that it is about."""
    complaints.refused(draft.places.get(error.field, draft.place), error)
