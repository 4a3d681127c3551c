"""How much anyone may ask for. A number here is what keeps one client from holding up the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from l2tpv3.errors import InvalidValueError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes, times in seconds, rates a second. `each` is of one client address, user or token."""

    header_bytes: int = 32768
    """The request line with all header fields."""
    body_bytes: int = 16 << 20
    """One request's body: 10,000 sessions as JSON have about 3 MB."""
    bodies_bytes: int = 64 << 20
    """The bodies of all requests that are under way."""

    connections: int = 1024
    """Open connections; the service's own user and root may open some more, so that they always get in."""
    connections_each: int = 512

    handshake_s: int = 10
    """Seconds from a connection's start to the end of the TLS handshake."""
    header_s: int = 10
    """Seconds from a request's first byte (or a connection's start) to the end of its header."""
    idle_s: int = 60
    """A connection between two requests."""
    body_s: int = 20
    """A request's body, and one more second for each `body_rate` bytes that came."""
    body_rate: int = 16384
    stall_s: int = 60
    """A client that takes nothing of its answer."""
    read_s: int = 60
    """The answer to GET, streams excepted. Changes have no such limit: they would go on unseen."""

    rate: int = 500
    """Requests of one identity a second, on average; `burst` at once."""
    burst: int = 2000
    stranger_rate: int = 50
    """The limit of requests without a valid credential, for each client address (or user)."""
    stranger_burst: int = 200
    streams: int = 256
    """Open event streams and captures."""
    streams_each: int = 128

    def with_words(self, words: Iterable[str], option: str = "--limit") -> Limits:
        """These limits, with some set as `name=NUMBER`. Raises InvalidValueError."""
        known = {field.name for field in dataclasses.fields(self)}
        changes: dict[str, int] = {}
        for word in words:
            name, _, text = word.partition("=")
            name = name.replace("-", "_")
            if name not in known:
                raise InvalidValueError(
                    option, f"{name!r} is not a limit", f"the limits are {', '.join(sorted(known))}"
                )
            if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 40):
                raise InvalidValueError(option, f"{word!r} has no number above 0", f"write {name}=NUMBER")
            changes[name] = int(text)
        return dataclasses.replace(self, **changes)
