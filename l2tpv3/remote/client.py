"""Sends requests to a service, and turns what goes wrong into errors: no service, not trusted, not authenticated."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

import httpx

from l2tpv3.documents.error import error_from_problem
from l2tpv3.errors import (
    InvalidValueError,
    L2tpError,
    NotPermittedError,
    RefusedError,
    UnauthenticatedError,
    UnreachableError,
)
from l2tpv3.linux.read_file import PEM_MAX, check_file
from l2tpv3.remote.target import Target
from l2tpv3.value_class import value_class

CONNECT_S: Final = 5.0
READ_S: Final = 60.0
"""How long a look may take. A change takes as long as it takes: a dead peer is noticed by keepalives instead."""

_TRIES = 3
_PAUSE_S = 0.2
_BUSY_MAX_S = 5.0  # a longer Retry-After is for the caller to wait out
_KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
]
_PROBLEM = "application/problem+json"
_Kind = TypeVar("_Kind", bound=BaseException)
LINES: Final = "application/x-ndjson"
"""What is asked for where an answer is to be told as it comes about: a JSON document a line."""


@value_class(frozen=True, slots=True)
class Answer:
    """document: the JSON body; None without one. headers: by lower-case names."""

    document: Any
    headers: Mapping[str, str]


class Client:
    """One service. Every method raises L2tpError: what the service answers, or why it does not.

    read_s: how long a look may take. tries: how often one is tried when the connection breaks.
    """

    def __init__(
        self, target: Target, *, connect_s: float = CONNECT_S, read_s: float = READ_S, tries: int = _TRIES
    ) -> None:
        self.target = target
        self._tries = tries
        self._look = httpx.Timeout(read_s, connect=connect_s)
        self._change = httpx.Timeout(None, connect=connect_s)
        headers = {"Accept": "application/json", "User-Agent": "l2tpctl"}
        if target.token is not None:
            headers["Authorization"] = f"Bearer {target.token}"
        transport = httpx.HTTPTransport(
            uds=target.socket,
            verify=_tls(target) if target.base.startswith("https") else False,
            trust_env=False,
            socket_options=None if target.socket else _KEEPALIVE,
        )
        # No proxies, .netrc or redirects: the token goes where --host says, and nowhere else.
        self._http = httpx.Client(base_url=target.base, headers=headers, transport=transport, trust_env=False)

    def get(self, path: str, **params: Any) -> Any:
        """Send a GET, and give the parsed JSON. Tries again when the connection breaks. params: None is left out.

        Raises UnreachableError, RefusedError for an answer that can't be read, or the error that the service answers.
        """
        given = {name: value for name, value in params.items() if value is not None}
        return self._ask("GET", path, params=given).document

    def change(self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Have something changed. body: sent as JSON. Never asked twice: it may have been done.

        Raises what `get` does.
        """
        return self._ask(method, path, json=body, headers=dict(headers or {}))

    def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """Send a POST, once, and give the parsed JSON of the answer. Raises what `get` does."""
        given = {name: value for name, value in params.items() if value is not None}
        return self._ask("POST", path, json=body, params=given).document

    def lines(self, path: str, body: Any = None, **params: Any) -> Iterator[Any]:
        """Send a POST, once, and give the JSON documents of its answer one by one, as they arrive.

        Raises what `get` does.
        """
        given = {name: value for name, value in params.items() if value is not None}
        with self.stream("POST", path, json=body, params=given, headers={"Accept": LINES}) as response:
            if not response.headers.get("content-type", "").startswith(LINES):
                raise self.not_understood(ValueError("a document where lines were asked for"))
            for line in response.iter_lines():
                if line:
                    yield self._loads(line)

    @contextlib.contextmanager
    def stream(
        self, method: str, path: str, *, read_s: float | None = None, **request: Any
    ) -> Iterator[httpx.Response]:
        """An answer that is read as it comes. Its errors are raised, also those that come while it is read.

        read_s: for how long nothing may come.
        """
        with self._errors(method):
            timeout = httpx.Timeout(read_s, connect=self._look.connect)
            asked = self._http.build_request(method, path, timeout=timeout, **request)
            response = self._http.send(asked, stream=True)
            try:
                if not response.is_success:
                    response.read()
                    raise self._error(response)
                yield response
            finally:
                response.close()

    def _ask(self, method: str, path: str, **request: Any) -> Answer:
        looks = method == "GET"
        tries = self._tries if looks else 1
        give_up = time.monotonic() + _BUSY_MAX_S
        while True:
            tries -= 1
            try:
                with self._errors(method):
                    timeout = self._look if looks else self._change
                    response = self._http.request(method, path, timeout=timeout, **request)
            except BrokenOffError:
                if not tries:
                    raise
                time.sleep(_PAUSE_S)
                continue
            busy_s = _retry_after(response)
            if busy_s is not None and time.monotonic() + busy_s <= give_up:
                time.sleep(busy_s)  # 429: refused before anything was done, so anything may be asked again
                tries += 1
                continue
            if not response.is_success:
                raise self._error(response)
            return Answer(self._parsed(response), response.headers)

    def _parsed(self, response: httpx.Response) -> Any:
        return self._loads(response.text) if response.content else None

    def _loads(self, text: str) -> Any:
        try:
            return plain(json.loads(text), text)
        except ValueError as error:
            raise self.not_understood(error) from error

    def not_understood(self, error: Exception) -> L2tpError:
        """The error for an answer that is not what was asked for."""
        problem = f"answers what can't be read ({type(error).__name__}: {error})"
        return RefusedError(self._subject, problem, "is it an l2tpv3 service, and of this version or a newer one?")

    def broken_off(self, *, changing: bool = True) -> BrokenOffError:
        """The error for an answer that did not come, or not to its end."""
        remedy = "what was asked for may have been done: look before you ask again" if changing else "does it run?"
        return BrokenOffError(self._subject, "the connection broke off before the answer was there", remedy)

    def _error(self, response: httpx.Response) -> L2tpError:
        """The error that an unsuccessful answer tells."""
        kind = response.headers.get("content-type", "").partition(";")[0]
        if kind != _PROBLEM:
            problem = f"answers HTTP {response.status_code} without saying why"
            return RefusedError(self._subject, problem, "is it an l2tpv3 service?")
        document = self._loads(response.text)
        try:
            error = error_from_problem(document)
        except (KeyError, TypeError, ValueError) as wrong:
            return self.not_understood(wrong)
        if isinstance(error, UnauthenticatedError):
            return UnauthenticatedError(self._subject, f"{error.subject} {error.problem}", self._let_in())
        return error

    def _let_in(self) -> str:
        if self.target.token is None:
            return "give a token: --token-file, $L2TPCTL_TOKEN or hosts.toml; `l2tpctl token add` makes one there"
        return "`l2tpctl token add` there makes another"

    @property
    def _subject(self) -> str:
        return f"host {self.target.url}"

    @contextlib.contextmanager
    def _errors(self, method: str) -> Iterator[None]:
        """What httpx raises, as L2tpError."""
        try:
            yield
        except httpx.TimeoutException as error:
            did = "can't be connected to" if isinstance(error, httpx.ConnectTimeout) else "does not answer"
            raise UnreachableError(
                self._subject, f"{did} in time", "is it overloaded, or a firewall between?"
            ) from error
        except httpx.ConnectError as error:
            raise self._not_connected(error) from error
        except httpx.TransportError as error:
            tls = _cause(error, ssl.SSLError)
            if tls is not None:
                raise self._not_trusted(tls) from error
            raise self.broken_off(changing=method != "GET") from error

    def _not_connected(self, error: httpx.ConnectError) -> L2tpError:
        tls = _cause(error, ssl.SSLError)
        if tls is not None:
            return self._not_trusted(tls)
        lookup = _cause(error, socket.gaierror)
        if lookup is not None:
            return UnreachableError(self._subject, f"its name is not known: {lookup.strerror}", "check --host")
        system = _cause(error, OSError)
        reason = (system.strerror if system else None) or str(error)
        if isinstance(system, PermissionError):
            remedy = "be root or in the group l2tpv3"
            return NotPermittedError(self._subject, f"can't connect: {reason}", remedy, errno=system.errno)
        remedy = "is the service running? `l2tpctl serve` or l2tpv3-api.service is it"
        return UnreachableError(
            self._subject, f"can't connect: {reason}", remedy, errno=system.errno if system else None
        )

    def _not_trusted(self, error: ssl.SSLError) -> L2tpError:
        reason = getattr(error, "verify_message", "") or (error.reason or str(error)).lower().replace("_", " ")
        if isinstance(error, ssl.SSLCertVerificationError):
            remedy = "if it is the right host: --ca FILE says whose certificates to trust"
        elif "certificate" in reason:
            remedy = "it wants a certificate of yours: --cert FILE, --key FILE"
        else:
            remedy = "does it speak TLS at that port? On loopback it may be http://"
        return UnreachableError(self._subject, f"TLS failed: {reason}", remedy)


class BrokenOffError(UnreachableError):
    """The connection broke off after it was made: whether what was asked for was done is not known."""


def plain(document: Any, text: str) -> Any:
    """The document without characters that steer a terminal: names and notes of another host are shown on this one.

    text: what it was parsed from, in which a look tells whether there can be any.
    """
    if text.isascii() and "\\u" not in text and "\x7f" not in text and "\\b" not in text and "\\f" not in text:
        return document
    return _plain(document)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return {_plain(key): _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def _tls(target: Target) -> ssl.SSLContext:
    try:
        if target.ca is not None:
            check_file(target.ca, PEM_MAX)
        context = ssl.create_default_context(cafile=target.ca)
    except (OSError, ssl.SSLError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no certificate in it"
        raise InvalidValueError("--ca", f"can't use {target.ca!r}: {reason}", "give a PEM file") from error
    if target.cert is not None:
        try:
            for file in (target.cert, target.key or target.cert):
                check_file(file, PEM_MAX)
            context.load_cert_chain(target.cert, target.key)
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no certificate with its key"
            raise InvalidValueError("--cert", f"can't use {target.cert!r}: {reason}", "give PEM files") from error
    elif target.key is not None:
        raise InvalidValueError("--key", "is of no use alone", "give --cert as well")
    return context


def _retry_after(response: httpx.Response) -> float | None:
    """How long a service that has too much to do asks to wait."""
    if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
        return None
    try:
        return min(max(float(response.headers.get("retry-after", "1")), 0.05), 3600.0)
    except ValueError:
        return 1.0


def _cause(error: BaseException, kind: type[_Kind]) -> _Kind | None:
    """What it was at the bottom: httpx and httpcore each put an exception of their own on top."""
    at: BaseException | None = error
    while at is not None and not isinstance(at, kind):
        at = at.__cause__ or at.__context__
    return at
