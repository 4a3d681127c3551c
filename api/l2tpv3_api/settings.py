"""The settings of the service, which are fixed when it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from l2tpv3.errors import InvalidValueError
from l2tpv3_api.auth.identity import Scope
from l2tpv3_api.limits import Limits


class LogFormat(StrEnum):
    """AUTO is the journal's own protocol where stderr is the journal, else JSON, unless stderr is a terminal."""

    AUTO = "auto"
    JOURNAL = "journal"
    JSON = "json"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Address:
    """An address to listen on by TCP: a host's name or address, and a port; port 0 stands for any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """unix: the socket's path, None for none. proxy_unix: the same of the one for a reverse proxy. listen: TCP.

    tls_*, client_ca: PEM files.
    clients: scopes by the names in client certificates. others_read: local users outside the group may read.
    host_names: what the service may be called in a URL, besides addresses, localhost and the certificate's names.
    fleet: the file that states a fleet to look at.
    insecure_plain_http: TCP without TLS beyond loopback is meant.
    """

    unix: Path | None = None
    proxy_unix: Path | None = None
    listen: tuple[Address, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    clients: Mapping[str, frozenset[Scope]] = field(default_factory=dict)
    others_read: bool = False
    host_names: frozenset[str] = frozenset()
    insecure_plain_http: bool = False
    fleet: Path | None = None
    log_format: LogFormat = LogFormat.AUTO
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Raises InvalidValueError where options contradict each other."""
        if self.proxy_unix is not None and self.proxy_unix == self.unix:
            problem = "is the same socket as --unix"
            remedy = "give it a path of its own: whoever asks by a proxy must not be taken for the proxy"
            raise InvalidValueError("--proxy-unix", problem, remedy)
        if self.tls_key is not None and self.tls_cert is None:
            raise InvalidValueError("--tls-key", "is given without --tls-cert", "give both, or one file with both")
        if self.client_ca is not None and self.tls_cert is None:
            raise InvalidValueError("--client-ca", "is given without --tls-cert", "client certificates need TLS")
        if bool(self.clients) != (self.client_ca is not None):
            given, lacking = ("--client", "--client-ca") if self.clients else ("--client-ca", "--client")
            remedy = "a certificate needs a CA to check it by, and a scope for its name"
            raise InvalidValueError(given, f"is given without {lacking}", remedy)


def parse_address(text: str, option: str = "--listen") -> Address:
    """`HOST:PORT`, `[IPV6]:PORT` or `PORT`, which is on 127.0.0.1. Raises InvalidValueError."""
    host, colon, port = text.rpartition(":")
    if not colon:
        host = "127.0.0.1"
    elif host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise InvalidValueError(option, f"{text!r} is ambiguous", "put an IPv6 address in brackets: [::1]:8443")
    if not host or not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise InvalidValueError(option, f"{text!r} is not HOST:PORT", "for instance 127.0.0.1:8080 or [::]:8443")
    return Address(host, int(port))
