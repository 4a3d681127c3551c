"""Virtual cards on a NIC: a TAP's frames go out at the NIC as they are, and those of the NIC that are for it come back.

Both sides speak struct virtio_net_hdr (linux/virtio_net.h): a frame that is longer than the wire allows, or whose
checksum is not there yet, goes from one to the other with the note that says so, and the kernel finishes it where it
leaves. So nothing has to be known of a frame here but to whom it goes.

From the NIC come frames in a ring (PACKET_MMAP, TPACKET_V2), already picked out by the kernel (see cards.py). The tag
of a VLAN, which the kernel takes out and notes beside the frame, is put back.
"""

from __future__ import annotations

import mmap
import os
import socket
from struct import Struct
from typing import Final, NamedTuple

VNET_HEADER: Final = Struct("=BBHHHH")
"""flags, gso_type, hdr_len, gso_size, csum_start, csum_offset."""
_NEEDS_CSUM: Final = 1
_H: Final = VNET_HEADER.size

# linux/if_packet.h
SOL_PACKET: Final = 263
_STATUS_USER, _VLAN_VALID, _VLAN_TPID_VALID = 1, 0x10, 0x40
_SLOT_HEADER: Final = Struct("=IIIHHIIHH")  # struct tpacket2_hdr: status, len, snaplen, mac, net, sec, nsec, tci, tpid
_TAG: Final = Struct("!HH")
_DOT1Q: Final = 0x8100

FRAME_MAX: Final = 65536 + 64
"""Bytes of the longest frame that passes: a whole super-frame with its headers."""
_BURST: Final = 64
"""Frames of one card in a turn, so that a busy one does not starve its neighbours."""


class Ring(NamedTuple):
    """How a packet socket's receive ring is laid out, in bytes."""

    slot_bytes: int
    slots: int


class Card:
    """One virtual card. tap, packets: open files, non-blocking; they are the card's now. mac: its 6 bytes."""

    __slots__ = (
        "_at", "_memory", "_neighbours", "_packets", "_ring", "_status", "_view", "mac", "mark", "packets_fd",
        "rx_dropped", "rx_errors", "rx_packets", "tap_fd", "tx_errors", "tx_packets",
    )  # fmt: skip

    def __init__(self, mark: str, mac: bytes, tap_fd: int, packets_fd: int, ring: Ring) -> None:
        self.mark, self.mac = mark, mac
        self.tap_fd, self.packets_fd = tap_fd, packets_fd
        self._ring = ring
        self._memory = mmap.mmap(packets_fd, ring.slot_bytes * ring.slots)  # first: what fails has taken no file over
        self._packets = socket.socket(fileno=packets_fd)
        self._view = memoryview(self._memory)
        self._status = self._view.cast("I")
        self._at = 0
        self._neighbours: dict[bytes, Card] = {}
        self.rx_packets = self.rx_errors = self.rx_dropped = self.tx_packets = self.tx_errors = 0

    def meet(self, neighbours: dict[bytes, Card]) -> None:
        """These are on the same NIC, by their MAC addresses, itself among them: a shared dict."""
        self._neighbours = neighbours

    def from_nic(self, _events: int) -> None:
        """Frames that are for this card, out of the ring into the TAP."""
        status, view, (slot_bytes, slots) = self._status, self._view, self._ring
        words = slot_bytes // 4
        write, tap, unpack, memory = os.write, self.tap_fd, _SLOT_HEADER.unpack_from, self._memory
        at, done = self._at, 0
        while done < _BURST and status[at * words] & _STATUS_USER:
            begin = at * slot_bytes
            flags, length, kept, mac, _, _, _, tci, tpid = unpack(memory, begin)
            start = begin + mac
            try:
                if flags & _VLAN_VALID:
                    self._write_tagged(start, kept, tpid if flags & _VLAN_TPID_VALID else _DOT1Q, tci)
                elif kept == length:
                    write(tap, view[start - _H : start + kept])
                else:
                    self.rx_errors += 1  # longer than a slot
                done += 1
            except OSError:
                self.rx_errors += 1  # the TAP is down, or full
                done += 1
            status[at * words] = 0
            at = at + 1 if at + 1 < slots else 0
        self._at = at
        self.rx_packets += done

    def _write_tagged(self, start: int, length: int, tpid: int, tci: int) -> None:
        view = self._view
        flags, gso_type, header, gso_size, csum_start, csum_offset = VNET_HEADER.unpack_from(view, start - _H)
        note = VNET_HEADER.pack(
            flags,
            gso_type,
            header + 4 if header else 0,
            gso_size,
            csum_start + 4 if flags & _NEEDS_CSUM else csum_start,
            csum_offset,
        )
        frame: list[bytes | memoryview] = [
            note,
            view[start : start + 12],
            _TAG.pack(tpid, tci),
            view[start + 12 : start + length],
        ]
        os.writev(self.tap_fd, frame)

    def from_tap(self, _events: int) -> None:
        """Frames that the card's owner sends: out at the NIC, and to neighbours on it, whom the NIC does not tell."""
        read, tap, send, neighbours = os.readv, self.tap_fd, self._packets.send, self._neighbours
        alone = len(neighbours) < 2
        for _ in range(_BURST):
            try:
                length = read(tap, _BUFFERS)
            except OSError:
                return  # no more, or the netdev is gone
            frame = _VIEW[:length]
            if not alone:
                to = bytes(frame[_H : _H + 6])
                other = neighbours.get(to)
                if other is not None:
                    if other is not self:
                        other.hand(frame)
                    self.tx_packets += 1
                    continue
                if to[0] & 1:
                    for one in neighbours.values():
                        if one is not self:
                            one.hand(frame)
            try:
                send(frame)
                self.tx_packets += 1
            except OSError:
                self.tx_errors += 1  # the NIC is down, or full, or the frame is more than it takes

    def hand(self, frame: memoryview) -> None:
        """A neighbour's frame, with its note."""
        try:
            os.write(self.tap_fd, frame)
            self.rx_packets += 1
        except OSError:
            self.rx_errors += 1

    def count_drops(self) -> None:
        """Ask the kernel how many frames found the ring full; asking resets its count."""
        try:
            _, dropped = Struct("=II").unpack(self._packets.getsockopt(SOL_PACKET, 6, 8))  # PACKET_STATISTICS
        except OSError:
            return
        self.rx_dropped += dropped

    def close(self) -> None:
        """Leave the NIC. The TAP's file stays open: whoever has it decides what becomes of the netdev."""
        self._status.release()
        self._view.release()
        self._memory.close()
        self._packets.close()


_BUFFER = bytearray(FRAME_MAX + _H)
_BUFFERS = [_BUFFER]  # one for all: a frame is gone from it before the next is read
_VIEW = memoryview(_BUFFER)
