"""What `show` notes of a tunnel and its sessions, as findings: there is one list of rules for both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from l2tpv3.doctor.case import Case, Check
from l2tpv3.doctor.evidence import evidence_of_session, evidence_of_tunnel
from l2tpv3.model.finding import Finding, divided
from l2tpv3.printable import printable
from l2tpv3.reconcile.notes import SESSION_NOTES, TUNNEL_NOTES, SessionRule, TunnelRule

_OUTWEIGHED: Final = frozenset({"refused"})
"""What is noted for a minute, and is over where right packets come: a worker of `ebpf` sees none of these."""


def _of_tunnel(rule: TunnelRule) -> Check:
    def check(case: Case) -> Iterator[Finding]:
        if rule.cause in _OUTWEIGHED and case.arrivals is not None and case.arrivals.right():
            return
        for note in rule.notes(case.looked):
            says, remedy = divided(printable(note))
            seen, better = evidence_of_tunnel(case, rule.cause)
            yield case.of_tunnel(rule.cause, rule.harm, says, better or remedy, seen)

    return check


def _of_session(rule: SessionRule) -> Check:
    def check(case: Case) -> Iterator[Finding]:
        for record, status in case.sessions():
            for note in rule.notes(case.looked, record, status):
                says, remedy = divided(printable(note))
                seen = evidence_of_session(status)
                yield case.of_session(record.spec.name, rule.cause, rule.harm, says, remedy, seen)

    return check


CHECKS: Final[tuple[Check, ...]] = (*map(_of_tunnel, TUNNEL_NOTES), *map(_of_session, SESSION_NOTES))
