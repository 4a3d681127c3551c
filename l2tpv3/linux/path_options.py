"""Socket options that choose by which path a socket's packets leave this host (socket(7))."""

from __future__ import annotations

import socket
import sys


def choose_path(sock: socket.socket, mark: int, device: str | None) -> None:
    """Mark a socket's packets, and have them sent and received by one netdev of its namespace alone.

    mark: 0 for none. device: its name; None for any. To be called before bind and connect, which ask for the route.
    Raises OSError: ENODEV (no such netdev), EPERM (marks take CAP_NET_ADMIN).
    """
    if mark:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark.to_bytes(4, sys.byteorder))
    if device is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())


def bound_device(sock: socket.socket) -> str:
    """The present name of the netdev that a socket is bound to; "" for none, or for one that is gone.

    A netdev that is deleted and made again is another one, to which the socket is not bound.
    """
    try:
        name = sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
    except OSError:  # ENODEV: sock_getbindtodevice() in net/core/sock.c
        return ""
    return name.rstrip(b"\0").decode("utf-8", "replace")
