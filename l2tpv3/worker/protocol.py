"""Lists every operation that a worker can be asked for, with the fields of requests and answers, and their values.

Both sides check each message against this before they use it, and refuse a field or an operation that is not here. So a
command and a worker of different versions never half understand each other: a worker that does not know a field would
leave out what the field asks for, and nobody would notice. Whoever changes what is below also raises PROTOCOL.

A worker parses frames from the network and may be taken over: to the privileged side its answers are a stranger's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from l2tpv3.wire.vlan import VLAN_MAX

PROTOCOL: Final = 9
"""The version of all this. 1 was before there was a handshake."""

HELLO: Final = "hello"
"""The first request on a connection, and its answer, say the PROTOCOL of each side: these two fields never change.

Until both are equal a worker does nothing else but `quit`.
"""
QUIT: Final = "quit"

Check = Callable[[Any], None]
"""Raises BadFieldError unless the value is one that is meant."""


class BadFieldError(ValueError):
    """A value is not what it may be. path: from the message to the value, the inmost name first."""

    def __init__(self, problem: str, *path: str) -> None:
        super().__init__(problem, *path)
        self.problem, self.path = problem, path

    def __str__(self) -> str:
        return f"{'.'.join(reversed(self.path))} {self.problem}".strip()


def _bad(value: Any, wanted: str) -> BadFieldError:
    return BadFieldError(f"is {ascii(value)[:60]}, not {wanted}")


def number(maximum: int) -> Check:
    """A whole number from 0 to `maximum`."""

    def check(value: Any) -> None:
        if type(value) is not int or not 0 <= value <= maximum:
            raise _bad(value, f"a number from 0 to {maximum}")

    return check


def flag(value: Any) -> None:
    """Check that a field is true or false. Raises BadFieldError."""
    if value is not True and value is not False:
        raise _bad(value, "true or false")


def text(longest: int) -> Check:
    """A string of at most so many characters, whatever they are: it is escaped where it is shown."""

    def check(value: Any) -> None:
        if type(value) is not str or len(value) > longest:
            raise _bad(value, f"text of at most {longest} characters")

    return check


def one_of(*words: str) -> Check:
    """A check for one of these words."""

    def check(value: Any) -> None:
        if type(value) is not str or value not in words:
            raise _bad(value, f"one of {', '.join(words)}")

    return check


def cookie(value: Any) -> None:
    """0, 4 or 8 bytes in hex. What it is stays out of the error, which a log may keep: it is a secret.

    Raises BadFieldError for anything else.
    """
    if type(value) is not str or len(value) not in (0, 8, 16) or not set(value) <= set("0123456789abcdefABCDEF"):
        raise BadFieldError("is no cookie of 0, 4 or 8 bytes in hex")


def optional(check: Check) -> Check:
    """A check that accepts null, or what another check accepts."""

    def check_optional(value: Any) -> None:
        if value is not None:
            check(value)

    return check_optional


def many(check: Check, most: int = 1 << 20) -> Check:
    """A list of at most `most` such values."""

    def check_many(value: Any) -> None:
        if type(value) is not list or len(value) > most:
            raise BadFieldError(f"is no list of at most {most}")
        for index, one in enumerate(value):
            try:
                check(one)
            except BadFieldError as error:
                raise BadFieldError(error.problem, *error.path, str(index)) from None

    return check_many


def row(*checks: Check) -> Check:
    """A list of just these."""

    def check_row(value: Any) -> None:
        if type(value) is not list or len(value) != len(checks):
            raise _bad(value, f"a list of {len(checks)}")
        for check, one in zip(checks, value, strict=True):
            check(one)

    return check_row


def record(fields: Mapping[str, Check]) -> Check:
    """An object with just these fields."""
    names = fields.keys()

    def check_record(value: Any) -> None:
        if type(value) is not dict:
            raise _bad(value, "an object")
        if value.keys() != names:
            raise _wrong_names(value.keys() - names, names - value.keys())
        for name, check in fields.items():
            try:
                check(value[name])
            except BadFieldError as error:
                raise BadFieldError(error.problem, *error.path, name) from None

    return check_record


def _wrong_names(unknown: set[str], missing: set[str]) -> BadFieldError:
    if unknown:
        return BadFieldError(f"unknown field {ascii(min(unknown))[:60]}")
    return BadFieldError(f"field {min(missing)} is missing")


_BITS_16, _BITS_32, _BITS_64 = (number((1 << bits) - 1) for bits in (16, 32, 64))
_NAME, _LONG = text(255), text(4096)

_NETNS = row(_BITS_64, _BITS_64)
_KEY: Final = {"netns": _NETNS, "tunnel_id": _BITS_32}
_TUNNEL: Final[dict[str, Check]] = {
    "name": _NAME,
    "netns": _NETNS,
    "netns_name": optional(_LONG),
    "tunnel_id": _BITS_32,
    "peer_tunnel_id": _BITS_32,
    "encap": one_of("udp", "ip"),
    "local": _NAME,
    "remote": _NAME,
    "local_port": _BITS_16,
    "remote_port": _BITS_16,
    "udp_checksum": flag,
    "ttl": number(255),
    "dscp": number(64),
    "df": one_of("off", "on", "inherit"),
    "fwmark": _BITS_32,
    "bind_device": _NAME,
}
_SESSION: Final[dict[str, Check]] = {
    "name": _NAME,
    "session_id": _BITS_32,
    "peer_session_id": _BITS_32,
    "ifname": _NAME,
    "tx_cookie": cookie,
    "rx_cookie": cookie,
    "sublayer": one_of("default", "none"),
    "send_seq": flag,
    "recv_seq": flag,
    "reorder_timeout_ms": _BITS_32,
    "mtu": _BITS_32,
    "vlan": number(VLAN_MAX),
    "rewrite": flag,
    "fragment": flag,
    "probe_interval_ms": number(60_000),
    "probe_multiplier": number(255),
    "carrier": flag,
    "backup": _LONG,
    "revert_delay_s": _BITS_32,
}
_SESSION_COUNTERS: Final = (
    "tx_packets", "tx_bytes", "tx_errors", "rx_packets", "rx_bytes", "rx_errors", "rx_seq_discards", "rx_oos_packets",
    "rx_cookie_discards", "rx_invalid", "tx_fragments", "rx_fragments", "rx_reassembled", "rx_incomplete",
    "rx_too_long",
)  # fmt: skip
_TUNNEL_COUNTERS: Final = ("rx_unknown_session", "rx_control", "rx_invalid", "tx_too_long")
_CARD_COUNTERS: Final = ("rx_packets", "rx_errors", "rx_dropped", "tx_packets", "tx_errors")
_NIC = row(_BITS_64, _BITS_64, _BITS_32)

check_tunnel = record(_TUNNEL)
"""The settings of a tunnel, see TunnelSettings."""
check_session = record(_SESSION)
"""The settings of a session, see SessionSettings."""

_PROBING = record({"state": one_of("starting", "alive", "dead"), "since_ms": _BITS_64, "reason": text(500)})
_RECEPTION = record({"last_received_ms": optional(_BITS_64), "in_vain_ms": optional(_BITS_64)})
_REPORTED_SESSION = record(
    _SESSION
    | {"seen_ifname": optional(_NAME), "counters": record(dict.fromkeys(_SESSION_COUNTERS, _BITS_64))}
    | {"reception": _RECEPTION, "probing": optional(_PROBING)}
    | {"failover": one_of("", "primary", "by-backup", "apart", "backup")}
)
_HEARD = record({"refused": _BITS_16, "control_version": number(15), "control_type": _BITS_16})
_REPORTED_TUNNEL = record(
    _TUNNEL
    | {"heard": _HEARD}
    | {"counters": record(dict.fromkeys(_TUNNEL_COUNTERS, _BITS_64)), "without": many(_NAME, 16)}
    | {"sessions": many(_REPORTED_SESSION)}
)


class Operation(NamedTuple):
    """The fields of a request and of the answer to it, beside `op` and `ok`."""

    request: Check
    answer: Check


def _operation(request: Mapping[str, Check], answer: Mapping[str, Check]) -> Operation:
    return Operation(record(request), record(answer))


OPERATIONS: Final[Mapping[str, Operation]] = {
    HELLO: _operation({"protocol": _BITS_32}, {"protocol": _BITS_32, "program": _NAME}),
    QUIT: _operation({}, {}),
    "nothing": _operation({}, {}),
    "report": _operation({"netns": optional(_NETNS)}, {"tunnels": many(_REPORTED_TUNNEL)}),
    "summary": _operation({}, {"tunnels": many(record(_TUNNEL | {"session_count": _BITS_32, "backups": many(_LONG)}))}),
    "find_session": _operation(
        {"netns": _NETNS, "encap": one_of("udp", "ip"), "session_id": _BITS_32}, {"tunnels": many(_BITS_32)}
    ),
    "add_tunnel": _operation({"tunnel": check_tunnel, "offloads": many(flag, 16)}, {}),
    "set_tunnel": _operation(_KEY | {"tunnel": check_tunnel, "offloads": many(flag, 16)}, {}),
    "add_session": _operation(_KEY | {"session": check_session}, {}),
    "set_session": _operation(_KEY | {"session": check_session}, {}),
    "del_session": _operation(_KEY | {"session_id": _BITS_32}, {}),
    "del_sessions": _operation(_KEY | {"keep": flag}, {"left": _BITS_32}),
    "del_tunnel": _operation(_KEY, {"quits": flag}),
    "circuits": _operation(
        {"told": many(row(_BITS_64, _BITS_64, _BITS_32, _BITS_32, flag, optional(flag)))},
        {"heard": many(row(_BITS_64, _BITS_64, _BITS_32, _BITS_32, optional(flag)))},
    ),
    "add_card": _operation({"mark": _NAME, "mac": text(17), "nic": _NIC}, {}),
    "del_card": _operation({"mark": _NAME, "keep": flag}, {}),
    "cards": _operation(
        {}, {"cards": many(record({"mark": _NAME, "nic": _NIC} | dict.fromkeys(_CARD_COUNTERS, _BITS_64)))}
    ),
}

SLUGS: Final = ("busy", "conflict", "exists", "not-found", "refused")
"""The slugs of the l2tpv3.errors classes that a worker's refusal can ask for."""
_REFUSAL = record({"error": one_of(*SLUGS), "problem": _LONG})


def check_request(op: str, fields: dict[str, Any]) -> None:
    """Raise BadFieldError unless this is a request. fields: without `op`."""
    operation = OPERATIONS.get(op)
    if operation is None:
        raise BadFieldError(f"unknown operation {ascii(op)[:60]}")
    operation.request(fields)


def check_answer(op: str, answer: dict[str, Any]) -> bool:
    """Whether the request was met; the rest of the answer is then as its operation says, else a refusal.

    Takes `ok` out of the answer. Raises BadFieldError when it is neither.
    """
    ok = answer.pop("ok", None)
    try:
        flag(ok)
    except BadFieldError as error:
        raise BadFieldError(error.problem, "ok") from None
    (OPERATIONS[op].answer if ok else _REFUSAL)(answer)
    return bool(ok)
