"""How long a way is interrupted when something on it is cut: pings from before it until it works again."""

from __future__ import annotations

import itertools
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from labrunner.errors import LabError
from labrunner.identity import Identity
from labrunner.scenario import Outage
from labrunner.typed import Answer, ask, patience, start, stop

INTERVAL_S = 0.02
"""From ping to ping; no silence is shorter."""

_BEFORE = 25  # answers that show that the way works
_AFTER_S = 1.0  # of pings once the longest silence that is allowed is over
_IN_FLIGHT = 5  # pings whose answers may be on their way at the end
_ANSWER = re.compile(r"^\[(\d+\.\d+)\] \d+ bytes from .* icmp_seq=(\d+) ", re.MULTILINE)
_TOTALS = re.compile(r"(\d+) packets transmitted, (\d+) received")


@dataclass(frozen=True)
class Silence:
    """What pings tell. longest_s: between two answers, or from the last one until the end, where pings were lost.

    Answers that are late, all of them, are a busy machine and no interruption.
    """

    sent: int
    lost: int
    longest_s: float


def ping_command(address: str) -> str:
    """What is typed: with a time stamp for each answer.

    -S: ping's own socket buffer is full after a dozen pings that wait at the cut for an answer to ARP, for three
    seconds; it would be ping that is silent then, and not the way.
    """
    return f"ping -n -D -S 200000 -i {INTERVAL_S:g} {address}"


def silence(printed: str, ended: float) -> Silence:
    """Read ping's output. ended: when the pings ended, in seconds since the epoch. Raises LabError: no answers."""
    answers = [(float(stamp), int(number)) for stamp, number in _ANSWER.findall(printed)]
    totals = _TOTALS.search(printed)
    if not answers or totals is None:
        raise LabError(f"no answer to any ping: {printed.strip() or 'ping said nothing'}")
    sent = int(totals[1])
    gaps = [after - before for (before, one), (after, next_) in itertools.pairwise(answers) if next_ > one + 1]
    last, number = answers[-1]
    if sent - number > _IN_FLIGHT:
        gaps.append(ended - last)
    return Silence(sent, sent - int(totals[2]), max(gaps, default=0.0))


def measure(run: Identity, host: str, outage: Outage, timeout_s: float) -> tuple[Silence, Answer]:
    """Ping until it works, cut, ping on, and say what came of it, and of the cut. Raises LabError: it never worked."""
    log = run.folder / f"{host}-pings"
    with log.open("w") as file:
        pings = start(run, host, ping_command(outage.address).split(), stdout=file, stderr=file)
    try:
        _wait_until_it_works(log, timeout_s * patience())
        cut = ask(run, outage.at, outage.cut, timeout_s)
        # Not stretched by patience: how long a silence may last is what the scenario shows.
        time.sleep(outage.most_s + _AFTER_S)
        ended = time.time()
        pings.send_signal(signal.SIGINT)  # it then prints its totals
        pings.wait(timeout_s * patience())
    finally:
        stop(pings)
    return silence(log.read_text(), ended), cut


def _wait_until_it_works(log: Path, limit_s: float) -> None:
    give_up = time.monotonic() + limit_s
    while len(_ANSWER.findall(printed := log.read_text())) < _BEFORE:
        if time.monotonic() > give_up:
            raise LabError(f"it did not work before the cut either: {printed.strip() or 'ping said nothing'}")
        time.sleep(INTERVAL_S)
