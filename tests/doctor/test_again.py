"""Examinations again and again, with a clock that is stepped."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from itertools import islice

import jsonschema
import pytest

from l2tpv3.doctor.again import changes, until_healthy
from l2tpv3.doctor.report import Report
from l2tpv3.documents.schemas import DOCTOR_SCHEMA, json_schema
from l2tpv3.model.finding import Finding, Harm
from tests.doctor.faults import wire
from tests.hosts import Hosts
from tests.sshd import L2TPCTL

HEALTHY = Report(about=("t",))


def _wrong(says: str, cause: str = "silence", harm: Harm = Harm.STOPS) -> Report:
    return Report(about=("t",), findings=(Finding(cause=cause, harm=harm, subject="tunnel t", says=says),))


class Clock:
    """Time that passes as it is slept, and 0.4 s with each look."""

    def __init__(self, *reports: Report) -> None:
        self.now, self.looks = 100.0, 0
        self._reports: Iterator[Report] = iter(reports)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def look(self) -> Report:
        self.looks += 1
        self.now += 0.4
        return next(self._reports)


def test_it_waits_until_nothing_is_wrong_or_the_time_is_over() -> None:
    clock = Clock(_wrong("a"), _wrong("a"), HEALTHY)
    assert until_healthy(clock.look, 60.0, sleep=clock.sleep, clock=clock) is HEALTHY
    assert clock.looks == 3 and clock.now == pytest.approx(102.4)
    clock = Clock(*[_wrong("a")] * 9)
    assert until_healthy(clock.look, 2.0, sleep=clock.sleep, clock=clock) == _wrong("a")
    assert clock.looks == 3 and clock.now == pytest.approx(102.4)
    clock = Clock(_wrong("a"))
    until_healthy(clock.look, 0.0, sleep=clock.sleep, clock=clock)
    assert clock.looks == 1
    told = _wrong("good to know", harm=Harm.NONE)
    assert until_healthy(Clock(told).look, 60.0) is told


def test_what_changes_is_told_and_what_is_counted_is_not() -> None:
    clock = Clock(HEALTHY, HEALTHY, _wrong("3 packets"), _wrong("4 packets"), _wrong("x", cause="cookie"), HEALTHY)
    found = list(islice(changes(clock.look, sleep=clock.sleep, clock=clock), 4))
    assert found == [HEALTHY, _wrong("3 packets"), _wrong("x", cause="cookie"), HEALTHY] and clock.looks == 6


@pytest.mark.root
def test_the_command_waits_and_watches(hosts: Hosts) -> None:
    pair = wire(hosts)
    host, line = pair.a.host, ["--no-probe", "--listen", "0"]
    netdev = pair.a.session("t", "s").netdev.ifname
    host.ip("link", "set", netdev, "down")
    assert host.ctl("doctor", "t", *line, "--wait", "1", check=False).returncode == 11
    watching = host.start([L2TPCTL, "doctor", "--watch", "--json", *line])
    assert watching.stdout is not None
    first = json.loads(watching.stdout.readline())
    jsonschema.validate(first, json_schema(DOCTOR_SCHEMA))
    assert first["findings"][0]["cause"] == "netdev-differs" and first["time"]
    waiting = host.start([L2TPCTL, "doctor", "t", *line, "--wait", "120"])
    host.ip("link", "set", netdev, "up")
    assert waiting.wait(120) == 0
    assert json.loads(watching.stdout.readline())["findings"] == []
    watching.send_signal(signal.SIGINT)
    assert watching.wait(60) == 0
    assert host.ctl("doctor", *line, "--watch", "--wait", "1", check=False).returncode == 1
