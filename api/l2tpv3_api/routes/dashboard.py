"""The dashboard's files: `/` and `/dashboard/...`.

The files hold no data: the page asks the service like any other client, with the token that its user gives it.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated, Final

from fastapi import APIRouter, Header, Response

from l2tpv3.errors import NotFoundError
from l2tpv3_api.http.etag import Conditions
from l2tpv3_api.http.negotiation import takes_gzip
from l2tpv3_api.schemas import forms

router = APIRouter()

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_COMPRESS_BYTES: Final = 1024

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""The page's Content-Security-Policy: only this service's files, nothing inline, no markup made from text."""

_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Asked for each time and answered by 304: after an upgrade no page is made of old files and new ones.
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, plain and compressed (None where that gains nothing), and a strong ETag of each."""

    content: bytes
    compressed: bytes | None
    media_type: str
    digest: str

    def etag(self, encoding: str) -> str:
        """The ETag of an encoding, "" or "gzip": each is a representation of its own (RFC 9110 section 8.8.3)."""
        return f'"{self.digest}{"-" if encoding else ""}{encoding}"'


@lru_cache(maxsize=1)
def assets() -> dict[str, Asset]:
    """Every file of the dashboard by its path; read, or made, and compressed once a process."""
    made = {"fields.js": _asset("fields.js", forms.script().encode())}
    return made | dict(_files(resources.files("l2tpv3_api").joinpath("dashboard"), ""))


def _files(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found: list[tuple[str, Asset]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _files(entry, f"{prefix}{entry.name}/")
        else:
            found.append((prefix + entry.name, _asset(entry.name, entry.read_bytes())))
    return found


def _asset(name: str, content: bytes) -> Asset:
    suffix = name[name.rfind(".") :] if "." in name else ""
    media_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "text/plain; charset=utf-8"
    compressed = gzip.compress(content, 9, mtime=0) if len(content) > _COMPRESS_BYTES else None
    return Asset(content, compressed, media_type, hashlib.sha256(content).hexdigest()[:24])


@router.get("/", include_in_schema=False)
async def page(
    accept_encoding: Annotated[str, Header()] = "", if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """Give the page of the dashboard."""
    return _answer("index.html", accept_encoding, if_none_match)


@router.get("/dashboard/{path:path}", include_in_schema=False)
async def file(
    path: str, accept_encoding: Annotated[str, Header()] = "", if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """Give one of the dashboard's files. Paths are looked up in a table, so that no file outside it can be reached."""
    return _answer(path, accept_encoding, if_none_match)


def _answer(path: str, accept_encoding: str, if_none_match: str) -> Response:
    asset = assets().get(path)
    if asset is None:
        raise NotFoundError(f"/dashboard/{path}", "no such file")
    encoding = "gzip" if asset.compressed is not None and takes_gzip(accept_encoding) else ""
    headers = _HEADERS | {"ETag": asset.etag(encoding)}
    if Conditions.of(None, if_none_match or None).unchanged(path, asset.etag(encoding)):
        return Response(status_code=304, headers=headers)
    if encoding and asset.compressed is not None:
        return Response(asset.compressed, headers=headers | {"Content-Encoding": "gzip"}, media_type=asset.media_type)
    return Response(asset.content, headers=headers, media_type=asset.media_type)
