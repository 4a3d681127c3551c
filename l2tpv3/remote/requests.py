"""What all that asks a service has in common: headers, and how answers and refusals are read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from l2tpv3.errors import InvalidValueError
from l2tpv3.model.progress import ChangeResult
from l2tpv3.remote.client import Answer, Client

CREATE: Final = {"If-None-Match": "*"}
"""Only if there is none yet."""
PATCH: Final = {"Content-Type": "application/merge-patch+json"}
PAGE: Final = 1000
"""So many of a list are asked for at once."""


@contextlib.contextmanager
def understood(client: Client) -> Iterator[None]:
    """An answer that can't be read is the service's fault, not the caller's."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, InvalidValueError) as error:
        raise client.not_understood(error) from error


def read_change(client: Client, answer: Answer) -> ChangeResult:
    """What came of a change of one thing."""
    with understood(client):
        change = answer.document["change"]
        return ChangeResult(recreated=change["recreated"], why=change["why"], lost=tuple(change.get("lost", ())))


@contextlib.contextmanager
def as_options(subject: str) -> Iterator[None]:
    """A word of the body that the service refuses is an option here, and told as one."""
    try:
        yield
    except InvalidValueError as error:
        where, _, word = error.subject.partition(": ")
        if where != "body" or not word:
            raise
        raise InvalidValueError(f"{subject}: --{word}", error.problem, error.remedy) from error
