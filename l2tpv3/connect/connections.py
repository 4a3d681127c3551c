"""Remembers to which host a tunnel was connected, for `disconnect`: one small file for each in the state directory."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

from l2tpv3.connect.typed_commands import Place
from l2tpv3.errors import NotFoundError, RefusedError, file_error
from l2tpv3.linux.read_file import read_file
from l2tpv3.model.ids import is_name
from l2tpv3.value_class import value_class

_MAX = 1 << 16
_REMEDY = "`l2tpctl tunnel del {tunnel}` at each end removes the tunnel; then remove the file"


@value_class(frozen=True, slots=True, kw_only=True)
class Connection:
    """host: as --host says it. peer: the tunnel's name there. marks: of this and the far end, see CommandEnd.mark.

    place: where the far end is, if it was typed there; None where l2tpctl made it.
    """

    host: str
    peer: str
    marks: tuple[str, str]
    place: Place | None = None


class Connections:
    """The connections of this host. state: its state directory."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "connections"

    def _file(self, tunnel: str) -> Path:
        if not is_name(tunnel):
            raise NotFoundError(f"tunnel {tunnel}", "no such tunnel")
        return self._folder / f"{tunnel}.json"

    def remember(self, tunnel: str, connection: Connection) -> None:
        """Write the connection of a tunnel down. Raises NotPermittedError, RefusedError."""
        file = self._file(tunnel)
        place = None if connection.place is None else dataclasses.asdict(connection.place)
        known = {"host": connection.host, "peer": connection.peer, "marks": connection.marks, "place": place}
        text = json.dumps(known)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = file.with_suffix(".new")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as stream:
                stream.write(text)
            new.replace(file)
        except OSError as error:
            raise file_error(file, "remember the connection", error) from error

    def find(self, tunnel: str) -> Connection | None:
        """The connection of a tunnel; None where none is remembered. Raises L2tpError where its file can't be read."""
        file = self._file(tunnel)
        try:
            known = json.loads(read_file(file, _MAX))
            near, far = map(str, known["marks"])
            place = None if known.get("place") is None else Place(**known["place"])
            return Connection(host=str(known["host"]), peer=str(known["peer"]), marks=(near, far), place=place)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise file_error(file, "read where the tunnel was connected to", error) from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RefusedError(str(file), "is not what `connect` wrote", _REMEDY.format(tunnel=tunnel)) from error

    def forget(self, tunnel: str) -> None:
        """Remember the connection of a tunnel no more. Raises L2tpError where its file can't be removed."""
        file = self._file(tunnel)
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise file_error(file, "forget where the tunnel was connected to", error) from error
