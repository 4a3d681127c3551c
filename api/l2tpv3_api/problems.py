"""Errors as RFC 9457 problem details: everything that the one error tree has, so that a client can raise it again."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from l2tpv3.errors import InvalidValueError, L2tpError, NotFoundError, RefusedError, UnauthenticatedError

MEDIA_TYPE: Final = "application/problem+json"


def problem_document(error: L2tpError, *, status: int | None = None) -> dict[str, Any]:
    """The body that tells of an error. status: the HTTP status where it is not the error's own."""
    document: dict[str, Any] = {
        "type": f"urn:l2tpv3:problem:{error.slug}",
        "title": HTTPStatus(status or error.http_status).phrase,
        "status": status or error.http_status,
        "detail": str(error),
        "slug": error.slug,
        "subject": error.subject,
        "problem": error.problem,
        "remedy": error.remedy,
        "errno": error.errno,
        "retryable": error.retryable,
        "exit_code": error.exit_code,
    }
    return document


def problem_response(error: L2tpError, *, status: int | None = None, headers: dict[str, str] | None = None) -> Response:
    """The answer that tells of an error."""
    document = problem_document(error, status=status)
    return Response(json.dumps(document), document["status"], headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have every error of the app told as a problem."""
    app.add_exception_handler(L2tpError, _l2tp_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, _unexpected)


async def _l2tp_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, L2tpError)
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, UnauthenticatedError) else None
    return problem_response(error, headers=headers)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return problem_response(InvalidValueError(str(first["loc"][-1]), str(first["msg"])))


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = NotFoundError if error.status_code == HTTPStatus.NOT_FOUND else InvalidValueError
    told = kind(f"{request.method} {request.url.path}", str(error.detail).lower())
    return problem_response(told, status=error.status_code, headers=dict(error.headers or {}))


async def _unexpected(request: Request, error: Exception) -> Response:
    problem = f"unexpected {type(error).__name__}"
    return problem_response(
        RefusedError("internal error", problem, "the service's log has more; report it"), status=500
    )
