"""Tells what probes have come to: in a sentence, and to the hooks of sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from l2tpv3.liveness.hooks import Hooks
from l2tpv3.model.probe import ProbeReport, ProbeState, ProbeTarget
from l2tpv3.store.receptions import tell_changed


class ProbeNews:
    """say: told in a sentence when something is dead, or alive again. hooks: told what they are run for."""

    def __init__(self, say: Callable[[str], None], hooks: Hooks) -> None:
        self._say, self._hooks = say, hooks

    def tell(self, target: ProbeTarget, before: ProbeState, report: ProbeReport) -> None:
        """The state of what is probed was `before`, and is another one now."""
        if report.state is ProbeState.DEAD:
            self._say(f"session {target.name}: dead: {target.whom}: {report.reason}")
        elif before is ProbeState.DEAD and report.state is ProbeState.ALIVE:
            self._say(f"session {target.name}: alive again: {target.whom} answers")
        self._hooks.tell(target, report)


class WorkerNews:
    """Notices what workers have found that probe by themselves. Call `look` now and then.

    runtime: where those who follow what happens are told that something has; see tell_changed.
    """

    def __init__(self, runtime: Path, news: ProbeNews) -> None:
        self._runtime, self._news = runtime, news
        self._states: dict[str, ProbeState] = {}

    def look(self, found: Iterable[tuple[ProbeTarget, ProbeReport]]) -> None:
        """Take what workers say now of all that they probe."""
        states = {}
        for target, report in found:
            before = self._states.get(target.key, ProbeState.STARTING)
            states[target.key] = report.state
            if report.state is not before:
                self._news.tell(target, before, report)
        changed, self._states = states != self._states, states
        if changed:
            tell_changed(self._runtime)
