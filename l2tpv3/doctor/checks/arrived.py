"""What is wrong with the packets that arrived while it was listened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from l2tpv3.doctor.arrivals import Arrival, What
from l2tpv3.doctor.case import Case, Check
from l2tpv3.doctor.checks.dropped import FILTERS, grown_queues
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.model.spec import Encap, SessionSpec
from l2tpv3.printable import printable
from l2tpv3.reconcile.notes.heard import is_unwanted, wants_control


class _Words(NamedTuple):
    """What is said of an arrival: a sentence, and what mends it."""

    cause: str
    says: str
    remedy: str


def _packets(number: int) -> str:
    return "1 packet" if number == 1 else f"{number} packets"


def _evidence(case: Case, arrival: Arrival, number: int) -> tuple[str, ...]:
    assert case.arrivals is not None
    header = case.arrivals.headers[arrival]
    return (f"{_packets(number)} of this kind came within {case.listened_s:g} s: {header}",)


# -- of a session ------------------------------------------------------------------------------------------------------


def _cookie(case: Case, spec: SessionSpec, _: Arrival) -> _Words:
    says = f"the peer sends another cookie than session {spec.name} expects: its tx-cookie is not the rx-cookie here"
    return _Words("nothing-accepted", says, _as_peer(case))


def _cookie_length(case: Case, spec: SessionSpec, arrival: Arrival) -> _Words:
    sent = f"a cookie of {arrival.detail[0]} bytes" if arrival.detail[0] else "no cookie"
    wanted = f"one of {len(spec.rx_cookie)} bytes" if spec.rx_cookie else "none"
    says = f"the peer sends {sent}, and session {spec.name} expects {wanted}"
    return _Words("nothing-accepted", says, _as_peer(case))


def _swapped_cookies(case: Case, spec: SessionSpec, _: Arrival) -> _Words:
    says = f"the peer sends the cookie that session {spec.name} sends itself: the two cookies are swapped at one end"
    return _Words("nothing-accepted", says, _as_peer(case))


def _no_sublayer(case: Case, spec: SessionSpec, _: Arrival) -> _Words:
    says = f"the peer leaves the L2-specific sublayer out, and session {spec.name} has it: frames shift by 4 bytes"
    remedy = f"`l2tpctl session set {case.spec.name} {spec.name} --sublayer none`, or have the sublayer on there"
    return _Words("sublayer", says, remedy)


def _sublayer(case: Case, spec: SessionSpec, _: Arrival) -> _Words:
    says = f"the peer sends the L2-specific sublayer, and session {spec.name} has none: frames shift by 4 bytes"
    remedy = f"`l2tpctl session set {case.spec.name} {spec.name} --sublayer default`, or have it off there"
    return _Words("sublayer", says, remedy)


def _unnumbered(case: Case, spec: SessionSpec, _: Arrival) -> _Words:
    says = f"the peer does not number its packets, and session {spec.name} takes only numbered ones"
    remedy = f"`l2tpctl session set {case.spec.name} {spec.name} --sequencing none`, or have numbers on there"
    return _Words("nothing-accepted", says, remedy)


def _elsewhere(case: Case, spec: SessionSpec, arrival: Arrival) -> _Words:
    address, port = arrival.detail
    udp = case.spec.encap is Encap.UDP
    source = f"{address} port {port}" if udp else str(address)
    wanted = f"{case.spec.remote}" + (f" port {case.spec.remote_port}" if udp else "")
    says = f"packets of session {spec.name} come from {source}, not from the peer, which is {wanted} here"
    change = f"--remote {address}" if str(address) != str(case.spec.remote) else ""
    change += f"{' ' if change else ''}--remote-port {port}" if udp and port != case.spec.remote_port else ""
    remedy = f"`l2tpctl tunnel set {case.spec.name} {change}` where that is the peer, as behind NAT"
    return _Words("elsewhere", says, remedy)


def _other_port(case: Case, spec: SessionSpec, arrival: Arrival) -> _Words:
    says = (
        f"the peer sends to UDP port {arrival.detail[0]}, and the tunnel is at port {case.spec.local_port} here, or the"
        " ports of the peer are other ones"
    )
    return _Words("elsewhere", says, _as_peer(case))


def _other_encap(case: Case, spec: SessionSpec, _: Arrival) -> _Words:
    theirs, ours = ("IP protocol 115", "UDP") if case.spec.encap is Encap.UDP else ("UDP", "IP protocol 115")
    says = f"the peer sends over {theirs}, and the tunnel is over {ours} here"
    other = "ip" if case.spec.encap is Encap.UDP else "udp"
    return _Words("encap", says, f"`l2tpctl tunnel set {case.spec.name} --encap {other}`, or change it there")


def _own_mac(case: Case, spec: SessionSpec, arrival: Arrival) -> _Words:
    says = (
        f"frames come in from {arrival.detail[0]}, which this end has itself: both ends have one MAC address, as clones"
        " of one machine do, or frames go round in a loop"
    )
    remedy = f"`l2tpctl session set {case.spec.name} {spec.name} --mac` with another address, or take the loop apart"
    return _Words("own-mac", says, remedy)


def _own_address(case: Case, spec: SessionSpec, arrival: Arrival) -> _Words:
    address, mac = arrival.detail
    says = f"{mac} says that it has address {address}, which this end has itself: one address is at two hosts"
    remedy = (
        f"give one of both another address: `l2tpctl session set {case.spec.name} {spec.name} --address` does so here"
    )
    return _Words("duplicate-address", says, remedy)


_OF_SESSIONS: Final[dict[What, Callable[[Case, SessionSpec, Arrival], _Words]]] = {
    What.COOKIE: _cookie,
    What.COOKIE_LENGTH: _cookie_length,
    What.SWAPPED_COOKIES: _swapped_cookies,
    What.NO_SUBLAYER: _no_sublayer,
    What.SUBLAYER: _sublayer,
    What.UNNUMBERED: _unnumbered,
    What.ELSEWHERE: _elsewhere,
    What.OTHER_PORT: _other_port,
    What.OTHER_ENCAP: _other_encap,
    What.OWN_MAC: _own_mac,
    What.OWN_ADDRESS: _own_address,
}
_BESIDE_RIGHT_ONES: Final = frozenset({What.OWN_MAC, What.OWN_ADDRESS})
"""What is wrong with frames in packets that are right."""


def _of_sessions(case: Case) -> Iterator[Finding]:
    """Packets of a session that are not as it expects them.

    Where right ones come as well, the others are somebody else's, or forged: they stop nothing.
    """
    if case.arrivals is None:
        return
    for record in case.looked.record.sessions:
        spec = record.spec
        for what, words in _OF_SESSIONS.items():
            for arrival, number in case.arrivals.of(what, spec.name)[:1]:
                found = words(case, spec, arrival)
                right = case.arrivals.right(spec.name)
                harm = Harm.LOSES if what in _BESIDE_RIGHT_ONES else Harm.NONE if right else Harm.STOPS
                evidence = _evidence(case, arrival, number)
                if right and what not in _BESIDE_RIGHT_ONES:
                    evidence += (f"of right packets there came {right}, too: the others may be forged",)
                yield case.of_session(spec.name, found.cause, harm, found.says, found.remedy, evidence)


def _as_peer(case: Case) -> str:
    return f"`l2tpctl peer {case.spec.name}` prints what the peer has to have"


# -- of a tunnel -------------------------------------------------------------------------------------------------------


def _of_other_sessions(case: Case) -> Iterator[Finding]:
    """Packets from the peer for a session id that this end does not have."""
    if case.arrivals is None:
        return
    found = [*case.arrivals.of(What.SWAPPED_IDS), *case.arrivals.of(What.UNKNOWN_SESSION)]
    if not found:
        return
    arrival, number = found[0]
    session_id = arrival.detail[0]
    if arrival.what is What.SWAPPED_IDS:
        own = next(one.spec for one in case.looked.record.sessions if one.spec.name == arrival.session)
        says = (
            f"the peer sends to session id {session_id}, and session {own.name} has {own.session_id}: the --peer-id"
            f" there has to be {own.session_id}, or the ids are swapped at one end"
        )
    else:
        ours = ", ".join(str(one.spec.session_id) for one in case.looked.record.sessions[:8]) or "none"
        says = f"the peer sends to session id {session_id}, which this end does not have; it has {ours}"
    harm = Harm.NONE if case.arrivals.right() else Harm.STOPS
    yield case.of_tunnel("session-id", harm, says, _as_peer(case), _evidence(case, arrival, number))


def _control(case: Case) -> Iterator[Finding]:
    """A peer that wants to set the tunnel up by messages."""
    for arrival, number in case.arrivals.of(What.CONTROL)[:1] if case.arrivals is not None else ():
        version, kind = (int(str(one)) for one in arrival.detail)
        if is_unwanted(version, kind):
            says, _, remedy = wants_control(version, kind).partition("; ")
            harm = Harm.LOSES if case.arrivals is not None and case.arrivals.right() else Harm.STOPS
            yield case.of_tunnel("control", harm, says, remedy, _evidence(case, arrival, number))


def _no_checksum(case: Case) -> Iterator[Finding]:
    """UDP packets without a checksum over IPv6, which the kernel drops (RFC 8200 section 8.1)."""
    for arrival, number in case.arrivals.of(What.NO_CHECKSUM)[:1] if case.arrivals is not None else ():
        says = "the peer sends UDP packets without a checksum over IPv6, and this end refuses such ones"
        remedy = f"have checksums on there, or `l2tpctl tunnel set {case.spec.name} --udp-checksum off`"
        yield case.of_tunnel("no-checksum", Harm.STOPS, says, remedy, _evidence(case, arrival, number))


def _not_let_in(case: Case) -> Iterator[Finding]:
    """Packets that are right arrive at the netdev, and the session counts none: something in between drops them."""
    for record, status in case.sessions():
        right = case.arrivals.right(record.spec.name) if case.arrivals is not None else 0
        gained = case.gained(record.spec)
        if not right or gained is None or status.netdev is None or not status.netdev.up:
            continue
        taken = gained.rx_packets + gained.rx_errors + gained.rx_seq_discards + gained.rx_cookie_discards
        if taken + gained.rx_invalid + gained.rx_oos_packets == 0:
            arrived = f"{_packets(right)} arrived within {case.listened_s:g} s, and rx_packets did not grow"
            yield _dropped_between(case, record.spec.name, arrived)


def _dropped_between(case: Case, session: str, arrived: str) -> Finding:
    """What keeps right packets from the tunnel: the filter of reverse paths, NAT, or the packet filter."""
    from l2tpv3.doctor.firewall import IN, changing, suspects

    netns, remote = case.spec.netns, case.spec.remote
    lost = f"packets of session {session} arrive at this host and do not reach the tunnel"
    if case.counts is not None and (grown := case.counts[1].reverse_path - case.counts[0].reverse_path) > 0:
        says = f"{lost}: the way back to {remote} is by another netdev, which rp_filter forbids"
        seen = f"IPReversePathFilter in /proc/net/netstat grew by {grown}; `ip route get {remote}` shows the way back"
        remedy = (
            f"`ip route replace {remote}` by the netdev that they come by, or `sysctl -w net.ipv4.conf.all.rp_filter=2`"
        )
        return case.of_session(session, "reverse-path", Harm.STOPS, says, remedy, (arrived, seen))
    device = case.spec.bind_device
    came_by = case.arrivals.netdevs if case.arrivals is not None else set()
    if device is not None and came_by and device not in came_by:
        says = f"{lost}: they come by netdev {printable(min(came_by))}, and the tunnel is bound to {device}"
        remedy = f"`l2tpctl tunnel set {case.spec.name} --bind-device {printable(min(came_by))}`, or none"
        return case.of_session(session, "bind-device", Harm.STOPS, says, remedy, (arrived,))
    if taken := grown_queues(case, FILTERS):
        name = _ifname(case, min(taken))
        says = f"{lost}: a filter of tc on netdev {name} takes them away"
        seen = f"what filters drop at {name} grew by {taken[min(taken)][1]} (`tc -s qdisc show dev {name}`)"
        remedy = f"`tc filter show dev {name} ingress` shows it; `tc qdisc del dev {name} clsact` removes all of them"
        return case.of_session(session, "tc-filter", Harm.STOPS, says, remedy, (arrived, seen))
    udp = case.spec.encap is Encap.UDP
    if udp and (nat := changing(netns, case.spec.local_port) or changing(netns, case.spec.remote_port)):
        says = f"{lost}: a rule of NAT of this host changes the ports or addresses of the tunnel's packets"
        remedy = f"take UDP port {case.spec.local_port} out of that rule: `nft -a list ruleset` shows its handle"
        return case.of_session(session, "nat", Harm.STOPS, says, remedy, (arrived, *nat))
    here = f"UDP port {case.spec.local_port}" if udp else "IP protocol 115"
    remedy = f"let {here} from {remote} in: `nft list ruleset` and `iptables -vnL` show the rules"
    says = f"{lost}: a firewall of this host drops them"
    return case.of_session(session, "firewall", Harm.STOPS, says, remedy, (arrived, *suspects(netns, IN)))


def _ifname(case: Case, ifindex: int) -> str:
    try:
        with RouteSocket(case.spec.netns) as route:
            return printable(route.link(ifindex).ifname)
    except OSError:
        return f"number {ifindex}"


def _too_long(case: Case) -> Iterator[Finding]:
    """Packets that are right, with frames that are longer than the session's netdev takes."""
    for record, status in case.sessions():
        gained, netdev, name = case.gained(record.spec), status.netdev, record.spec.name
        longest = case.arrivals.longest.get(name, 0) if case.arrivals is not None else 0
        if gained is None or gained.rx_errors <= 0 or netdev is None or longest <= netdev.mtu:
            continue
        says = f"the peer sends frames of {longest} bytes, and session {name} takes {netdev.mtu}: its MTU is smaller"
        grew = f"within {case.listened_s:g} s rx_errors grew by {gained.rx_errors}"
        remedy = f"`l2tpctl session set {case.spec.name} {name} --mtu` with the peer's MTU, or a smaller one there"
        yield case.of_session(name, "mtu", Harm.LOSES, says, remedy, (grew,))


CHECKS: Final[tuple[Check, ...]] = (_of_sessions, _of_other_sessions, _control, _no_checksum, _not_let_in, _too_long)
