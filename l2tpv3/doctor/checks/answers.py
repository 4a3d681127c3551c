"""What the peer, and hosts on the way, answer: ICMP errors that came back, and echo requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from l2tpv3.doctor.arrivals import What
from l2tpv3.doctor.case import Case, Check
from l2tpv3.doctor.firewall import IN, OUT, suspects
from l2tpv3.doctor.outer_lengths import longest
from l2tpv3.doctor.outer_link import next_hop
from l2tpv3.model.finding import Finding, Harm, divided
from l2tpv3.reconcile.notes.heard import port_unreachable, prohibited, protocol_unreachable

_PORT: Final = frozenset({(4, 3, 3), (6, 1, 4)})
_PROTOCOL: Final = frozenset({(4, 3, 2)})
_PROHIBITED: Final = frozenset({(4, 3, 9), (4, 3, 10), (4, 3, 13), (6, 1, 1), (6, 1, 5), (6, 1, 6)})
_NO_HOST: Final = frozenset({(4, 3, 0), (4, 3, 1), (6, 1, 0), (6, 1, 3)})
_EXPIRED: Final = frozenset({(4, 11, 0), (6, 3, 0)})
_TOO_BIG: Final = frozenset({(4, 3, 4), (6, 2, 0)})
"""IP version, type and code (RFC 792, RFC 1812 section 5.2.7.1, RFC 4443 section 3)."""
_HEADER: Final = 14


def _refused(case: Case) -> Iterator[Finding]:
    """ICMP errors about the tunnel's packets.

    Anybody can forge them: where more frames come to hosts here, they tell nothing. Where fewer come, and what comes is
    right, the other end is up, and something refuses what goes there.
    """
    if case.arrivals is None:
        return
    name, remote, right = case.spec.name, str(case.spec.remote), case.arrivals.right()
    answered = sum(case.arrivals.answers.values())
    for arrival, number in case.arrivals.of(What.ICMP):
        if number <= answered:
            continue
        kind = arrival.detail
        evidence: tuple[str, ...] = (f"{case.arrivals.headers[arrival]}, {number} within {case.listened_s:g} s",)
        if right:
            evidence += (f"{right} of the tunnel's own packets came in as they should: the other end is there",)
        if kind in _PORT:
            says, remedy = divided(port_unreachable(name, remote, case.what))
        elif kind in _PROTOCOL:
            says, remedy = divided(protocol_unreachable(name, remote, case.what))
        elif kind in _PROHIBITED:
            says, _, remedy = prohibited(remote, case.what).partition(": ")
        elif kind in _EXPIRED:
            ttl = f", which is {case.spec.ttl}" if case.spec.ttl else ""
            says = f"a router on the way to {remote} drops the packets: their TTL{ttl} is too small, or routes go round"
            remedy = f"`l2tpctl tunnel set {name} --ttl 64`; `traceroute {remote}` shows routes that go round"
        elif kind in _NO_HOST and case.arrivals.headers[arrival].endswith(f" from {case.looked.record.local}"):
            says, remedy = _unanswered(case)
        elif kind in _NO_HOST:
            says = f"{remote} can't be reached from a router on the way, or nobody answers there (ICMP unreachable)"
            remedy = f"`ping {remote}` and `ip route get {remote}`; look whether the peer is on"
        else:
            continue
        yield case.of_tunnel("refused", Harm.LOSES if right else Harm.STOPS, says, remedy, evidence)


def _unanswered(case: Case) -> tuple[str, str]:
    """What is said where this host itself finds nobody to give packets to the peer to, and the remedy."""
    remote, hop = case.spec.remote, next_hop(case)
    if hop == remote:
        says = f"nobody answers this host's questions for {remote} (ARP, neighbour discovery): it is off, or away"
        return says, f"look whether the peer is on and has that address; `ip neigh show {remote}`"
    says = f"the route to {remote} is by router {hop}, and nobody answers for that one (ARP, neighbour discovery)"
    return says, f"have the route lead elsewhere, or look whether {hop} is on: `ip route get {remote}`"


def _narrow(case: Case) -> Iterator[Finding]:
    """A path that takes less than its first netdev: long packets get lost on the way."""
    path = case.path
    if path is None or not path.short or path.full:
        return
    if not case.spec.is_inside and longest(case.looked.record, case.looked.status) < path.full_bytes:
        return  # a WireGuard tunnel's own packets are as long as the route takes
    says = (
        f"packets of {path.full_bytes} bytes, which the route takes, do not reach {case.spec.remote} in one piece, and"
        " short ones do: full frames get lost on the way"
    )
    evidence = [f"ICMP echo requests: a short one was answered, one of {path.full_bytes} bytes was not"]
    for arrival, _ in case.arrivals.of(What.ICMP) if case.arrivals is not None else ():
        if arrival.detail in _TOO_BIG:
            evidence.append(f"{case.arrivals.headers[arrival]}: too long")  # type: ignore[union-attr]
    remedy = f"`l2tpctl mtu {case.spec.name}` finds what the path takes, and prints the command for that"
    yield case.of_tunnel("path-mtu", Harm.LOSES, says, remedy, tuple(evidence))


def _fragments_lost(case: Case) -> Iterator[Finding]:
    """Full frames go in IP fragments, and somebody on the way, or a rule of one of the hosts, drops such ones."""
    path = case.path
    if path is None or not path.short or path.cut is not False:
        return
    says = (
        f"packets of {path.cut_bytes} bytes, which go in IP fragments, get no answer from {case.spec.remote}, and short"
        " ones do: fragments are dropped, and with them frames of full size"
    )
    evidence = (
        f"ICMP echo requests: a short one was answered, one of {path.cut_bytes} bytes, as of full frames, was not",
        *suspects(case.spec.netns, IN | OUT),
    )
    name = case.spec.name
    remedy = (
        f"let fragments through, or send none: `l2tpctl session set {name} SESSION --mtu auto`, at both ends, or"
        " `--fragment on` where both have the user datapath"
    )
    yield case.of_tunnel("fragments-dropped", Harm.LOSES, says, remedy, evidence)


CHECKS: Final[tuple[Check, ...]] = (_refused, _narrow, _fragments_lost)
