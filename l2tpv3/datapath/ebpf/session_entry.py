"""A session as the programs know it: its entry in a map, by what tells its packets from others. Bytes ↔ values.

Numbers are in host order, addresses, ports and ids as in the packet.
"""

from __future__ import annotations

import dataclasses
from struct import Struct
from typing import Final

from l2tpv3.linux.bpf.packet_program import BYTE_ORDER, UDP_PROTOCOL
from l2tpv3.model.observed import Tunnel
from l2tpv3.model.spec import Encap, IPAddress, SessionSpec, TunnelSpec
from l2tpv3.value_class import value_class
from l2tpv3.wire.data import L2TP_IP_PROTOCOL, Framing

LAYOUT: Final = 1
"""The version of keys and values. A later version with other ones ignores the maps of this version."""

VALUE: Final = Struct("=IIHHI8sQQQQQ")
"""lower: index of the netdev under the session's. tasks: see RECEIVES. header: bytes of the L2TP header. rest: those
of it behind the session id. cookie_length, cookie: what is expected. Then tx_packets, tx_bytes, tx_errors, rx_packets,
rx_bytes."""
LOWER, TASKS, HEADER, REST, COOKIE_LENGTH, COOKIE = 0, 4, 8, 10, 12, 16
TX_PACKETS, TX_BYTES, TX_ERRORS, RX_PACKETS, RX_BYTES = 24, 32, 40, 48, 56
"""The offset of each of them in a value, in bytes."""
RECEIVES, SENDS, DISBELIEVES = 1, 2, 4
"""What the programs do for a session: take its packets, send its frames, and send them in one piece where the netdev's
MTU has room for them, whatever ICMP said of the path, which anybody can forge."""


def key_bytes(version: int) -> int:
    """How long a key is: of outer packets of that IP version."""
    return 2 * (4 if version == 4 else 16) + 12


def key(tunnel: TunnelSpec | Tunnel, session_id: int) -> bytes:
    """The map key of packets that arrive for a session: addresses, ports (0 over IP), session id, protocol.

    tunnel: a resolved specification, or what is reported.
    """
    udp = tunnel.encap is Encap.UDP
    ports = (tunnel.remote_port, tunnel.local_port) if udp else (0, 0)
    protocol = UDP_PROTOCOL if udp else L2TP_IP_PROTOCOL
    return (
        tunnel.remote.packed
        + local_of(tunnel).packed
        + b"".join(port.to_bytes(2, "big") for port in ports)
        + session_id.to_bytes(4, "big")
        + protocol.to_bytes(4, BYTE_ORDER)
    )


def local_of(tunnel: TunnelSpec | Tunnel) -> IPAddress:
    """The tunnel's local address."""
    return tunnel.endpoint if isinstance(tunnel, TunnelSpec) else tunnel.local


@value_class(frozen=True, slots=True)
class Entry:
    """A value of the map; see VALUE."""

    lower: int
    tasks: int
    header: int
    rest: int
    cookie: bytes
    tx_packets: int = 0
    tx_bytes: int = 0
    tx_errors: int = 0
    rx_packets: int = 0
    rx_bytes: int = 0

    @classmethod
    def of(cls, tunnel: TunnelSpec, session: SessionSpec, lower: int, tasks: int) -> Entry:
        """A session's, with nothing counted yet."""
        framing = Framing(tunnel.encap, len(session.rx_cookie), session.sublayer)
        rest = framing.header_length - framing.cookie_offset
        return cls(lower, tasks, framing.header_length, rest, session.rx_cookie)

    def with_counts(self, of: Entry) -> Entry:
        """Give a copy of this entry with the counters of another entry."""
        return dataclasses.replace(
            self, tx_packets=of.tx_packets, tx_bytes=of.tx_bytes, tx_errors=of.tx_errors, rx_packets=of.rx_packets,
            rx_bytes=of.rx_bytes,
        )  # fmt: skip

    def pack(self) -> bytes:
        """Encode the entry as the bytes of a value in the BPF map."""
        counted = (self.tx_packets, self.tx_bytes, self.tx_errors, self.rx_packets, self.rx_bytes)
        return VALUE.pack(self.lower, self.tasks, self.header, self.rest, len(self.cookie), self.cookie, *counted)

    @classmethod
    def unpack(cls, value: bytes) -> Entry:
        """Decode the bytes of a value in the BPF map."""
        lower, tasks, header, rest, length, cookie, *counted = VALUE.unpack(value)
        return cls(lower, tasks, header, rest, cookie[:length], *counted)
