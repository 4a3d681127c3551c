"""The record: what is written comes back, nobody else reads it, old files are brought up to date, bad ones refused."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from l2tpv3.errors import L2tpError, NotPermittedError, RefusedError
from l2tpv3.linux.boot import boot_id
from l2tpv3.model.host_records import RecordDelta
from l2tpv3.model.links.record import LinkRecord
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.store import migrations
from l2tpv3.store.database import AUDIT_KEPT, AuditEntry, Store
from l2tpv3.store.journal import PendingChange
from tests.waiting import PATIENCE_S

SESSION = SessionRecord(
    spec=SessionSpec(name="lan", ifname="lan0", tx_cookie=b"12345678"), mtu=1438, mac="02:00:5e:00:53:01"
)
WITHOUT_MAC = dataclasses.replace(SESSION, mac=None)
TUNNEL = TunnelRecord(
    spec=TunnelSpec(name="siteb", remote=ip_address("192.0.2.2")),
    local=ip_address("192.0.2.1"),
    datapath="user",
    reason="no kernel datapath",
    sessions=(SESSION,),
)
LINK = LinkRecord(
    spec=LinkSpec.from_words({"name": "br0", "type": "bridge", "over": ["eth1", "siteb/lan"], "stp": "off"}),
    mac="02:00:5e:00:53:09",
    over_netns="inner",
)
ROOT = Path(__file__).parents[2]
ENTRY = AuditEntry(at=1.5, who="root (uid 0)", what="+ tunnel siteb")


def test_reading_nothing_makes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "absent")
    assert (store.tunnels(), store.load().pending, store.audit(5)) == ({}, None, [])
    assert not (tmp_path / "absent").exists()


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    Store(tmp_path).commit(RecordDelta(tunnels={"siteb": TUNNEL}), ENTRY)
    assert Store(tmp_path).tunnels() == {"siteb": TUNNEL}
    assert Store(tmp_path).audit(5) == [ENTRY]


def test_links_come_back_and_go(tmp_path: Path) -> None:
    store = Store(tmp_path)
    there = {"br0": LINK, "t": dataclasses.replace(LINK, boot=boot_id(), stopped=boot_id())}
    earlier = dataclasses.replace(LINK, boot="another-boot")
    store.commit(RecordDelta(links={**there, "earlier": earlier}), ENTRY)
    assert Store(tmp_path).load().links == there
    store.commit(RecordDelta(links={"br0": None, "t": dataclasses.replace(LINK, stopped="another-boot")}), ENTRY)
    assert Store(tmp_path).load().links == {"t": LINK}


def test_one_session_of_many_is_one_row(tmp_path: Path) -> None:
    many = TUNNEL.with_sessions(
        tuple(
            SessionRecord(spec=SessionSpec(name=f"s{n}", ifname=f"n{n}", session_id=n), mtu=1400) for n in range(1, 50)
        )
    )
    store = Store(tmp_path)
    store.commit(RecordDelta(tunnels={"siteb": many}), ENTRY)
    other = SessionRecord(spec=dataclasses.replace(many.sessions[3].spec, mac="02:00:5e:00:53:01"), mtu=1300)
    changed = many.with_session(other).without_session("s9")
    database = sqlite3.connect(tmp_path / "l2tpv3.db")
    database.executescript(
        "CREATE TABLE touched (name TEXT);"
        "CREATE TRIGGER a AFTER INSERT ON session BEGIN INSERT INTO touched VALUES (new.name); END;"
        "CREATE TRIGGER b AFTER DELETE ON session BEGIN INSERT INTO touched VALUES (old.name); END;"
    )
    store.commit(RecordDelta(tunnels={"siteb": changed}), ENTRY)
    assert {name for (name,) in database.execute("SELECT name FROM touched")} == {other.spec.name, "s9"}
    assert store.tunnels() == {"siteb": changed}


def test_a_tunnel_that_goes_takes_its_sessions_along(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.commit(RecordDelta(tunnels={"siteb": TUNNEL}), ENTRY)
    store.commit(RecordDelta(tunnels={"siteb": None}), ENTRY)
    assert store.tunnels() == {}
    store.commit(RecordDelta(tunnels={"siteb": TUNNEL.with_sessions(())}), ENTRY)
    assert store.tunnels()["siteb"].sessions == ()


def test_a_pending_change_is_kept_until_it_is_done(tmp_path: Path) -> None:
    store = Store(tmp_path)
    pending = PendingChange(
        scope=frozenset({("siteb", None), ("sitec", "lan")}),
        before=RecordDelta(tunnels={"siteb": None}, links={"br0": LINK}),
        target=RecordDelta(tunnels={"siteb": TUNNEL}, links={"br0": None, "br1": LINK}),
    )
    store.begin(pending)
    assert store.load().pending == pending
    waiting = dataclasses.replace(pending, deadline=99.5)
    store.commit(RecordDelta(tunnels={"siteb": TUNNEL}), ENTRY, waiting)
    assert store.load().pending == waiting
    store.forget_pending()
    assert store.load().pending is None


def test_transient_tunnels_end_with_their_boot(tmp_path: Path) -> None:
    store = Store(tmp_path)
    now = dataclasses.replace(TUNNEL, boot=boot_id())
    earlier = dataclasses.replace(TUNNEL, spec=dataclasses.replace(TUNNEL.spec, name="sitec"), boot="another-boot")
    store.commit(RecordDelta(tunnels={"siteb": now, "sitec": earlier}), ENTRY)
    assert store.tunnels() == {"siteb": now}


def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.commit(RecordDelta(tunnels={"siteb": TUNNEL}), ENTRY)
    database = sqlite3.connect(tmp_path / "l2tpv3.db")
    database.execute("SELECT * FROM tunnel").fetchall()  # an open reader keeps -wal and -shm in place
    store.commit(RecordDelta(tunnels={"siteb": None}), ENTRY)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    database.close()
    assert set(modes) >= {"l2tpv3.db", "l2tpv3.db-wal"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be looked at" * 40, b"SQLite format 3\0" + bytes(99)]
)
def test_a_torn_file_is_a_typed_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "l2tpv3.db").write_bytes(content)
    with pytest.raises(RefusedError, match=r"l2tpv3\.db"):
        Store(tmp_path).tunnels()


def test_what_is_transient_is_swept_once_its_boot_is_over(tmp_path: Path) -> None:
    store = Store(tmp_path)
    gone = dataclasses.replace(TUNNEL, boot="another-boot")
    store.commit(RecordDelta(tunnels={"gone": gone, "siteb": TUNNEL}), ENTRY)
    assert list(store.tunnels()) == ["siteb"]
    store.commit(RecordDelta(), ENTRY)
    with sqlite3.connect(tmp_path / "l2tpv3.db") as database:
        rows = database.execute("SELECT tunnel FROM session UNION ALL SELECT name FROM tunnel").fetchall()
    database.close()
    assert rows == [("siteb",)] * 2


def test_what_was_stopped_in_another_boot_is_not_stopped(tmp_path: Path) -> None:
    store = Store(tmp_path)
    now = dataclasses.replace(TUNNEL, stopped=boot_id())
    store.commit(RecordDelta(tunnels={"then": dataclasses.replace(TUNNEL, stopped="another-boot"), "now": now}), ENTRY)
    assert {name: one.stopped for name, one in store.tunnels().items()} == {"then": None, "now": boot_id()}


def test_a_torn_log_loses_only_what_was_being_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.commit(RecordDelta(tunnels={"siteb": TUNNEL}), ENTRY)
    reader = sqlite3.connect(tmp_path / "l2tpv3.db")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM tunnel").fetchall()  # nothing is checkpointed while this one reads
    store.commit(RecordDelta(tunnels={"siteb": None}), ENTRY)
    log, database = (tmp_path / "l2tpv3.db-wal").read_bytes(), (tmp_path / "l2tpv3.db").read_bytes()
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "l2tpv3.db").write_bytes(database)
    (torn / "l2tpv3.db-wal").write_bytes(log[:-7])
    reader.close()
    assert Store(torn).tunnels() in ({"siteb": TUNNEL}, {})


def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.commit(RecordDelta(tunnels={"siteb": TUNNEL}), ENTRY)
    database = sqlite3.connect(tmp_path / "l2tpv3.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(RefusedError, match="99"):
        store.tunnels()


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "l2tpv3.db")
    database.executescript(migrations.STEPS[0] + "; PRAGMA user_version = 1;")
    spec, session = TUNNEL.spec.to_words(), SESSION.spec.to_words()
    database.execute(
        "INSERT INTO tunnel VALUES ('siteb', ?, '192.0.2.1', 'user', 'no kernel datapath', 1)", [json.dumps(spec)]
    )
    database.execute("INSERT INTO session VALUES ('siteb', 'lan', ?, 1438, 1)", [json.dumps(session)])
    database.commit()
    database.close()
    _assert_brought_up_to_date(tmp_path)


def test_a_file_of_the_second_version_is_brought_up_to_date(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "l2tpv3.db")
    for step in migrations.STEPS[:2]:
        database.executescript(step)
    spec, session = TUNNEL.spec.to_words(), SESSION.spec.to_words()
    database.execute(
        "INSERT INTO tunnel VALUES ('siteb', ?, '192.0.2.1', 'user', 'no kernel datapath', NULL)", [json.dumps(spec)]
    )
    database.execute("INSERT INTO session VALUES ('siteb', 'lan', ?, 1438)", [json.dumps(session)])
    record = {"spec": spec, "local": "192.0.2.1", "datapath": "user", "reason": "no kernel datapath", "boot": None}
    begun = {"siteb": {**record, "sessions": [{"spec": session, "mtu": 1438}]}}
    pending = {"scope": [["siteb", "lan"]], "before": {"siteb": None}, "target": begun, "deadline": None}
    database.execute("INSERT INTO pending VALUES (?)", [json.dumps(pending)])
    database.execute("PRAGMA user_version = 2")
    database.commit()
    database.close()
    waiting = Store(tmp_path).load().pending
    assert waiting is not None and waiting.target == RecordDelta(
        tunnels={"siteb": TUNNEL.with_sessions((WITHOUT_MAC,))}
    )
    _assert_brought_up_to_date(tmp_path)


def _assert_brought_up_to_date(folder: Path) -> None:
    """What those versions did not have is left open; from then on it is kept."""
    assert Store(folder).tunnels() == {"siteb": TUNNEL.with_sessions((WITHOUT_MAC,))}
    Store(folder).commit(RecordDelta(tunnels={"siteb": TUNNEL}), ENTRY)
    assert Store(folder).tunnels() == {"siteb": TUNNEL}
    assert Store(folder).audit(1) == [ENTRY]


# -- locks: POSIX drops all that a process has on a file when it closes any descriptor of it ---------------------------

_PENDING = PendingChange(scope=frozenset(), before=RecordDelta(), target=RecordDelta())


def _all_in_one(store: Store) -> None:
    with store.kept_open():
        store.begin(_PENDING)
        store.commit(RecordDelta(), ENTRY, None)


_CALLS: dict[str, Callable[[Store], object]] = {
    "load": Store.load,
    "tunnels": Store.tunnels,
    "pending": Store.pending,
    "namespaces": Store.namespaces,
    "kept_open": _all_in_one,
    "audit": lambda store: store.audit(1),
    "begin": lambda store: store.begin(_PENDING),
    "commit": lambda store: store.commit(RecordDelta(), ENTRY),
    "revert": lambda store: store.revert(RecordDelta()),
    "forget_pending": Store.forget_pending,
    "keep_namespace": lambda store: store.keep_namespace("inner"),
    "forget_namespace": lambda store: store.forget_namespace("inner"),
}


def _in_a_thread(call: Callable[[], object]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def _locks_of(file: Path) -> list[str]:
    ours = f" {os.getpid()} ", f":{file.stat().st_ino} "
    return [
        line.split(":", 1)[1] for line in Path("/proc/locks").read_text().splitlines() if all(map(line.count, ours))
    ]


def test_every_method_that_opens_the_record_is_tried() -> None:
    assert {name for name in vars(Store) if not name.startswith("_")} == set(_CALLS)


@pytest.mark.parametrize("name", _CALLS)
def test_what_one_thread_does_leaves_the_locks_of_another(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    store.commit(RecordDelta(tunnels={"siteb": TUNNEL}), ENTRY)
    reader = sqlite3.connect(tmp_path / "l2tpv3.db")
    reader.execute("SELECT name FROM tunnel").fetchall()
    before = _locks_of(tmp_path / "l2tpv3.db")
    _in_a_thread(lambda: _CALLS[name](Store(tmp_path)))
    after = _locks_of(tmp_path / "l2tpv3.db")
    reader.close()
    assert before and after == before


_READS_TWICE = """
import sqlite3, sys
for last in (False, True):
    db = sqlite3.connect(sys.argv[1])
    db.execute("BEGIN")
    db.execute("SELECT name FROM tunnel").fetchall()
    if not last:
        db.close()
print("reading", flush=True)
input()
"""


class Interrupted(Store):
    """A store that has its file open to write to, and then calls `meanwhile` before anything is written."""

    def __init__(self, directory: Path, meanwhile: Callable[[], None]) -> None:
        super().__init__(directory)
        self._meanwhile = meanwhile

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with super()._opened() as database:
            self._meanwhile()
            yield database


def test_no_commit_is_lost_beside_a_thread_and_a_process_that_read(tmp_path: Path) -> None:
    """The other process, if it takes ours for gone, removes the log that the commit is about to be written to."""
    store = Store(tmp_path)
    store.commit(RecordDelta(), ENTRY)
    others: list[subprocess.Popen[bytes]] = []

    def meanwhile() -> None:
        _in_a_thread(Store(tmp_path).load)
        command = [sys.executable, "-c", _READS_TWICE, str(tmp_path / "l2tpv3.db")]
        others.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert others[0].stdout is not None and others[0].stdout.readline() == b"reading\n"

    Interrupted(tmp_path, meanwhile).commit(RecordDelta(tunnels={"siteb": TUNNEL}), ENTRY)
    others[0].communicate(b"\n", timeout=PATIENCE_S)
    assert store.tunnels() == {"siteb": TUNNEL}
    with sqlite3.connect(tmp_path / "l2tpv3.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()


def test_threads_that_make_the_record_at_once_lose_nothing(tmp_path: Path) -> None:
    names = [f"site{number}" for number in range(6)]
    start = threading.Barrier(len(names))
    errors: list[BaseException] = []

    def add(name: str) -> None:
        record = dataclasses.replace(TUNNEL, spec=dataclasses.replace(TUNNEL.spec, name=name))
        start.wait(60)
        try:
            Store(tmp_path).commit(RecordDelta(tunnels={name: record}), ENTRY)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=add, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and list(Store(tmp_path).tunnels()) == names
    assert stat.S_IMODE((tmp_path / "l2tpv3.db").stat().st_mode) == 0o600


# -- what is said when it can't be used ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "problem", "remedy"),
    [
        (errno.ENOSPC, "the disk is full (ENOSPC), nothing was changed", "free space and try again"),
        (errno.EROFS, "its file system is read-only (EROFS), nothing was changed", "mount it read-write"),
        (errno.EACCES, "Permission denied (EACCES), nothing was changed", ""),
    ],
)
@pytest.mark.parametrize("absent", [True, False], ids=["absent", "there"])
def test_why_it_can_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, problem: str, remedy: str, *, absent: bool
) -> None:
    """Absent: the system says it; there: SQLite, in words of its own."""
    if not absent:
        Store(tmp_path).commit(RecordDelta(), ENTRY)

    def refuse(*_: object, **__: object) -> None:
        if absent:
            raise OSError(number, os.strerror(number))
        text = {errno.ENOSPC: "database or disk is full", errno.EROFS: "unable to open database file"}
        error = sqlite3.OperationalError(text.get(number, "access permission denied"))
        codes = {errno.ENOSPC: sqlite3.SQLITE_FULL, errno.EROFS: sqlite3.SQLITE_CANTOPEN}
        error.sqlite_errorcode = codes.get(number, sqlite3.SQLITE_PERM)
        raise error

    monkeypatch.setattr(*((os, "mknod") if absent else (sqlite3, "connect")), refuse)
    monkeypatch.setattr(Store, "_hindrance", lambda _: number)
    with pytest.raises(L2tpError) as caught:
        Store(tmp_path).begin(_PENDING)
    assert caught.value.subject == str(tmp_path / "l2tpv3.db")
    assert caught.value.problem == f"can't write the record: {problem}"
    assert caught.value.remedy.startswith(remedy) and "names and cookies" not in str(caught.value)
    assert isinstance(caught.value, NotPermittedError) is (number == errno.EACCES)


@pytest.mark.root
def test_a_disk_that_is_read_only_or_full_is_named(tmp_path: Path) -> None:
    """A real one, in a mount namespace of the test's own."""
    program = (
        "import os, pathlib, sys\n"
        "from tests.store.test_database import _PENDING, ENTRY, TUNNEL, RecordDelta, L2tpError, Store\n"
        "place = pathlib.Path(sys.argv[1])\n"
        "def told():\n"
        "    try: Store(place).begin(_PENDING)\n"
        "    except L2tpError as error: print(error.problem, '|', error.remedy)\n"
        "    else: print('worked')\n"
        "Store(place).commit(RecordDelta(tunnels={'siteb': TUNNEL}), ENTRY)\n"
        "os.system(f'mount -o remount,ro {place}'); told(); print(list(Store(place).tunnels()))\n"
        "os.system(f'mount -o remount,rw {place}'); told()\n"
        "os.system(f'cat /dev/zero > {place}/filler 2> /dev/null'); told(); print(list(Store(place).tunnels()))\n"
    )
    mounted = 'mount -t tmpfs -o size=300k none "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "--mount", "sh", "-c", mounted, "sh", str(tmp_path), sys.executable, program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines() == [
        "can't write the record: its file system is read-only (EROFS), nothing was changed | mount it read-write",
        "['siteb']",
        "worked",
        "can't write the record: the disk is full (ENOSPC), nothing was changed | free space and try again",
        "['siteb']",
    ]


# -- the audit trail --------------------------------------------------------------------------------------------------


def test_the_audit_trail_keeps_the_last_changes_only(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.commit(RecordDelta(), ENTRY)
    with sqlite3.connect(tmp_path / "l2tpv3.db") as database:
        rows = [(float(number), "root (uid 0)", f"change {number}") for number in range(AUDIT_KEPT + 50)]
        database.executemany("INSERT INTO audit VALUES (?, ?, ?)", rows)
    database.close()
    store.commit(RecordDelta(), dataclasses.replace(ENTRY, what="the last one"))
    kept = store.audit(1 << 70)
    assert len(kept) == AUDIT_KEPT
    assert (kept[0].what, kept[-1].what) == ("the last one", "change 51")


# -- what tells hosts apart --------------------------------------------------------------------------------------------


def test_each_record_has_an_id_of_its_own_for_good(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.load().host_id
    assert not list(tmp_path.iterdir())
    store.commit(RecordDelta(), ENTRY)
    assert first == store.load().host_id == Store(tmp_path).load().host_id
    (tmp_path / "other").mkdir()
    assert Store(tmp_path / "other").load().host_id != first


def test_links_that_are_on_record_keep_their_addresses_when_the_record_gets_an_id(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "l2tpv3.db")
    for step in migrations.STEPS[:6]:
        database.executescript(step)
    spec = json.dumps(LINK.spec.to_words())
    database.execute("INSERT INTO link VALUES ('br0', ?, ?, 'inner', NULL, NULL)", [spec, LINK.mac])
    database.execute("PRAGMA user_version = 6")
    database.commit()
    database.close()
    first = Store(tmp_path).load().host_id
    assert len(first) == 32 and Store(tmp_path).load().host_id == first
    assert Store(tmp_path).load().links == {"br0": LINK}
