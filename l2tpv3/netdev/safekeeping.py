"""Files with what others had configured on netdevs that are being made anew, so that a kill half-way loses nothing.

One for each session, in the runtime directory, from before its netdev goes until all is put back on its successor.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Final

from l2tpv3.errors import from_errno
from l2tpv3.netdev.belongings import ForeignSettings

FOLDER: Final = "belongings"
"""Name of the folder in the runtime directory."""
_UNFINISHED: Final = "new"
_SIZE_MAX: Final = 64 << 20
"""Bytes of a file that is still read: a netdev with a hundred thousand routes."""


class ForeignSettingsStore:
    """The settings that are kept of sessions' netdevs, by the names of tunnel and session."""

    def __init__(self, runtime: Path) -> None:
        self._folder = runtime / FOLDER

    def names(self) -> set[tuple[str, str]]:
        """The sessions of whose netdevs settings are kept."""
        try:
            found = [path.name.split("@") for path in self._folder.iterdir()]
        except OSError:
            return set()
        return {(one[0], one[1]) for one in found if len(one) == 2}

    def keep(self, tunnel: str, session: str, belongings: ForeignSettings) -> None:
        """Keep this until `forget`, beside what is kept of earlier netdevs and was not put back yet.

        Raises RefusedError or NotPermittedError.
        """
        before = [one for one in self.get(tunnel, session) if one.index != belongings.index]
        path = self._path(tunnel, session)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            new = self._folder / _UNFINISHED
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
                json.dump([one.to_words() for one in (*before, belongings)], file)
            new.replace(path)
        except OSError as error:
            raise from_errno(str(path), "write this file", error.errno or 0) from error

    def get(self, tunnel: str, session: str) -> list[ForeignSettings]:
        """The settings that are kept of each netdev that the session has had. A file that is not ours is ignored."""
        try:
            with self._path(tunnel, session).open("rb") as file:
                return [ForeignSettings.from_words(one) for one in json.loads(file.read(_SIZE_MAX))]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return []

    def forget(self, tunnel: str, session: str) -> None:
        """Delete what is kept of a session: it is put back, or nothing is to get it any more."""
        for path in (self._path(tunnel, session), self._folder / _UNFINISHED):
            with contextlib.suppress(OSError):
                path.unlink()
        with contextlib.suppress(OSError):
            self._folder.rmdir()  # if it is empty

    def _path(self, tunnel: str, session: str) -> Path:
        return self._folder / f"{tunnel}@{session}"  # no name has an @
