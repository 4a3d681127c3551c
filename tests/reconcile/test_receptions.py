"""Taking note of when sessions receive something whose datapath does not, with the clock as the test sets it."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import pytest

from l2tpv3.host.manager import Manager
from l2tpv3.model.hearing import UNHEARD_AFTER_S, Hearing
from l2tpv3.model.observed import Counters
from l2tpv3.paths import Paths
from l2tpv3.reconcile.receptions import EVERY_S
from l2tpv3.store.kept import FOLDER
from l2tpv3.store.receptions import CHANGED, FILE
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from l2tpv3.watch.diff import ChangeDetector
from tests.watch.test_diff import session, tunnel


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


class Bench:
    """A host with one session, whose counters the test sets."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.clock = clock
        self.paths = Paths(folder / "state", folder / "run")
        self.memory = MemoryDatapath()
        self.manager = self.again()
        self.manager.add_tunnel("siteb", {"remote": "127.0.0.2"})
        self.manager.add_session("siteb", "lan", {})

    def again(self) -> Manager:
        return Manager(self.paths, [self.memory], MemoryConfigurator(self.memory))

    def count(self, rx: int, tx: int) -> None:
        record = self.manager.records()["siteb"]
        self.memory.count(record.spec, record.sessions[0].spec, Counters(rx_packets=rx, tx_packets=tx))

    def note(self, *, after_s: float = EVERY_S) -> None:
        self.clock.now += after_s
        self.manager.note_receptions()

    def told(self) -> tuple[Hearing | None, float | None]:
        status = self.again().session("siteb", "lan")
        return status.hearing, status.last_received_s


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, Clock(monkeypatch))


def test_ages_are_known_while_somebody_takes_note(bench: Bench) -> None:
    bench.count(5, 1)
    assert bench.told() == (Hearing.HEARD, None), "one look tells that something came, and not when"
    bench.note()
    assert bench.told() == (Hearing.HEARD, None), "nobody took note when it did"
    bench.count(6, 1)
    bench.note()
    bench.clock.now += 2.0
    assert bench.told() == (Hearing.HEARD, 2.0)
    bench.count(7, 1)
    assert bench.told() == (Hearing.HEARD, 0.0), "it has come since the last note"
    bench.clock.now += 3 * EVERY_S
    assert bench.told() == (Hearing.HEARD, None), "nobody takes note any more"


def test_what_sends_for_long_in_vain_is_unheard_and_that_is_told_once(bench: Bench) -> None:
    changed = bench.paths.runtime / CHANGED
    bench.count(1, 0)
    bench.note()
    made = changed.stat().st_mtime_ns
    for sent in range(1, 1 + int(UNHEARD_AFTER_S / EVERY_S)):
        bench.count(1, sent)
        bench.note()
    assert bench.told()[0] is Hearing.HEARD and changed.stat().st_mtime_ns == made
    bench.count(1, 99)
    bench.note()
    assert bench.told()[0] is Hearing.UNHEARD and changed.stat().st_mtime_ns > made
    changed.unlink()
    bench.note()
    assert not changed.exists()


def test_another_far_end_has_not_been_heard(bench: Bench) -> None:
    bench.count(1, 0)
    bench.note()
    bench.count(2, 0)
    bench.note()
    assert bench.told() == (Hearing.HEARD, 0.0)
    bench.manager.set_tunnel("siteb", {"remote": "127.0.0.3"})
    bench.count(0, 1)
    bench.note()
    assert bench.told() == (Hearing.UNHEARD, None)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"good_until": 9e99, "sessions": []}', '{"good_until": "x"}', "\0"])
def test_a_file_that_is_not_ours_tells_nothing(bench: Bench, text: str) -> None:
    bench.count(5, 1)
    bench.note()
    file = bench.paths.runtime / FOLDER / FILE
    file.write_text(text)
    assert bench.told() == (Hearing.HEARD, None)


def test_an_entry_that_is_not_ours_tells_nothing(bench: Bench) -> None:
    bench.note()
    file = bench.paths.runtime / FOLDER / FILE
    document = json.loads(file.read_text())
    file.write_text(json.dumps(document | {"sessions": {key: [1, 2] for key in document["sessions"]}}))
    assert bench.told() == (None, None)


def test_without_sessions_there_is_no_file(bench: Bench) -> None:
    bench.note()
    folder = bench.paths.runtime / FOLDER
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    bench.manager.del_tunnel("siteb")
    bench.note()
    assert not folder.exists()


def test_a_look_that_takes_long_is_taken_less_often(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    tunnels = bench.memory.tunnels

    def slow(netns: str | None) -> object:
        nonlocal looks
        looks += 1
        bench.clock.now += 2.0
        return tunnels(netns)

    monkeypatch.setattr(bench.memory, "tunnels", slow)
    for _ in range(30):
        bench.note(after_s=1.0)
    assert looks == 1, "40 s until the next one"
    bench.note(after_s=11.0)
    assert looks == 2


def test_events_tell_of_hearing() -> None:
    before = tunnel(session("s"))
    heard = dataclasses.replace(before.sessions[0], hearing=Hearing.HEARD, last_received_s=1.0)
    detector = ChangeDetector()
    detector.happened([before])
    (event,) = detector.happened([dataclasses.replace(before, sessions=(heard,))])
    assert event.data["document"]["hearing"] == "heard"
    older = dataclasses.replace(heard, last_received_s=99.0)
    assert not detector.happened([dataclasses.replace(before, sessions=(older,))]), "an age is no change"
