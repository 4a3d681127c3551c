"""The words of a tunnel and a session, as the command line, files, the store and the API have them, and their values.

Parsers take a value as it was typed or stored, and what it is of; they raise InvalidValueError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface
from typing import Any, TypeVar

from l2tpv3.errors import InvalidValueError
from l2tpv3.model import ids
from l2tpv3.spelling import did_you_mean

IPAddress = IPv4Address | IPv6Address
IPInterface = IPv4Interface | IPv6Interface
Choice = TypeVar("Choice", bound=StrEnum)


class Encap(StrEnum):
    """What carries the data packets: UDP, or IP protocol 115 (RFC 3931 section 4.1)."""

    UDP = "udp"
    IP = "ip"


class Sublayer(StrEnum):
    """The L2-specific sublayer: the 4-byte default one (RFC 3931 section 4.6) or none."""

    DEFAULT = "default"
    NONE = "none"


class Sequencing(StrEnum):
    """Which data packets carry sequence numbers: those sent, those received (required there), both, none."""

    NONE = "none"
    SEND = "send"
    RECV = "recv"
    BOTH = "both"

    @property
    def send(self) -> bool:
        """Whether packets that we send are numbered."""
        return self in (Sequencing.SEND, Sequencing.BOTH)

    @property
    def recv(self) -> bool:
        """Whether packets that we receive must be numbered."""
        return self in (Sequencing.RECV, Sequencing.BOTH)


class Egress(StrEnum):
    """What this end does with the VLAN tag of frames from the tunnel before its netdev sees them (RFC 4719)."""

    REMOVE = "remove"
    REWRITE = "rewrite"


_HOST_NAME = re.compile(r"(?=.*[A-Za-z])(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*\.?")
"""A name of RFC 1123, section 2.1."""


def parse_address(text: Any, what: str) -> IPAddress:
    """An IPv4 or IPv6 address without prefix length; IPv6 may have a `%scope`. No names are looked up."""
    try:
        return ip_address(parse_text(text, what))
    except ValueError:
        raise not_an_address(text, what) from None


def not_an_address(text: str, what: str) -> InvalidValueError:
    """The error for a text that is no IP address; what looks like a host's name is told apart."""
    if _HOST_NAME.fullmatch(text):
        remedy = f"give its address; `getent hosts {text}` prints it"
        return InvalidValueError(what, f"{text!r} is not an IP address: names are not resolved", remedy)
    return InvalidValueError(what, f"{text!r} is not an IP address", "give one as 192.0.2.1 or 2001:db8::1")


def parse_interface(text: Any, what: str) -> IPInterface:
    """An address with its prefix length, as for `ip addr add`; without one it is a host's (/32, /128)."""
    try:
        return ip_interface(parse_text(text, what))
    except ValueError:
        raise InvalidValueError(
            what, f"{text!r} is not an address with prefix length", "give one as 192.0.2.1/24"
        ) from None


def parse_mtu(value: Any, what: str) -> int | None:
    """`auto` (None) or bytes."""
    return None if value == "auto" else _integer(value, what)


def parse_switch(value: Any, what: str) -> bool:
    """`on` or `off`, or a boolean."""
    if isinstance(value, bool):
        return value
    if value not in ("on", "off"):
        raise InvalidValueError(what, f"{value!r} is neither on nor off", "give on or off")
    return bool(value == "on")


def parse_text(value: Any, what: str) -> str:
    """Text, as it is."""
    if not isinstance(value, str):
        raise InvalidValueError(what, f"{value!r} is not text", "give it as a string")
    return value


def _cookie(value: Any, what: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):  # not quoted: it may be a secret all the same
        raise InvalidValueError(what, "not text", "give 8 or 16 hex digits as a string, or none")
    return ids.parse_cookie(value, what)


def _mac(value: Any, what: str) -> str:
    return ids.parse_mac(parse_text(value, what), what)


def _optional_text(value: Any, what: str) -> str | None:
    return None if value is None else parse_text(value, what)


def _integer(value: Any, what: str) -> int:
    if isinstance(value, str):
        return ids.parse_int(value, what)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValueError(what, f"{value!r} is not a whole number", "give digits")
    return value


def _boolean(value: Any, what: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidValueError(what, f"{value!r} is neither true nor false", "give true or false")
    return value


def choice_parser(kind: type[Choice]) -> Callable[[Any, str], Choice]:
    """A parser of an enumeration's values."""

    def parse(value: Any, what: str) -> Choice:
        try:
            return kind(value)
        except ValueError:
            raise InvalidValueError(what, f"{value!r} is unknown", f"give one of {', '.join(kind)}") from None

    return parse


def _addresses(value: Any, what: str) -> tuple[IPInterface, ...]:
    if not isinstance(value, (list, tuple)):
        raise InvalidValueError(what, f"{value!r} is not a list", "give a list of addresses with prefix lengths")
    return tuple(parse_interface(item, what) for item in value)


def optional(parse: Any) -> Any:
    """A parser that takes None as well."""
    return lambda value, what: None if value is None else parse(value, what)


# word → (field, parser)
_TUNNEL_WORDS: dict[str, tuple[str, Any]] = {
    "name": ("name", parse_text),
    "remote": ("remote", parse_address),
    "local": ("local", optional(parse_address)),
    "encap": ("encap", choice_parser(Encap)),
    "id": ("tunnel_id", _integer),
    "peer-id": ("peer_tunnel_id", _integer),
    "local-port": ("local_port", _integer),
    "remote-port": ("remote_port", _integer),
    "udp-checksum": ("udp_checksum", parse_switch),
    "datapath": ("datapath", parse_text),
    "netns": ("netns", _optional_text),
}
_SESSION_WORDS: dict[str, tuple[str, Any]] = {
    "name": ("name", parse_text),
    "ifname": ("ifname", parse_text),
    "id": ("session_id", _integer),
    "peer-id": ("peer_session_id", _integer),
    "tx-cookie": ("tx_cookie", _cookie),
    "rx-cookie": ("rx_cookie", _cookie),
    "sublayer": ("sublayer", choice_parser(Sublayer)),
    "sequencing": ("sequencing", choice_parser(Sequencing)),
    "reorder-timeout-ms": ("reorder_timeout_ms", _integer),
    "vlan": ("vlan", optional(_integer)),
    "egress": ("egress", choice_parser(Egress)),
    "mtu": ("mtu", parse_mtu),
    "mac": ("mac", optional(_mac)),
    "netns": ("netns", _optional_text),
    "address": ("addresses", _addresses),
    "bridge": ("bridge", _optional_text),
    "up": ("up", _boolean),
}

SESSION_FIELDS = {word: field for word, (field, _) in _SESSION_WORDS.items()}
"""A session's words → the fields of SessionSpec."""


def tunnel_fields(words: Mapping[str, Any]) -> dict[str, Any]:
    """Some of a TunnelSpec's fields, parsed, from some of its words: what `set` and `add` start from."""
    return _fields(words, _TUNNEL_WORDS, "tunnel")


def session_fields(words: Mapping[str, Any]) -> dict[str, Any]:
    """Some of a SessionSpec's fields, parsed, from some of its words: what `set` and `add` start from."""
    return _fields(words, _SESSION_WORDS, "session")


def session_word(field: str) -> str:
    """The word for a field of SessionSpec: what a user calls it."""
    return next((word for word, (name, _) in _SESSION_WORDS.items() if name == field), field)


def _fields(words: Mapping[str, Any], table: dict[str, tuple[str, Any]], kind: str) -> dict[str, Any]:
    unknown = sorted(set(words) - set(table))
    if unknown:
        remedy = did_you_mean(unknown[0], table, f"known are {', '.join(table)}")
        raise InvalidValueError(kind, f"unknown key {unknown[0]!r}", remedy)
    name = words.get("name", "")
    here = f"{kind} {name}" if name else kind
    result: dict[str, Any] = {}
    for word, value in words.items():
        field, parse = table[word]
        result[field] = parse(value, f"{here}: --{word}")
    return result
