"""Remembers to which host a tunnel was connected, for `disconnect`: one small file for each in the state directory."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from l2tpv3.errors import file_error
from l2tpv3.linux.read_file import read_file
from l2tpv3.value_class import value_class

_MAX = 1 << 16


@value_class(frozen=True, slots=True, kw_only=True)
class Connection:
    """host: as --host says it. peer: what the tunnel is called there. id, peer_id: its ids at this end."""

    host: str
    peer: str
    id: int
    peer_id: int


class Connections:
    """The connections of this host. state: its state directory."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "connections"

    def _file(self, tunnel: str) -> Path:
        return self._folder / f"{tunnel}.json"

    def remember(self, tunnel: str, connection: Connection) -> None:
        """Write it down. Raises NotPermittedError, RefusedError."""
        file = self._file(tunnel)
        text = json.dumps({key: getattr(connection, key) for key in ("host", "peer", "id", "peer_id")})
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = file.with_suffix(".new")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as stream:
                stream.write(text)
            new.replace(file)
        except OSError as error:
            raise file_error(file, "remember the connection", error) from error

    def find(self, tunnel: str) -> Connection | None:
        """The connection of a tunnel; None where none is remembered, or it can't be read."""
        try:
            return Connection(**json.loads(read_file(self._file(tunnel), _MAX)))
        except (OSError, ValueError, TypeError):
            return None

    def forget(self, tunnel: str) -> None:
        """Remember it no more."""
        with contextlib.suppress(OSError):
            self._file(tunnel).unlink()
