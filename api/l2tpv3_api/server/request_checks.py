"""Refuses requests that two programs could read in two ways, or that are too large."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

from l2tpv3_api.http.headers import header_size
from l2tpv3_api.limits import Limits
from l2tpv3_api.server.rejections import malformed, too_large

_TRICKS: Final = re.compile(rb"%(?:2f|5c|[01][0-9a-f]|7f|(?![0-9a-f]{2}))", re.IGNORECASE)
"""An escaped `/` or `\\`, which would part a name in two; a control character; a `%` that escapes nothing."""


def check_shape(scope: Scope, limits: Limits) -> None:
    """Raises RefusedRequest: 400, 413 or 431.

    RFC 9112 section 6.3: a length beside a transfer coding "might indicate an attempt to perform request smuggling".
    """
    names = [name for name, _ in scope["headers"]]
    if b"content-length" in names and b"transfer-encoding" in names:
        raise malformed("two-lengths", "has both Content-Length and Transfer-Encoding", "send one of them")
    size = header_size(scope)
    if size > limits.header_bytes:  # h11 only counts while a header is incomplete
        raise too_large("large-header", 431, f"its header has {size} bytes", f"send {limits.header_bytes} at most")
    path = scope["raw_path"]
    segments = [unquote_to_bytes(part) for part in path.split(b"/")]
    if not path.startswith(b"/") or _TRICKS.search(path) or b"." in segments or b".." in segments:
        raise malformed("bad-path", "its path has an escaped separator, a control character or a dot segment")
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > limits.body_bytes:  # h11 has checked that it is a number
            raise too_large("large-body", 413, f"its body has {int(value)} bytes", f"send {limits.body_bytes} at most")
