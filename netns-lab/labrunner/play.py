"""One run of one scenario from its first namespace to the last trace being gone."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labrunner import needs, network, serve
from labrunner.errors import Interrupted
from labrunner.identity import Identity, bin_folder
from labrunner.scenario import Scenario
from labrunner.steps import Performer, Result
from labrunner.story import Story
from labrunner.sweep import Guard, sweep
from labrunner.typed import patience

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@dataclass(frozen=True)
class Wish:
    """What the user asked for. datapath: what is typed as --datapath; auto is not typed. shell: a host's name.

    serve: dashboards at the end, until Ctrl-C.
    """

    datapath: str = "auto"
    keep: bool = False
    shell: str | None = None
    serve: bool = False


@dataclass
class Outcome:
    """What came of a run: the steps that were reached, the looks at what was the matter, and how long all took."""

    scenario: Scenario
    datapath: str
    results: list[Result] = field(default_factory=list)
    looks: list[Result] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every step was reached and all was as expected."""
        return len(self.results) == len(self.scenario.steps) and all(result.ok for result in self.results)

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "schema": "l2tpv3/lab/v1",
            "scenario": self.scenario.name,
            "title": self.scenario.title,
            "datapath": self.datapath,
            "ok": self.ok,
            "seconds": round(self.seconds, 3),
            "steps_in_all": len(self.scenario.steps),
            "steps": [_told(result) for result in self.results],
            "after_failure": [_told(result) for result in self.looks],
        }


def _told(result: Result) -> dict[str, Any]:
    return {
        "say": result.say,
        "on": result.on,
        "ok": result.ok,
        "seconds": round(result.seconds, 3),
        "commands": result.commands,
        "output": result.output,
        "measured": result.measured,
        "complaints": result.complaints,
    }


def play(scenario: Scenario, wish: Wish, story: Story, program: Path) -> Outcome:
    """Play it. Whatever happens, nothing is left, unless it is to be kept. Raises LabError, Interrupted."""
    bin_folder()
    more = [need for need, asked in (("kernel-l2tp", wish.datapath == "kernel"), ("api", wish.serve)) if asked]
    needs.require([*scenario.needs, *more])
    outcome = Outcome(scenario, wish.datapath)
    run = Identity.own()
    began = time.monotonic()
    with _stop_signals(), _stage(run, program, story, keep=wish.keep):
        story.title(scenario.title, scenario.picture)
        _build(run, scenario, story)
        _act(run, outcome, story)
        outcome.seconds = time.monotonic() - began
        if wish.shell:
            _shell(run, wish.shell, story)
        if wish.serve and outcome.ok:
            _serve(run, outcome, story)
    _tell_end(outcome, story, cleaned="" if wish.keep else "; nothing of it is left")
    if outcome.ok and scenario.afterwards:
        story.note("\n" + scenario.afterwards)
    return outcome


def enter(run: Identity, host: str, command: list[str]) -> int:
    """Run a command, else a shell, at a host of a run; its exit status."""
    shell = ["bash", "--norc", "-i"]
    environment = run.environment(host) | {"PS1": f"{host}# "}
    # Ctrl-C there is the shell's business. Handled and not ignored here: what it starts would inherit the ignoring.
    with _handled((signal.SIGINT, signal.SIGQUIT), lambda *_: None):
        return subprocess.run(
            ["ip", "netns", "exec", run.netns(host), *(command or shell)], env=environment, check=False
        ).returncode


def _build(run: Identity, scenario: Scenario, story: Story) -> None:
    began = time.monotonic()
    network.build(run, scenario)
    counts = f"{len(scenario.hosts)} network namespaces, {len(scenario.links)} links between them"
    story.step("The network")
    story.verdict(ok=True, summary=counts, seconds=time.monotonic() - began)


def _act(run: Identity, outcome: Outcome, story: Story) -> None:
    """Step by step, up to the first that fails: what follows would only fail because of it."""
    performer = Performer(run, outcome.scenario, outcome.datapath, story)
    for step in outcome.scenario.steps:
        outcome.results.append(performer.perform(step))
        if not outcome.results[-1].ok:
            story.note("")
            outcome.looks = [performer.perform(look) for look in outcome.scenario.on_failure]
            return


def _shell(run: Identity, host: str, story: Story) -> None:
    story.note(f"A shell at {host}; leaving it cleans up. l2tpctl there is {host}'s own.")
    enter(run, host, [])


def _serve(run: Identity, outcome: Outcome, story: Story) -> None:
    """Dashboards of all hosts that have tunnels, until Ctrl-C, which is no failure then."""
    scenario = outcome.scenario
    performer = Performer(run, scenario, outcome.datapath, story)
    story.note("")
    try:
        for step in scenario.while_serving:
            performer.perform(step)
        served = serve.serve_all(run, scenario.hosts, scenario.values, patience())
        story.note("Dashboards, each of its own host; the link logs in. Ctrl-C ends it all and cleans up.\n")
        for one in served:
            story.note(f"  {one.host:8} {one.link}")
        story.note("")
        while True:
            signal.pause()
    except Interrupted as stopped:
        if stopped.number != signal.SIGINT:
            raise


def _tell_end(outcome: Outcome, story: Story, *, cleaned: str) -> None:
    held = sum(result.ok for result in outcome.results)
    steps = f"{held} of {len(outcome.scenario.steps)} steps as expected"
    story.end(ok=outcome.ok, text=f"{outcome.scenario.name}: {steps}, {outcome.seconds:.1f} s{cleaned}")


@contextlib.contextmanager
def _stage(run: Identity, program: Path, story: Story, *, keep: bool) -> Iterator[None]:
    """The run's folder and guard for the block, and the clean-up after it. Only a run that came to its end is kept."""
    guard = Guard(run, program)
    kept = False
    try:
        run.make_folder()
        yield
        kept = keep
    finally:
        with _handled(_STOP_SIGNALS, signal.SIG_IGN):
            if kept:
                _tell_kept(run, story, program)
            else:
                sweep(run)
            guard.dismiss()


def _tell_kept(run: Identity, story: Story, program: Path) -> None:
    hosts = sorted(path.name for path in run.folder.iterdir() if path.is_dir())
    story.note("Kept. To enter a host, and to clean up:")
    for host in hosts:
        story.note(f"  sudo {program} --enter {run.netns(host)}")
    story.note(f"  sudo {program} --clean {run.name}\n")


@contextlib.contextmanager
def _stop_signals() -> Iterator[None]:
    """In the block, these signals raise Interrupted, once. From then on they are ignored, for good: neither the
    clean-up that follows nor the exit after it is to be interrupted.
    """
    stopped = False

    def stop(number: int, _: object) -> None:
        nonlocal stopped
        stopped = True
        for each in _STOP_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    before = {number: signal.signal(number, stop) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        if not stopped:
            for number, former in before.items():
                signal.signal(number, former)


@contextlib.contextmanager
def _handled(
    numbers: tuple[signal.Signals, ...], handler: Callable[[int, object], None] | signal.Handlers
) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
