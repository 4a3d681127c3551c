"""Streams from another host: the frames of a session, and events."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from l2tpv3.capture import CaptureOptions, pcapng
from l2tpv3.capture.pcapng import Statistics
from l2tpv3.documents.names import document_to_words
from l2tpv3.errors import UnreachableError
from l2tpv3.remote.client import Client, plain
from l2tpv3.watch.diff import Event

_SILENCE_S: Final = 45.0  # the service says something every 15 s, if only that it is still there
_GIVE_UP_S: Final = 60.0
_PAUSE_S, _PAUSE_MAX_S = 0.2, 5.0


class RemoteCapture:
    """A session's frames, captured on another host: a l2tpv3.host.base.Capture. It begins when this is made."""

    def __init__(self, client: Client, where: str, options: CaptureOptions) -> None:
        given = {
            "side": options.side.value,
            "filter": options.expression or None,
            "packets": options.packets,
            "seconds": options.seconds,
            "snaplen": options.snaplen,
        }
        params = {name: value for name, value in given.items() if value is not None}
        self._client = client
        self._stack = contextlib.ExitStack()
        self._response = self._stack.enter_context(client.stream("GET", f"{where}/capture", params=params))
        self._delivered = 0
        self._told: dict[int, Statistics] = {}

    @property
    def counted(self) -> Statistics:
        """The counts so far. How many were dropped is known every few seconds, and at the end of the file."""
        received, dropped, accepted = (sum(one[at] for one in self._told.values()) for at in range(3))
        return Statistics(received, dropped, accepted, self._delivered)

    def __iter__(self) -> Iterator[bytes]:
        """The file, cut between its blocks: it is whole wherever it is ended."""
        with self._stack.pop_all():
            try:
                for block in pcapng.whole_blocks(self._response.iter_bytes()):
                    self._delivered += pcapng.is_packet(block)
                    self._told |= pcapng.statistics_in(block)
                    yield block
            except ValueError as error:
                raise self._client.not_understood(error) from error

    def finish(self) -> bytes:
        """Give no more bytes: the service ends the file itself."""
        self.close()
        return b""

    def close(self) -> None:
        """Stop capturing, and close the connection."""
        self._stack.close()


def follow(client: Client, types: Collection[str], counters_s: float | None) -> Iterator[Event]:
    """Give each event of another host from now on. Never ends by itself.

    When the connection breaks it is made again, and goes on where it was; `reset` says that something was missed.
    Raises UnreachableError when that does not succeed for a minute.
    """
    given = {"types": ",".join(types) or None, "counters": counters_s}
    params = {name: value for name, value in given.items() if value is not None}
    last_id = ""
    since = time.monotonic()
    pause_s = _PAUSE_S
    while True:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        try:
            with client.stream("GET", "/v1/events", params=params, headers=headers, read_s=_SILENCE_S) as response:
                for id, happening in _events(response.iter_lines()):
                    last_id = id or last_id
                    since, pause_s = time.monotonic(), _PAUSE_S
                    if happening is not None:
                        yield happening
        except UnreachableError:
            if not last_id or time.monotonic() - since > _GIVE_UP_S:
                raise
        except ValueError as error:
            raise client.not_understood(error) from error
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _PAUSE_MAX_S)


def _events(lines: Iterable[str]) -> Iterator[tuple[str, Event | None]]:
    """Events of a stream (HTML standard, section 9.2.6) with their ids; None where there is nothing but an id."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        text = fields.get("data")
        yield fields.get("id", ""), None if text is None else Event(fields.get("event", ""), _document(text))
        fields = {}


def _document(text: str) -> dict[str, Any]:
    document = plain(json.loads(text), text)
    if not isinstance(document, dict):
        raise ValueError("an event without fields")
    if isinstance(document.get("document"), dict):
        document["document"] = document_to_words(document["document"])
    return document
