"""Symptoms, which are told of a tunnel where no other check knows why nothing passes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import ip_address
from typing import Final

from l2tpv3.doctor.case import Case, Check
from l2tpv3.doctor.outer_link import outer_link
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.model.hearing import Hearing
from l2tpv3.model.spec import Encap
from l2tpv3.printable import printable

_SENT: Final = 3
"""Fewer packets than these may just not have been answered yet."""
_MANY: Final = 5
"""So many that are sent while it is listened, and nothing that comes: a LAN is not as quiet as that on one side."""


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
    from l2tpv3.doctor.firewall import OUT, suspects

    for record, _ in case.sessions():
        gained = case.gained(record.spec)
        if gained is None or gained.tx_errors <= 0:
            continue
        name, stops = record.spec.name, gained.tx_packets <= 0
        rules = suspects(case.spec.netns, OUT)
        grew = f"within {case.listened_s:g} s tx_errors grew by {gained.tx_errors}, tx_packets by {gained.tx_packets}"
        if stops and any(line.startswith(("nft, ", "may be: ")) for line in rules):
            says = f"a firewall of this host drops what session {name} sends"
            remedy = f"let {case.what} to {case.spec.remote} out: `nft list ruleset` and `iptables -vnL` show the rules"
            yield case.of_session(name, "firewall", Harm.STOPS, says, remedy, (grew, *rules))
            continue
        says = f"frames that session {name} has to send are lost on this host"
        remedy = (
            "a firewall's output rules, a full queue or a worker at its limit do that: `nft list ruleset`,"
            " `ip -s link show`, `top`"
        )
        yield case.of_session(name, "not-sent", Harm.STOPS if stops else Harm.LOSES, says, remedy, (grew, *rules))


def _nothing_back(case: Case) -> Iterator[Finding]:
    """A session sends while it is listened, and nothing comes: its hosts do not answer, or much is sent."""
    if case.arrivals is None or case.counts is None or case.arrivals.wrong():
        return
    for record, status in case.sessions():
        gained, name = case.gained(record.spec), record.spec.name
        if gained is None or gained.tx_packets <= 0 or status.netdev is None:
            continue
        asked: set[bytes] = set().union(*(one.neighbours.asked.get(status.netdev.ifindex, ()) for one in case.counts))
        came = case.arrivals.right(name)
        if case.arrivals.answers[name] or (not asked and (came or gained.tx_packets < _MANY)):
            continue
        says = f"session {name} sends, and nothing comes back from {case.spec.remote}"
        grown = f"within {case.listened_s:g} s tx_packets grew by {gained.tx_packets}, and {_came(came)}"
        remedy = f"`l2tpctl doctor {case.spec.name} --both ssh://root@HOST` asks the other end, too"
        # On a quiet LAN somebody may just ask for a host that is off, so that alone harms nobody.
        harm = Harm.STOPS if case.path is not None and not case.path.short else Harm.NONE
        yield case.of_session(name, "silence", harm, says, remedy, (grown, *_hints_of_silence(case, asked)))


def _came(packets: int) -> str:
    return f"of what came ({packets}) all was for groups of hosts" if packets else "no packet came"


def _hints_of_silence(case: Case, asked: Collection[bytes]) -> Iterator[str]:
    """What else is known where nothing comes back. asked: IP addresses that nobody answers for."""
    if asked:
        hosts = ", ".join(sorted(str(ip_address(one)) for one in asked)[:3])
        yield f"nobody at the far end answers who has {hosts} (ARP, neighbour discovery)"
    if case.path is not None:
        answers = "answers" if case.path.short else "does not answer"
        yield f"{case.spec.remote} {answers} ICMP echo requests"
    yield from _fixed_neighbour(case)
    if case.spec.encap is Encap.UDP:
        from l2tpv3.doctor.firewall import changing

        yield from changing(case.spec.netns, case.spec.remote_port)


def _fixed_neighbour(case: Case) -> Iterator[str]:
    """That the peer's MAC address was typed by hand: whether it is right nobody has asked."""
    assert case.counts is not None
    mac = case.counts[1].neighbours.fixed.get(case.spec.remote.packed)
    if mac is not None:
        remote, link = case.spec.remote, outer_link(case)
        remedy = f": `ip neigh del {remote} dev {printable(link.ifname)}` if wrong" if link is not None else ""
        yield f"{remote} has a permanent neighbour entry, {mac.hex(':')}{remedy}"


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


CHECKS: Final[tuple[Check, ...]] = (_never, _any_more, _nothing_back, _not_sent)
