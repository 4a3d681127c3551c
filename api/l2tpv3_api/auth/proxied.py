"""Signs that a request was passed on: then the process at the other end of the unix socket is not who asks.

What the kernel tells of a peer is true of a reverse proxy, too, which asks in the name of whoever reaches it. A proxy
has a socket of its own (--proxy-unix), where nobody is known without a token; this is for one that was given the wrong
socket after all. It finds what proxies and browsers say by default, and can't find a proxy that says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

_PROXYS: Final = (
    r"forwarded|via|x-forwarded.*|x-original-.*|x-real-ip|x-(?:cluster-)?client-ip|true-client-ip|x-envoy-.*|cf-.*"
)
_BROWSERS: Final = r"origin|referer|cookie|sec-.*"  # no browser speaks to a unix socket
_FIELDS: Final = re.compile(f"{_PROXYS}|{_BROWSERS}")
_LOCAL: Final = re.compile(r"[a-z0-9_-]*")


def sign_of_proxy(scope: Scope, network_names: Collection[str]) -> str:
    """The sign that a proxy passed the request on (for an error message); "" where there is none.

    network_names: what this service is called on the network, in lower case: a client that is here has no reason to
    name one of them. By default nginx says HTTP/1.0, and others pass on the Host that they were asked for.
    """
    headers = Headers(scope=scope)
    if sign := next((name for name in headers if _FIELDS.fullmatch(name)), ""):
        return sign.title()
    if scope["http_version"] == "1.0":
        return "HTTP/1.0"
    host = headers.get("host", "").lower()
    if not _LOCAL.fullmatch(host) or host in network_names:
        return f"Host {host[:80]!r}"
    return ""
