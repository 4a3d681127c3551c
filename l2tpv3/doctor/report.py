"""What the doctor says: a verdict, the findings in the order of harm, and what could not be looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from l2tpv3.documents.schemas import DOCTOR_SCHEMA
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.value_class import value_class

_ORDER: Final = (Harm.STOPS, Harm.LOSES, Harm.NONE)
_MOST, _LONGEST = 100, 2000
"""Findings or sentences, and characters of each, that are taken over from another host."""


@value_class(frozen=True, slots=True, kw_only=True)
class Report:
    """about: the tunnels that were looked at, and of one the session, as `siteb/lan`, if only that was.

    findings: the worst first. unseen: sentences about what may not or can't be looked at. untried: about what was left
    out, since nobody asked for it or it would be too much. listened_s: how long it was listened. packets: how many
    arrived meanwhile as they should be; arrived: the same by tunnel, where it is known. called: what the verdict calls
    all that was looked at; "" is `tunnel siteb`, or their number.
    """

    about: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    unseen: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()
    listened_s: float = 0.0
    packets: int = 0
    arrived: Mapping[str, int] = field(default_factory=dict)
    called: str = ""

    @property
    def worst(self) -> Harm:
        """The greatest harm of all findings."""
        return self.findings[0].harm if self.findings else Harm.NONE

    @property
    def verdict(self) -> str:
        """The whole in a sentence."""
        if not self.about:
            return "there is no tunnel to look at"
        kind = "session" if "/" in self.about[0] else "tunnel"
        subject = f"{kind} {self.about[0]}" if len(self.about) == 1 else f"{len(self.about)} tunnels"
        subject = self.called or subject
        harmful = [one for one in self.findings if one.harm is not Harm.NONE]
        if harmful:
            first = harmful[0]
            more = f" (and {len(harmful) - 1} more)" if len(harmful) > 1 else ""
            return f"{first.subject}: {first.harm}: {first.says}{more}"
        if self.unseen:
            return f"{subject}: nothing is wrong in what could be looked at, and some could not"
        came = f"; {self.packets} packets came in as they should" if self.packets else ""
        if self.packets == 1:
            came = "; 1 packet came in as it should"
        return f"{subject}: nothing is wrong, as far as this end can see{came}"


def merged(by_check: Iterable[Sequence[Finding]]) -> list[Finding]:
    """The findings of one tunnel, of each check in its turn.

    What an earlier check has found of a subject a later one with the same cause only adds its evidence to.
    """
    kept: list[Finding] = []
    for found in by_check:
        known = {(one.subject, one.cause): place for place, one in enumerate(kept)}
        for one in found:
            place = known.get((one.subject, one.cause))
            if place is None:
                kept.append(one)
            else:
                evidence = tuple(dict.fromkeys((*kept[place].evidence, *one.evidence)))
                kept[place] = dataclasses.replace(kept[place], evidence=evidence)
    return kept


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings with the worst first."""
    return tuple(sorted(findings, key=lambda one: _ORDER.index(one.harm)))


def to_json(report: Report) -> dict[str, Any]:
    """The document that `l2tpctl doctor --json` and GET /v1/doctor give."""
    return {
        "schema": DOCTOR_SCHEMA,
        "verdict": report.verdict,
        "worst": report.worst.name.lower(),
        "about": list(report.about),
        "listened_s": report.listened_s,
        "packets": report.packets,
        "findings": [
            {
                "cause": one.cause,
                "harm": one.harm.name.lower(),
                "subject": one.subject,
                "says": one.says,
                "evidence": list(one.evidence),
                "remedy": one.remedy,
            }
            for one in report.findings
        ],
        "unseen": list(report.unseen),
        "untried": list(report.untried),
    }


def from_json(document: Mapping[str, Any]) -> Report:
    """The inverse of to_json. Of what another host says no more is kept than a person reads.

    Raises KeyError, TypeError, ValueError, OverflowError for what is no such document.
    """
    findings = [
        Finding(
            cause=_sentence(one["cause"]),
            harm=Harm[one["harm"].upper()],
            subject=_sentence(one["subject"]),
            says=_sentence(one["says"]),
            evidence=_sentences(one["evidence"]),
            remedy=_sentence(one["remedy"]),
        )
        for one in document["findings"][:_MOST]
    ]
    return Report(
        about=_sentences(document["about"]),
        findings=in_order(findings),
        unseen=_sentences(document["unseen"]),
        untried=_sentences(document["untried"]),
        listened_s=float(document["listened_s"]),
        packets=int(document["packets"]),
    )


def _sentences(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(_sentence(text) for text in texts[:_MOST])


def _sentence(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError("not text")
    return text[:_LONGEST]
