"""An HTTP/1.1 client that costs little beside the server that it loads: one kept connection over a unix socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def document(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Client:
    """`async with Client(path) as client`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aenter__(self) -> Client:
        self._reader, self._writer = await asyncio.open_unix_connection(str(self._path), limit=1 << 22)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """One request and its answer."""
        self._send(method, path, body, headers or {})
        status, told = await self._head()
        length = int(told.get("content-length", "0"))
        return Answer(status, told, await self._reader.readexactly(length))

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """The pieces of an answer that goes on."""
        self._send("GET", path, None, {})
        status, _ = await self._head()
        assert status == 200, status
        while size := int(await self._reader.readline(), 16):
            yield (await self._reader.readexactly(size + 2))[:-2]

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {one}" for name, one in headers.items())]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + content)

    async def _head(self) -> tuple[int, dict[str, str]]:
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}
