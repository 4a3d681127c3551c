"""Recording: a packet socket (packet(7)) whose packets become a pcapng stream, piece by piece.

The kernel keeps what is not read yet, in a buffer of fixed size; what does not fit is counted as dropped.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Iterator
from ipaddress import ip_address
from struct import Struct
from typing import Final, Self

from l2tpv3.capture import pcapng
from l2tpv3.capture.libpcap import Expression
from l2tpv3.capture.options import CaptureOptions, Side
from l2tpv3.capture.pcapng import Direction, LinkType, Statistics
from l2tpv3.capture.session_filter import Flow, everything, session_program
from l2tpv3.errors import MissingError, NotFoundError, RefusedError, UnavailableError, from_errno
from l2tpv3.linux.bpf.classic import attach_filter
from l2tpv3.linux.netns import inside
from l2tpv3.linux.packet_socket import bind_packets
from l2tpv3.linux.readable import wait_readable
from l2tpv3.model.spec import Encap, Encrypt
from l2tpv3.model.status import SessionStatus, TunnelStatus

BUFFER_BYTES: Final = 4 << 20
BATCH: Final = 256
"""At most so many packets are in one piece, so that nobody waits long for the others."""

_STATISTICS_S: Final = 5.0
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_AUXDATA = 263, 6, 8  # linux/if_packet.h
_RCVBUFFORCE, _TIMESTAMPNS = 33, 35  # SO_*, asm-generic/socket.h
_PACKET_OUTGOING: Final = 4
_VLAN_VALID, _VLAN_TPID_VALID = 0x10, 0x40  # TP_STATUS_*
_auxdata = Struct("=IIIHHHH")  # struct tpacket_auxdata
_timespec = Struct("@ll")
_statistics = Struct("=II")  # struct tpacket_stats
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_auxdata.size) + socket.CMSG_SPACE(_timespec.size)


class Recording:
    """Frames of one session. Iterate it for pieces of a pcapng file, then `finish`; or poll `fileno` and `take`.

    tunnel, session: as the manager tells them, with ids and addresses. Raises NotFoundError (the session is not
    running, or has no netdev), InvalidValueError (the filter), NotPermittedError, UnavailableError.
    """

    def __init__(self, tunnel: TunnelStatus, session: SessionStatus, options: CaptureOptions) -> None:
        self.options = options
        self.ended = False
        self._subject = f"session {tunnel.name}/{session.name}"
        outer = options.side is Side.OUTER
        self._linktype = LinkType.RAW if outer else LinkType.ETHERNET
        self._ifname = "any"
        self._numbers: dict[str, int] = {}
        self._seen = [0, 0, 0, 0]  # received, dropped, accepted, delivered
        self._begin_ns = time.time_ns()
        self._clock = time.monotonic()
        self._told = self._clock
        self._deadline = None if options.seconds is None else self._clock + options.seconds
        text = options.expression
        self._expression = Expression(text, self._linktype, options.snaplen) if text.strip() else None
        try:
            netns, ifindex, program = self._place(tunnel, session)
            self._netns = netns
            self._socket = self._open(netns, ifindex, program)
        except BaseException:
            self._close_expression()
            raise
        self._description = f"{self._subject}, {options.side}"
        self._head = pcapng.section("l2tpctl", _how_to_read(tunnel, session) if outer else self._description)

    def _place(self, tunnel: TunnelStatus, session: SessionStatus) -> tuple[str | None, int, bytes]:
        """The namespace, the netdev's index (0: all of them) and the kernel's filter."""
        options = self.options
        if options.side is Side.INNER:
            if session.netdev is None:
                raise NotFoundError(self._subject, "its netdev is not there", "`l2tpctl restore` brings it back")
            self._ifname = session.netdev.ifname
            # Cut here and not by the kernel, which would count the VLAN tag that it takes off.
            return session.netdev.netns, session.netdev.ifindex, everything(0xFFFFFFFF)
        flow = flow_of(tunnel, session)
        return tunnel.spec.netns, 0, session_program(flow, options.snaplen)

    def _open(self, netns: str | None, ifindex: int, program: bytes) -> socket.socket:
        kind = socket.SOCK_DGRAM if self.options.side is Side.OUTER else socket.SOCK_RAW
        with inside(netns):
            try:
                # Protocol 0: it hears nothing before its filter is there and it is bound.
                sock = socket.socket(socket.AF_PACKET, kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
            except OSError as error:
                if error.errno == errno.EAFNOSUPPORT:
                    raise UnavailableError("capture", "this kernel has no packet sockets (CONFIG_PACKET)") from error
                raise from_errno("capture", "open a packet socket", error.errno or 0) from error
        try:
            attach_filter(sock, program)
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, BUFFER_BYTES)
            sock.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
            sock.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            bind_packets(sock, ifindex)
        except OSError as error:
            sock.close()
            if error.errno == errno.ENODEV:
                raise NotFoundError(self._subject, "its netdev is gone", errno=error.errno) from error
            raise from_errno(self._subject, "capture", error.errno or 0) from error
        return sock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The file descriptor that poll(2) says is readable when packets wait."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stop capturing, and close the socket."""
        self.ended = True
        self._socket.close()
        self._close_expression()

    def _close_expression(self) -> None:
        if self._expression is not None:
            self._expression.close()
            self._expression = None

    def __iter__(self) -> Iterator[bytes]:
        """Pieces of the file, until a limit is reached or the netdev is gone."""
        while not self.ended:
            wait_readable([self._socket], self.wait_s())
            if piece := self.take():
                yield piece

    def wait_s(self) -> float:
        """How long nothing has to be done at most, if no packet comes: then `take` is due all the same."""
        now = time.monotonic()
        due = self._told + _STATISTICS_S
        return max(0.0, (due if self._deadline is None else min(due, self._deadline)) - now)

    def take(self) -> bytes:
        """Give the bytes to add to the file now, which may be none. Does not block. `ended` says that nothing follows.

        The statistics are in it every few seconds, as nobody knows when a file will be cut off.
        """
        parts = [self._head]
        self._head = b""
        for _ in range(BATCH):
            if self._done() or not self._receive(parts):
                break
        now = time.monotonic()
        if self._done():
            self.ended = True
        elif now - self._told >= _STATISTICS_S:
            parts.append(self._statistics())
            self._told = now
        return b"".join(parts)

    def _done(self) -> bool:
        if self.ended or (self._deadline is not None and time.monotonic() >= self._deadline):
            return True
        return self.options.packets is not None and self._seen[3] >= self.options.packets

    def finish(self) -> bytes:
        """The file's end: what was seen, dropped and written. Closes."""
        end = self._head + self._statistics()
        self._head = b""
        self.close()
        return end

    @property
    def counted(self) -> Statistics:
        """The counts so far, of all interfaces together."""
        return Statistics(*self._seen)

    def _receive(self, parts: list[bytes]) -> bool:
        """Take one packet from the kernel; False when there is none."""
        try:
            data, ancillary, _, sender = self._socket.recvmsg(self.options.snaplen, _ANCILLARY_BYTES)
        except BlockingIOError:
            return False
        except UnicodeDecodeError as error:  # Python's own, of the netdev that the packet came by
            problem = "a netdev has a name that is not UTF-8, with which Python can't receive its packets"
            remedy = "`ip link set dev NAME name NEW` renames it; `l2tpctl restore`, where it is a session's"
            raise RefusedError(self._subject, problem, remedy) from error
        except OSError as error:
            if error.errno != errno.ENETDOWN:
                raise from_errno(self._subject, "capture", error.errno or 0) from error
            # It was set down, and may come up again; or it is gone, and the kernel has taken the socket off it.
            self.ended = self.options.side is Side.INNER and not self._socket.getsockname()[0]
            return not self.ended
        time_ns, length, tag = _metadata(ancillary, len(data))
        if tag and self._linktype is LinkType.ETHERNET:
            data, length = data[:12] + tag + data[12:], length + len(tag)
        self._seen[0] += 1
        if self._expression is None or self._expression.matches(data, length):
            self._seen[2] += 1
            self._seen[3] += 1
            ifname, _, packet_type, _, _ = sender
            number = self._number(ifname, parts)
            direction = Direction.OUTBOUND if packet_type == _PACKET_OUTGOING else Direction.INBOUND
            parts.append(pcapng.packet(number, time_ns, data[: self.options.snaplen], length, direction))
        return True

    def _number(self, ifname: str, parts: list[bytes]) -> int:
        """The interface's number in the file; an interface that is new to it is described first."""
        number = self._numbers.get(ifname)
        if number is None:
            number = self._numbers[ifname] = len(self._numbers)
            parts.append(self._interface(ifname))
        return number

    def _interface(self, ifname: str) -> bytes:
        options = self.options
        return pcapng.interface(
            ifname, self._linktype, options.snaplen, description=self._description, expression=options.expression
        )

    def _statistics(self) -> bytes:
        with contextlib.suppress(OSError):
            _, dropped = _statistics.unpack(self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, _statistics.size))
            self._seen[1] += dropped
            self._seen[0] += dropped
        head = b""
        if not self._numbers:  # a statistics block needs an interface to be about
            described: list[bytes] = []
            self._number(self._ifname, described)
            head = b"".join(described)
        return head + pcapng.statistics(0, time.time_ns(), self._begin_ns, self.counted)


def _metadata(ancillary: list[tuple[int, int, bytes]], received: int) -> tuple[int, int, bytes]:
    """Time in nanoseconds, the whole packet's length, the VLAN tag that the kernel took off."""
    time_ns, length, tag = 0, received, b""
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == _TIMESTAMPNS:
            seconds, nanoseconds = _timespec.unpack_from(content)
            time_ns = seconds * 1_000_000_000 + nanoseconds
        elif level == _SOL_PACKET and kind == _PACKET_AUXDATA:
            status, length, _, _, _, tci, tpid = _auxdata.unpack_from(content)
            if status & _VLAN_VALID:
                tag = (tpid if status & _VLAN_TPID_VALID else 0x8100).to_bytes(2, "big") + tci.to_bytes(2, "big")
    return time_ns or time.time_ns(), length, tag


def flow_of(tunnel: TunnelStatus, session: SessionStatus) -> Flow:
    """The session's packets on the underlay. Raises MissingError when the tunnel has no local address (yet)."""
    spec = tunnel.spec
    local = tunnel.local or spec.local
    if local is None:
        raise MissingError(f"tunnel {tunnel.name}", "it has no local address yet", "`l2tpctl restore` brings it back")
    udp, remote = spec.encap is Encap.UDP, spec.remote
    if spec.encrypt is Encrypt.IPSEC:
        problem = "IPsec encrypts its packets before a capture sees them"
        raise UnavailableError(f"tunnel {tunnel.name}", problem, "`--side inner` captures its frames")
    if spec.is_inside and tunnel.encryption is not None:
        local, remote = ip_address(tunnel.encryption.local), ip_address(tunnel.encryption.remote)
    return Flow(
        local=local,
        remote=remote,
        session_id=session.spec.session_id,
        peer_session_id=session.spec.peer_session_id,
        local_port=spec.local_port if udp else 0,
        remote_port=spec.remote_port if udp else 0,
    )


def _how_to_read(tunnel: TunnelStatus, session: SessionStatus) -> str:
    """How to have tshark decode it: a packet does not tell its cookie's length. Both ways may differ in it."""
    cookie = {0: "None", 4: "4 Byte Cookie", 8: "8 Byte Cookie"}[len(session.spec.rx_cookie)]
    sublayer = "None" if session.spec.sublayer.value == "none" else "Default L2-Specific"
    words = [f'-o "l2tp.cookie_size:{cookie}"', f'-o "l2tp.l2_specific:{sublayer}"', "-d l2tp.pw_type==0,eth"]
    if tunnel.spec.encap is Encap.UDP:
        ports = dict.fromkeys((tunnel.spec.local_port, tunnel.spec.remote_port))
        words += [f"-d udp.port=={port},l2tp" for port in ports]
    return f"session {tunnel.name}/{session.name}, outer: tshark {' '.join(words)}"
