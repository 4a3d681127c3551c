"""The options of a capture, checked when they are made. Nothing is opened here."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from l2tpv3.errors import InvalidValueError
from l2tpv3.value_class import value_class

SNAPLEN_MAX: Final = 262144
PACKETS_MAX: Final = 2**31 - 1
SECONDS_MAX: Final = 86400.0
EXPRESSION_MAX: Final = 1000


class Side(StrEnum):
    """OUTER: the tunnel's packets on the underlay, IP and all. INNER: the ethernet frames at the session's netdev."""

    OUTER = "outer"
    INNER = "inner"


@value_class(frozen=True, slots=True, kw_only=True)
class CaptureOptions:
    """expression: in pcap-filter(7)'s language; empty for all. packets, seconds: when to end; None: never by itself.

    snaplen: how many bytes are kept of each packet. Raises InvalidValueError.
    """

    side: Side = Side.OUTER
    expression: str = ""
    packets: int | None = None
    seconds: float | None = None
    snaplen: int = SNAPLEN_MAX

    def __post_init__(self) -> None:
        if self.packets is not None and not 1 <= self.packets <= PACKETS_MAX:
            raise InvalidValueError("packets", f"{self.packets} is out of range", f"give 1 to {PACKETS_MAX}")
        if self.seconds is not None and not 0 < self.seconds <= SECONDS_MAX:
            raise InvalidValueError("seconds", f"{self.seconds:g} is out of range", f"give up to {SECONDS_MAX:g}")
        if not 64 <= self.snaplen <= SNAPLEN_MAX:
            raise InvalidValueError("snaplen", f"{self.snaplen} is out of range", f"give 64 to {SNAPLEN_MAX} bytes")
        if len(self.expression) > EXPRESSION_MAX or "\0" in self.expression:
            raise InvalidValueError("filter", "it is too long, or not text", f"give up to {EXPRESSION_MAX} characters")

    @classmethod
    def of(
        cls,
        *,
        side: str | None = None,
        expression: str | None = None,
        packets: str | None = None,
        seconds: str | None = None,
        snaplen: str | None = None,
    ) -> CaptureOptions:
        """Make the options of text as it is typed; None stands for the default. Raises InvalidValueError."""
        words: dict[str, Any] = {}
        if side is not None:
            if side not in list(Side):
                raise InvalidValueError("side", f"{side!r} is no side", "give outer or inner")
            words["side"] = Side(side)
        if expression is not None:
            words["expression"] = expression
        for name, text, kind in (("packets", packets, int), ("seconds", seconds, float), ("snaplen", snaplen, int)):
            if text is not None:
                try:
                    words[name] = kind(text)
                except ValueError:
                    raise InvalidValueError(name, f"{text!r} is not a number", "give one") from None
        return cls(**words)
