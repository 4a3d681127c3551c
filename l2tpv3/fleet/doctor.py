"""Examines all pseudowires of a fleet at both ends: all hosts listen and send at one time, then each is compared."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from l2tpv3.connect.both_ends import joined
from l2tpv3.connect.command_end import OUTPUT_MAX, CommandEnd, understood
from l2tpv3.connect.frames import NONCE
from l2tpv3.connect.wire_test import LISTENING
from l2tpv3.doctor.comparison import Wire, clocks
from l2tpv3.doctor.ends import HostEnd
from l2tpv3.doctor.report import Report, from_json, in_order
from l2tpv3.errors import L2tpError, RefusedError
from l2tpv3.fleet.model import HERE, Fleet
from l2tpv3.fleet.pairs import Pair, all_pairs
from l2tpv3.fleet.reached import AT_ONCE
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.remote.ssh import LastBytes
from l2tpv3.remote.ssh_failure import SAID_MAX
from l2tpv3.remote.ssh_target import SshTarget, ThisHost
from l2tpv3.value_class import value_class
from l2tpv3.version import VERSION

_TOGETHER_S: Final = 1.0
"""For so long all hosts have to listen while all others send; else it is done again, for twice as long."""
_TRIES: Final = 4

_One = TypeVar("_One")
Answers = Mapping[str, _One | L2tpError]
"""What each host answers, by its name, or why it does not."""


@value_class(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a host found of its tunnels. report: None where it has none of them. arrived: right packets, by tunnel.

    began, ended: monotonic seconds here, between which it listened and sent.
    """

    report: Report | None
    arrived: Mapping[str, int]
    began: float
    ended: float


def examine_fleet(fleet: Fleet, *, listen_s: float) -> Report:
    """Examine each pseudowire of a fleet. Hosts that can't be asked are told of. listen_s: how long hosts listen.

    Changes nothing, but sends test frames through the pseudowires, which no bridge passes on.
    """
    pairs = all_pairs(fleet)
    ends, unreached = _ends(fleet, pairs)
    nonce, asked = os.urandom(NONCE), time.time()
    facts = _each(ends, lambda _, end: end.compared(nonce))
    span = (asked, time.time())
    tunnels = {name: [pair.tunnels[pair.at(name)] for pair in pairs if name in pair.hosts] for name in ends}
    up = {name: end for name, end in ends.items() if not isinstance(facts[name], L2tpError)}
    heard = _heard(up, tunnels, listen_s)
    for answers in (facts, heard):
        unreached |= {name: answer for name, answer in answers.items() if isinstance(answer, L2tpError)}
    unseen = [f"host {name}: {error.problem}" for name, error in sorted(unreached.items())]
    findings: list[Finding] = []
    packets = 0
    for name, end in facts.items():
        if isinstance(end, HostEnd):
            findings += clocks(span, end, VERSION, f"at {name}")
    for pair in pairs:
        found = _of_pair(pair, facts, heard)
        findings += found.findings
        unseen += found.unseen
        packets += found.packets
    return Report(
        about=tuple(pair.key for pair in pairs),
        findings=in_order(findings),
        unseen=tuple(dict.fromkeys(unseen)),
        listened_s=listen_s,
        packets=packets,
        called="1 pseudowire" if len(pairs) == 1 else f"{len(pairs)} pseudowires",
    )


def _ends(fleet: Fleet, pairs: Sequence[Pair]) -> tuple[dict[str, CommandEnd], dict[str, L2tpError]]:
    """The hosts of these pseudowires by name, and why some of them can't be asked."""
    ends: dict[str, CommandEnd] = {}
    unreached: dict[str, L2tpError] = {}
    for name in sorted({host for pair in pairs for host in pair.hosts}):
        try:
            ends[name] = _end(name, fleet.hosts[name].reach)
        except L2tpError as error:
            unreached[name] = error
    return ends, unreached


def _end(name: str, reach: str) -> CommandEnd:
    """Raises RefusedError for a host that nobody can ask."""
    if reach == HERE:
        return CommandEnd(ThisHost(), f"at {name}")
    if not reach.startswith("ssh://"):
        raise RefusedError(f"host {name}", "is not reached by ssh, so it can't be asked", "run `l2tpctl doctor` there")
    return CommandEnd(SshTarget.parse(reach), f"at {name}")


def _each(ends: Mapping[str, CommandEnd], ask: Callable[[str, CommandEnd], _One]) -> dict[str, _One | L2tpError]:
    """Ask all hosts at once."""

    def answer(name: str) -> _One | L2tpError:
        try:
            return ask(name, ends[name])
        except L2tpError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(ends, pool.map(answer, ends), strict=True))


def _heard(
    ends: Mapping[str, CommandEnd], tunnels: Mapping[str, Sequence[str]], listen_s: float
) -> dict[str, Heard | L2tpError]:
    """Have all hosts listen and send, again and for longer where they did not do so at the same time."""
    for _ in range(_TRIES):
        seconds = listen_s
        answers = _each(ends, lambda name, end: _listen(end, seconds, tunnels[name]))  # noqa: B023 - done in this turn
        done = [one for one in answers.values() if isinstance(one, Heard)]
        together = min((one.ended for one in done), default=0.0) - max((one.began for one in done), default=0.0)
        if len(done) < 2 or together >= min(_TOGETHER_S, listen_s / 2):
            break
        listen_s *= 2
    return answers


def _listen(end: CommandEnd, seconds: float, tunnels: Sequence[str]) -> Heard:
    errors = LastBytes(SAID_MAX)
    with end.running("doctor-ends", f"{seconds:g}", *tunnels) as running:
        begun = running.stdout.readline(64).strip() == LISTENING
        began = time.monotonic()
        text = running.output(errors, OUTPUT_MAX)
        ended = time.monotonic()
        if running.exit_status() or not begun:
            said = errors.kept.decode("utf-8", "replace").strip()
            raise RefusedError(f"{end.title}: the doctor", said.removeprefix("l2tpctl: ") or "does not answer")
        with understood(end.title):
            found: dict[str, Any] = json.loads(text)
            report = None if found["report"] is None else from_json(found["report"])
            arrived = {str(name): int(number) for name, number in found["arrived"].items()}
    return Heard(report=report, arrived=arrived, began=began, ended=ended)


def _of_pair(pair: Pair, facts: Answers[HostEnd], heard: Answers[Heard]) -> Report:
    """What is wrong with one pseudowire."""
    reports, ends = [], []
    for host, tunnel in zip(pair.hosts, pair.tunnels, strict=True):
        known, found = facts.get(host), heard.get(host)
        if not isinstance(known, HostEnd) or not isinstance(found, Heard):
            continue
        end = next((one for one in known.tunnels if one.name == tunnel), None)
        if end is None or found.report is None:
            says = f"host {host} has no tunnel {tunnel}, which this fleet gives it"
            remedy = "`l2tpctl fleet plan` tells the difference, `l2tpctl fleet apply` makes it"
            subject = f"wire {pair.key}"
            missing = Finding(cause="not-made", harm=Harm.STOPS, subject=subject, says=says, remedy=remedy)
            return Report(about=(pair.key,), findings=(missing,))
        ends.append(end)
        reports.append(_of_tunnel(found, found.report, tunnel))
    if len(reports) < 2:  # a host that was not asked has sent nothing, so that silence says nothing
        alone = [one for report in reports for one in report.findings if one.cause != _SILENCE]
        return Report(about=(pair.key,), findings=tuple(_at(pair, one) for one in alone))
    wire = Wire(near=ends[0], far=ends[1], there=f"at {pair.hosts[1]}")
    both = joined(wire, None, *reports)
    return dataclasses.replace(
        both, findings=tuple(_at(pair, one) for one in both.findings), packets=sum(one.packets for one in reports)
    )


def _at(pair: Pair, one: Finding) -> Finding:
    """A finding with the pseudowire, and the host that it calls `here`, in its subject."""
    near, far = pair.hosts
    subject = one.subject.removeprefix(f"at {far}: ")
    host = near if subject == one.subject else far
    return dataclasses.replace(one, subject=f"wire {pair.key}, at {host}: {subject}")


_SILENCE: Final = "silence"


def _of_tunnel(heard: Heard, report: Report, tunnel: str) -> Report:
    """What a host's report has of one tunnel."""
    return dataclasses.replace(
        report, about=(tunnel,), findings=tuple(_about(report.findings, tunnel)), packets=heard.arrived.get(tunnel, 0),
        untried=(),
    )  # fmt: skip


def _about(findings: Sequence[Finding], tunnel: str) -> Iterator[Finding]:
    subjects = (f"tunnel {tunnel}", f"session {tunnel}/")
    return (one for one in findings if one.subject == subjects[0] or one.subject.startswith(subjects[1]))
