"""Reports the progress of a change: one JSON document a line, for clients that ask for application/x-ndjson.

A line is `{"step": ...}`, `{"news": ...}`, and last of all `{"done": ...}` or `{"problem": ...}`: the status was sent
with the first. The change goes on when the client goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from l2tpv3.documents.plan import step_to_json
from l2tpv3.errors import BusyError, L2tpError, RefusedError
from l2tpv3.host.manager import Manager
from l2tpv3.model.progress import RestoreEvent, StepText
from l2tpv3.store.actor import acting_for
from l2tpv3_api.auth.identity import Identity
from l2tpv3_api.http.problems import problem_document
from l2tpv3_api.http.stream import Stream

if TYPE_CHECKING:
    from l2tpv3_api.service.service import Service

T = TypeVar("T")

LINES: Final = "application/x-ndjson"
WAIT_MAX_S: Final = 3600.0
"""How long a restore may wait."""
_log = logging.getLogger(__name__)


class ProgressStream:
    """Takes the progress of a change, from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()

    def step(self, step: StepText) -> None:
        """A step is about to be taken."""
        self.tell("step", step_to_json(step))

    def restore_event(self, event: RestoreEvent) -> None:
        """A tunnel or link was restored, is waited for, or can't be restored."""
        error = None if event.error is None else problem_document(event.error)
        outcome = {"turn": event.outcome.value, "error": error, "changed": event.changed}
        self.tell("news", {"tunnel": event.tunnel, "link": event.link, **outcome})

    def tell(self, kind: str, value: Any) -> None:
        """A line of that kind."""
        line = json.dumps({kind: value}).encode() + b"\n"
        self._loop.call_soon_threadsafe(self.lines.put_nowait, line)

    def end(self) -> None:
        """Note that nothing follows."""
        self._loop.call_soon_threadsafe(self.lines.put_nowait, None)


def told_in_lines(change: Callable[[ProgressStream], Awaitable[Any]]) -> Stream:
    """The answer that tells of `change`, which is given what to tell to, and gives what is done at last."""
    return Stream(_lines(change), media_type=LINES)


async def _lines(change: Callable[[ProgressStream], Awaitable[Any]]) -> AsyncGenerator[bytes, None]:
    stream = ProgressStream()
    task = asyncio.create_task(_follow(change, stream))
    try:
        while (line := await stream.lines.get()) is not None:
            yield line
    finally:
        task.cancel()  # it only waits: whatever it waits for is shielded


async def _follow(change: Callable[[ProgressStream], Awaitable[Any]], stream: ProgressStream) -> None:
    try:
        stream.tell("done", await change(stream))
    except L2tpError as error:
        stream.tell("problem", problem_document(error))
    except Exception as error:
        _log.exception("a change failed")
        remedy = "the service's log has more; report it"
        stream.tell(
            "problem", problem_document(RefusedError("internal error", f"unexpected {type(error).__name__}", remedy))
        )
    finally:
        stream.end()


def both(first: Callable[[T], None], second: Callable[[T], None]) -> Callable[[T], None]:
    """A function that calls both functions."""

    def call(value: T) -> None:
        first(value)
        second(value)

    return call


async def patiently(service: Service, who: Identity, what: Callable[[Manager], T]) -> T:
    """Run a change that waits for most of its time, without holding up others, and give its result.

    It has a thread of its own, which the service's end does not wait for. Raises BusyError when there are too many.
    """
    if service.patience.locked():
        raise BusyError("restore", "others wait already", "try again when they are done, or without waiting")

    def work() -> T:
        with acting_for(who.name):
            return what(service.manager)

    async def wait() -> T:
        async with service.patience:
            try:
                return await _in_thread(work, f"restore for {who.name}")
            finally:
                service.hub.changed()

    return await asyncio.shield(asyncio.create_task(wait()))


async def _in_thread(work: Callable[[], T], name: str) -> T:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(tell: Callable[[], None]) -> None:
        if not done.cancelled():
            tell()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # raised where it is waited for
            tell: Callable[[], None] = functools.partial(done.set_exception, error)
        else:
            tell = functools.partial(done.set_result, result)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, tell)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
