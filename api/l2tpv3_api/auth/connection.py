"""The facts about a connection's other end that the kernel and TLS tell, before it says anything."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import HTTPConnection

from l2tpv3_api.auth.peercred import Peer

STATE: Final = "l2tpv3_client"
"""The name under which `request.state` has it. Nothing that a client sends gets there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """peer: of a unix socket. address: of TCP. certificate: verified, as SSLSocket.getpeercert() has it.

    server_name: what the client's TLS asked for (SNI), in lower case. proxy: it came by the socket for a proxy, so that
    nothing is known of whoever asks.
    """

    peer: Peer | None = None
    address: str = ""
    encrypted: bool = False
    certificate: Mapping[str, Any] | None = None
    server_name: str = ""
    proxy: bool = False

    @property
    def unix(self) -> bool:
        """Whether it came by the unix socket."""
        return not self.address

    @property
    def key(self) -> str:
        """The key under which connections and unknown clients are counted: a user, an IPv4 address, an IPv6 network
        (/64).
        """
        if self.peer is not None:
            return f"uid:{self.peer.uid}"
        if self.proxy:
            return "proxy"
        try:
            address = ipaddress.ip_address(self.address.partition("%")[0])
        except ValueError:
            return "unknown"
        if address.version == 4:
            return str(address)
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))

    def __str__(self) -> str:
        if self.peer is not None:
            return f"uid {self.peer.uid} pid {self.peer.pid}"
        return self.address or ("a proxy" if self.proxy else "a unix socket")


_UNKNOWN: Final = Connection()


def client_of(request: HTTPConnection) -> Connection:
    """The client of a request; one of whom nothing is known where another server than ours took it."""
    found = request.scope.get("state", {}).get(STATE)
    return found if isinstance(found, Connection) else _UNKNOWN
