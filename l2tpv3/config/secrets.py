"""Finds the cookies of a file: in the file itself, in another file, or in a systemd credential."""

from __future__ import annotations

import os
from pathlib import Path

from l2tpv3.errors import InvalidValueError
from l2tpv3.model import ids

CREDENTIAL = "credential:"
"""Before the name of a systemd credential (systemd.exec(5) "Credentials")."""

_WHAT = "cookie"


def find_cookie(text: str, folder: Path) -> tuple[bytes, Path | None]:
    """A cookie, and the file that it was read from; None when `text` is the cookie itself.

    text: hex digits, `none`, `@PATH` (relative to `folder`) or `credential:NAME`. Raises InvalidValueError, whose
    subject means nothing and in which no secret is.
    """
    if text.startswith(CREDENTIAL):
        file = _credential(text.removeprefix(CREDENTIAL))
    elif text.startswith("@"):
        file = folder / text[1:]
    else:
        return ids.read_cookie(text, _WHAT), None
    try:
        return ids.read_cookie(f"@{file}", _WHAT), file
    except InvalidValueError as error:
        # What was read and is no cookie has the file in its subject only.
        where = "" if error.subject == _WHAT else f"{file}: "
        raise InvalidValueError(_WHAT, f"{where}{error.problem}", _remedy(text)) from error


def _credential(name: str) -> Path:
    # What systemd takes for a name: credential_name_valid() in src/shared/creds-util.c.
    if not name or name in (".", "..") or "/" in name or ":" in name or not name.isascii():
        raise InvalidValueError(
            _WHAT, f"{name!r} is not a credential's name", "give credential:NAME with the NAME of LoadCredential="
        )
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        problem = f"credential {name!r} can't be read: $CREDENTIALS_DIRECTORY is not set, as it is in a systemd unit"
        raise InvalidValueError(_WHAT, problem, _remedy(CREDENTIAL + name))
    return Path(directory, name)


def _remedy(text: str) -> str:
    if text.startswith(CREDENTIAL):
        name = text.removeprefix(CREDENTIAL)
        return f"run this in a unit that has LoadCredential={name}:FILE, or give @FILE"
    return "give a readable file with 8 or 16 hex digits"
