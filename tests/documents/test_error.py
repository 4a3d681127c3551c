"""A problem document of the service becomes the error that it was there."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from l2tpv3 import errors
from l2tpv3.documents.error import error_from_problem
from l2tpv3.errors import ConflictError, L2tpError, NotPermittedError
from l2tpv3_api.http.problems import problem_document


def tree(kind: type[L2tpError]) -> Iterator[type[L2tpError]]:
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield below
            yield from tree(below)


@pytest.mark.parametrize("kind", list(tree(L2tpError)), ids=lambda kind: kind.__name__)
def test_each_class_comes_back_as_itself(kind: type[L2tpError]) -> None:
    error = kind("tunnel siteb", "there's a problem", "do this", errno=111)
    read = error_from_problem(json.loads(json.dumps(problem_document(error))))
    assert type(read) is kind
    assert (str(read), read.errno, read.exit_code, read.retryable) == (
        str(error), 111, error.exit_code, error.retryable,
    )  # fmt: skip


def test_one_that_is_not_known_yet_is_of_the_class_with_its_exit_code() -> None:
    told = problem_document(ConflictError("tunnel siteb", "is on the moon")) | {
        "slug": "on-the-moon",
        "retryable": True,
    }
    read = error_from_problem(told)
    assert isinstance(read, ConflictError)
    assert (read.slug, read.exit_code, read.retryable, str(read)) == (
        "on-the-moon", 4, True, "tunnel siteb: is on the moon",
    )  # fmt: skip
    assert isinstance(error_from_problem(told | {"exit_code": 5}), NotPermittedError)
    assert error_from_problem(told | {"exit_code": 77}).exit_code == 77


@pytest.mark.parametrize("missing", ["slug", "subject", "problem", "remedy", "exit_code", "retryable"])
def test_what_is_no_problem_document(missing: str) -> None:
    told = problem_document(ConflictError("tunnel siteb", "exists"))
    del told[missing]
    with pytest.raises(KeyError):
        error_from_problem(told)
