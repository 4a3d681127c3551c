"""Symptoms, which are told of a tunnel where no other check knows why nothing passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from l2tpv3.doctor.case import Case, Check
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.model.hearing import Hearing
from l2tpv3.model.spec import Encap

_SENT: Final = 3
"""Fewer packets than these may just not have been answered yet."""


def _never(case: Case) -> Iterator[Finding]:
    """Frames were sent, and nothing ever came back, nor came while it was listened."""
    seen = case.looked.seen
    if seen is None or not seen.sessions or (case.arrivals is not None and case.arrivals.counted):
        return
    counters = seen.counters
    heard = [counters.rx_unknown_session, counters.rx_control, counters.rx_invalid]
    sent = 0
    for one in seen.sessions:
        own = one.counters
        heard += [own.rx_packets, own.rx_errors, own.rx_seq_discards, own.rx_cookie_discards, own.rx_invalid]
        sent += own.tx_packets
    if any(heard) or sent < _SENT:
        return
    remote, name = case.spec.remote, case.spec.name
    evidence = [f"tx_packets {sent}, rx_packets 0"]
    if case.arrivals is not None:
        evidence.append(f"within {case.listened_s:g} s nothing came from {remote} for this tunnel")
    says = f"nothing has ever come from {remote}: no tunnel is up there, or {case.what} is filtered on the way"
    if case.path is not None and not case.path.short:
        evidence.append(f"{remote} does not answer ICMP echo requests either")
        says = f"nothing has ever come from {remote}, which does not answer a ping either: it is off, or not reached"
    elif case.path is not None:
        evidence.append(f"{remote} answers ICMP echo requests: the host is there")
    remedy = f"`l2tpctl peer {name}` prints what the peer has to have; let {case.what} through both ways"
    if case.spec.encap is Encap.IP:
        remedy += f", or `l2tpctl tunnel set {name} --encap udp` at both ends: many networks pass no protocol 115"
    yield case.of_tunnel("silence", Harm.STOPS, says, remedy, tuple(evidence))


def _not_sent(case: Case) -> Iterator[Finding]:
    """Frames are lost on their way out of this host."""
    for record, _ in case.sessions():
        gained = case.gained(record.spec)
        if gained is not None and gained.tx_errors > 0:
            says = f"frames that session {record.spec.name} has to send are lost on this host"
            evidence = (f"tx_errors grew by {gained.tx_errors} within {case.listened_s:g} s",)
            remedy = (
                "a firewall's output rules, a full queue or a worker at its limit do that: `nft list ruleset`,"
                " `ip -s link show`, `top`"
            )
            yield case.of_session(record.spec.name, "not-sent", Harm.LOSES, says, remedy, evidence)


def _any_more(case: Case) -> Iterator[Finding]:
    """A session that was heard sends, and nothing has come for a while. An end that only receives looks so, too."""
    for record, status in case.sessions():
        heard_before = status.counters.rx_packets > 0
        came = case.arrivals is not None and case.arrivals.counted
        if status.hearing not in (Hearing.UNHEARD, Hearing.DEAD) or not heard_before or came:
            continue
        ago = f" for {status.last_received_s:.0f} s" if status.last_received_s is not None else ""
        gone = case.path is not None and not case.path.short
        says = f"nothing has come from {case.spec.remote}{ago}, though packets are sent"
        evidence = [f"rx_packets {status.counters.rx_packets}, tx_packets {status.counters.tx_packets}"]
        if case.path is not None:
            answers = "does not answer" if gone else "answers"
            evidence.append(f"{case.spec.remote} {answers} ICMP echo requests")
        remedy = f"`l2tpctl doctor` there; let {case.what} through both ways. An end that only receives looks so, too"
        harm = Harm.STOPS if gone else Harm.LOSES
        yield case.of_session(record.spec.name, "silence", harm, says, remedy, tuple(evidence))


CHECKS: Final[tuple[Check, ...]] = (_never, _any_more, _not_sent)
