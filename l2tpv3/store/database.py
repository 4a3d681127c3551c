"""The record, in one small SQLite file: the names and specs that neither the kernel nor a worker can hold.

Beside tunnels, sessions and links it has at most one pending change (the journal). That is written before the first
step of a change, and deleted when the change is done or undone. If one is found while nobody holds the lock, its change
was killed half-way.

Nothing but SQLite may open and close the file. POSIX drops every lock that a process holds on a file as soon as any
descriptor of that file is closed in it, whoever opened it (fcntl(2)); other processes then take the writer for gone,
and what it commits is lost ("How To Corrupt An SQLite Database File", section 2.2).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sqlite3
import stat
import threading
from collections.abc import Collection, Iterator
from dataclasses import field
from ipaddress import ip_address
from os import urandom
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from l2tpv3.errors import ConflictError, L2tpError, RefusedError, file_error
from l2tpv3.linux.boot import boot_id
from l2tpv3.model.host_records import HostRecords, RecordDelta
from l2tpv3.model.record import Records, SessionRecord, TunnelRecord
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.store import migrations
from l2tpv3.store.journal import PendingChange
from l2tpv3.value_class import value_class

if TYPE_CHECKING:
    from l2tpv3.model.links.record import LinkRecord, Links

AUDIT_KEPT = 10_000
"""How many of the last changes stay in the log: as many as the service gives in one answer."""


@value_class(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Everything on record at one moment. host_id: a random text that is this record's own, for good."""

    tunnels: Records
    links: Links = field(default_factory=dict)
    pending: PendingChange | None = None
    host_id: str = ""

    @property
    def everything(self) -> HostRecords:
        """The tunnels and links."""
        return HostRecords(tunnels=self.tunnels, links=self.links)

    @property
    def shown(self) -> HostRecords:
        """The records, and what a change that was killed half-way was about to add to them."""
        if self.pending is None or self.pending.deadline is not None:
            return self.everything
        begun = self.pending.target.made
        return HostRecords(tunnels={**begun.tunnels, **self.tunnels}, links={**begun.links, **self.links})


@value_class(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who changed what, when. at: seconds since the epoch. who: user and uid. what: the steps, in words, no secrets."""

    at: float
    who: str
    what: str


AS_IT_IS: Final = "as it is"
"""The journal entry stays as it is; see Store.commit."""


def unconfirmed(pending: PendingChange) -> ConflictError:
    """The error about a change that can't be made while another one awaits its confirmation."""
    problem = f"a change waits for its confirmation, {pending.left_s or 0:.0f} s left"
    return ConflictError("this host", problem, "`l2tpctl confirm` keeps it, `l2tpctl rollback` undoes it")


class Store:
    """The record in `directory`/l2tpv3.db, mode 0600. Reading an absent one gives nothing and makes nothing.

    Every method raises NotPermittedError or RefusedError.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "l2tpv3.db"
        self._new_host_id = urandom(16).hex()  # without a record, that of the one that would be made
        self._kept = threading.local()

    @contextlib.contextmanager
    def kept_open(self) -> Iterator[None]:
        """Have all calls of this thread in the `with` block use one connection. Between calls it holds no lock.

        A change reads, notes what it begins, and writes what it has done: opening the database costs more than each.
        """
        self._kept.wanted = True
        try:
            yield
        finally:
            self._kept.wanted = False
            kept, self._kept.connection = getattr(self._kept, "connection", None), None
            if kept is not None:
                kept.close()

    def load(self, names: Collection[str] | None = None) -> Recorded:
        """Everything, as of one moment, but for what is transient and of an earlier boot. names: only such tunnels.

        Raises RefusedError for a database that is damaged, locked, or of a newer version, and what errors.file_error
        gives for one that can't be read. So do all methods here.
        """
        with self._errors():
            if not self._path.exists():
                return Recorded(tunnels={}, host_id=self._new_host_id)
            with self._opened_to_read() as db:
                db.execute("BEGIN")
                try:
                    (host_id,) = db.execute("SELECT id FROM host").fetchone()
                    tunnels, links = _read_tunnels(db, names), _read_links(db)
                    return Recorded(tunnels=tunnels, links=links, pending=_read_pending(db), host_id=str(host_id))
                finally:
                    db.rollback()

    def tunnels(self) -> Records:
        """Every tunnel on record by name, in the order of names. Raises what `load` does."""
        return self.load().tunnels

    def pending(self) -> PendingChange | None:
        """The pending change alone: quick, however much is on record. Raises what `load` does."""
        with self._errors():
            if not self._path.exists():
                return None
            with self._opened_to_read() as db:
                return _read_pending(db)

    def begin(self, pending: PendingChange) -> None:
        """Write the journal entry of a change, before its first step.

        Raises ConflictError while another one awaits its confirmation, whose note would be lost.
        """
        with self._change("nothing was changed") as db:
            there = _read_pending(db)
            if there is not None and there.deadline is not None and pending.deadline is None:
                raise unconfirmed(there)
            _write_pending(db, pending)

    def commit(
        self, edits: RecordDelta, audit: AuditEntry, pending: PendingChange | Literal["as it is"] | None = AS_IT_IS
    ) -> None:
        """Write the records that a change made, in one transaction.

        pending: what is noted from then on: a change that awaits its confirmation, or what of a killed one is still to
        be done; None when nothing is left of it. By default the note that there is stays.
        Raises what `load` does; then nothing was written.
        """
        with self._change() as db:
            for table in ("tunnel", "link"):
                db.execute(f"DELETE FROM {table} WHERE boot <> ?", (boot_id(),))  # transient, and its boot is over
            _write(db, edits)
            if pending != AS_IT_IS:
                _write_pending(db, pending)
            _write_audit(db, audit)

    def revert(self, before: RecordDelta, pending: PendingChange | None = None) -> None:
        """The change that was begun is undone: `before` is what there was of all that it would have changed.

        pending: as for `commit`.
        Raises what `load` does; then nothing was written.
        """
        with self._change() as db:
            _write(db, before)
            _write_pending(db, pending)

    def forget_pending(self, audit: AuditEntry | None = None) -> None:
        """The pending change is undone, or confirmed. audit: what the log has of that.

        Raises what `load` does; then nothing was written.
        """
        with self._change() as db:
            _write_pending(db, None)
            if audit is not None:
                _write_audit(db, audit)

    def namespaces(self) -> frozenset[str]:
        """The network namespaces that were made on demand, or were going to be. Raises what `load` does."""
        with self._errors():
            if not self._path.exists():
                return frozenset()
            with self._opened_to_read() as db:
                return frozenset(name for (name,) in db.execute("SELECT name FROM namespace"))

    def keep_namespace(self, name: str) -> None:
        """Note that a network namespace is going to be made. Raises what `load` does; then nothing was written."""
        with self._change() as db:
            db.execute("INSERT OR IGNORE INTO namespace VALUES (?)", (name,))

    def forget_namespace(self, name: str) -> None:
        """Note that a network namespace is gone, or belongs to another program now.

        Raises what `load` does; then nothing was written.
        """
        with self._change() as db:
            db.execute("DELETE FROM namespace WHERE name = ?", (name,))

    def audit(self, limit: int) -> list[AuditEntry]:
        """The last entries of the log, the newest first. Raises what `load` does."""
        with self._errors():
            if not self._path.exists():
                return []
            with self._opened_to_read() as db:
                rows = db.execute(
                    "SELECT at, who, what FROM audit ORDER BY rowid DESC LIMIT ?", (min(limit, AUDIT_KEPT),)
                )
                return [AuditEntry(at=at, who=who, what=what) for at, who, what in rows]

    @contextlib.contextmanager
    def _opened_to_read(self) -> Iterator[sqlite3.Connection]:
        """Open the database to read, also on a full or read-only disk, where SQLite can't make files for sharing."""
        with contextlib.ExitStack() as stack:
            try:
                db = stack.enter_context(self._opened())
            except (sqlite3.OperationalError, OSError) as error:
                log = self._path.with_name(f"{self._path.name}-wal")
                if isinstance(error, PermissionError) or (log.exists() and log.stat().st_size):
                    raise
                # Nobody has it open, so all of it is in the one file.
                alone = sqlite3.connect(f"{self._path.absolute().as_uri()}?immutable=1", uri=True)
                db = stack.enter_context(contextlib.closing(alone))
            yield db

    @contextlib.contextmanager
    def _change(self, so_far: str = "") -> Iterator[sqlite3.Connection]:
        """A transaction. so_far: what an error can say of the change as a whole."""
        with self._errors("write", so_far), self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            with db:
                yield db

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        # Cookies are in it: it is made for its owner alone before SQLite writes a byte (its -wal copies the mode). Not
        # with open(): to close that descriptor would drop the locks of another thread, which may be quicker to use it.
        if not self._path.exists():
            with contextlib.suppress(FileExistsError):
                os.mknod(self._path, stat.S_IFREG | 0o600)
        kept: sqlite3.Connection | None = getattr(self._kept, "connection", None)
        if kept is not None:
            yield kept
            return
        with contextlib.ExitStack() as stack:
            db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            stack.callback(db.close)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA foreign_keys = ON")
            migrations.bring_up_to_date(db, self._path, self._new_host_id)
            if getattr(self._kept, "wanted", False):
                self._kept.connection = db
                stack.pop_all()
            yield db

    @contextlib.contextmanager
    def _errors(self, doing: str = "read", so_far: str = "") -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._sqlite_error(error, doing, so_far) from error
        except OSError as error:
            raise file_error(self._path, f"{doing} the record", error, so_far) from error
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(str(self._path), f"is damaged: {error}", _DAMAGED) from error

    def _sqlite_error(self, error: sqlite3.Error, doing: str, so_far: str) -> L2tpError:
        """The error by its cause (sqlite.org/rescode.html). The upper bytes of a code only add detail."""
        code = (getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return RefusedError(str(self._path), f"is damaged: {error}", _DAMAGED)
        if code == sqlite3.SQLITE_BUSY:
            remedy = "try again; `fuser` with this path shows who has it open"
            return RefusedError(str(self._path), f"can't {doing} the record: another program has it locked", remedy)
        number = _ERRNO.get(code)
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR):
            number = self._hindrance() or number
        if number is not None:
            return file_error(self._path, f"{doing} the record", OSError(number, os.strerror(number)), so_far)
        return RefusedError(str(self._path), f"can't {doing} the record: {error}", "check the disk and this file")

    def _hindrance(self) -> int | None:
        """The errno of what keeps this process from writing here, which SQLite does not tell; None: nothing seen."""
        with contextlib.suppress(OSError):
            disk = os.statvfs(self._path.parent)
            if disk.f_flag & os.ST_RDONLY:
                return errno.EROFS
            if not os.access(self._path.parent, os.W_OK) or not os.access(self._path, os.R_OK | os.W_OK):
                return errno.EACCES
            if not disk.f_bavail:
                return errno.ENOSPC
        return None


_DAMAGED = (
    "traffic goes on; restore a copy of this file, or move it away and apply your files again"
    " (names and generated cookies are then new ones)"
)
_ERRNO = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_READONLY: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_NOMEM: errno.ENOMEM,
}
"""What SQLite's result codes come from."""


def _read_tunnels(db: sqlite3.Connection, names: Collection[str] | None = None) -> dict[str, TunnelRecord]:
    sessions: dict[str, list[SessionRecord]] = {}
    only, chosen = "", tuple(names or ())
    if names is not None:
        only = f" IN ({', '.join('?' * len(chosen))})"
    where = f" WHERE tunnel{only}" if only else ""
    found = db.execute(
        f"SELECT tunnel, spec, mtu, mac, clamp_mtu FROM session{where} ORDER BY tunnel, name", chosen
    ).fetchall()
    # All in one go: for ten thousand small texts the calls take longer than the parsing.
    specs = json.loads(f"[{','.join(spec for _, spec, *_ in found)}]")
    for (tunnel, _, mtu, mac, clamp), words in zip(found, specs, strict=True):
        record = SessionRecord(spec=SessionSpec.from_record(words), mtu=mtu, mac=mac, clamp_mtu=clamp)
        sessions.setdefault(tunnel, []).append(record)
    now = boot_id()
    columns, where = "name, spec, local, datapath, reason, boot, stopped, waits", f" WHERE name{only}" if only else ""
    rows = db.execute(f"SELECT {columns} FROM tunnel{where} ORDER BY name", chosen)
    return {
        name: TunnelRecord(
            spec=TunnelSpec.from_words(json.loads(spec)),
            local=ip_address(local),
            datapath=datapath,
            reason=reason,
            boot=boot,
            stopped=stopped if stopped == now else None,
            waits=bool(waits),
            sessions=tuple(sessions.get(name, ())),
        )
        for name, spec, local, datapath, reason, boot, stopped, waits in rows
        if boot is None or boot == now
    }


def _write_tunnel(db: sqlite3.Connection, name: str, record: TunnelRecord | None) -> None:
    """Write a tunnel's rows that differ: a change of one session of ten thousand writes one row."""
    if record is None:
        db.execute("DELETE FROM tunnel WHERE name = ?", (name,))
        return
    values = (str(record.local), record.datapath, record.reason, record.boot, record.stopped, record.waits)
    db.execute(
        "INSERT INTO tunnel (name, spec, local, datapath, reason, boot, stopped, waits) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, local = excluded.local, datapath = excluded.datapath,"
        " reason = excluded.reason, boot = excluded.boot, stopped = excluded.stopped, waits = excluded.waits",
        (name, json.dumps(record.spec.to_words()), *values),
    )
    there = {
        one: tuple(values)
        for one, *values in db.execute("SELECT name, spec, mtu, mac, clamp_mtu FROM session WHERE tunnel = ?", (name,))
    }
    wanted = {
        one.spec.name: (json.dumps(one.spec.to_words()), one.mtu, one.mac, one.clamp_mtu) for one in record.sessions
    }
    gone = [(name, one) for one in there if one not in wanted]
    new = [(name, one, *values) for one, values in wanted.items() if there.get(one) != values]
    db.executemany("DELETE FROM session WHERE tunnel = ? AND name = ?", gone)
    db.executemany(
        "INSERT OR REPLACE INTO session (tunnel, name, spec, mtu, mac, clamp_mtu) VALUES (?, ?, ?, ?, ?, ?)", new
    )


def _read_links(db: sqlite3.Connection) -> dict[str, LinkRecord]:
    now = boot_id()
    rows = db.execute("SELECT name, spec, mac, over_netns, boot, stopped FROM link ORDER BY name").fetchall()
    if not rows:
        return {}
    from l2tpv3.model.links.record import LinkRecord
    from l2tpv3.model.links.spec import LinkSpec

    return {
        name: LinkRecord(
            spec=LinkSpec.from_words(json.loads(spec)),
            mac=mac,
            over_netns=over_netns,
            boot=boot,
            stopped=stopped if stopped == now else None,
        )
        for name, spec, mac, over_netns, boot, stopped in rows
        if boot is None or boot == now
    }


def _write(db: sqlite3.Connection, edits: RecordDelta) -> None:
    for name, tunnel in edits.tunnels.items():
        _write_tunnel(db, name, tunnel)
    for name, link in edits.links.items():
        _write_link(db, name, link)


def _write_link(db: sqlite3.Connection, name: str, record: LinkRecord | None) -> None:
    if record is None:
        db.execute("DELETE FROM link WHERE name = ?", (name,))
        return
    spec = json.dumps(record.spec.to_words())
    values = (name, spec, record.mac, record.over_netns, record.boot, record.stopped)
    db.execute(
        "INSERT OR REPLACE INTO link (name, spec, mac, over_netns, boot, stopped) VALUES (?, ?, ?, ?, ?, ?)", values
    )


def _write_audit(db: sqlite3.Connection, audit: AuditEntry) -> None:
    db.execute("INSERT INTO audit VALUES (?, ?, ?)", (audit.at, audit.who, audit.what))
    db.execute("DELETE FROM audit WHERE rowid <= (SELECT max(rowid) FROM audit) - ?", (AUDIT_KEPT,))


def _read_pending(db: sqlite3.Connection) -> PendingChange | None:
    row = db.execute("SELECT change FROM pending").fetchone()
    return None if row is None else PendingChange.from_words(json.loads(row[0]))


def _write_pending(db: sqlite3.Connection, pending: PendingChange | None) -> None:
    db.execute("DELETE FROM pending")
    if pending is not None:
        db.execute("INSERT INTO pending (change) VALUES (?)", (json.dumps(pending.to_words()),))
