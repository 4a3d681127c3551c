"""Problems with files, all of which are reported at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from l2tpv3.errors import InvalidValueError
from l2tpv3.model.source import KeyPath, Source
from l2tpv3.printable import printable
from l2tpv3.value_class import value_class

PROBLEMS_MAX: Final = 100
"""So many problems of all files together are told; to say what was meant instead takes most of the time."""

_KEY_MAX: Final = 300  # characters: three names and a word have fewer


@value_class(frozen=True, slots=True)
class Problem:
    """One thing wrong, or to be warned of. line: from 1; 0 is the file as a whole. key: its dotted path, "" if none.

    path: the same in parts, where they are known. clash: each part of it can be meant, but not beside the others.
    """

    file: Path
    line: int
    key: str
    problem: str
    remedy: str
    path: KeyPath = ()
    clash: bool = False

    @classmethod
    def at(cls, source: Source, problem: str, remedy: str = "", *, clash: bool = False) -> Problem:
        """A problem with the key at `source`."""
        return cls(source.file, source.line, source.key, problem, remedy, source.path, clash)

    @property
    def subject(self) -> str:
        """`FILE:LINE: KEY`, as much of it as there is."""
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        key = self.key if len(self.key) <= _KEY_MAX else self.key[:_KEY_MAX] + "…"
        return f"{place}: {key}" if key else place

    def __str__(self) -> str:
        line = f"{self.subject}: {self.problem}" + (f"; {self.remedy}" if self.remedy else "")
        return printable(" ".join(line.split()))


class ConfigError(InvalidValueError):
    """The error for files with problems.

    problems: each of them, in the order of files and lines; str() has one a line.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        count = f"{PROBLEMS_MAX} or more" if len(self.problems) >= PROBLEMS_MAX else str(len(self.problems))
        more = f" (the first of {count} problems)" if len(self.problems) > 1 else ""
        super().__init__(first.subject, first.problem + more, first.remedy)
        self.has_place = all(problem.line for problem in self.problems)
        self.args = (self.problems,)  # what a copy or a pickle is made from

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))
