"""Errors as JSON, and a service's errors (RFC 9457 problem documents) as the errors that they were there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from l2tpv3.documents.schemas import ERROR_SCHEMA
from l2tpv3.errors import InvalidValueError, L2tpError, MissingError, NotFoundError, RefusedError


def error_document(error: L2tpError) -> dict[str, Any]:
    """The JSON document that a failed command with --json prints on stderr."""
    return {
        "schema": ERROR_SCHEMA,
        "error": {
            "slug": error.slug,
            "subject": error.subject,
            "field": error.field if isinstance(error, InvalidValueError) and error.field else None,
            "problem": error.problem,
            "remedy": error.remedy,
            "exit_code": error.exit_code,
            "errno": error.errno,
            "retryable": error.retryable,
        },
    }


def error_from_problem(problem: Mapping[str, Any]) -> L2tpError:
    """The error that a problem document tells of: of the same class, with the same words and exit code.

    One that this version does not know becomes one of the class with its exit code. Raises KeyError, TypeError.
    """
    kind = _kind(problem["slug"], problem["exit_code"], retryable=problem["retryable"])
    error = kind(str(problem["subject"]), str(problem["problem"]), str(problem["remedy"]), errno=problem["errno"])
    if isinstance(error, InvalidValueError):
        error.field = str(problem.get("field") or "")
    return error


def _kind(slug: str, exit_code: int, *, retryable: bool) -> type[L2tpError]:
    if slug == NotFoundError.slug:  # the one slug that two have
        return MissingError if retryable else NotFoundError
    known = {kind.slug: kind for kind in _tree(L2tpError)}
    if slug in known:
        return known[slug]
    base = next((kind for kind in _tree(L2tpError) if kind.exit_code == exit_code), RefusedError)
    return type(base.__name__, (base,), {"slug": str(slug), "exit_code": int(exit_code), "retryable": bool(retryable)})


def _tree(kind: type[L2tpError]) -> Iterator[type[L2tpError]]:
    """Every class of l2tpv3.errors below `kind`, those nearest to it first in each branch."""
    for below in kind.__subclasses__():
        if below.__module__ == L2tpError.__module__:
            yield below
            yield from _tree(below)
