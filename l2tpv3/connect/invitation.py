"""An invitation: one line that states the other end of a pseudowire, for a host that can't be reached from here.

    l2tpv3-join:1:BASE64URL        of: a checksum of 8 bytes, then the deflated JSON of an Invitation

It holds the cookies and that end's key, so it is as secret as they are. The checksum finds slips and cuts; nobody who
can alter the line is kept from making another one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from l2tpv3.errors import InvalidValueError
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.model.fields import SESSION, TUNNEL, Field
from l2tpv3.value_class import value_class

PREFIX: Final = "l2tpv3-join:"
VERSION: Final = "1"
LINE_MAX: Final = 4096
"""Characters of a line at most."""
SECRET: Final = 16
"""Bytes of the number that makes an invitation good for one time only."""

_SUM: Final = 8
_JSON_MAX: Final = 1 << 16
_AGAIN = "have `l2tpctl invite` print it again, and take all of it"
_OF_ITS_HOST = frozenset({"netns", "mac", "bind-device", "fwmark"})
"""Words that an invitation can't have: they are about the host that joins, and for it to say."""


@value_class(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What the other end is to make.

    tunnel: as it is to be there. expires: when it can no more be used, in seconds since 1970. secret: SECRET bytes.
    """

    tunnel: DesiredTunnel
    expires: int
    secret: bytes

    def line(self) -> str:
        """The invitation as a line."""
        (session,) = self.tunnel.sessions
        document = {
            "name": self.tunnel.name,
            "tunnel": _plain(self.tunnel.words),
            "session_name": session.name,
            "session": _plain(session.words),
            "expires": self.expires,
            "secret": self.secret.hex(),
        }
        packed = zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 9)
        text = base64.urlsafe_b64encode(_checksum(packed) + packed).decode().rstrip("=")
        return f"{PREFIX}{VERSION}:{text}"

    @classmethod
    def of_line(cls, line: str) -> Invitation:
        """The invitation in a line. Raises InvalidValueError, which shows nothing of the line."""
        document = _document(line.strip())
        try:
            words = document["tunnel"], document["session"]
            session = DesiredSession(name=str(document["session_name"]), words=_checked(words[1], SESSION))
            tunnel = DesiredTunnel(name=str(document["name"]), words=_checked(words[0], TUNNEL), sessions=(session,))
            secret = bytes.fromhex(document["secret"])
            if len(secret) != SECRET:
                raise ValueError("a secret of another length")
            return cls(tunnel=tunnel, expires=int(document["expires"]), secret=secret)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidValueError("the line", "is not an invitation's", _AGAIN) from error


def _checksum(packed: bytes) -> bytes:
    return hashlib.sha256(b"l2tpv3 invitation" + packed).digest()[:_SUM]


def _plain(words: Mapping[str, Any]) -> dict[str, Any]:
    """Words for JSON: cookies as hex digits."""
    found = {}
    for word, value in words.items():
        if isinstance(value, bytes):
            value = value.hex() or "none"
        found[word] = list(value) if isinstance(value, tuple) else value
    return found


def _document(line: str) -> Any:
    """The JSON in a line. Raises InvalidValueError."""
    prefix, _, rest = line.partition(":")
    version, _, text = rest.partition(":")
    if f"{prefix}:" != PREFIX or not line.isascii():
        raise InvalidValueError("the line", f"does not begin with {PREFIX}", _AGAIN)
    if version != VERSION:
        problem = f"is of version {version[:8]!r} of invitations, and this l2tpctl knows version {VERSION}"
        raise InvalidValueError("the line", problem, "install the same version at both ends")
    if len(line) > LINE_MAX:
        raise InvalidValueError("the line", f"has more than {LINE_MAX} characters", _AGAIN)
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if _checksum(data[_SUM:]) != data[:_SUM]:
            raise ValueError("another checksum")
        return json.loads(zlib.decompressobj().decompress(data[_SUM:], _JSON_MAX))
    except (ValueError, zlib.error, RecursionError) as error:
        raise InvalidValueError("the line", "was cut or altered: its checksum is wrong", _AGAIN) from error


def _checked(words: object, fields: tuple[Field, ...]) -> dict[str, Any]:
    """Words of these fields. Raises ValueError, TypeError."""
    if not isinstance(words, dict):
        raise TypeError("no words")
    known = {field.word for field in fields} - _OF_ITS_HOST
    for word, value in words.items():
        if word not in known:
            raise ValueError("an unknown word")
        if isinstance(value, str) and value.startswith(("@", "credential:")):
            raise ValueError("a file of this host")
    return words
