"""Virtual cards on a NIC: a TAP's frames go out at the NIC as they are, and those of the NIC that are for it come back.

Both sides speak struct virtio_net_hdr (linux/virtio_net.h): a frame that is longer than the wire allows, or whose
checksum is not there yet, goes from one to the other with the note that says so, and the kernel finishes it where it
leaves. So nothing has to be known of a frame here but to whom it goes.

From the NIC come frames that the kernel has picked out already (links/backends/vnic.py), through two sockets: the tag
of a VLAN is taken out by the kernel and told beside the frame, which is asked for only where there is one.

A receive ring (PACKET_MMAP) was tried: it saves a copy, but its slots have to be as large as the largest frame, so that
few fit, and a burst of small ones finds it full.
"""

from __future__ import annotations

import os
import socket
from struct import Struct
from typing import Final

VNET_HEADER: Final = Struct("=BBHHHH")
"""flags, gso_type, hdr_len, gso_size, csum_start, csum_offset."""
_NEEDS_CSUM: Final = 1
_H: Final = VNET_HEADER.size

# linux/if_packet.h
SOL_PACKET: Final = 263
PACKET_AUXDATA: Final = 8
_PACKET_STATISTICS: Final = 6
_VLAN_VALID, _VLAN_TPID_VALID = 0x10, 0x40
_AUXDATA: Final = Struct("=IIIHHHH")  # struct tpacket_auxdata: status, len, snaplen, mac, net, vlan_tci, vlan_tpid
_AUXDATA_SPACE: Final = socket.CMSG_SPACE(_AUXDATA.size)
_TAG: Final = Struct("!HH")
_DOT1Q: Final = 0x8100

FRAME_MAX: Final = 65536 + 64
"""Bytes of the longest frame that passes: a whole super-frame with its headers."""
_BURST: Final = 64
"""Frames of one card in a turn, so that a busy one does not starve its neighbours."""


class Card:
    """One virtual card. tap_fd, packets_fd, tagged_fd: open files, non-blocking; the latter two are the card's now.

    packets_fd: a packet socket for what has no tag, tagged_fd: one for what has. mac: its 6 bytes.
    """

    __slots__ = (
        "_neighbours", "_packets", "_tagged", "mac", "mark", "packets_fd", "rx_dropped", "rx_errors", "rx_packets",
        "tagged_fd", "tap_fd", "tx_errors", "tx_packets",
    )  # fmt: skip

    def __init__(self, mark: str, mac: bytes, tap_fd: int, packets_fd: int, tagged_fd: int) -> None:
        self.mark, self.mac = mark, mac
        self.tap_fd, self.packets_fd, self.tagged_fd = tap_fd, packets_fd, tagged_fd
        self._packets = socket.socket(fileno=packets_fd)
        self._tagged = socket.socket(fileno=tagged_fd)
        self._neighbours: dict[bytes, Card] = {}
        self.rx_packets = self.rx_errors = self.rx_dropped = self.tx_packets = self.tx_errors = 0

    def meet(self, neighbours: dict[bytes, Card]) -> None:
        """Take the cards on the same NIC by their MAC addresses: a dict that all of them share, and in which this card
        is, too.
        """
        self._neighbours = neighbours

    def from_nic(self, _events: int) -> None:
        """Frames that are for this card, into the TAP."""
        receive, write, tap = self._packets.recv_into, os.write, self.tap_fd
        view, buffer = _VIEW, _BUFFER
        done = 0
        for _ in range(_BURST):
            try:
                length = receive(buffer)
            except OSError:
                break  # no more, or the NIC is down
            try:
                write(tap, view[:length])
                done += 1
            except OSError:
                self.rx_errors += 1  # the TAP is down, or full
        self.rx_packets += done

    def from_nic_tagged(self, _events: int) -> None:
        """Do what from_nic does for frames of a VLAN: put the tag back into each, which the kernel has taken out."""
        for _ in range(_BURST):
            try:
                length, ancillary, _, _ = self._tagged.recvmsg_into(_BUFFERS, _AUXDATA_SPACE)
            except OSError:
                return
            tag = next(
                (_tag(data) for level, kind, data in ancillary if (level, kind) == (SOL_PACKET, PACKET_AUXDATA)), b""
            )
            flags, gso_type, header, gso_size, start, offset = VNET_HEADER.unpack_from(_VIEW)
            shift = len(tag)
            note = VNET_HEADER.pack(
                flags, gso_type, header + shift if header else 0, gso_size,
                start + shift if flags & _NEEDS_CSUM else start, offset,
            )  # fmt: skip
            try:
                os.writev(self.tap_fd, [note, _VIEW[_H : _H + 12], tag, _VIEW[_H + 12 : length]])
                self.rx_packets += 1
            except OSError:
                self.rx_errors += 1

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
        """Ask the kernel how many frames found the sockets full; asking resets its count."""
        for one in (self._packets, self._tagged):
            try:
                _, dropped = Struct("=II").unpack(one.getsockopt(SOL_PACKET, _PACKET_STATISTICS, 8))
            except OSError:
                continue
            self.rx_dropped += dropped

    def close(self) -> None:
        """Leave the NIC. The TAP's file stays open: whoever has it decides what becomes of the netdev."""
        self._packets.close()
        self._tagged.close()


def _tag(data: bytes) -> bytes:
    """A tag as it was on the wire, from what the kernel tells beside the frame."""
    status, _, _, _, _, tci, tpid = _AUXDATA.unpack(data[: _AUXDATA.size])
    if not status & _VLAN_VALID:
        return b""
    return _TAG.pack(tpid if status & _VLAN_TPID_VALID else _DOT1Q, tci)


_BUFFER = bytearray(FRAME_MAX + _H)
_BUFFERS = [_BUFFER]  # one for all: a frame is gone from it before the next is read
_VIEW = memoryview(_BUFFER)
