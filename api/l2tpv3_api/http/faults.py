"""The errors for what can be wrong with a request's body. Imports nothing that takes long to load."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from l2tpv3.config.problem import PROBLEMS_MAX
from l2tpv3.errors import InvalidValueError
from l2tpv3.model.source import KeyPath

FAULTS_MAX: Final = PROBLEMS_MAX
"""So many faults of one body are told."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request. path: where in the body; detail: what, and what to do."""

    path: KeyPath
    detail: str

    def document(self) -> dict[str, str]:
        """`pointer` is a JSON pointer (RFC 6901) into the body."""
        parts = (str(part).replace("~", "~0").replace("/", "~1") for part in self.path)
        return {"pointer": "".join(f"/{part}" for part in parts), "detail": self.detail}


class BodyError(InvalidValueError):
    """A body that can't be meant. faults: all that is wrong with it; the error itself tells of the first."""

    def __init__(self, subject: str, problem: str, remedy: str, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        path = self.faults[0].path if self.faults else ()
        super().__init__(subject, problem, remedy, field=str(path[-1]) if path else "")


class ClashError(BodyError):
    """A body of which each part can be meant, but not beside the others, or what is there already."""

    http_status = 409


class MalformedError(InvalidValueError):
    """A body that is not what its media type says."""

    http_status = 400


class TooLargeError(InvalidValueError):
    """A body that is larger than any that could be meant."""

    http_status = 413


class MediaTypeError(InvalidValueError):
    """A body of a kind that is not taken here."""

    http_status = 415


def fault(path: KeyPath, problem: str, remedy: str = "") -> Fault:
    """Something that is wrong at one place of a body."""
    return Fault(path, problem + (f"; {remedy}" if remedy else ""))
