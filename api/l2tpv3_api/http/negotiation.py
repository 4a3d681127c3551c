"""Which of the forms that an answer has a client likes best (RFC 9110 section 12.5.1)."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

TEXT: Final = "text/plain"
VARY: Final = {"Vary": "Accept"}
_ACCEPT_MAX: Final = 2048


def preferred(request: Request, *kinds: str) -> str:
    """The media type that Accept likes best; of equals the first, and that too when it likes none."""
    header = request.headers.get("accept", "")[:_ACCEPT_MAX].lower()
    ranges = [_range(one) for one in header.split(",") if one.strip()]
    if not ranges:
        return kinds[0]
    liked = [max((one for one in ranges if _covers(one[1], kind)), default=(-1, "", 0.0))[2] for kind in kinds]
    return kinds[liked.index(max(liked))]


def takes_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding field takes gzip (RFC 9110 section 12.5.3)."""
    ranges = {kind: weight for _, kind, weight in map(_range, accept_encoding[:_ACCEPT_MAX].lower().split(","))}
    return ranges.get("gzip", ranges.get("x-gzip", ranges.get("*", 0.0))) > 0


def _range(text: str) -> tuple[int, str, float]:
    """How specific it is, what it says, how much it is liked."""
    kind, *parameters = (one.strip() for one in text.split(";"))
    weight = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                weight = min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                weight = 0.0
    return (0 if kind == "*/*" else 1 if kind.endswith("/*") else 2), kind, weight


def _covers(pattern: str, kind: str) -> bool:
    return pattern in ("*/*", kind, f"{kind.partition('/')[0]}/*")
