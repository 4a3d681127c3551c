"""An app served by uvicorn on a port of its own, for what takes a real connection: streams."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from tests.waiting import PATIENCE_S


@contextlib.contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Its base URL, for the length of the block."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        give_up = time.monotonic() + PATIENCE_S
        while not server.started:
            assert thread.is_alive() and time.monotonic() < give_up
            time.sleep(0.01)
        _, port = server.servers[0].sockets[0].getsockname()
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass(frozen=True)
class Told:
    """One event as a client reads it."""

    type: str
    data: Any
    id: str


class Reader:
    """Reads a stream's events. Comes from `reading`."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.last_id = ""

    def __iter__(self) -> Iterator[Told]:
        fields: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
                continue
            self.last_id = fields.get("id", self.last_id)
            if "data" in fields:
                yield Told(fields["event"], json.loads(fields["data"]), fields.get("id", ""))
            fields = {}

    def next(self, type: str, **expected: Any) -> Told:
        """The next event of that type in whose data these fields are so; others are passed over."""
        for told in self:
            if told.type == type and all(told.data.get(name) == value for name, value in expected.items()):
                return told
        raise AssertionError(f"the stream ended before {type} {expected}")


@contextlib.contextmanager
def reading(url: str, last_id: str = "", **params: str) -> Iterator[Reader]:
    """A stream of events that is ready: what happens from now on will be in it."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with httpx.stream("GET", f"{url}/v1/events", params=params, headers=headers, timeout=PATIENCE_S) as response:
        if response.status_code != 200:
            response.read()
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines()
        first = [next(lines), next(lines), *([] if last_id else [next(lines)])]
        reader = Reader(lines)
        reader.last_id = last_id or first[1].removeprefix("id: ")
        yield reader
