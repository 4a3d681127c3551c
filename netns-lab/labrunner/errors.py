"""What ends a run of the lab early. Each is one line for the user, with an exit status."""

from __future__ import annotations

from typing import ClassVar


class LabError(Exception):
    """Base of all: the lab itself can't go on. (A missed expectation is no exception but a result.)"""

    exit_status: ClassVar[int] = 2


class ScenarioError(LabError):
    """A scenario's data can't be meant: which file, which step, what is wrong."""


class MissingNeedError(LabError):
    """This machine lacks something that the scenario needs. 77 is what test harnesses read as "skipped"."""

    exit_status = 77


class Interrupted(BaseException):
    """A signal asked us to stop. No Exception, so that nothing but the clean-up catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
