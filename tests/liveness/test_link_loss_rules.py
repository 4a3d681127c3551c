"""The rules by which two NICs show each other's link, played through with a clock of our own."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from l2tpv3.liveness.link_loss_rules import SETTLE_S, LinkLossRules

NEGOTIATES_S = 3.0


@dataclass
class Nic:
    """A NIC that takes NEGOTIATES_S to have a link, and what is heard of the other end."""

    cable: LinkLossRules = field(default_factory=LinkLossRules)
    plugged: bool = True
    up: bool = True
    heard: bool | None = None
    changes: int = 0
    _since: float = -100.0

    def has_link(self, now: float) -> bool:
        return self.up and self.plugged and now >= self._since + NEGOTIATES_S

    def plug(self, now: float, *, plugged: bool) -> None:
        self.plugged, self._since = plugged, now

    def set(self, now: float, *, up: bool) -> None:
        self.changes += up is not self.up
        self.up, self._since = up, now

    def step(self, now: float) -> None:
        self.cable.look(up=self.up, carrier=self.has_link(now), now=now)
        wanted = self.cable.follow(far=self.heard, now=now)
        if wanted is not None:
            self.set(now, up=wanted)


class Pair:
    """Two of them. delay_s: of what they tell each other; lossy: every third message is lost."""

    def __init__(self, delay_s: float = 0.0, *, lossy: bool = False) -> None:
        self.now, self.a, self.b = 0.0, Nic(), Nic()
        self._delay_s, self._lossy, self._sent = delay_s, lossy, 0
        self._way: list[tuple[float, Nic, bool]] = []

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = round(self.now + 0.25, 6)
            for one, other in ((self.a, self.b), (self.b, self.a)):
                one.step(self.now)
                self._sent += 1
                if not (self._lossy and self._sent % 3 == 0):
                    self._way.append((self.now + self._delay_s, other, not one.cable.lost))
            while self._way and self._way[0][0] <= self.now:
                _, to, up = self._way.pop(0)
                to.heard = up

    @property
    def links(self) -> tuple[bool, bool]:
        return self.a.has_link(self.now), self.b.has_link(self.now)


PAIRS = [(0.0, False), (0.4, False), (2.0, True)]


@pytest.mark.parametrize(("delay_s", "lossy"), PAIRS)
def test_a_pulled_cable_shows_at_the_other_end_and_back(delay_s: float, *, lossy: bool) -> None:
    pair = Pair(delay_s, lossy=lossy)
    pair.run(20)
    assert pair.links == (True, True)
    for one, other in ((pair.a, pair.b), (pair.b, pair.a)):
        one.changes = other.changes = 0
        one.plug(pair.now, plugged=False)
        pair.run(15)
        assert pair.links == (False, False)
        assert one.up and not other.up, "the one whose cable is pulled watches for it"
        one.plug(pair.now, plugged=True)
        pair.run(20)
        assert pair.links == (True, True)
        assert (one.changes, other.changes) == (0, 2), "down once, up once"


@pytest.mark.parametrize(("delay_s", "lossy"), PAIRS)
def test_both_cables_pulled_at_once_and_put_back_one_after_the_other(delay_s: float, *, lossy: bool) -> None:
    pair = Pair(delay_s, lossy=lossy)
    pair.run(20)
    pair.a.plug(pair.now, plugged=False)
    pair.b.plug(pair.now, plugged=False)
    pair.run(20)
    assert pair.links == (False, False)
    pair.a.plug(pair.now, plugged=True)
    pair.run(20)
    assert pair.links == (False, False), "one cable is not enough"
    pair.b.plug(pair.now, plugged=True)
    pair.run(30)
    assert pair.links == (True, True)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_it_comes_to_rest_as_the_cables_are(seed: int) -> None:
    rng = random.Random(seed)
    pair = Pair(rng.choice((0.0, 0.3, 1.5)), lossy=rng.random() < 0.3)
    for _ in range(rng.randrange(3, 12)):
        one = rng.choice((pair.a, pair.b))
        one.plug(pair.now, plugged=rng.random() < 0.5)
        if rng.random() < 0.2:
            one.cable = LinkLossRules()  # what looks after it is started anew
        pair.run(rng.choice((0.25, 1, 5, 20)))
    pair.a.plug(pair.now, plugged=True)
    pair.b.plug(pair.now, plugged=True)
    pair.run(60)
    assert pair.links == (True, True)
    changes = pair.a.changes, pair.b.changes
    pair.run(60)
    assert (pair.a.changes, pair.b.changes) == changes, "and stays so"


def test_what_somebody_else_set_down_is_told_and_left_alone() -> None:
    pair = Pair()
    pair.run(20)
    pair.a.set(pair.now, up=False)
    pair.run(10)
    assert pair.a.cable.lost and not pair.a.up
    assert not pair.b.up
    pair.a.set(pair.now, up=True)
    pair.run(20)
    assert pair.links == (True, True)


def test_an_end_that_says_nothing_changes_nothing() -> None:
    cable = LinkLossRules()
    cable.look(up=True, carrier=True, now=0.0)
    assert cable.follow(far=None, now=0.0) is None
    cable.look(up=True, carrier=False, now=1.0)
    assert cable.lost
    assert cable.follow(far=None, now=1.0) is None


def test_a_link_that_does_not_come_up_in_time_is_told() -> None:
    cable = LinkLossRules(held=True)
    cable.look(up=False, carrier=False, now=0.0)
    assert not cable.lost, "an end that we set down is not told of"
    assert cable.follow(far=True, now=0.0) is True
    cable.look(up=True, carrier=False, now=SETTLE_S - 0.1)
    assert not cable.lost
    cable.look(up=True, carrier=False, now=SETTLE_S)
    assert cable.lost
