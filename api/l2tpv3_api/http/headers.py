"""Headers that browsers get, and checks of the headers that they send, so that no other site can use this one.

Nothing here is what keeps strangers out: that is the credential, which no other site has. This holds should the
credential be one that browsers send unasked: a client certificate.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from l2tpv3_api.auth.connection import Connection, client_of
from l2tpv3_api.server.rejections import RefusedRequest, forbidden, malformed, misdirected

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The policy for pages: no inline scripts or styles, nothing from other sites, no frame of another page."""

SECURITY: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""The headers of every answer, whatever it is."""

_ONLY_TLS: Final = "max-age=31536000"
"""Over TLS: a browser that was here once never asks for this name in clear again (RFC 6797)."""

_NO_PAGES: Final = ("/v1", "/metrics")  # what is beside these may be navigated to from elsewhere: by a link


class SecurityHeaders:
    """Puts SECURITY on every answer of `app`, and forbids keeping what is not static."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request (ASGI), and set the headers of SECURITY on its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                message["headers"] = headers.raw
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
                if client_of(HTTPConnection(scope)).encrypted:
                    headers.setdefault("strict-transport-security", _ONLY_TLS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, sending)


def network_names(host_names: Iterable[str]) -> frozenset[str]:
    """The names of this host on the network, in lower case. host_names: those that --host-name gave."""
    own = socket.gethostname()
    return frozenset(name.lower().rstrip(".") for name in (own, own.partition(".")[0], *host_names))


class Site:
    """Which names this service goes by, and which requests of browsers are its own page's."""

    def __init__(self, host_names: Iterable[str] = ()) -> None:
        self._names = network_names(host_names) | {"localhost"}

    def check(self, scope: Scope, client: Connection) -> None:
        """Raises RefusedRequest: 421 for a wrong Host, 403 for a request that another site's page makes."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if client.proxy or not client.unix:  # no browser speaks to a unix socket, and clients call it anything
            self._check_host(host, client)
        self._check_origin(scope, headers, host, client)

    def _check_host(self, host: str, client: Connection) -> None:
        """DNS rebinding makes a browser believe that this service belongs to a name of the attacker's.

        An address can't be rebound; over TLS, the name is that of the certificate, which the browser has checked.
        """
        name = _name(host)
        if name is None:
            raise malformed("bad-host", f"Host is {host[:80]!r}")
        if name in self._names or _is_address(name) or (client.server_name and name == client.server_name):
            return
        raise misdirected(f"{name!r} is not a name of this service", "use its address, or start it with --host-name")

    def _check_origin(self, scope: Scope, headers: Headers, host: str, client: Connection) -> None:
        if _is_navigation(scope, headers):
            return
        site = headers.get("sec-fetch-site")
        if site is not None and site not in ("same-origin", "none"):
            raise _cross_site(f"comes from another site ({site[:20]!r})")
        if site == "same-origin":
            # No page can forge this field. What the browser calls this service need not be what a proxy calls it:
            # the proxy ends TLS, so that Origin has https and we have not.
            return
        for origin in headers.getlist("origin"):
            scheme, _, origin_host = origin.partition("://")
            ours = client.unix or scheme == ("https" if client.encrypted else "http")
            if not (ours and origin_host and origin_host.lower() == host.lower()):
                raise _cross_site(f"comes from another site ({origin[:80]!r})")


def _is_navigation(scope: Scope, headers: Headers) -> bool:
    page = not any(scope["path"] == place or scope["path"].startswith(f"{place}/") for place in _NO_PAGES)
    return page and scope["method"] in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"


def _cross_site(problem: str) -> RefusedRequest:
    return forbidden("cross-site", problem, "use the service's own page, or a client that is no browser")


def _name(host: str) -> str | None:
    """The name or address of a Host field, in lower case; None where it is none."""
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        port = port.removeprefix(":") if port.startswith(":") else port and "x"
        return name.lower() if bracket and _is_port(port) and _is_address(name) else None
    name, _, port = host.partition(":")
    good = name and _is_port(port) and all(c.isascii() and (c.isalnum() or c in "-._") for c in name)
    return name.lower().rstrip(".") if good else None


def _is_port(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 65536)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def header_size(scope: Scope) -> int:
    """Bytes of a request's line and header fields."""
    fields = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    return fields + len(scope["raw_path"]) + len(scope["query_string"]) + 16
