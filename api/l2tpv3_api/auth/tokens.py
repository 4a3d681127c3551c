"""Bearer tokens: made once, shown once, kept as their hash in one file of the state directory.

A token is `l2tpv3_ID_SECRET`: the id finds its record, the secret is 256 random bits. What is on file is SHA-256 of
the whole token: a slow hash makes guessing costly where people choose a password, but 2^256 can't be guessed at any
speed, and a request that costs 100 ms to refuse would be a gift to whoever wants to keep the service busy.

The file is replaced as a whole, so a reader sees the old or the new one; a service looks at its inode and time at each
request, which is how a token that was removed ends at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from l2tpv3.errors import ExistsError, NotFoundError, RefusedError, file_error
from l2tpv3.linux.read_file import read_file
from l2tpv3.model.ids import parse_name
from l2tpv3.spelling import did_you_mean
from l2tpv3_api.auth.identity import Identity, Scope

FILE: Final = "tokens.json"
PATTERN: Final = re.compile(r"l2tpv3_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
"""What a token looks like, wherever it is: logs take it out by this."""

_FILE_MAX: Final = 16 << 20
_NO_HASH: Final = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it is kept, without the secret itself. Times are UTC, to the second. expires, used: None is never."""

    id: str
    name: str
    scopes: frozenset[Scope]
    created: datetime
    expires: datetime | None = None
    used: datetime | None = None

    def expired(self, now: datetime) -> bool:
        """Whether the token has expired."""
        return self.expires is not None and now >= self.expires

    def identity(self) -> Identity:
        """The identity of the token's bearer."""
        return Identity(f"token {self.name}", self.scopes, f"token:{self.id}")


class Tokens:
    """The tokens on file in `state`, a directory that is its owner's alone."""

    def __init__(self, state: Path) -> None:
        self.path = state / FILE
        self._used_path = state / "tokens-used.json"
        self._seen: tuple[int, int, int] | None = None
        self._kept: dict[str, tuple[Token, bytes]] = {}

    def add(self, name: str, scopes: frozenset[Scope], expires: datetime | None = None) -> tuple[Token, str]:
        """Make a token, and give it with its text, which can't be had again.

        Raises InvalidValueError, ExistsError where the name is taken, NotPermittedError.
        """
        parse_name(name, "token")
        with self._changing() as kept:
            if any(token.name == name for token, _ in kept.values()):
                raise ExistsError(f"token {name}", "exists already", f"`l2tpctl token rm {name}` revokes it")
            token = Token(id=secrets.token_hex(6), name=name, scopes=scopes, created=_now(), expires=expires)
            text = f"l2tpv3_{token.id}_{secrets.token_urlsafe(32)}"
            kept[token.id] = (token, _hash(text))
        return token, text

    def remove(self, name: str) -> Token:
        """Revoke a token by its name or id. Raises NotFoundError."""
        with self._changing() as kept:
            for token, _ in list(kept.values()):
                if name in (token.name, token.id):
                    del kept[token.id]
                    return token
            known = [token.name for token, _ in kept.values()]
        remedy = did_you_mean(name, known, "`l2tpctl token ls` lists them")
        raise NotFoundError(f"token {name}", "no such token", remedy)

    def all(self) -> list[Token]:
        """Read all tokens, in the order of their names, with the time when each was last used.

        Raises RefusedError for a file that is damaged, L2tpError for one that can't be read. So do all methods here.
        """
        self._refresh()
        used = self._used()
        found = [replace(token, used=used.get(token.id)) for token, _ in self._kept.values()]
        return sorted(found, key=lambda token: token.name)

    def check(self, text: str) -> Token | None:
        """The token of this text; None where there is none, or its time is up.

        Takes as long for an id that does not exist as for a wrong secret.
        Raises what `all` does.
        """
        self._refresh()
        match = PATTERN.fullmatch(text)
        token, known = self._kept.get(match[1] if match else "", (None, _NO_HASH))
        same = hmac.compare_digest(_hash(text), known)
        if token is None or not same or token.expired(datetime.now(UTC)):
            return None
        return token

    def holds(self, id: str) -> bool:
        """Whether a token of this id is still good. Raises what `all` does."""
        self._refresh()
        token, _ = self._kept.get(id, (None, _NO_HASH))
        return token is not None and not token.expired(datetime.now(UTC))

    def note_used(self, when: Mapping[str, datetime]) -> None:
        """Put on file when tokens (by id) were used last. Only the service does this: it has no rival.

        From any thread, beside other calls.
        Raises L2tpError where the file can't be written.
        """
        known = {token.id for token in Tokens(self.path.parent).all()}
        used = {id: moment.isoformat() for id, moment in {**self._used(), **when}.items() if id in known}
        _write(self._used_path, used, durable=False)

    def _used(self) -> dict[str, datetime]:
        try:
            return {id: datetime.fromisoformat(text) for id, text in _read(self._used_path).items()}
        except (AttributeError, TypeError, ValueError):
            return {}  # damaged: nothing depends on it

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, tuple[Token, bytes]]]:
        """The records, to be changed in the block, one program at a time; what was changed goes on file at its end."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise file_error(self.path, "change the tokens", error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._refresh()
            kept = dict(self._kept)
            yield kept
            document = {"version": 1, "tokens": [_document(*one) for one in kept.values()]}
            _write(self.path, document, durable=True)
        finally:
            os.close(lock)

    def _refresh(self) -> None:
        """Read the file again if it was replaced or changed."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._seen, self._kept = None, {}
            return
        except OSError as error:
            raise file_error(self.path, "read the tokens", error) from error
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen != self._seen:
            try:
                self._kept = {token.id: (token, known) for token, known in map(_parse, _read(self.path)["tokens"])}
            except (KeyError, TypeError, ValueError) as error:
                self._kept = {}  # who can't be told apart does not get in
                remedy = "move it away; tokens have to be made anew then"
                raise RefusedError(str(self.path), f"is damaged: {type(error).__name__}", remedy) from error
            self._seen = seen


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _document(token: Token, known: bytes) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "created": token.created.isoformat(),
        "expires": token.expires and token.expires.isoformat(),
        "sha256": known.hex(),
    }


def _parse(document: Mapping[str, Any]) -> tuple[Token, bytes]:
    token = Token(
        id=document["id"],
        name=document["name"],
        scopes=frozenset(map(Scope, document["scopes"])),
        created=datetime.fromisoformat(document["created"]),
        expires=datetime.fromisoformat(document["expires"]) if document["expires"] else None,
    )
    return token, bytes.fromhex(document["sha256"])


def _read(path: Path) -> dict[str, Any]:
    try:
        result: dict[str, Any] = json.loads(read_file(path, _FILE_MAX))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise file_error(path, "read this file", error) from error
    return result


def _write(path: Path, document: Mapping[str, Any], *, durable: bool) -> None:
    """Replace a file as a whole, for its owner alone. durable: it is on the disk when this returns."""
    new = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_native_id()}")  # threads may write at once
    try:
        file = os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            json.dump(document, stream)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        new.replace(path)
        if durable:
            _sync_directory(path.parent)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise file_error(path, "write this file", error) from error


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
