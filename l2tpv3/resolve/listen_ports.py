"""Chooses the UDP port of a tunnel's WireGuard: the lowest free one from 51820 on."""

from __future__ import annotations

import errno
import socket
from collections.abc import Container

from l2tpv3.errors import ConflictError
from l2tpv3.linux.netns import inside, netns_identity
from l2tpv3.model.wireguard import LISTEN_PORT

_PORT_MAX = 65535
_ANY = ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))
"""WireGuard listens on all addresses of both families (drivers/net/wireguard/socket.c wg_socket_init())."""


def lowest_listen_port(netns: str | None, taken: Container[int | None]) -> int:
    """The lowest port that is not `taken`, and that no program has in that namespace. Raises ConflictError."""
    if netns_identity(netns) is None:
        return next(port for port in range(LISTEN_PORT, _PORT_MAX + 1) if port not in taken)  # nobody is there yet
    with inside(netns):
        for port in range(LISTEN_PORT, _PORT_MAX + 1):
            if port not in taken and not any(_is_in_use(family, address, port) for family, address in _ANY):
                return port
    raise ConflictError("--listen-port", f"no UDP port from {LISTEN_PORT} on is free", "give a lower one")


def _is_in_use(family: int, address: str, port: int) -> bool:
    """Whether a socket can't be bound to the port. A kernel without that family counts as free."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, port))
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False
