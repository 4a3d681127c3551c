"""The errors for requests that are refused before the app gets them."""

from __future__ import annotations

from collections.abc import Mapping

from l2tpv3.errors import BusyError, InvalidValueError, L2tpError, NotPermittedError


class RefusedRequest(Exception):
    """reason: for the counters. error, status, headers: the answer."""

    def __init__(
        self, reason: str, error: L2tpError, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.reason, self.error = reason, error
        self.status, self.headers = status or error.http_status, dict(headers or {})


def malformed(reason: str, problem: str, remedy: str = "") -> RefusedRequest:
    """400, and the connection ends: where its next request would begin is uncertain."""
    return RefusedRequest(reason, InvalidValueError("request", problem, remedy), 400, {"Connection": "close"})


def too_large(reason: str, status: int, problem: str, remedy: str) -> RefusedRequest:
    """The answer to a request that is too large: 413, or 431 for its headers."""
    return RefusedRequest(reason, InvalidValueError("request", problem, remedy), status)


def too_slow(problem: str) -> RefusedRequest:
    """The answer to a request that does not arrive in time: 408."""
    error = BusyError("request", problem, "send it again")
    return RefusedRequest("slow-request", error, 408, {"Connection": "close"})


def too_many(reason: str, who: str, problem: str, wait_s: int) -> RefusedRequest:
    """429, with the seconds to wait."""
    error = BusyError(who, problem, f"come again in {wait_s} s")
    return RefusedRequest(reason, error, 429, {"Retry-After": str(wait_s)})


def busy(reason: str, problem: str, wait_s: int = 5) -> RefusedRequest:
    """503, with the seconds to wait."""
    error = BusyError("service", problem, f"come again in {wait_s} s")
    return RefusedRequest(reason, error, 503, {"Retry-After": str(wait_s)})


def forbidden(reason: str, problem: str, remedy: str) -> RefusedRequest:
    """The answer to a request that is not allowed: 403."""
    return RefusedRequest(reason, NotPermittedError("request", problem, remedy), 403)


def misdirected(problem: str, remedy: str) -> RefusedRequest:
    """The answer to a request for another host's name: 421."""
    return RefusedRequest("wrong-host", InvalidValueError("Host", problem, remedy), 421)
