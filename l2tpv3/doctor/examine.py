"""Examines tunnels: looks, listens for a while, asks the peers, looks again, and has each check say what it finds."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from l2tpv3.doctor.arrivals import Arrivals, Own, Sorter
from l2tpv3.doctor.case import Case, Check, PathAnswers
from l2tpv3.doctor.checks import CHECKS, SYMPTOMS
from l2tpv3.doctor.consequences import without_consequences
from l2tpv3.doctor.drops.attribution import Attribution, wanted
from l2tpv3.doctor.drops.program import LOOKED_MOST
from l2tpv3.doctor.drops.watching import DropWatch, watching
from l2tpv3.doctor.host_drops import HostCounts, count
from l2tpv3.doctor.listening import listen
from l2tpv3.doctor.outer_lengths import longest
from l2tpv3.doctor.report import Report, in_order, merged
from l2tpv3.errors import L2tpError, from_errno
from l2tpv3.linux.echo_probe import EchoProbe
from l2tpv3.linux.netns import inside
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.reconcile.notes import LookedAt

PROBED: Final = 16
"""So many peers are asked for echoes at a time, and no more of them: a host of a thousand would send a flood."""
_ECHO_S: Final = 0.4
_LONGEST: Final = 9000
"""Longer echo requests in fragments are not sent: many hosts take none."""
_SHORT: Final = {4: 68, 6: 1280}
"""Bytes that each path takes in one piece (RFC 791, RFC 8200 section 5)."""

_Answered = dict[str, PathAnswers | L2tpError]


def examine(
    look: Callable[[], Sequence[LookedAt]], *, session: str | None, listen_s: float, probe: bool, drops: bool = False
) -> Report:
    """Examine the tunnels that `look` observes. It is called twice, before and after listening.

    session: tell of this session alone, and of its tunnel. listen_s: how long to listen; 0: not at all. probe: ask the
    peers for ICMP echoes meanwhile, unless they are too many. drops: have the kernel tell what it drops meanwhile.
    Changes nothing. Raises what `look` raises.
    """
    before = look()
    if not any(one.seen is not None for one in before):
        listen_s, probe = 0.0, False  # what does not run takes nothing, whatever comes
    unseen: list[str] = []
    counts = _counts(before) if listen_s else {}
    with _watched(before, unseen, drops=drops and bool(listen_s)) as watch:
        arrivals, answered = _listened(before, listen_s, unseen, probe=probe and len(before) <= PROBED)
        attribution = _attributed(watch, unseen)
    later = _counts(before) if listen_s else {}
    after = look() if listen_s or answered else before
    findings: list[Finding] = []
    for case in _cases(before, after, arrivals, answered, unseen):
        case = dataclasses.replace(
            case,
            listened_s=listen_s,
            counts=_both(counts, later, case.spec.netns),
            drops=attribution.of(case.looked) if attribution is not None else None,
        )
        findings += _of_one(case, session, unseen)
    return Report(
        about=tuple(one.record.spec.name + (f"/{session}" if session else "") for one in after),
        findings=in_order(findings),
        unseen=tuple(dict.fromkeys(unseen)),
        untried=tuple(_untried(before, listen_s, probe=probe, drops=drops)),
        listened_s=listen_s,
        packets=sum(one.right(session) for one in arrivals.values()),
        arrived={name: one.right(session) for name, one in arrivals.items()},
    )


def _cases(
    before: Sequence[LookedAt],
    after: Sequence[LookedAt],
    arrivals: dict[str, Arrivals],
    answered: _Answered,
    unseen: list[str],
) -> Iterator[Case]:
    """Each tunnel with what arrived for it and what its peer answered. unseen: is told of peers that can't be asked."""
    old = {one.record.spec.name: one.seen for one in before}
    for looked in after:
        name = looked.record.spec.name
        answer = answered.get(name)
        if isinstance(answer, L2tpError):
            unseen.append(_why(f"the path of tunnel {name}", answer))
        path = answer if isinstance(answer, PathAnswers) else None
        yield Case(looked=looked, before=old.get(name), arrivals=arrivals.get(name), path=path)


@contextlib.contextmanager
def _watched(looked: Sequence[LookedAt], unseen: list[str], *, drops: bool) -> Iterator[DropWatch | None]:
    """Have the kernel count what it drops for the length of the block; None where it does not, or was not asked."""
    with contextlib.ExitStack() as stack:
        watch = None
        if drops:
            try:
                watch = stack.enter_context(watching(wanted(looked)))
            except L2tpError as error:
                unseen.append(_why(error.subject, error))
        yield watch


def _attributed(watch: DropWatch | None, unseen: list[str]) -> Attribution | None:
    """What was dropped while it was watched, by tunnel."""
    if watch is None:
        return None
    found = watch.drops()
    if watch.is_over():
        unseen.append(f"what the kernel drops: this host drops so much that no more than {LOOKED_MOST} were looked at")
    return Attribution(found)


def _untried(looked: Sequence[LookedAt], listen_s: float, *, probe: bool, drops: bool) -> Iterator[str]:
    tunnels = len(looked)
    if not any(one.seen is not None for one in looked):
        if looked:
            yield "what arrives at this host, and whether the peers are there: nothing runs here that would take it"
        return
    if not listen_s:
        more = ", and to what the kernel drops" if drops else ""
        yield f"what arrives at this host{more}: `--listen 2` listens for two seconds"
    if not probe:
        yield "whether the peers are there, and what the paths take: `--probe` asks them"
    elif tunnels > PROBED:
        yield f"whether {tunnels} peers are there, and what the paths take: name one tunnel for that"


def _of_one(case: Case, session: str | None, unseen: list[str]) -> list[Finding]:
    name = case.spec.name
    subjects = {f"tunnel {name}", f"session {name}/{session}"}
    found = merged(_run(CHECKS, case, unseen))
    if not any(one.harm is Harm.STOPS for one in found):
        found += merged(_run(SYMPTOMS, case, unseen))
    found = without_consequences(found)
    return [one for one in found if session is None or one.subject in subjects]


def _run(checks: Iterable[Check], case: Case, unseen: list[str]) -> list[list[Finding]]:
    """What each check finds. One that may not look, or can't, is in no other's way."""
    results = []
    for check in checks:
        found: list[Finding] = []
        results.append(found)
        try:
            found.extend(check(case))
        except L2tpError as error:
            if error.exit_code == _NOT_PERMITTED:
                unseen.append(_why(error.subject, error))
    return results


def _why(what: str, error: L2tpError) -> str:
    """The sentence about what could not be looked at."""
    return f"{what}: {error.problem}" + (f"; {error.remedy}" if error.remedy else "")


_NOT_PERMITTED: Final = 5
"""The exit code of errors that say that the caller lacks a privilege; the others are what the checks are about."""


def _listened(
    looked: Sequence[LookedAt], seconds: float, unseen: list[str], *, probe: bool
) -> tuple[dict[str, Arrivals], _Answered]:
    """What arrives for each tunnel, and what each peer answers in the same time."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(PROBED) as pool:
        asked = {one.record.spec.name: pool.submit(_echoes, one) for one in looked} if probe else {}
        arrivals = _arrivals(looked, seconds, unseen) if seconds else {}
        return arrivals, {name: answer for name, one in asked.items() if (answer := one.result()) is not None}


def _arrivals(looked: Sequence[LookedAt], seconds: float, unseen: list[str]) -> dict[str, Arrivals]:
    by_place: dict[str | None, list[LookedAt]] = {}
    for one in looked:
        by_place.setdefault(one.record.spec.netns, []).append(one)
    sorters = {place: Sorter((one.record, _own(one)) for one in some) for place, some in by_place.items()}
    failed = listen(sorters, seconds)
    unseen += [_why("what arrives at this host", error) for error in failed.values()]
    found: dict[str, Arrivals] = {}
    for place, sorter in sorters.items():
        if place not in failed:
            found |= sorter.found()
    return found


def _own(looked: LookedAt) -> dict[str, Own]:
    """The addresses that this end has, by session: those of its netdev and of the bridge that this is a port of."""
    found = {}
    for one in looked.status.sessions:
        netdev = one.netdev
        bridge = looked.host.netdev(netdev.netns, netdev.bridge) if netdev is not None and netdev.bridge else None
        both = [it for it in (netdev, bridge) if it is not None]
        found[one.name] = Own(
            macs=frozenset(bytes.fromhex(it.mac.replace(":", "")) for it in both),
            addresses=frozenset(address.packed for it in both for address in it.addresses),
        )
    return found


def _counts(looked: Sequence[LookedAt]) -> dict[str | None, HostCounts | None]:
    """What each network namespace has counted by now."""
    pids: dict[str | None, set[int]] = {}
    bridged: set[str | None] = set()
    for one in looked:
        of_place = pids.setdefault(one.record.spec.netns, set())
        if one.status.worker_pid is not None:
            of_place.add(one.status.worker_pid)
        if any(it.netdev is not None and it.netdev.bridge is not None for it in one.status.sessions):
            bridged.add(one.record.spec.netns)
    return {place: count(place, some, bridged=place in bridged) for place, some in pids.items()}


def _both(
    before: dict[str | None, HostCounts | None], after: dict[str | None, HostCounts | None], netns: str | None
) -> tuple[HostCounts, HostCounts] | None:
    old, new = before.get(netns), after.get(netns)
    return (old, new) if old is not None and new is not None else None


def _echoes(looked: LookedAt) -> PathAnswers | L2tpError | None:
    """What the peer answers. None where there is no route by which to ask, of which a note tells."""
    from l2tpv3.resolve.route import find_route

    record = looked.record
    spec = record.spec
    try:
        full = find_route(spec).mtu
    except L2tpError:
        return None
    try:
        with inside(spec.netns):
            with EchoProbe(record.local, spec.remote, mark=spec.fwmark, device=spec.bind_device) as echo:
                short = _answers(echo, min(_SHORT[spec.remote.version], full))
                found = PathAnswers(short, short and _answers(echo, full), full)
            cut_bytes = 0 if spec.is_inside else min(longest(record, looked.status, whole=True), _LONGEST)
            if not found.full or cut_bytes <= full:
                return found
            with EchoProbe(record.local, spec.remote, mark=spec.fwmark, device=spec.bind_device, cut=True) as echo:
                return found._replace(cut=_answers(echo, cut_bytes), cut_bytes=cut_bytes)
    except OSError as error:
        return from_errno(f"tunnel {spec.name}", f"ask {spec.remote} for echoes", error.errno or 0)


def _answers(echo: EchoProbe, length: int) -> bool:
    """Whether one of three echo requests is answered."""
    return any(echo.answers(length, _ECHO_S) for _ in range(3))
