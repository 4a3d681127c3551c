"""The record: what is written comes back, nobody else can read it, and a bad file is a typed error."""

from __future__ import annotations

import sqlite3
import stat
from ipaddress import ip_address
from pathlib import Path

import pytest

from l2tpv3.errors import RefusedError
from l2tpv3.spec import SessionSpec, TunnelSpec
from l2tpv3.store import SessionRecord, Store, TunnelRecord

TUNNEL = TunnelRecord(
    spec=TunnelSpec(name="siteb", remote=ip_address("192.0.2.2")),
    local=ip_address("192.0.2.1"),
    datapath="user",
    reason="no kernel datapath",
)
SESSION = SessionRecord(spec=SessionSpec(name="lan", ifname="lan0", tx_cookie=b"12345678"), mtu=1438, complete=True)


def test_reading_nothing_makes_nothing(tmp_path: Path) -> None:
    assert Store(tmp_path / "absent").tunnels() == {}
    assert not (tmp_path / "absent").exists()


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put_tunnel(TUNNEL)
    store.put_session("siteb", SESSION)
    (there,) = Store(tmp_path).tunnels().values()
    assert (there.spec, there.local, there.complete, there.sessions) == (TUNNEL.spec, TUNNEL.local, False, (SESSION,))


def test_rewriting_a_tunnel_keeps_its_sessions(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put_tunnel(TUNNEL)
    store.put_session("siteb", SESSION)
    store.put_tunnel(TUNNEL)
    assert store.tunnels()["siteb"].sessions == (SESSION,)


def test_sessions_go_with_their_tunnel(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put_tunnel(TUNNEL)
    store.put_session("siteb", SESSION)
    store.del_session("siteb", "lan")
    assert store.tunnels()["siteb"].sessions == ()
    store.put_session("siteb", SESSION)
    store.del_tunnel("siteb")
    store.put_tunnel(TUNNEL)
    assert store.tunnels()["siteb"].sessions == ()


def test_a_session_needs_its_tunnel(tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        Store(tmp_path).put_session("nowhere", SESSION)


def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put_tunnel(TUNNEL)
    database = sqlite3.connect(tmp_path / "l2tpv3.db")
    database.execute("SELECT * FROM tunnel").fetchall()  # an open reader keeps -wal and -shm in place
    store.put_session("siteb", SESSION)
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


def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put_tunnel(TUNNEL)
    database = sqlite3.connect(tmp_path / "l2tpv3.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(RefusedError, match="99"):
        store.tunnels()
