"""Encodes and decodes control packets of Bidirectional Forwarding Detection (RFC 5880 section 4.1).

Without authentication, and without echo packets. Intervals are in microseconds, as on the wire.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

from l2tpv3.value_class import value_class
from l2tpv3.wire.data import Buffer

PORT: Final = 3784
"""The UDP port of control packets between two ends of one link (RFC 5881 section 4)."""
SOURCE_PORTS: Final = (49152, 65535)
"""The first and the last port that they may be sent from."""
HOPS: Final = 255
"""Their TTL or hop limit, by which who receives one knows that nobody has forwarded it (RFC 5881 section 5)."""

_PACKET: Final = Struct("!BBBBIIIII")
_VERSION: Final = 1
_POLL, _FINAL, _AUTHENTICATED, _DEMAND, _MULTIPOINT = 0x20, 0x10, 0x04, 0x02, 0x01


class BfdState(IntEnum):
    """The state of a session as the sender of a packet sees it (RFC 5880 section 4.1)."""

    ADMIN_DOWN = 0
    DOWN = 1
    INIT = 2
    UP = 3


class Diagnostic(IntEnum):
    """Why a session was last not up (RFC 5880 section 4.1); there are more, which are never sent here."""

    NONE = 0
    TIME_EXPIRED = 1
    NEIGHBOR_DOWN = 3
    ADMIN_DOWN = 7


@value_class(frozen=True, slots=True, kw_only=True)
class BfdPacket:
    """One control packet. mine: the sender's discriminator. yours: the receiver's, 0 while the sender does not know it.

    poll: asks for a packet with `final` at once. demand: asks for no packets while both ends are up. diagnostic: a
    number, mostly of Diagnostic. desired_min_tx_us: how often the sender would like to send; required_min_rx_us: how
    often it can take packets.
    """

    state: BfdState
    diagnostic: int = Diagnostic.NONE
    poll: bool = False
    final: bool = False
    demand: bool = False
    multiplier: int
    mine: int
    yours: int
    desired_min_tx_us: int
    required_min_rx_us: int

    def encode(self) -> bytes:
        """The packet's bytes."""
        flags = self.state << 6 | (_POLL if self.poll else 0) | (_FINAL if self.final else 0)
        return _PACKET.pack(
            _VERSION << 5 | self.diagnostic, flags | (_DEMAND if self.demand else 0), self.multiplier, _PACKET.size,
            self.mine, self.yours, self.desired_min_tx_us, self.required_min_rx_us, 0,
        )  # fmt: skip


def read_bfd(payload: Buffer) -> BfdPacket | None:
    """Take a packet apart; None for what RFC 5880, section 6.8.6, has discarded, whoever it is for. Never raises."""
    if len(payload) < _PACKET.size:
        return None
    first, flags, multiplier, length, mine, yours, min_tx, min_rx, _ = _PACKET.unpack_from(payload)
    state = BfdState(flags >> 6)
    wrong = (
        first >> 5 != _VERSION
        or not _PACKET.size <= length <= len(payload)
        or not multiplier
        or flags & (_AUTHENTICATED | _MULTIPOINT)
        or not mine
        or (not yours and state in (BfdState.INIT, BfdState.UP))
    )
    if wrong:
        return None
    return BfdPacket(
        state=state, diagnostic=first & 0x1F, poll=bool(flags & _POLL), final=bool(flags & _FINAL),
        demand=bool(flags & _DEMAND), multiplier=multiplier, mine=mine, yours=yours,
        desired_min_tx_us=min_tx, required_min_rx_us=min_rx,
    )  # fmt: skip
