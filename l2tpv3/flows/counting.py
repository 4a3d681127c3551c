"""Counts the flows of one netdev: a packet socket whose filter is the program, and the map that it counts in."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Final

from l2tpv3.errors import L2tpError, NotPermittedError, UnavailableError, from_errno
from l2tpv3.flows.program import COUNTS, KEY, REST, flow_program
from l2tpv3.linux.bpf import syscall
from l2tpv3.linux.netns import inside
from l2tpv3.linux.packet_socket import bind_packets
from l2tpv3.model.status import NetdevState

FLOWS: Final = 2048
"""So many flows are told apart; what belongs to further ones is counted as one."""
_FULL: Final = FLOWS * 3 // 4
"""From so many on, those that have stood still are forgotten, to make room."""
_SO_ATTACH_BPF: Final = 50  # asm-generic/socket.h

Counted = Mapping[bytes, tuple[int, int]]
"""Packets and bytes by a flow's key, see program.KEY."""


class FlowCounter:
    """Counts from when it is entered until it is left. Use it in a `with` block.

    Entering raises UnavailableError where the kernel has no eBPF, or an old one; NotPermittedError, NotFoundError.
    """

    def __init__(self, netdev: NetdevState) -> None:
        self._netdev = netdev
        self._last: Counted = {}

    def __enter__(self) -> FlowCounter:
        if not syscall.available():
            raise UnavailableError("flows", "bpf(2) has no number that is known for this machine", _INSTEAD)
        with contextlib.ExitStack() as stack:
            try:
                self._map = syscall.create_map("l2tpv3_flows", KEY.size, COUNTS.size, FLOWS)
                stack.callback(os.close, self._map)
                syscall.put(self._map, REST, bytes(COUNTS.size))
                program = syscall.load("l2tpv3_flows", flow_program(self._map), syscall.SOCKET_FILTER)
                stack.callback(os.close, program)
                self._open(program, stack)
                os.close(program)  # the socket has it
            except OSError as error:
                raise _refused(self._netdev, error) from error
            stack.pop_all()
        return self

    def _open(self, program: int, stack: contextlib.ExitStack) -> None:
        with inside(self._netdev.netns):
            kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            self._packets = stack.enter_context(socket.socket(socket.AF_PACKET, kind, 0))
        self._packets.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_BPF, program)
        bind_packets(self._packets, self._netdev.ifindex)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._packets.close()
        os.close(self._map)

    def counted(self) -> Counted:
        """What was counted so far, by flow; a flow that stood still may be forgotten. Raises OSError."""
        keys, values = syscall.entries(self._map, KEY.size, COUNTS.size, FLOWS)
        places = range(0, len(keys), KEY.size)
        now = {keys[at : at + KEY.size]: one for at, one in zip(places, COUNTS.iter_unpack(values), strict=True)}
        if len(now) > _FULL:
            for key, counts in now.items():
                if key != REST and self._last.get(key) == counts:
                    syscall.remove(self._map, key)
        self._last = now
        return now


_INSTEAD: Final = "`l2tpctl capture` shows the frames themselves"


def _refused(netdev: NetdevState, error: OSError) -> L2tpError:
    """Why flows can't be counted, in a sentence."""
    if error.errno in (errno.EPERM, errno.EACCES):
        remedy = "run as root, or with CAP_BPF and CAP_NET_RAW"
        return NotPermittedError("flows", "eBPF and packet sockets are not allowed to this process", remedy)
    if error.errno in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
        problem = "this kernel has no eBPF that can count them (CONFIG_BPF_SYSCALL, Linux 5.10)"
        return UnavailableError("flows", problem, _INSTEAD)
    return from_errno(f"netdev {netdev.ifname}", "count its flows", error.errno or 0)
