"""Takes the steps of a plan until what is there is what is wanted; and the way back, when a step fails.

Each plan that is acted on rests on a new observation. While a worker that does not answer may carry a tunnel, no plan
makes or removes that tunnel (plan.tunnels raises WorkerError), whoever asks for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from l2tpv3.datapath.base import Busy, Datapath, FindsSome, HasWorkers
from l2tpv3.errors import BusyError, L2tpError, WorkerError
from l2tpv3.model.host_records import HostRecords
from l2tpv3.model.links.record import Links
from l2tpv3.model.observation import Observation
from l2tpv3.model.progress import OnStep, StepText
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.scope import touched_links
from l2tpv3.netdev.base import NetdevConfigurator
from l2tpv3.plan.describe import describe, describe_each
from l2tpv3.plan.link_steps import LinkStep
from l2tpv3.plan.plan_input import PlanInput
from l2tpv3.plan.planner import plan_everything
from l2tpv3.plan.scope import once_done, touched_part
from l2tpv3.plan.steps import AnyStep
from l2tpv3.plan.undo import what_to_undo
from l2tpv3.reconcile.executor import Executor
from l2tpv3.reconcile.link_executor import LinkExecutor
from l2tpv3.reconcile.observer import Observer
from l2tpv3.store.journal import PendingChange

ROUNDS = 4
"""How often a change is planned again when what is seen after its steps is not yet what is wanted."""

_PAUSE_S = 0.05


class Convergence:
    """Brings one host to what is wanted."""

    def __init__(
        self,
        executor: Executor,
        links: LinkExecutor,
        datapaths: Mapping[str, Datapath],
        placer: NetdevConfigurator,
        look: Callable[[], Observer],
        look_at_few: Callable[[], Observer],
    ) -> None:
        """look: gives a new observer of this host. look_at_few: one of few of its sessions; see Observer.of_few."""
        self._executor = executor
        self._links = links
        self._datapaths = datapaths
        self._placer = placer
        self._look = look
        self._look_at_few = look_at_few

    def take(
        self,
        change: PlanInput,
        steps: tuple[AnyStep, ...],
        on_step: OnStep | None = None,
        begun: list[AnyStep] | None = None,
        lost: list[StepText] | None = None,
    ) -> None:
        """Take the steps, and look whether what is seen is then what is wanted; if not, plan once more.

        begun: gets each step before it is taken. lost: gets what others had configured on netdevs and could not be put
        back, of which `on_step` is told as well. Raises BusyError when something is left to do after ROUNDS plans, and
        what the executors and plan_everything raise.
        """
        for attempt in range(ROUNDS):
            with self.busy():
                self._executor.take_all(steps, _telling(steps, on_step, begun))
            done = once_done(change)
            observation = self._touched_as_wanted(done, steps)
            if observation is None:
                observation, steps = self._what_is_left(done)
            else:
                steps = ()
            if not steps:
                for one in self._executor.put_back(change.wanted, observation.netdevs.keys()):
                    if lost is not None:
                        lost.append(one)
                    if on_step is not None:
                        on_step(one)
                return
            time.sleep(_PAUSE_S * attempt)
        left = describe(steps)[0]
        problem = f"after {ROUNDS} attempts still to do: {left.sign} {left.text}"
        raise BusyError(left.subject, problem, "something else may be changing it at the same time")

    def _touched_as_wanted(self, done: PlanInput, taken: Sequence[AnyStep]) -> Observation | None:
        """Look at the sessions that the steps touched: what is there, when nothing is to do for any of them.

        To list ten thousand sessions again takes seconds, after a change of one. None where something is still to do,
        or that look can't tell: then all is looked at. Of what a worker moves it can't: it may have died in the steps,
        and have taken others of its tunnels with it.
        """
        part = touched_part(done, taken)
        if part is None or self._executor.keeps_settings:
            return None
        if not all(self._is_found_by_itself(one) for one in part.wanted.values()):
            return None
        try:
            with self.busy():
                observation = self._look_at_few().observation(part.wanted)
            left = plan_everything(dataclasses.replace(part, observation=observation))
        except L2tpError:
            return None
        return None if left else observation

    def _is_found_by_itself(self, record: TunnelRecord) -> bool:
        datapath = self._datapaths.get(record.datapath)
        return isinstance(datapath, FindsSome) and not isinstance(datapath, HasWorkers)

    def _what_is_left(self, done: PlanInput) -> tuple[Observation, tuple[AnyStep, ...]]:
        """Look again after steps were taken: what is there, and what is still to do. done: see once_done.

        Raises what plan_everything does, WorkerError only when all workers were asked once more.
        """
        try:
            return self._look_and_plan(done)
        except WorkerError:  # it may answer a moment later
            self.ask_all_again(done.links.wanted)
            return self._look_and_plan(done)

    def _look_and_plan(self, change: PlanInput) -> tuple[Observation, tuple[AnyStep, ...]]:
        """What is there now of what is wanted, and the plan that follows from it."""
        seen = self._look().observation(change.wanted)
        observation = self.with_links(seen, change.links.wanted)
        return observation, plan_everything(dataclasses.replace(change, observation=observation))

    def ask_all_again(self, *links: Links) -> None:
        """Have the next look ask each worker, also those that did not answer a moment ago. links: that may be there."""
        for one in self._datapaths.values():
            if isinstance(one, HasWorkers):
                one.ask_all_again()
        self._links.ask_all_again(*links)

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """For the length of the block the datapaths may keep sockets open; see Busy."""
        with contextlib.ExitStack() as stack:
            for one in (*self._datapaths.values(), self._placer):
                if isinstance(one, Busy):
                    stack.enter_context(one.busy())
            yield

    def with_links(self, observation: Observation, *known: Links) -> Observation:
        """The observation together with what is observed of these links."""
        if not any(known):
            return observation
        return dataclasses.replace(observation, links=self._links.seen(*known))

    def undo(self, change: PlanInput, note: PendingChange, begun: Collection[AnyStep]) -> None:
        """Take away what the begun steps made, and make again what they took away; see plan.undo.what_to_undo.

        change: what the steps were planned from. note: the journal's entry of the change. Raises what `take` does.
        """
        made = note.target.made
        self.ask_all_again(change.links.old, change.links.maybe, made.links)
        making = {**change.maybe, **made.tunnels}
        now = self._look().observation(change.old, making, change.old)
        back, alone = what_to_undo(change, begun, making, now)
        names = [step.link.spec.name for step in begun if isinstance(step, LinkStep)]
        known = [HostRecords(links=some) for some in (change.links.old, made.links, change.links.wanted)]
        touched = touched_links(back.scope, names, *known) or frozenset()
        apart = touched_links(frozenset(alone), (), *known) or frozenset()
        maybe = {**change.links.maybe, **made.links}
        links = dataclasses.replace(back.links, maybe=maybe, scope=touched - apart)
        observation = self.with_links(now, links.old, links.maybe)
        back = dataclasses.replace(back, observation=observation, links=links)
        self.take(back, plan_everything(back))


def _telling(
    steps: tuple[AnyStep, ...], on_step: OnStep | None, begun: list[AnyStep] | None
) -> Callable[[AnyStep], None]:
    """A function to call with each step before it is taken: it adds the step to `begun`, and tells `on_step` of it.

    A step that the text of an earlier one covers is not told.
    """
    said = describe_each(steps) if on_step is not None else ()
    told = {id(step): one for step, one in zip(steps, said, strict=bool(said)) if one is not None}

    def tell(step: AnyStep) -> None:
        if begun is not None:
            begun.append(step)
        if on_step is not None and (one := told.get(id(step))) is not None:
            on_step(one)

    return tell
