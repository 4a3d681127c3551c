"""Decode captured packets into lines of text, with the project's scapy layers. A cookie shows as its length alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from l2tpv3.capture.options import Side
from l2tpv3.capture.pcapng import Captured, Direction
from l2tpv3.errors import UnavailableError
from l2tpv3.model.spec import Encap, Sublayer
from l2tpv3.model.status import SessionStatus, TunnelStatus
from l2tpv3.optional_packages import install_command

_ARROWS = {Direction.INBOUND: "←", Direction.OUTBOUND: "→", Direction.UNKNOWN: "·"}


class Decoder:
    """Decodes one session's packets. Raises UnavailableError where scapy is not installed.

    cookie_lengths: in bytes, of packets that come in and that go out.
    """

    def __init__(
        self, tunnel: TunnelStatus, session: SessionStatus, side: Side, *, cookie_lengths: tuple[int, int]
    ) -> None:
        try:
            from l2tpv3.contrib.scapy import l2tpv3
        except ImportError as error:
            remedy = f"{install_command('scapy')} installs it; or write a file: -w FILE"
            raise UnavailableError("capture", "frames are decoded by scapy, which is not installed", remedy) from error
        from scapy.config import conf

        self._layers: Any = l2tpv3
        self._side = side
        self._first: int | None = None
        sublayer = Sublayer.DEFAULT if session.foreign else session.spec.sublayer
        self._sessions = conf.contribs["L2TPv3"]["sessions"]
        ids = {Direction.INBOUND: session.spec.session_id, Direction.OUTBOUND: session.spec.peer_session_id}
        self._forms = {
            way: (ids[way], {"cookie_length": length, "sublayer": sublayer.value})
            for way, length in zip(ids, cookie_lengths, strict=True)
        }
        if tunnel.spec.encap is Encap.UDP:
            for port in {tunnel.spec.local_port, tunnel.spec.remote_port}:
                l2tpv3.bind_l2tpv3(port)
        else:
            l2tpv3.bind_l2tpv3()

    def lines(self, packet: Captured) -> Iterator[str]:
        """One line about an inner frame; two about an outer one, the second about what is in it."""
        from scapy.layers.inet import IP
        from scapy.layers.inet6 import IPv6
        from scapy.layers.l2 import Ether

        if self._first is None:
            self._first = packet.time_ns
        head = f"{(packet.time_ns - self._first) / 1e9:10.6f} {_ARROWS[packet.direction]} {packet.interface}"
        cut = f" (cut to {len(packet.data)} bytes)" if packet.length > len(packet.data) else ""
        if self._side is Side.INNER:
            yield f"{head}  {inner_text(Ether(packet.data))}, {packet.length} bytes{cut}"
            return
        # Each time: both ends may have chosen the same id, and cookies of different lengths.
        session_id, form = self._forms.get(packet.direction, self._forms[Direction.INBOUND])
        self._sessions[session_id] = form
        outer = (IPv6 if packet.data[:1] and packet.data[0] >> 4 == 6 else IP)(packet.data)
        header = next((outer[one] for one in (self._layers.L2TPv3, self._layers.L2TPv3IP) if one in outer), None)
        yield f"{head}  {_outer_text(outer, header, self._layers)}, {packet.length} bytes{cut}"
        if header is not None and Ether in header:
            yield f"{'':10} └ {inner_text(header[Ether])}"


def _outer_text(outer: Any, header: Any, layers: Any) -> str:
    from scapy.layers.inet import UDP

    words = [f"{outer.src} → {outer.dst}"]
    words.append(f"UDP {outer[UDP].sport} → {outer[UDP].dport}" if UDP in outer else "IP 115")
    if header is None:
        return ", ".join([*words, "a fragment, or not L2TPv3"])
    words.append(f"session {header.session_id}")
    if header.cookie:
        words.append(f"cookie of {len(header.cookie)} bytes")
    if layers.L2TPv3DefaultSublayer in header:
        sublayer = header[layers.L2TPv3DefaultSublayer]
        words.append(f"sequence {sublayer.sequence}" if sublayer.S else "sublayer")
        part = {(0, 1): "first part", (1, 0): "last part", (1, 1): "part"}.get((sublayer.B, sublayer.E))
        words += [f"{part} of a frame"] if part else []
    return ", ".join(words)


def inner_text(frame: Any) -> str:
    """An ethernet frame in a line."""
    from scapy.layers.l2 import ARP

    addresses = f"{frame.src} → {frame.dst}"
    if ARP in frame:
        arp = frame[ARP]
        asks = f"ARP who has {arp.pdst}? tell {arp.psrc}"
        return f"{addresses}  {asks if arp.op == 1 else f'ARP {arp.psrc} is at {arp.hwsrc}'}"
    summary = frame.payload.summary().partition(" / Raw")[0] if frame.payload else "no payload"
    return f"{addresses}  {summary}"
