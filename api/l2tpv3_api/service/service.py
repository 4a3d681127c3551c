"""The manager for many clients at once: reads are shared, changes take turns, and neither runs on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from l2tpv3.doctor.report import Report
from l2tpv3.host.manager import Manager
from l2tpv3.model.desired import Desired
from l2tpv3.model.path_mtu import PathMtu
from l2tpv3.store.actor import acting_for
from l2tpv3_api.auth.identity import Identity
from l2tpv3_api.events.counter_sampler import Sampler
from l2tpv3_api.events.event import EventType
from l2tpv3_api.events.hub import Hub
from l2tpv3_api.events.watcher import Watcher
from l2tpv3_api.http.body_process import BodyProcesses
from l2tpv3_api.http.etag import Tagger
from l2tpv3_api.service.failing import Failing
from l2tpv3_api.service.fleet_looks import FleetLooks
from l2tpv3_api.service.passing import PassingLooks
from l2tpv3_api.service.single_flight import SingleFlight
from l2tpv3_api.service.snapshot import Snapshot

T = TypeVar("T")

_PATIENCE_S: Final = 0.5
_SHARE_S: Final = 0.15  # changes that queue have so long between two looks, lest each waits for a look of its own
_THREADS: Final = 4
_PATIENT_MAX: Final = 2
_LOOK_AGAIN_S: Final = 1.0
_RETRY_S: Final = 2.0
_TOLD_S: Final = 0.2  # in which a request that has confirmed or undone a change says so itself
_EXPIRY: Final = "undoing what nobody confirmed"
_NOBODY: Final = "nobody confirmed in time"
_log = logging.getLogger(__name__)


class Service:
    """manager: called in threads only. hub: told of each change. tagger: makes entity tags. failing: of its tasks.

    planned, applied: parse the large bodies of plans, which whoever may read can send, and of changes.
    passing: looks at hosts and flows. fleet: looks at a fleet, None where the service is told of none.
    planner: the thread that makes plans. patience: taken by each restore that waits, as it has a thread of its own
    for so long.
    """

    def __init__(self, manager: Manager, hub: Hub | None = None, fleet: FleetLooks | None = None) -> None:
        self.manager = manager
        self.hub = hub or Hub()
        self.tagger = Tagger(manager.paths.state)
        self.failing = Failing()
        self.watcher = Watcher(self, self.hub, manager.paths, self.failing)
        self.sampler = Sampler(self, self.failing)
        self._readers = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="look")
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="change")
        self.planner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="plan")
        self._doctor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="doctor")
        self.passing = PassingLooks(manager)
        self.fleet = fleet
        self._examined: dict[tuple[str | None, float], SingleFlight[Report]] = {}
        self.planned, self.applied = BodyProcesses(), BodyProcesses()
        self._changing = asyncio.Lock()
        self._turn = asyncio.Lock()
        self._looked_at = 0.0  # in the loop's time
        self._changes: set[asyncio.Task[object]] = set()
        self._looks: dict[str | None, SingleFlight[Snapshot]] = {}
        self._stated: SingleFlight[list[Desired]] = SingleFlight(self._state)
        self.patience = asyncio.Semaphore(_PATIENT_MAX)
        self._unconfirmed = asyncio.Event()
        self._awaited = False  # that a confirmation is waited for was seen, or told
        self._expiry: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """The app has started. Raises L2tpError where there is no place for a record."""
        await self.read(lambda manager: self.tagger.load())
        await self.watcher.start()
        await self.sampler.start()
        if self.fleet is not None:
            await self.fleet.start()
        self._unconfirmed.set()  # something may have been left so before
        self._expiry = asyncio.create_task(self._expire(), name=_EXPIRY)

    async def stop(self) -> None:
        """The app ends: changes that have begun are ended, too."""
        self.hub.close()
        if self.fleet is not None:
            await self.fleet.stop()
        await self.sampler.stop()
        await self.watcher.stop()
        if self._expiry is not None:
            self._expiry.cancel()
            await asyncio.wait([self._expiry])
        if self._changes:
            await asyncio.wait(self._changes)
        await asyncio.to_thread(self._writer.shutdown)
        for threads in (self._readers, self.planner, self._doctor):
            threads.shutdown(wait=False, cancel_futures=True)  # nobody waits for what they find
        self.passing.stop()

    async def look(self, netns: str | None = None) -> Snapshot:
        """All tunnels and links, seen since this was called. Whoever calls while a look runs shares the next one.

        netns: another namespace to look for foreign ones in.
        """
        if netns not in self._looks:
            for idle in [one for one, shared in self._looks.items() if shared.idle and one is not None]:
                del self._looks[idle]
            self._looks[netns] = SingleFlight(lambda begin: self._look(netns, begin))
        return await self._looks[netns].get()

    async def _look(self, netns: str | None, begin: Callable[[], None]) -> Snapshot:
        async with self._between_changes():
            begin()
            return await self.read(lambda manager: Snapshot(manager.look(netns=netns)))

    async def examined(self, tunnel: str | None, listen_s: float) -> Report:
        """What the doctor says of all tunnels, or one; see Manager.doctor. It sends nothing.

        Examinations take turns, in a thread of their own, since they listen. Whoever asks the same shares an answer.
        """
        key = (tunnel, listen_s)
        for idle in [one for one, shared in self._examined.items() if shared.idle]:
            del self._examined[idle]
        if key not in self._examined:

            async def examine(begin: Callable[[], None]) -> Report:
                begin()
                names = () if tunnel is None else (tunnel,)
                return await asyncio.get_running_loop().run_in_executor(
                    self._doctor,
                    lambda: self.manager.doctor(names, listen_s=listen_s, probe=False),
                )

            self._examined[key] = SingleFlight(examine)
        return await self._examined[key].get()

    async def path_mtu(self, tunnel: str, *, probe: bool, timeout_s: float) -> PathMtu:
        """What fits through a tunnel; see Manager.path_mtu. Probes take turns with examinations, as both wait long."""
        threads = self._doctor if probe else self._readers
        return await asyncio.get_running_loop().run_in_executor(
            threads, lambda: self.manager.path_mtu(tunnel, probe=probe, timeout_s=timeout_s)
        )

    async def stated(self) -> list[Desired]:
        """Give what is on record as files would state it, cookies included. Simultaneous callers share an answer."""
        return await self._stated.get()

    async def _state(self, begin: Callable[[], None]) -> list[Desired]:
        begin()
        return await self.read(lambda manager: manager.stated())

    @contextlib.asynccontextmanager
    async def _between_changes(self) -> AsyncIterator[None]:
        """While none of our changes is half-way; but one that takes long (an apply) is not waited for."""
        now = asyncio.get_running_loop().time
        while self._changes and now() < self._looked_at + _SHARE_S:
            await asyncio.sleep(_SHARE_S / 10)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._turn.acquire()
        except TimeoutError:
            yield
            self._looked_at = now()
            return
        try:
            yield
        finally:
            self._looked_at = now()
            self._turn.release()

    async def read(self, what: Callable[[Manager], T]) -> T:
        """Run a call that changes nothing in a thread, and give its result."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, what, self.manager)

    async def plan(self, what: Callable[[Manager], T]) -> T:
        """Run a plan, and give its result. All plans share one thread, so that readers can't take all threads."""
        return await asyncio.get_running_loop().run_in_executor(self.planner, what, self.manager)

    async def change(self, identity: Identity, what: Callable[[Manager], T]) -> T:
        """Run a call that changes something in a thread, and give its result: one at a time, and to its end in any
        case.

        The record's log names the identity.
        """
        task: asyncio.Task[T] = asyncio.create_task(self._change(identity.name, what))
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)

    async def _change(self, who: str, what: Callable[[Manager], T]) -> T:
        def work() -> T:
            with acting_for(who):
                return what(self.manager)

        # Two locks, so that a look waits for one change and not for all that queue.
        async with self._changing, self._turn:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._writer, work)
            finally:
                self.hub.changed()

    def confirmation_awaited(self, who: str = "", within_s: float | None = None) -> None:
        """A change has to be confirmed: it is undone when that does not come in time.

        who, within_s: who has made it just now, and in what time; of one that was found to wait these are not known.
        """
        if within_s is not None:
            self.hub.publish(
                EventType.CONFIRMATION, {"change": "awaited", "who": who, "left_s": within_s, "detail": ""}
            )
        self._awaited = True
        self._unconfirmed.set()

    def confirmation_ended(self, change: str, who: str, detail: str = "") -> None:
        """Tell all that a change is confirmed, or undone. change: the word for it. detail: why."""
        self._awaited = False
        self.hub.publish(EventType.CONFIRMATION, {"change": change, "who": who, "left_s": None, "detail": detail})

    async def _expire(self) -> None:
        """Undo what was not confirmed in time, also what an earlier run of the service had begun to wait for."""
        while True:
            await self._unconfirmed.wait()
            self._unconfirmed.clear()  # before the look: what begins to wait during it is looked at next
            try:
                left_s = await self.read(lambda manager: manager.unconfirmed_s())
                if left_s is None:
                    await asyncio.sleep(_TOLD_S)
                    if self._awaited and not self._unconfirmed.is_set():
                        self.confirmation_ended("ended", "", "another program on this host has confirmed or undone it")
                elif left_s > 0:
                    self._unconfirmed.set()
                    self._awaited = True
                    # In short steps: the deadline's clock counts time in suspend, and sleep's does not; and meanwhile
                    # the change may be confirmed, and another one made with an earlier deadline.
                    await asyncio.sleep(min(left_s, _LOOK_AGAIN_S))
                else:
                    self._unconfirmed.set()
                    outcome = await self._change(_NOBODY, lambda manager: manager.expire())
                    if outcome is not None:
                        self.confirmation_ended("undone", _NOBODY, _NOBODY)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # whatever it was, what nobody confirms must not stay for good
                self._unconfirmed.set()
                self.failing.note(_EXPIRY, error)
                await asyncio.sleep(_RETRY_S)
            else:
                self.failing.clear(_EXPIRY)
