"""Requests to a service: paths, headers, and how answers and errors are read."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Final

from l2tpv3.errors import InvalidValueError
from l2tpv3.model.absent import no_link, no_session, no_tunnel
from l2tpv3.model.progress import ChangeResult
from l2tpv3.remote.client import Answer, Client

CREATE: Final = {"If-None-Match": "*"}
"""The header for: only if there is none yet (RFC 9110 section 13.1.2)."""
PATCH: Final = {"Content-Type": "application/merge-patch+json"}
PAGE: Final = 1000
"""So many of a list are asked for at once."""

# A name on record (ids.parse_name), or a foreign one: DATAPATH:ID. Nothing else is ever sent, however it is quoted: a
# server that unquotes first and looks for slashes then would take `a/sessions/b` for a session of a.
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


def tunnel_path(name: str) -> str:
    """The path of a tunnel in the API. Raises NotFoundError for what can't be the name of a tunnel."""
    if not _SEGMENT.fullmatch(name):
        raise no_tunnel(name)
    return f"/v1/tunnels/{name}"


def session_path(tunnel: str, name: str) -> str:
    """The path of a session in the API. Raises NotFoundError for what can't be a name."""
    where = tunnel_path(tunnel)
    if not _SEGMENT.fullmatch(name):
        raise no_session(tunnel, name)
    return f"{where}/sessions/{name}"


def link_path(name: str) -> str:
    """The path of a link in the API. Raises NotFoundError for what can't be the name of a link."""
    if not _SEGMENT.fullmatch(name):
        raise no_link(name)
    return f"/v1/links/{name}"


@contextlib.contextmanager
def understood(client: Client) -> Iterator[None]:
    """An answer that can't be read is the service's fault, not the caller's.

    Raises RefusedError instead of what reading it raised.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, InvalidValueError) as error:
        raise client.not_understood(error) from error


def read_change(client: Client, answer: Answer) -> ChangeResult:
    """The result of a change of one tunnel, session or link. Raises RefusedError for an answer that can't be read."""
    with understood(client):
        change = answer.document["change"]
        return ChangeResult(recreated=change["recreated"], why=change["why"], lost=tuple(change.get("lost", ())))


@contextlib.contextmanager
def as_options(subject: str) -> Iterator[None]:
    """A word of the body that the service refuses is an option here, and told as one.

    Raises InvalidValueError about the option.
    """
    try:
        yield
    except InvalidValueError as error:
        if not error.field or not error.subject.startswith("body"):
            raise
        told = f"{subject}: --{error.field}"
        raise InvalidValueError(told, error.problem, error.remedy, field=error.field) from error
