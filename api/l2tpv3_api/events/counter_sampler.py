"""Counters at chosen intervals: one look for all who want one at that moment, one document for each interval."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from l2tpv3.documents.stats import stats_document
from l2tpv3.errors import InvalidValueError, L2tpError
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.observed import Counters
from l2tpv3.model.status import SessionStatus
from l2tpv3_api.events.choice import Choice
from l2tpv3_api.events.event import Event, EventType
from l2tpv3_api.events.hub import Subscription
from l2tpv3_api.events.totals import totals
from l2tpv3_api.events.watcher import Looker, Seen
from l2tpv3_api.service.failing import Failing

INTERVAL_MIN_S: Final = 0.2
INTERVAL_MAX_S: Final = 3600.0
_RETRY_S: Final = 2.0
_TASK: Final = "sampling counters"
_FIELDS: Final = tuple(field.name for field in dataclasses.fields(Counters))
_log = logging.getLogger(__name__)
_Pairs = list[tuple[str, SessionStatus]]


def interval(seconds: float) -> float:
    """A valid interval, to tenths of a second, so that those who want nearly the same share it.

    Raises InvalidValueError for one that is too short or too long.
    """
    if not INTERVAL_MIN_S <= seconds <= INTERVAL_MAX_S:
        remedy = f"give {INTERVAL_MIN_S:g} to {INTERVAL_MAX_S:g}"
        raise InvalidValueError("counters", f"{seconds:g} is not a number of seconds to wait", remedy)
    return round(seconds, 1)


class _Group:
    """Subscribers to the same counters at one interval. choice: which; None: all. due, at: in the loop's time."""

    def __init__(self, interval_s: float, choice: Choice | None, now: float) -> None:
        self.interval_s = interval_s
        self._choice = choice
        self.due = now
        self.at: float | None = None
        self.before: _Pairs = []
        self.links: Sequence[LinkStatus] = ()
        self.last: Event | None = None
        self.members: set[Subscription] = set()

    def sample(self, pairs: _Pairs, links: Sequence[LinkStatus], at: float) -> Event:
        """The document of this moment, with the rates since the one before."""
        interval_s = None if self.at is None else round(at - self.at, 3)
        told, told_links = self._chosen(pairs, links)
        document = stats_document(
            told, time=datetime.now(UTC), interval_s=interval_s, before=self.before,
            links=told_links, links_before=self.links,
        )  # fmt: skip
        document["totals"] = {
            "sessions": totals(_by_session(pairs), _by_session(self.before), interval_s),
            "links": totals(_by_link(links), _by_link(self.links), interval_s),
        }
        self.before, self.links, self.at = pairs, links, at
        self.last = Event.of(EventType.COUNTERS, document)
        return self.last

    def _chosen(self, pairs: _Pairs, links: Sequence[LinkStatus]) -> tuple[_Pairs, Sequence[LinkStatus]]:
        """The sessions or links whose counters are sent."""
        if self._choice is None:
            return pairs, links
        before = {(tunnel, session.name): session for tunnel, session in self.before}
        links_before = {one.name: one for one in self.links}
        return (
            [pair for pair in pairs if self._choice.session(*pair, before.get((pair[0], pair[1].name)))],
            [one for one in links if self._choice.link(one, links_before.get(one.name))],
        )


def _by_session(pairs: _Pairs) -> dict[str, dict[str, int]]:
    return {f"{tunnel}/{session.name}": _values(session.counters) for tunnel, session in pairs}


def _values(counters: Counters) -> dict[str, int]:
    return {field: getattr(counters, field) for field in _FIELDS}


def _by_link(links: Sequence[LinkStatus]) -> dict[str, Mapping[str, int]]:
    return {one.name: one.counters for one in links}


class Sampler:
    """Samples counters. Call start() and stop() in the running loop. While nobody wants counters, none are read."""

    def __init__(self, looker: Looker, failing: Failing | None = None) -> None:
        self._looker = looker
        self._failing = failing or Failing()
        self._groups: dict[tuple[float, Choice | None], _Group] = {}
        self._joined = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to sample."""
        self._task = asyncio.create_task(self._run(), name="counter sampler")

    async def stop(self) -> None:
        """Stop sampling."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def join(self, subscription: Subscription, interval_s: float, choice: Choice | None = None) -> None:
        """Send counters to a subscriber, the first at once. choice: whose counters; None: all."""
        group = self._groups.get((interval_s, choice))
        if group is None:
            group = _Group(interval_s, choice, asyncio.get_running_loop().time())
            self._groups[interval_s, choice] = group
        group.members.add(subscription)
        if group.last is not None:
            subscription.offer(group.last)
        self._joined.set()

    def leave(self, subscription: Subscription) -> None:
        """Send no more counters to a subscriber."""
        for key, group in list(self._groups.items()):
            group.members.discard(subscription)
            if not group.members:
                del self._groups[key]

    async def _run(self) -> None:
        while True:
            self._joined.clear()
            try:
                await self._sample()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # whatever it was, counters must not end for good
                self._failing.note(_TASK, error)
                await asyncio.sleep(_RETRY_S)
            else:
                self._failing.clear(_TASK)
            if not self._groups:
                self._failing.clear(_TASK)  # nobody waits for them

    async def _sample(self) -> None:
        """Wait until somebody wants counters, and tell all who want them then."""
        loop = asyncio.get_running_loop()
        due = min((group.due for group in self._groups.values()), default=None)
        if due is None or due > loop.time():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._joined.wait()
            return
        try:
            seen: Seen | None = await self._looker.look()
        except L2tpError as error:
            _log.warning("can't look at counters: %s", error)
            seen = None
        await self._tell(seen, loop.time())

    async def _tell(self, seen: Seen | None, now: float) -> None:
        for group in [one for one in self._groups.values() if one.due <= now]:
            group.due = _next(now, group.interval_s)
            if seen is None:
                continue
            pairs = [(tunnel.name, session) for tunnel in seen.tunnels for session in tunnel.sessions]
            event = await asyncio.to_thread(group.sample, pairs, seen.links, now)
            for member in group.members:
                member.offer(event)


def _next(now: float, interval_s: float) -> float:
    """When a group is due again: at whole multiples, so that one look serves intervals of 1 s, 2 s and 10 s."""
    due = (now // interval_s + 1) * interval_s
    return due if due - now > interval_s / 2 else due + interval_s
