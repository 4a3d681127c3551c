"""Who is at the other end of a unix socket, and where that process runs."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

from l2tpv3.linux.netns import same_netns


def peer_pid(one: socket.socket) -> int:
    """The process at the other end of a unix socket (unix(7), SO_PEERCRED)."""
    return int(struct.unpack("=iII", one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])


def runs_in(process: Path, netns: str | None) -> bool:
    """Whether that folder of /proc is of a process that runs in that network namespace, as this one's user."""
    try:
        owner = process.stat().st_uid
    except OSError:
        return False
    return owner == os.geteuid() and same_netns(str(process / "ns/net"), netns)
