"""Signed statements: JSON text, and the signature of it and of what kind of statement it is.

What is signed says which fleet it is of, so that another fleet's is refused by name, and whoever checks it knows the
signer's key beforehand. Everything here came from elsewhere: it is bounded before it is parsed, and trusted only after
its signature was checked.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from l2tpv3.errors import InvalidValueError
from l2tpv3.fleet.nats.keys import verify

VALUE_MAX: Final = 1 << 20
"""Bytes of a value in the bucket at most; it is the server's own limit of a message (max_payload)."""
SERIAL_MAX: Final = 1 << 62

_ALTERED: Final = "have the fleet's coordinator push it again; if that doesn't help, look who can write to the server"


def sign(kind: str, statement: Mapping[str, Any], signer: Callable[[bytes], bytes]) -> dict[str, str]:
    """A statement with its signature, JSON-ready."""
    text = json.dumps(statement, separators=(",", ":"), sort_keys=True)
    return {"statement": text, "signature": base64.b64encode(signer(_message(kind, text))).decode()}


def check(kind: str, signed: object, public: bytes, fleet: str, subject: str) -> dict[str, Any]:
    """The statement, if the owner of `public` signed it as one of this kind and for this fleet.

    subject: what it is called in errors. Raises InvalidValueError.
    """
    try:
        if not isinstance(signed, dict):
            raise TypeError("no object")
        text, signature = signed["statement"], base64.b64decode(signed["signature"], validate=True)
        statement = parse(text.encode(), subject)
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        raise InvalidValueError(subject, "is not a signed statement", _ALTERED) from error
    if verify(public, signature, _message(kind, text)) and statement.get("fleet") == fleet:
        return statement
    other = statement.get("fleet")
    if isinstance(other, str) and other != fleet:
        problem = f"is of the fleet {other[:32]}, and this host is of {fleet}"
        raise InvalidValueError(subject, problem, "give the URL of this fleet's server, or join that fleet")
    raise InvalidValueError(subject, "its signature is wrong", _ALTERED)


def parse(data: bytes, subject: str) -> dict[str, Any]:
    """An object of JSON, bounded in its length. Raises InvalidValueError."""
    if len(data) > VALUE_MAX:
        raise InvalidValueError(subject, f"has more than {VALUE_MAX} bytes", _ALTERED)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidValueError(subject, "is no JSON: it was cut or altered", _ALTERED) from error
    if not isinstance(document, dict):
        raise InvalidValueError(subject, "is no JSON object", _ALTERED)
    return document


def serial_of(statement: Mapping[str, Any], key: str = "serial") -> int:
    """A serial number: 1 or more. Raises ValueError."""
    value = statement.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= SERIAL_MAX:
        raise ValueError("no serial number")
    return value


def text_of(statement: Mapping[str, Any], key: str, most: int) -> str:
    """A text of at most so many characters. Raises ValueError."""
    value = statement.get(key)
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"no {key}")
    return value


def _message(kind: str, text: str) -> bytes:
    """What is signed: the kind keeps a statement from being taken for one of another kind."""
    return b"l2tpv3 fleet " + kind.encode() + b"\0" + text.encode()
