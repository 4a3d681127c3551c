"""What is on record: the names and specs that neither the kernel nor a worker can hold. SQLite, one small file."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from l2tpv3.errors import NotPermittedError, RefusedError
from l2tpv3.spec import IPAddress, SessionSpec, TunnelSpec

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE tunnel (
  name     TEXT PRIMARY KEY,
  spec     TEXT NOT NULL,
  local    TEXT NOT NULL,
  datapath TEXT NOT NULL,
  reason   TEXT NOT NULL,
  complete INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE session (
  tunnel   TEXT NOT NULL REFERENCES tunnel(name) ON DELETE CASCADE,
  name     TEXT NOT NULL,
  spec     TEXT NOT NULL,
  mtu      INTEGER NOT NULL,
  complete INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (tunnel, name)
) STRICT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A session on record. mtu: what was set, in bytes. complete: False from before it is made until it is."""

    spec: SessionSpec
    mtu: int
    complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelRecord:
    """A tunnel on record. local: the address chosen. datapath, reason: what carries it, why that one."""

    spec: TunnelSpec
    local: IPAddress
    datapath: str
    reason: str
    complete: bool = False
    sessions: tuple[SessionRecord, ...] = field(default=())


class Store:
    """The record in `directory`/l2tpv3.db, mode 0600. Reading an absent one gives nothing and makes nothing."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "l2tpv3.db"

    def tunnels(self) -> dict[str, TunnelRecord]:
        """Every tunnel on record by name, in the order of names. Raises NotPermittedError, RefusedError."""
        with self._errors():
            if not self._path.exists():
                return {}
            with contextlib.closing(self._open()) as db:
                sessions: dict[str, list[SessionRecord]] = {}
                rows = db.execute("SELECT tunnel, spec, mtu, complete FROM session ORDER BY tunnel, name")
                for tunnel, spec, mtu, complete in rows:
                    record = SessionRecord(
                        spec=SessionSpec.from_words(json.loads(spec)), mtu=mtu, complete=bool(complete)
                    )
                    sessions.setdefault(tunnel, []).append(record)
                rows = db.execute("SELECT name, spec, local, datapath, reason, complete FROM tunnel ORDER BY name")
                return {
                    name: TunnelRecord(
                        spec=TunnelSpec.from_words(json.loads(spec)),
                        local=ip_address(local),
                        datapath=datapath,
                        reason=reason,
                        complete=bool(complete),
                        sessions=tuple(sessions.get(name, ())),
                    )
                    for name, spec, local, datapath, reason, complete in rows
                }

    def put_tunnel(self, record: TunnelRecord) -> None:
        """Write the tunnel, not its sessions; those on record stay."""
        with self._change() as db:
            db.execute(
                "INSERT INTO tunnel VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET spec = excluded.spec,"
                " local = excluded.local, datapath = excluded.datapath, reason = excluded.reason,"
                " complete = excluded.complete",
                (
                    record.spec.name,
                    json.dumps(record.spec.to_words()),
                    str(record.local),
                    record.datapath,
                    record.reason,
                    record.complete,
                ),
            )

    def put_session(self, tunnel: str, record: SessionRecord) -> None:
        """Write one session of a tunnel that is on record."""
        words = json.dumps(record.spec.to_words())
        with self._change() as db:
            db.execute(
                "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?)",
                (tunnel, record.spec.name, words, record.mtu, record.complete),
            )

    def del_tunnel(self, name: str) -> None:
        """Forget a tunnel and its sessions."""
        with self._change() as db:
            db.execute("DELETE FROM tunnel WHERE name = ?", (name,))

    def del_session(self, tunnel: str, name: str) -> None:
        """Forget a session."""
        with self._change() as db:
            db.execute("DELETE FROM session WHERE tunnel = ? AND name = ?", (tunnel, name))

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._errors(), contextlib.closing(self._open()) as db, db:
            yield db

    def _open(self) -> sqlite3.Connection:
        # Cookies are in it: it is made for its owner alone before SQLite writes a byte (its -wal copies the mode).
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(self._path, timeout=30)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA foreign_keys = ON")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            with db:
                db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            db.close()
            raise RefusedError(
                str(self._path), f"schema version {version} is not {SCHEMA_VERSION}", "use the version that wrote it"
            )
        return db

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise NotPermittedError(str(self._path), "can't open the record", "run as root") from error
        except (sqlite3.Error, OSError, ValueError) as error:
            remedy = "check the disk and the file; without it, names and cookies are lost"
            raise RefusedError(str(self._path), f"can't use the record: {error}", remedy) from error
