"""The record's schema and its history. A file of an older version is brought up to date when it is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from l2tpv3.errors import RefusedError

_FIRST = """
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

_PENDING_AND_AUDIT = """
ALTER TABLE tunnel DROP COLUMN complete;
ALTER TABLE session DROP COLUMN complete;
ALTER TABLE tunnel ADD COLUMN boot TEXT;
CREATE TABLE pending (change TEXT NOT NULL) STRICT;
CREATE TABLE audit (at REAL NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL) STRICT;
"""

# NULL: from before it was kept; the next change takes the netdev's, if it is there.
_MAC = "ALTER TABLE session ADD COLUMN mac TEXT"

_STOPPED = "ALTER TABLE tunnel ADD COLUMN stopped TEXT"

# A change that was under way is of tunnels alone.
_LINKS = """
CREATE TABLE link (
  name       TEXT PRIMARY KEY,
  spec       TEXT NOT NULL,
  mac        TEXT,
  over_netns TEXT,
  boot       TEXT,
  stopped    TEXT
) STRICT;
"""

_NAMESPACES = "CREATE TABLE namespace (name TEXT PRIMARY KEY) STRICT"

# What tells this record from others, on this machine or on a copy of it: links' MAC addresses are made of it. Those of
# links that are on record stay as they are.
_HOST = """
CREATE TABLE host (id TEXT NOT NULL) STRICT;
INSERT INTO host VALUES (new_host_id());
"""

_WAITS = "ALTER TABLE tunnel ADD COLUMN waits INTEGER NOT NULL DEFAULT 0"

_CLAMP = "ALTER TABLE session ADD COLUMN clamp_mtu INTEGER"

STEPS = (_FIRST, _PENDING_AND_AUDIT, _MAC, _STOPPED, _LINKS, _NAMESPACES, _HOST, _WAITS, _CLAMP)
"""STEPS[n] takes a file from version n to n + 1."""


def bring_up_to_date(db: sqlite3.Connection, path: Path, host_id: str) -> None:
    """Migrate an open database in autocommit mode, each version in a transaction.

    host_id: what a record gets that has none yet. Raises RefusedError for a database of a newer version.
    """
    db.create_function("new_host_id", 0, lambda: host_id)
    version = _version(db)
    if version > len(STEPS):
        raise RefusedError(
            str(path), f"schema version {version} is newer than this program's {len(STEPS)}", "upgrade it"
        )
    while version < len(STEPS):
        db.execute("BEGIN IMMEDIATE")
        with db:
            version = _version(db)  # another process may have been quicker
            if version < len(STEPS):
                for statement in STEPS[version].split(";"):
                    db.execute(statement)
                version += 1
                db.execute(f"PRAGMA user_version = {version}")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
