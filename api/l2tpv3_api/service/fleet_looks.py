"""Looks at a fleet while somebody wants to see it: by `l2tpctl fleet status`, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from l2tpv3.linux.own_program import own_program
from l2tpv3.printable import printable
from l2tpv3_api.service.snapshot import encode

_PAUSE_LEAST_S: Final = 30.0
_PAUSE_MOST_S: Final = 600.0
_PAUSE_OF_LOOK: Final = 5.0
"""A pause is so many times as long as the look before it: a fleet that takes long to look at is looked at seldom."""
_WANTED_FOR_S: Final = 300.0
"""When nobody has asked for so long, there are no more looks until somebody does."""
_LOOK_MAX_S: Final = 240.0
_END_S: Final = 5.0
_DOCUMENT_MAX: Final = 64 << 20
_WORDS_MAX: Final = 4096
_GOOD: Final = (0, 11)
"""Exit codes of `fleet status` that come with a document: nothing is wrong, something is."""


class FleetLooks:
    """Looks at the fleet that a file states, one look after another, in the background. file: its path.

    Nobody who asks waits for a look: they are given what the last one saw, and when that was.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._asked = asyncio.Event()
        self._asked_at = 0.0  # in the loop's time
        self._task: asyncio.Task[None] | None = None
        self._tell({"looked_at": None, "took_s": None, "problem": None, "status": None})

    async def start(self) -> None:
        """Begin to look, as soon as somebody asks."""
        self._task = asyncio.create_task(self._run(), name="fleet looks")

    async def stop(self) -> None:
        """Stop looking: a look that is under way is ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def seen(self) -> tuple[bytes, str]:
        """What the last look saw, as a JSON document, and an entity tag that stays the same until the next look."""
        self._asked_at = asyncio.get_running_loop().time()
        self._asked.set()
        return self._document, self._tag

    def _tell(self, words: dict[str, Any]) -> None:
        self._words = words
        self._document = encode({"file": str(self._file), **words})
        self._tag = f'"{hashlib.sha256(self._document).hexdigest()[:32]}"'

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            if now() > self._asked_at + _WANTED_FOR_S:
                self._asked.clear()
            await self._asked.wait()
            began = now()
            at = datetime.now(UTC)
            status, problem = await self._look()
            took_s = now() - began
            if status is not None:
                self._tell({"looked_at": at.isoformat(), "took_s": round(took_s, 3), "problem": None, "status": status})
            else:  # what was seen before is told with its time, and why there is nothing newer
                self._tell({**self._words, "problem": problem})
            await asyncio.sleep(min(_PAUSE_MOST_S, max(_PAUSE_LEAST_S, _PAUSE_OF_LOOK * took_s)))

    async def _look(self) -> tuple[dict[str, Any] | None, str]:
        """The document of `l2tpctl fleet status`, or None and why there is none."""
        words = (*own_program(), "fleet", "status", "--json", "--", str(self._file))
        pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=none, stdout=pipe, stderr=pipe, start_new_session=True
            )
        except OSError as error:
            return None, f"`l2tpctl fleet status` can't be run: {error.strerror}"
        assert process.stdout is not None and process.stderr is not None
        try:
            async with asyncio.timeout(_LOOK_MAX_S):
                said, errors = await asyncio.gather(
                    _read(process.stdout, _DOCUMENT_MAX), _read(process.stderr, _DOCUMENT_MAX)
                )
                code = await process.wait()
        except TimeoutError:
            return None, f"the look took more than {_LOOK_MAX_S:.0f} s"
        except ValueError:
            return None, "`l2tpctl fleet status` prints too much"
        finally:
            await _end(process)
        if code not in _GOOD:
            return None, _problem(errors)
        try:
            document: dict[str, Any] = json.loads(said)
        except ValueError:
            return None, "`l2tpctl fleet status` prints what can't be read"
        return document, ""


async def _read(stream: asyncio.StreamReader, most: int) -> bytes:
    """All that comes. Raises ValueError when that is more than `most` bytes."""
    found = bytearray()
    while piece := await stream.read(1 << 16):
        found += piece
        if len(found) > most:
            raise ValueError("too much")
    return bytes(found)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a look that still runs, with what it has started: it changes nothing, so that nothing is left half-way."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await process.wait()


def _problem(errors: bytes) -> str:
    """What a command that failed with --json says, in one sentence."""
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    try:
        error = json.loads(lines[-1])["error"]
        told = f"{error['subject']}: {error['problem']}" + (f"; {error['remedy']}" if error["remedy"] else "")
    except (IndexError, ValueError, KeyError, TypeError):
        told = " ".join(lines) or "`l2tpctl fleet status` ended without a word"
    return printable(told[:_WORDS_MAX])
