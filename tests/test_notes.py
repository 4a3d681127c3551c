"""What a status tells beside its condition: each note says what is wrong, and its remedy works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2tpv3 import Condition, Manager, Places, notes
from l2tpv3.datapath.memory import MemoryDatapath
from l2tpv3.errors import NotPermittedError
from l2tpv3.link.memory import MemoryPlacer
from l2tpv3.notes import LookedAt
from tests.here import Here
from tests.hosts import Hosts

PEER = {"remote": "127.0.0.2"}


def make(folder: Path, memory: MemoryDatapath) -> Manager:
    return Manager(Places(folder / "state", folder / "run"), [memory], MemoryPlacer(memory))


def restored_by(note: str) -> str:
    """The name that a note's `l2tpctl restore NAME` has."""
    found = re.search(r"`l2tpctl restore (\S+)`", note)
    assert found, note
    return found[1]


def test_what_is_not_running_names_what_brings_it_back(tmp_path: Path) -> None:
    before = make(tmp_path, MemoryDatapath())
    before.add_tunnel("t", PEER)
    before.add_session("t", "s", {})
    assert before.tunnel("t").notes == ()
    after = make(tmp_path, MemoryDatapath())
    (note,) = after.tunnel("t").notes
    assert note.startswith("it is not running")
    after.restore(restored_by(note))
    assert (after.tunnel("t").condition, after.tunnel("t").notes) == (Condition.UP, ())
    after.down()
    (note,) = after.tunnel("t").notes
    assert note.startswith("`l2tpctl down` stopped it")
    after.restore(restored_by(note))
    assert (after.tunnel("t").condition, after.tunnel("t").notes) == (Condition.UP, ())


def test_a_session_that_is_gone_from_its_tunnel_says_so(tmp_path: Path) -> None:
    memory = MemoryDatapath()
    manager = make(tmp_path, memory)
    manager.add_tunnel("t", PEER)
    manager.add_session("t", "s", {})
    memory.del_session(manager.tunnel("t").spec, manager.session("t", "s").spec)
    (note,) = manager.session("t", "s").notes
    assert note.startswith("it is not running")
    manager.restore(restored_by(note))
    assert manager.session("t", "s").notes == ()


@pytest.mark.root
def test_a_netdev_that_was_deleted_is_told_from_one_that_went_with_its_namespace(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    here = Here(host)
    guest = f"{host.netns}-guest"
    host.ip("netns", "add", guest)
    here.add_tunnel("t", {"remote": "127.0.0.2", "datapath": "user"})
    here.add_session("t", "own", {})
    here.add_session("t", "lent", {"netns": guest})
    host.ip("link", "del", "l2tpeth0")
    host.ip("netns", "del", guest)
    own, lent = (here.session("t", name).notes for name in ("own", "lent"))
    assert own == ("its netdev is gone; `l2tpctl restore t` makes it again",)
    assert len(lent) == 1 and f"network namespace {guest}" in lent[0]
    assert here.tunnel("t").notes == ()
    host.ip("netns", "add", guest)
    here.restore("t")
    assert [one.notes for one in here.tunnel("t").sessions] == [(), ()]


def test_a_note_that_can_not_be_found_is_in_no_others_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(looked: LookedAt) -> Iterator[str]:
        yield "half of it"
        raise NotPermittedError("network namespace", "not yours")

    monkeypatch.setattr(notes, "TUNNEL_NOTES", (refuses, *notes.TUNNEL_NOTES))
    make(tmp_path, MemoryDatapath()).add_tunnel("t", PEER)
    assert [note.partition(";")[0] for note in make(tmp_path, MemoryDatapath()).tunnel("t").notes][
        -1
    ] == "it is not running"
