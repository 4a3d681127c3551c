"""The types of the values of fields (l2tpv3/model/fields.py): how each is parsed and formatted.

Parsers take a value as it was typed or stored, and what it is of; they raise InvalidValueError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface
from typing import Any, NamedTuple, TypeVar

from l2tpv3.errors import InvalidValueError
from l2tpv3.model import ids
from l2tpv3.model.fields import NAME, SESSION, TUNNEL, Field, by_word
from l2tpv3.spelling import did_you_mean

IPAddress = IPv4Address | IPv6Address
IPInterface = IPv4Interface | IPv6Interface
Choice = TypeVar("Choice", bound=StrEnum)


class Encap(StrEnum):
    """The protocol that carries data packets: UDP, or IP protocol 115 (RFC 3931 section 4.1)."""

    UDP = "udp"
    IP = "ip"


class Encrypt(StrEnum):
    """What encrypts a tunnel's packets: nothing, WireGuard around them, or IPsec."""

    NONE = "none"
    WIREGUARD = "wireguard"
    IPSEC = "ipsec"


class IkeAuth(StrEnum):
    """How the ends of an IPsec tunnel know each other: by a key that both have, or by certificates."""

    PRE_SHARED_KEY = "pre-shared-key"
    CERTIFICATE = "certificate"


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
    """The way this end treats the VLAN tag of frames from the tunnel, before its netdev sees them (RFC 4719)."""

    REMOVE = "remove"
    REWRITE = "rewrite"


class Df(StrEnum):
    """Whether IP fragments may be made of the outer packets: yes, no, or as the IP packet in each frame says."""

    OFF = "off"
    ON = "on"
    INHERIT = "inherit"


_HOST_NAME = re.compile(r"(?=.*[A-Za-z])(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*\.?")
"""A name of RFC 1123, section 2.1."""


def is_host_name(text: str) -> bool:
    """Whether a text may be a DNS name, and is no address. What a name stands for is not looked up."""
    return _HOST_NAME.fullmatch(text) is not None


def parse_host_name(text: Any, what: str) -> str:
    """A DNS name. Raises InvalidValueError for another text."""
    if not is_host_name(parse_text(text, what)):
        raise InvalidValueError(what, f"{text!r} is not a DNS name", "give one as siteb.example.net")
    return str(text)


def with_remote_name(words: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tunnel's words; where `remote` is a name and no address, that name is its `remote-name`, with no `remote`."""
    remote = words.get("remote")
    if not isinstance(remote, str) or not is_host_name(remote):
        return words
    return {**{word: value for word, value in words.items() if word != "remote"}, "remote-name": remote}


def address_of_nobody(version: int) -> IPAddress:
    """What stands for a peer's address that is not known, where words are checked.

    240.0.0.0/4 and the discard prefix 100::/64 (RFC 6666) are nobody's.
    """
    return IPv4Address("240.0.0.1") if version == 4 else IPv6Address("100::1")


def parse_address(text: Any, what: str) -> IPAddress:
    """An IPv4 or IPv6 address without prefix length; IPv6 may have a `%scope`. No names are looked up.

    Raises InvalidValueError for another text.
    """
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
    """An address with its prefix length, as for `ip addr add`; without one it is a host's (/32, /128).

    Raises InvalidValueError for another text.
    """
    try:
        return ip_interface(parse_text(text, what))
    except ValueError:
        raise InvalidValueError(
            what, f"{text!r} is not an address with prefix length", "give one as 192.0.2.1/24"
        ) from None


def parse_switch(value: Any, what: str) -> bool:
    """`on` or `off`, or a boolean. Raises InvalidValueError for another value."""
    if isinstance(value, bool):
        return value
    if value not in ("on", "off"):
        raise InvalidValueError(what, f"{value!r} is neither on nor off", "give on or off")
    return bool(value == "on")


def parse_text(value: Any, what: str) -> str:
    """Text, as it is. Raises InvalidValueError for anything else."""
    if not isinstance(value, str):
        raise InvalidValueError(what, f"{value!r} is not text", "give it as a string")
    return value


class ValueType(NamedTuple):
    """The type of a field's values.

    parse: from a value as typed or stored, what it is called, and its field, to the value. Raises InvalidValueError.
    format: from a value to what JSON and TOML can say; None: it is that already.
    check: raises InvalidValueError where a value, of which the other two are given too, is none that can be meant.
    """

    parse: Callable[[Any, str, Field], Any]
    format: Callable[[Any], Any] | None = None
    check: Callable[[Any, str, Field], object] | None = None


def _integer(value: Any, what: str, field: Field) -> int:
    bounds = {} if field.low is None else {"remedy": _bounds(field)}
    if isinstance(value, str):
        return ids.parse_int(value, what, **bounds)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValueError(what, f"{value!r} is not a whole number", bounds.get("remedy", "give digits"))
    return value


def _bounds(field: Field) -> str:
    """The remedy for a number that can't be meant: what a field takes."""
    instead = {"vlan": ", or none", "mtu": ", or auto", "dscp": ", or inherit"}.get(field.word, "")
    return f"give {field.low} to {field.high}{instead}"


def _check_bounds(value: int, what: str, field: Field) -> None:
    assert field.low is not None and field.high is not None
    if not field.low <= value <= field.high:
        raise InvalidValueError(what, f"{value} is out of range", _bounds(field))


def _number(value: Any, what: str, field: Field) -> int:
    """A whole number within its bounds, in decimal digits."""
    assert field.low is not None and field.high is not None
    text = str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or not field.low <= int(text) <= field.high:
        unit = field.unit and f" {field.unit}"
        raise InvalidValueError(what, f"{value!r} is out of range", f"give {field.low} to {field.high}{unit}")
    return int(text)


def _check_endpoint(address: IPAddress, what: str, field: Field) -> None:
    if address.is_multicast or address.is_unspecified or address == IPv4Address("255.255.255.255"):
        raise InvalidValueError(what, f"{address} is not a host's address", "give a unicast address")
    if isinstance(address, IPv6Address) and address.is_link_local and not address.scope_id:
        raise InvalidValueError(what, f"{address} is link-local", f"say on which netdev: {address}%NETDEV")
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        raise InvalidValueError(what, f"{address} is an IPv4 address in disguise", f"give {address.ipv4_mapped}")


def _cookie(value: Any, what: str, field: Field) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):  # not quoted: it may be a secret all the same
        raise InvalidValueError(what, "not text", "give 8 or 16 hex digits as a string, or none")
    return ids.parse_cookie(value, what)


def _key(value: Any, what: str, field: Field) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):  # not quoted: it may be a secret all the same
        raise InvalidValueError(what, "not text", "give 44 characters of base64 as a string")
    return ids.parse_public_key(value, what) if field.word == "peer-public-key" else ids.parse_key(value, what)


def _pre_shared_key(value: Any, what: str, field: Field) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):  # not quoted: it may be a secret all the same
        raise InvalidValueError(what, "not text", "give 8 to 128 characters as a string")
    return ids.parse_pre_shared_key(value, what)


def _probe(value: Any, what: str, field: Field) -> str:
    """`none`, `bfd`, or `icmp:` or `bfd:` and an address behind the session."""
    kind, _, address = parse_text(value, what).partition(":")
    if value in ("none", "bfd"):
        return str(value)
    if kind not in ("icmp", "bfd") or not address:
        remedy = "give none, bfd, icmp:ADDR or bfd:ADDR, as in icmp:10.9.0.2"
        raise InvalidValueError(what, f"{value!r} is unknown", remedy)
    found = parse_address(address, what)
    if isinstance(found, IPv6Address) and found.scope_id:
        remedy = f"leave it out: {kind}:{str(found).partition('%')[0]}"
        raise InvalidValueError(what, f"{found} names a netdev, and probes go by the session's", remedy)
    if found.is_multicast or found.is_unspecified or found == IPv4Address("255.255.255.255"):
        raise InvalidValueError(what, f"{found} is not a host's address", "give a unicast address")
    return f"{kind}:{found}"


def _session_name(value: Any, what: str, field: Field) -> str:
    """A tunnel's name and a session's."""
    tunnel, slash, session = parse_text(value, what).partition("/")
    if not slash or not ids.is_name(tunnel) or not ids.is_name(session):
        raise InvalidValueError(
            what, f"{value!r} names no session", "give TUNNEL/SESSION, as in `l2tpctl session show`"
        )
    return f"{tunnel}/{session}"


def _on_dead(value: Any, what: str, field: Field) -> str:
    """`nothing`, `carrier`, or `hook:` and the name of a file."""
    kind, _, name = parse_text(value, what).partition(":")
    if value in ("nothing", "carrier"):
        return str(value)
    if kind != "hook" or not ids.is_name(name):
        remedy = "give nothing, carrier, or hook:NAME, where NAME is that of a file, without its folder"
        raise InvalidValueError(what, f"{value!r} is unknown", remedy)
    return f"hook:{name}"


def _boolean(value: Any, what: str, field: Field) -> bool:
    if not isinstance(value, bool):
        raise InvalidValueError(what, f"{value!r} is neither true nor false", "give true or false")
    return value


def _interfaces(value: Any, what: str, field: Field) -> tuple[IPInterface, ...]:
    if not isinstance(value, (list, tuple)):
        raise InvalidValueError(what, f"{value!r} is not a list", "give a list of addresses with prefix lengths")
    return tuple(parse_interface(item, what) for item in value)


def _as_texts(values: Iterable[Any]) -> list[str]:
    return [str(value) for value in values]


def texts(parse_one: Callable[[str, str], Any]) -> ValueType:
    """A list of texts; one text is a list of those that commas separate."""

    def parse(value: Any, what: str, field: Field) -> tuple[Any, ...]:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
            raise InvalidValueError(what, f"{value!r} is not a list of texts", "separate them by commas")
        found = tuple(parse_one(item.strip(), what) for item in items if item.strip())
        if len(set(found)) < len(found):
            raise InvalidValueError(what, f"{value!r} names one twice", "name each once")
        return found

    return ValueType(parse, _as_texts)


def choice(kind: type[Choice]) -> ValueType:
    """The type of a field whose value is a member of an enumeration."""

    def parse(value: Any, what: str, field: Field) -> Choice:
        try:
            return kind(value)
        except ValueError:
            raise InvalidValueError(what, f"{value!r} is unknown", f"give one of {', '.join(kind)}") from None

    return ValueType(parse, str)


def _text(value: Any, what: str, field: Field) -> str | None:
    """A text; of an optional field, an empty one is none."""
    return parse_text(value, what) or (None if field.optional else "")


def _check_text(value: str, what: str, field: Field) -> None:
    if field.high is not None and len(value) > field.high:
        raise InvalidValueError(what, f"a text of {len(value)} characters", f"{field.high} are the most")
    if not value.isprintable():
        raise InvalidValueError(what, f"{value!r} has characters that can't be printed", "leave them out")


_PLAIN = ValueType(lambda value, what, field: parse_text(value, what))
_NUMBER = ValueType(_number)

TYPES: Mapping[str, ValueType] = {
    "text": ValueType(_text, check=_check_text),
    "address": ValueType(lambda value, what, field: parse_address(value, what), str, _check_endpoint),
    "host-name": ValueType(lambda value, what, field: parse_host_name(value, what)),
    "id": ValueType(_integer, check=lambda value, what, field: ids.check_id(value, what)),
    "port": ValueType(_integer, check=lambda value, what, field: ids.check_port(value, what)),
    "integer": ValueType(_integer, check=_check_bounds),
    "number": _NUMBER,
    "on-off": ValueType(lambda value, what, field: parse_switch(value, what), lambda value: "on" if value else "off"),
    "switch": ValueType(lambda value, what, field: parse_switch(value, what)),
    "boolean": ValueType(_boolean),
    "netns": _PLAIN._replace(check=lambda value, what, field: ids.check_netns(value, what)),
    "ifname": _PLAIN._replace(check=lambda value, what, field: ids.parse_ifname(value, what)),
    "cookie": ValueType(_cookie, ids.format_cookie, lambda value, what, field: ids.check_cookie(value, what)),
    "key": ValueType(_key, ids.format_key, lambda value, what, field: ids.check_key(value, what)),
    "pre-shared-key": ValueType(
        _pre_shared_key,
        ids.format_pre_shared_key,
        lambda value, what, field: ids.check_pre_shared_key(value, what),
    ),
    "mac": ValueType(
        lambda value, what, field: ids.parse_mac(parse_text(value, what), what),
        check=lambda value, what, field: ids.parse_mac(value, what),
    ),
    "probe": ValueType(_probe),
    "on-dead": ValueType(_on_dead),
    "session-name": ValueType(_session_name),
    "mtu": ValueType(
        lambda value, what, field: None if value == "auto" else _integer(value, what, field),
        lambda value: "auto" if value is None else value,
        lambda value, what, field: None if value is None else _check_bounds(value, what, field),
    ),
    "interfaces": ValueType(_interfaces, _as_texts),
    "dscp": ValueType(
        lambda value, what, field: None if value == "inherit" else _integer(value, what, field),
        lambda value: "inherit" if value is None else value,
        lambda value, what, field: None if value is None else _check_bounds(value, what, field),
    ),
    "link-mtu": ValueType(
        lambda value, what, field: None if value in (None, "auto") else _number(value, what, field),
        lambda value: "auto" if value is None else value,
        lambda value, what, field: None if value is None else _check_bounds(value, what, field),
    ),
    "link-interfaces": texts(parse_interface),
    "Encap": choice(Encap),
    "Encrypt": choice(Encrypt),
    "IkeAuth": choice(IkeAuth),
    "Sublayer": choice(Sublayer),
    "Sequencing": choice(Sequencing),
    "Egress": choice(Egress),
    "Df": choice(Df),
}
"""The types of fields by their names; those of links alone are in l2tpv3/model/links/options.py."""


def parse(field: Field, value: Any, what: str, types: Mapping[str, ValueType] = TYPES) -> Any:
    """A field's value from what was typed or stored. what: what an error calls it. Raises InvalidValueError."""
    if value is None and field.optional:
        return None
    try:
        return types[field.type].parse(value, what, field)
    except InvalidValueError as error:
        error.field = field.word
        raise


def formatted(field: Field, value: Any, types: Mapping[str, ValueType] = TYPES) -> Any:
    """A field's value as JSON and TOML can say it; `parse` takes it back."""
    form = types[field.type].format
    return value if form is None or (value is None and field.optional) else form(value)


def parse_words(
    words: Mapping[str, Any], fields: Mapping[str, Field], what: str, types: Mapping[str, ValueType] = TYPES
) -> dict[str, Any]:
    """Values by their fields' attributes, from values by their words, as typed or stored.

    what: what an error calls the whole. Raises InvalidValueError, also for a word that is none of the fields.
    """
    result: dict[str, Any] = {}
    for word, value in words.items():
        field = fields.get(word)
        if field is None:
            remedy = did_you_mean(word, fields, f"known are {', '.join(fields)}")
            raise InvalidValueError(what, f"unknown key {word!r}", remedy, field=word)
        result[field.attribute] = parse(field, value, f"{what}: --{word}", types)
    return result


def format_words(of: object, fields: Iterable[Field], types: Mapping[str, ValueType] = TYPES) -> dict[str, Any]:
    """The inverse of parse_words: what JSON and TOML can say, by the words, of an object with the attributes."""
    return {field.word: formatted(field, getattr(of, field.attribute), types) for field in fields}


def check_words(of: object, fields: Iterable[Field], what: str, types: Mapping[str, ValueType] = TYPES) -> None:
    """Raise InvalidValueError for the first attribute of an object that can't be meant. what: what it calls that."""
    for field in fields:
        check = types[field.type].check
        if check is None:
            continue
        value = getattr(of, field.attribute)
        if value is None and field.optional:
            continue
        try:
            check(value, f"{what}: --{field.word}", field)
        except InvalidValueError as error:
            error.field = field.word
            raise


def check_name(name: str, what: str) -> None:
    """Raise InvalidValueError for what no tunnel, session or link can be called. what: what an error calls the name."""
    try:
        ids.parse_name(name, what)
    except InvalidValueError as error:
        error.field = NAME.word
        raise


TUNNEL_FIELDS = by_word((NAME, *TUNNEL))
SESSION_FIELDS = by_word((NAME, *SESSION))
"""All words of a tunnel and of a session, with the name, by the word."""


def tunnel_attributes(words: Mapping[str, Any]) -> dict[str, Any]:
    """Some of a TunnelSpec's attributes, from some of its words: what `set` and `add` start from.

    A name as `remote` gives `remote_name` alone. Raises InvalidValueError.
    """
    return parse_words(with_remote_name(words), TUNNEL_FIELDS, f"tunnel {words.get('name', '')}".strip())


def session_attributes(words: Mapping[str, Any]) -> dict[str, Any]:
    """Some of a SessionSpec's attributes, from some of its words: what `set` and `add` start from.

    Raises InvalidValueError.
    """
    return parse_words(words, SESSION_FIELDS, f"session {words.get('name', '')}".strip())
