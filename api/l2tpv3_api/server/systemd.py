"""Takes sockets from systemd, and tells it the state of the service. sd_listen_fds(3), sd_notify(3)."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Final

_FIRST: Final = 3  # SD_LISTEN_FDS_START


def listen_fds() -> list[socket.socket]:
    """The listening sockets that this process was started with; the environment no longer tells of them then."""
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    found = []
    for fd in range(_FIRST, _FIRST + int(count)):
        os.set_inheritable(fd, False)  # noqa: FBT003 - not a keyword there
        found.append(socket.socket(fileno=fd))
    return found


class Notify:
    """Tells systemd; without one (NOTIFY_SOCKET is not set) it tells nobody."""

    def __init__(self) -> None:
        self._to = os.environ.get("NOTIFY_SOCKET", "")
        interval = os.environ.get("WATCHDOG_USEC", "")
        alive = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(interval) / 2e6 if interval.isdigit() and alive else 0.0
        """How often `alive` has to be called; 0 is never."""

    def ready(self, status: str) -> None:
        """Tell systemd that the service takes requests."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Tell systemd that the service reads its files again; `ready` ends that."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Tell systemd that the service takes no more requests."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """The event loop runs."""
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._to:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.sendto(text.encode(), "\0" + self._to[1:] if self._to.startswith("@") else self._to)
