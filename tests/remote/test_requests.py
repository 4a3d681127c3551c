"""How what a service refuses is told here."""

from __future__ import annotations

import pytest

from l2tpv3.documents.error import error_from_problem
from l2tpv3.errors import InvalidValueError
from l2tpv3.remote.requests import as_options

PROBLEM = {"slug": "invalid-value", "problem": "0 is not a UDP port", "remedy": "", "errno": None}


@pytest.mark.parametrize(
    ("subject", "field", "told"),
    [
        ("body: remote-port", "remote-port", "tunnel siteb: --remote-port"),
        ("tunnel siteb: --remote-port", "remote-port", "tunnel siteb: --remote-port"),
        ("body", None, "body"),
    ],
)
def test_a_word_of_the_body_is_an_option(subject: str, field: str | None, told: str) -> None:
    problem = {**PROBLEM, "subject": subject, "field": field, "exit_code": 1, "retryable": False}
    with pytest.raises(InvalidValueError) as refused, as_options("tunnel siteb"):
        raise error_from_problem(problem)
    assert (refused.value.subject, refused.value.field) == (told, field or "")


def test_a_service_that_names_no_field_is_understood() -> None:
    problem = {**PROBLEM, "subject": "body: remote-port", "exit_code": 1, "retryable": False}
    assert error_from_problem(problem).subject == "body: remote-port"
