"""Errors as RFC 9457 problem details: everything that the one error tree has, so that a client can raise it again."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route

from l2tpv3.config.reader import as_keys
from l2tpv3.documents.names import place
from l2tpv3.errors import InvalidValueError, L2tpError, NotFoundError, RefusedError, UnauthenticatedError
from l2tpv3_api.http.faults import FAULTS_MAX, BodyError, Fault
from l2tpv3_api.http.hostname import challenge

MEDIA_TYPE: Final = "application/problem+json"
_SHOWN_MAX: Final = 200


def problem_document(error: L2tpError, *, status: int | None = None) -> dict[str, Any]:
    """The body that tells of an error. status: the HTTP status where it is not the error's own."""
    status = status or error.http_status
    document: dict[str, Any] = {
        "type": f"urn:l2tpv3:problem:{error.slug}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": str(error),
        "slug": error.slug,
        "subject": error.subject,
        "field": error.field if isinstance(error, InvalidValueError) and error.field else None,
        "problem": error.problem,
        "remedy": error.remedy,
        "errno": error.errno,
        "retryable": error.retryable,
        "exit_code": error.exit_code,
    }
    if isinstance(error, BodyError):
        document["errors"] = [fault.document() for fault in error.faults[:FAULTS_MAX]]
    return document


def problem_response(
    error: L2tpError, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer that tells of an error."""
    document = problem_document(error, status=status)
    return Response(_encode(document), document["status"], headers, MEDIA_TYPE)


def _encode(document: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(document)
    except TypeError:  # half a surrogate pair, which a client may send and we quote
        return orjson.dumps({key: _legible(value) for key, value in document.items()})


def _legible(value: Any) -> Any:
    if isinstance(value, list):
        return [_legible(one) for one in value]
    if isinstance(value, dict):
        return {key: _legible(one) for key, one in value.items()}
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def pointing(
    error: InvalidValueError, words: Mapping[str, Any], kind: type[BodyError] = BodyError
) -> InvalidValueError:
    """The error as `kind`, with a fault for the word of the body that it is about. words: the body."""
    (where,) = place((error.field,), words)
    is_told = isinstance(error, BodyError) or where not in words
    faults = [] if is_told else [Fault((where,), as_keys(error.problem))]
    if not faults and kind is BodyError:
        return error
    told = kind(error.subject, error.problem, error.remedy, faults)
    told.__cause__ = error
    return told


def install(app: FastAPI) -> None:
    """Have every error of the app told as a problem."""
    app.add_exception_handler(L2tpError, _l2tp_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, _unexpected)


async def _l2tp_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, L2tpError)
    headers = {"WWW-Authenticate": challenge()} if isinstance(error, UnauthenticatedError) else None
    return problem_response(error, headers=headers)


async def _validation_error(request: Request, error: Exception) -> Response:
    """FastAPI's own, of parameters: bodies are read by bodies.py."""
    assert isinstance(error, RequestValidationError)
    found = [(str(one["loc"][-1]), str(one["msg"])) for one in error.errors()]
    name, message = found[0]
    given = error.errors()[0].get("input")
    shown = f": {given[:_SHOWN_MAX]!r}" if isinstance(given, str) else ""
    others = "; ".join(f"{one}: {problem}" for one, problem in found[1:])
    return problem_response(InvalidValueError(name, message[:1].lower() + message[1:] + shown, others))


async def _http_exception(request: Request, error: Exception) -> Response:
    """What the router says: no such path, or not by that method."""
    assert isinstance(error, HTTPException)
    subject = f"{request.method} {request.url.path[:_SHOWN_MAX]}"
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(allowed_methods(request))
        told: L2tpError = InvalidValueError(subject, "no such method here", f"it takes {headers['Allow']}")
    elif error.status_code == HTTPStatus.NOT_FOUND:
        told = NotFoundError(subject, "there is nothing at this path", "/openapi.json tells what there is")
    else:
        told = InvalidValueError(subject, str(error.detail))
    return problem_response(told, status=error.status_code, headers=headers)


def allowed_methods(request: Request) -> list[str]:
    """The methods of the request's path, of all its routes together; [] where there is no such path."""
    methods: set[str] = set()
    for route in request.app.state.plain_routes:
        if isinstance(route, Route) and route.methods and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods | {"OPTIONS"}) if methods else []


async def _unexpected(request: Request, error: Exception) -> Response:
    told = RefusedError("internal error", f"unexpected {type(error).__name__}", "the service's log has more; report it")
    return problem_response(told, status=500)
