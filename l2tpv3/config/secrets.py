"""Finds the cookies and keys of a file: in the file itself, in another file, or in a systemd credential."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from l2tpv3.errors import InvalidValueError
from l2tpv3.model import ids

CREDENTIAL = "credential:"
"""Before the name of a systemd credential (systemd.exec(5) "Credentials")."""


class SecretKind(NamedTuple):
    """A kind of secret. what: its name in messages. read: takes text or `@PATH` and what an error calls it, gives it.

    parse: takes the text alone. file_holds: what a file of it has in it. quoted: how it is given in a file; sent: in a
    request.
    """

    what: str
    read: Callable[[str, str], bytes]
    parse: Callable[[str, str], bytes]
    file_holds: str
    quoted: str
    sent: str


COOKIE = SecretKind(
    what="cookie",
    read=ids.read_cookie,
    parse=ids.parse_cookie,
    file_holds="8 or 16 hex digits",
    quoted='"0123456789abcdef", "@FILE" or "none"',
    sent='give 8 or 16 hex digits, or "none"',
)
KEY = SecretKind(
    what="key",
    read=ids.read_key,
    parse=ids.parse_key,
    file_holds="44 characters of base64",
    quoted='44 characters of base64, or "@FILE"',
    sent="give 44 characters of base64",
)

PRE_SHARED_KEY = SecretKind(
    what="pre-shared key",
    read=ids.read_pre_shared_key,
    parse=ids.parse_pre_shared_key,
    file_holds="8 to 128 characters",
    quoted='8 to 128 characters, or "@FILE"',
    sent="give 8 to 128 characters",
)


def find_secret(text: str, folder: Path, kind: SecretKind) -> tuple[bytes, Path | None]:
    """A secret, and the file that it was read from; None when `text` is the secret itself.

    text: what `kind.parse` takes, `@PATH` (relative to `folder`) or `credential:NAME`. Raises InvalidValueError, whose
    subject means nothing and in which no secret is.
    """
    if text.startswith(CREDENTIAL):
        file = credential_file(text.removeprefix(CREDENTIAL), kind)
    elif text.startswith("@"):
        file = folder / text[1:]
    else:
        return kind.read(text, kind.what), None
    try:
        return kind.read(f"@{file}", kind.what), file
    except InvalidValueError as error:
        # What was read and is no such secret has the file in its subject only.
        where = "" if error.subject == kind.what else f"{file}: "
        raise InvalidValueError(kind.what, f"{where}{error.problem}", _remedy(text, kind)) from error


def credential_file(name: str, kind: SecretKind) -> Path:
    """The file of a systemd credential. Raises InvalidValueError where there is none of that name."""
    # What systemd takes for a name: credential_name_valid() in src/shared/creds-util.c.
    if not name or name in (".", "..") or "/" in name or ":" in name or not name.isascii():
        raise InvalidValueError(
            kind.what, f"{name!r} is not a credential's name", "give credential:NAME with the NAME of LoadCredential="
        )
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        problem = f"credential {name!r} can't be read: $CREDENTIALS_DIRECTORY is not set, as it is in a systemd unit"
        raise InvalidValueError(kind.what, problem, _remedy(CREDENTIAL + name, kind))
    return Path(directory, name)


def _remedy(text: str, kind: SecretKind) -> str:
    if text.startswith(CREDENTIAL):
        name = text.removeprefix(CREDENTIAL)
        return f"run this in a unit that has LoadCredential={name}:FILE, or give @FILE"
    return f"give a readable file with {kind.file_holds}"
