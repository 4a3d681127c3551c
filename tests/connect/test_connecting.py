"""What becomes of both ends when something else than an end fails. The ends are values here, no connection."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from l2tpv3.connect.connecting import connect
from l2tpv3.connect.end import EndFacts
from l2tpv3.model.progress import StepText


@dataclass
class Noted:
    """An end that notes what is done to it. state: `old`, `waiting` or `new`."""

    title: str
    state: str = "old"
    done: list[str] = field(default_factory=list)

    def facts(self) -> EndFacts:
        raise NotImplementedError

    def plan(self) -> list[StepText]:
        raise NotImplementedError

    def apply(self, confirm_s: float) -> None:
        self.state = "waiting"

    def confirm(self) -> None:
        assert self.state == "waiting"
        self.state = "new"

    def roll_back(self) -> None:
        assert self.state == "waiting"
        self.state = "old"


def test_an_error_that_nobody_thought_of_puts_both_ends_back() -> None:
    ends = Noted("here"), Noted("there")
    told: list[str] = []

    def test() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        connect(ends, test, confirm_s=60, tell=told.append)
    assert [end.state for end in ends] == ["old", "old"]
    assert told[-2:] == ["here: as it was before", "there: as it was before"]


@pytest.mark.parametrize(
    "last", ["there: applied", "here: applied", "it passes", "there: confirmed", "here: confirmed"]
)
def test_ctrl_c_between_two_things_leaves_no_end_half(last: str) -> None:
    ends = Noted("here"), Noted("there")
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        if text.startswith(last):
            raise KeyboardInterrupt

    if "confirmed" in last:
        connect(ends, lambda: "it passes", confirm_s=60, tell=tell)
        assert [end.state for end in ends] == ["new", "new"]
    else:
        with pytest.raises(KeyboardInterrupt):
            connect(ends, lambda: "it passes", confirm_s=60, tell=tell)
        assert [end.state for end in ends] == ["old", "old"]
    assert not any("not known" in text for text in told)
