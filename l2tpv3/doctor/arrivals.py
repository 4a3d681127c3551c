"""Says of each packet that arrived which tunnel and session it was meant for, and what is wrong with it. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import Final, NamedTuple

from l2tpv3.doctor.packet import UDP, IcmpError, IPAddress, Packet
from l2tpv3.doctor.shape import fits, frame_at, is_sublayer, shape_of, speaker_of
from l2tpv3.model.record import TunnelRecord, ends
from l2tpv3.model.spec import Encap, Sequencing, SessionSpec, Sublayer
from l2tpv3.wire.data import (
    CONTROL,
    IP_PREFIX,
    L2TP_IP_PROTOCOL,
    S_BIT,
    T_BIT,
    UDP_PREFIX,
    VERSION_MASK,
    classify_ip,
    classify_udp,
)  # fmt: skip

_MOST: Final = 100
"""So many different things are kept of one tunnel: whoever forges packets can't have us keep more."""
_FIRST_AVP: Final = slice(12, 20)
"""Of a control message: behind its header, the AVP that says its type (RFC 3931 section 5.4.1)."""
_MAC: Final = slice(6, 12)


class What(StrEnum):
    """What arrived. RIGHT: a packet as the session expects it. The others are named for what is wrong."""

    RIGHT = "right"
    ELSEWHERE = "from elsewhere"
    OTHER_PORT = "to another port"
    OTHER_ENCAP = "by the other encapsulation"
    CONTROL = "control"
    UNKNOWN_SESSION = "unknown session"
    SWAPPED_IDS = "swapped ids"
    COOKIE = "another cookie"
    COOKIE_LENGTH = "cookie of another length"
    SWAPPED_COOKIES = "swapped cookies"
    SUBLAYER = "sublayer"
    NO_SUBLAYER = "no sublayer"
    UNNUMBERED = "unnumbered"
    NO_CHECKSUM = "no checksum"
    OWN_MAC = "own MAC address"
    OWN_ADDRESS = "own IP address"
    ICMP = "ICMP error"


class Arrival(NamedTuple):
    """session: its name; None where it is about the tunnel. detail: numbers that belong to it."""

    what: What
    session: str | None = None
    detail: tuple[object, ...] = ()


@dataclass
class Arrivals:
    """What arrived for one tunnel, counted. headers: of the first of each, in words.

    netdevs: the names of those by which right packets came.
    answers: by session, frames that came to one host, not to a group: who is alone in sending gets none.
    sources: by session, the MAC addresses from which frames came. broadcasts: frames to a group, by session.
    longest: by session, the bytes of the longest IP packet that came in a frame, as its header has them.
    """

    counted: Counter[Arrival] = field(default_factory=Counter)
    headers: dict[Arrival, str] = field(default_factory=dict)
    netdevs: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    sources: dict[str, set[bytes]] = field(default_factory=dict)
    broadcasts: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    longest: dict[str, int] = field(default_factory=dict)

    def add(self, arrival: Arrival, header: str) -> None:
        """Count one."""
        if arrival in self.counted or len(self.counted) < _MOST:
            self.counted[arrival] += 1
            self.headers.setdefault(arrival, header)

    def of(self, what: What, session: str | None = None) -> list[tuple[Arrival, int]]:
        """What arrived of one kind, the most frequent first; session: for that one alone."""
        return [
            (one, number)
            for one, number in self.counted.most_common()
            if one.what is what and session in (None, one.session)
        ]

    def wrong(self) -> bool:
        """Whether anything arrived that is not as it should be."""
        return any(one.what is not What.RIGHT for one in self.counted)

    def right(self, session: str | None = None) -> int:
        """How many packets were as they should be."""
        return sum(number for _, number in self.of(What.RIGHT, session))


class Own(NamedTuple):
    """What a session's netdev, and the bridge that this is a port of, have at this end, in bytes."""

    macs: frozenset[bytes] = frozenset()
    addresses: frozenset[bytes] = frozenset()


class _Known:
    """A tunnel on record. own: by session, what this end has of addresses."""

    def __init__(self, record: TunnelRecord, own: dict[str, Own]) -> None:
        self.record = record
        self.udp = record.spec.encap is Encap.UDP
        self.local, self.remote = ends(record)
        self.ports = (record.spec.local_port, record.spec.remote_port) if self.udp else (0, 0)
        self.by_id = {one.spec.session_id: one.spec for one in record.sessions}
        self.by_peer_id = {one.spec.peer_session_id: one.spec for one in record.sessions}
        self.own = own
        self.arrivals = Arrivals()

    @property
    def name(self) -> str:
        return self.record.spec.name


class Sorter:
    """Sorts what arrives in one network namespace by the tunnels of that namespace."""

    def __init__(self, records: Iterable[tuple[TunnelRecord, dict[str, Own]]]) -> None:
        """records: each with the addresses that this end has, by session."""
        self._all = [_Known(record, own) for record, own in records]
        self._exact: dict[tuple[object, ...], list[_Known]] = {}  # over IP there may be several
        self._at: dict[tuple[IPAddress, int], list[_Known]] = {}
        self._between: dict[tuple[IPAddress, IPAddress], list[_Known]] = {}
        for one in self._all:
            self._exact.setdefault((one.local, one.remote, *one.ports), []).append(one)
            self._at.setdefault((one.local, one.ports[0]), []).append(one)
            self._between.setdefault((one.local, one.remote), []).append(one)

    @property
    def ports(self) -> frozenset[int]:
        """The UDP ports at which these tunnels listen."""
        return frozenset(one.ports[0] for one in self._all if one.udp)

    def found(self) -> dict[str, Arrivals]:
        """What arrived so far, by the tunnel's name."""
        return {one.name: one.arrivals for one in self._all}

    def add(self, packet: Packet | IcmpError, ifname: str = "") -> None:
        """Sort one packet, which came by the netdev of that name. What is no tunnel's is passed over."""
        if isinstance(packet, IcmpError):
            self._refusal(packet)
            return
        ends = (packet.destination, packet.source, packet.destination_port, packet.source_port)
        own = self._among(ends, _split(packet)[0])
        if own is not None:
            header = _header(packet)
            for arrival in _inspected(own, packet):
                own.arrivals.add(arrival, header)
                if arrival.what is What.RIGHT and ifname and len(own.arrivals.netdevs) < _MOST:
                    own.arrivals.netdevs.add(ifname)
        else:
            self._stray(packet)

    def _among(self, ends: tuple[object, ...], session_id: int) -> _Known | None:
        """The tunnel between these ends; of several the one that has the session, else the first one."""
        some = self._exact.get(ends, [])
        return next((one for one in some if session_id in one.by_id), some[0] if some else None)

    def _refusal(self, error: IcmpError) -> None:
        about = error.about
        ends = (about.source, about.destination, about.source_port, about.destination_port)
        for own in self._exact.get(ends, ()):
            header = f"ICMP type {error.kind[0]} code {error.kind[1]} from {error.sender}"
            own.arrivals.add(Arrival(What.ICMP, None, (about.source.version, *error.kind)), header)

    def _stray(self, packet: Packet) -> None:
        """A packet that is from no peer's address and port to that of its tunnel."""
        session_id, body = _split(packet)
        for one in self._at.get((packet.destination, packet.destination_port), ()):
            spec = one.by_id.get(session_id)
            nearby = packet.source == one.remote
            if spec is not None and (nearby or (spec.rx_cookie and body.startswith(spec.rx_cookie))):
                one.arrivals.add(
                    Arrival(What.ELSEWHERE, spec.name, (str(packet.source), packet.source_port)), _header(packet)
                )
                return
        for one in self._between.get((packet.destination, packet.source), ()):
            what = What.OTHER_PORT if one.udp == (packet.protocol == UDP) else What.OTHER_ENCAP
            if session_id in one.by_id:
                one.arrivals.add(Arrival(what, one.by_id[session_id].name, (packet.destination_port,)), _header(packet))
                return


def _split(packet: Packet) -> tuple[int, bytes]:
    """The session id of a data packet and what follows it; an id of 0 or less: it is no data packet."""
    payload = packet.payload
    if packet.protocol == L2TP_IP_PROTOCOL:
        return classify_ip(payload, len(payload)), payload[IP_PREFIX.size :]
    return classify_udp(payload, len(payload)), payload[UDP_PREFIX.size :]


def _header(packet: Packet) -> str:
    """A packet's header in words. It has no cookie in it: that is a secret."""
    if packet.protocol != UDP:
        return f"{packet.source} > {packet.destination}, protocol {packet.protocol}"
    pairs = ((packet.source, packet.source_port), (packet.destination, packet.destination_port))
    ends = [f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}" for address, port in pairs]
    return " > ".join(ends)


def _inspected(tunnel: _Known, packet: Packet) -> Iterator[Arrival]:
    """What a packet of a tunnel is: one thing, or several that are wrong with it."""
    spec = tunnel.record.spec
    if packet.protocol == UDP and not packet.checksum and packet.source.version == 6 and spec.udp_checksum:
        yield Arrival(What.NO_CHECKSUM)
        return
    if (control := _control(packet)) is not None:
        yield Arrival(What.CONTROL, None, control)
        return
    session_id, body = _split(packet)
    if session_id <= 0:
        return
    session = tunnel.by_id.get(session_id)
    if session is None:
        swapped = tunnel.by_peer_id.get(session_id)
        name = swapped.name if swapped is not None else None
        yield Arrival(What.SWAPPED_IDS if swapped else What.UNKNOWN_SESSION, name, (session_id,))
        return
    wrong = _wrong(session, body)
    if wrong is not None:
        yield wrong
        return
    yield Arrival(What.RIGHT, session.name)
    start = len(session.rx_cookie) + 4 * (session.sublayer is Sublayer.DEFAULT)
    yield from _of_frame(tunnel, session.name, body[start:])


def _of_frame(tunnel: _Known, session: str, frame: bytes) -> Iterator[Arrival]:
    """What is odd about a frame that came through a session."""
    source = frame[_MAC]
    own = tunnel.own.get(session, Own())
    sources = tunnel.arrivals.sources.setdefault(session, set())
    if len(sources) < _MOST:
        sources.add(source)
    if source in own.macs:
        yield Arrival(What.OWN_MAC, session, (source.hex(":"),))
    elif (address := speaker_of(frame)) is not None and address in own.addresses:
        yield Arrival(What.OWN_ADDRESS, session, (str(ip_address(address)), source.hex(":")))
    longest = tunnel.arrivals.longest
    longest[session] = max(longest.get(session, 0), _ip_bytes(frame))
    broadcasts = tunnel.arrivals.broadcasts
    if frame[:1] and not frame[0] & 1:
        tunnel.arrivals.answers[session] += 1
    if frame[:1] and frame[0] & 1 and ((session, frame) in broadcasts or len(broadcasts) < _MOST):
        broadcasts[session, frame] += 1


def _ip_bytes(frame: bytes) -> int:
    """How long the IP packet in an untagged frame is, by its header (RFC 791, RFC 8200); 0 where there is none."""
    match int.from_bytes(frame[12:14], "big"):
        case 0x0800:
            return int.from_bytes(frame[16:18], "big")
        case 0x86DD:
            return 40 + int.from_bytes(frame[18:20], "big")
    return 0


def _control(packet: Packet) -> tuple[int, int] | None:
    """Version and type of a control message; None for anything else."""
    payload = packet.payload
    if packet.protocol == L2TP_IP_PROTOCOL:
        if classify_ip(payload, len(payload)) != CONTROL:
            return None
        payload = payload[IP_PREFIX.size :]
    flags = int.from_bytes(payload[:2], "big")
    if len(payload) < _FIRST_AVP.stop or not flags & T_BIT:
        return None
    return flags & VERSION_MASK, int.from_bytes(payload[_FIRST_AVP][6:8], "big")


def _wrong(session: SessionSpec, body: bytes) -> Arrival | None:
    """What is wrong with a packet of a session, given what follows its session id; None where nothing is."""
    name, cookie = session.name, session.rx_cookie
    if not body.startswith(cookie):
        return _other_cookie(session, body)
    rest = body[len(cookie) :]
    if not fits(rest, sublayer=session.sublayer is Sublayer.DEFAULT):
        wrong = _other_shape(session, body, rest)
        if wrong is not None:
            return wrong
    numbered = int.from_bytes(rest[:4], "big") & S_BIT
    if session.numbering in (Sequencing.RECV, Sequencing.BOTH) and not numbered:
        return Arrival(What.UNNUMBERED, name)
    return None


def _other_shape(session: SessionSpec, body: bytes, rest: bytes) -> Arrival | None:
    """What differs in a packet that is not laid out as the session expects it; None where that can't be told."""
    name, wanted = session.name, session.sublayer is Sublayer.DEFAULT
    start = frame_at(rest, (0, 4))
    if wanted and start == 0:
        return Arrival(What.NO_SUBLAYER, name)
    if not wanted and is_sublayer(rest[:4]) and frame_at(rest, (4,)) == 4:
        return Arrival(What.SUBLAYER, name)
    if not session.rx_cookie and (shape := shape_of(body)) is not None and shape.cookie_length:
        return Arrival(What.COOKIE_LENGTH, name, (shape.cookie_length,))
    return None


def _other_cookie(session: SessionSpec, body: bytes) -> Arrival:
    """What the cookie is that is not the one which the session expects."""
    if session.tx_cookie and body.startswith(session.tx_cookie):
        return Arrival(What.SWAPPED_COOKIES, session.name)
    shape = shape_of(body)
    if shape is not None and shape.cookie_length != len(session.rx_cookie):
        return Arrival(What.COOKIE_LENGTH, session.name, (shape.cookie_length,))
    return Arrival(What.COOKIE, session.name)
