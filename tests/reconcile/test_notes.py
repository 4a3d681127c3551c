"""What a status tells beside its condition: each note says what is wrong, and its remedy works."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2tpv3 import Condition, Manager, Paths
from l2tpv3.errors import NotPermittedError
from l2tpv3.linux.netns import inside
from l2tpv3.model.finding import Harm
from l2tpv3.model.progress import RestoreEvent
from l2tpv3.reconcile import notes
from l2tpv3.reconcile.notes import LookedAt
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.here import Here
from tests.hosts import UNDERLAY, Host, Hosts
from tests.waiting import eventually

PEER = {"remote": "127.0.0.2"}


def make(folder: Path, memory: MemoryDatapath) -> Manager:
    return Manager(Paths(folder / "state", folder / "run"), [memory], MemoryConfigurator(memory))


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

    rule = notes.TunnelRule("refuses", Harm.NONE, refuses)
    monkeypatch.setattr(notes, "TUNNEL_NOTES", (rule, *notes.TUNNEL_NOTES))
    make(tmp_path, MemoryDatapath()).add_tunnel("t", PEER)
    assert [note.partition(";")[0] for note in make(tmp_path, MemoryDatapath()).tunnel("t").notes][
        -1
    ] == "it is not running"


@pytest.mark.root
def test_what_the_queue_of_a_netdev_drops_is_counted(underlay: tuple[Host, Host]) -> None:
    """A worker that does not come to take frames leaves them in the TAP, which holds 500."""
    a, b = underlay
    here = Here(a)
    here.add_tunnel("t", {"remote": b.v4, "datapath": "user"})
    here.add_session("t", "s", {})
    (worker,) = a.workers()
    os.kill(worker, signal.SIGSTOP)
    with inside(a.netns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("l2tpeth0", 0x0800))
        for _ in range(700):
            sender.send(bytes(12) + b"\x08\x00" + bytes(50))
    os.kill(worker, signal.SIGCONT)
    counters = here.session("t", "s").counters
    assert counters.tx_errors >= 150 and counters.tx_packets + counters.tx_errors >= 150


@pytest.mark.root
@pytest.mark.parametrize("datapath", ["user", "ebpf"])
def test_what_somebody_did_to_the_netdev_is_told_and_mended(underlay: tuple[Host, Host], datapath: str) -> None:
    a, b = underlay
    here = Here(a)
    a.ip_batch(["link add br0 type bridge", "link set br0 up"])
    here.add_tunnel("t", {"remote": b.v4, "datapath": datapath})
    here.add_session("t", "s", {"bridge": "br0", "mtu": 1500})
    assert here.session("t", "s").notes == ()
    a.ip_batch(["link set l2tpeth0 nomaster mtu 1000 down", "link set l2tpeth0 name other"])
    note = next(one for one in here.session("t", "s").notes if "is not as wanted" in one)
    for part in ("called other, not l2tpeth0", "no port of bridge br0", "MTU is 1000", "is set down"):
        assert part in note
    here.restore(restored_by(note))
    assert here.session("t", "s").notes == ()
    a.ip("link", "set", "br0", "down")
    note = next(one for one in here.session("t", "s").notes if "is set down" in one)
    remedy = note.split("`")[1].split()
    a.ip(*remedy[1:])
    assert here.session("t", "s").notes == ()


@pytest.mark.root
@pytest.mark.parametrize("datapath", ["user", "ebpf"])
@pytest.mark.parametrize("given", [True, False])
def test_what_was_chosen_from_the_surroundings_is_compared_by_all_alike(
    underlay: tuple[Host, Host], datapath: str, *, given: bool
) -> None:
    """Another local address, and another MTU of the route: show tells it, plan plans it, restore makes and tells it."""
    a, b = underlay
    here = Here(a)
    here.add_tunnel("t", {"remote": b.v4, "datapath": datapath, **({"local": a.v4} if given else {})})
    here.add_session("t", "auto", {})
    here.add_session("t", "own", {"mtu": 1200})
    wanted, mtu = here.stated(), here.session("t", "auto").mtu
    a.ip("link", "set", UNDERLAY, "mtu", "1300")
    assert [bool(one.notes) for one in here.tunnel("t").sessions] == [True, False]
    assert here.plan(wanted).changes
    told: list[RestoreEvent] = []
    here.restore(tell=told.append)
    assert [one.changed for one in told] == [f"session auto: mtu {mtu} → {mtu - 200}"]
    assert (here.session("t", "auto").mtu, here.session("t", "auto").notes) == (mtu - 200, ())
    assert not here.plan(wanted).changes and here.restore() == []
    a.ip_batch([f"addr del {a.v4}/24 dev {UNDERLAY}", f"addr add 10.99.0.77/24 dev {UNDERLAY}"])
    (note,) = here.tunnel("t").notes[:1]
    assert f"local address {a.v4} is not on this host" in note
    told.clear()
    if given:
        assert "--local" in note
        assert not here.plan(wanted).changes and here.restore() == []
    else:
        assert here.plan(wanted).changes
        here.restore(restored_by(note), tell=told.append)
        assert [one.changed for one in told] == [f"local {a.v4} → 10.99.0.77"]
        assert str(here.tunnel("t").local) == "10.99.0.77"
        assert not any("local address" in one for one in here.tunnel("t").notes)
        assert not here.plan(wanted).changes and here.restore() == []
    a.ip("addr", "flush", "dev", UNDERLAY)
    assert "nothing is sent" in here.tunnel("t").notes[0] or "no route" in here.tunnel("t").notes[0]
    assert not here.plan(wanted).changes, "nothing can be chosen now"


@pytest.mark.root
def test_packets_that_the_kernel_drops_for_their_missing_checksums(underlay: tuple[Host, Host]) -> None:
    """Over IPv6 they don't even reach a socket. What the note names mends it."""
    here, there = map(Here, underlay)
    for one, other, checksum in ((here, there, "on"), (there, here, "off")):
        words = {"remote": other.host.v6, "datapath": "user", "id": 1, "peer-id": 1, "udp-checksum": checksum}
        one.add_tunnel("t", words)
        one.add_session("t", "s", {"id": 7, "peer-id": 7, "ifname": "pw", "rx-cookie": "none", "tx-cookie": "none"})
        assert one is there or one.tunnel("t").notes == ()
    eventually(lambda: "wrong checksums" in str(here.tunnel("t").notes))  # a new netdev sends some frames
    (note,) = (one for one in here.tunnel("t").notes if "wrong checksums" in one)
    assert "`l2tpctl tunnel set t --udp-checksum off`" in note
    assert "wrong checksums" not in str(there.tunnel("t").notes), "it takes both"
    here.set_tunnel("t", {"udp-checksum": "off"})
    there.host.ip("link", "set", "pw", "down")
    there.host.ip("link", "set", "pw", "up")  # which sends some frames at once, and after a second
    eventually(lambda: here.session("t", "s").counters.rx_packets > 0)
    assert "wrong checksums" not in str(here.tunnel("t").notes)


@pytest.mark.root
def test_packets_that_are_all_dropped_are_told_with_their_reason(underlay: tuple[Host, Host]) -> None:
    a, b = underlay
    for number, (host, far) in enumerate(((a, b), (b, a)), start=1):
        host.ctl("tunnel", "add", "t", "--remote", far.v4)
        cookies = ["--tx-cookie", "0011223344556677", "--rx-cookie", "8899aabbccddeeff"]
        host.ctl("session", "add", "t", "s", "--address", f"10.9.0.{number}/24", *cookies)
    a.ping("10.9.0.2", check=False)
    assert any("another cookie than this session's rx-cookie" in note for note in session_notes_of(b))
    b.ctl("session", "set", "t", "s", "--rx-cookie", "0011223344556677", "--sequencing", "recv")
    a.ping("10.9.0.2", check=False)
    assert any("no sequence numbers" in note or "another cookie" in note for note in session_notes_of(b))


def session_notes_of(host: Host) -> list[str]:
    """What `session show` tells of the session t/s, in JSON."""
    notes: list[str] = json.loads(host.ctl("session", "show", "t", "s", "--json").stdout)["sessions"][0]["notes"]
    return notes


@pytest.mark.root
def test_what_frames_of_full_size_cost_is_told_with_what_avoids_it(underlay: tuple[Host, Host]) -> None:
    a, b = underlay
    here = Here(a)
    here.add_tunnel("t", {"remote": b.v4, "datapath": "user"})
    here.add_session("t", "s", {"mtu": 1500})
    (note,) = here.session("t", "s").notes
    assert "go in 2 IP fragments" in note
    assert "one packet has room for 1438" in note
    remedies = [part.split() for part in note.split("`")[1::2]]
    assert [words[-2:] for words in remedies] == [["--mtu", "auto"], ["--fragment", "on"]]
    for words in reversed(remedies):
        a.ctl(*words[1:])
        assert here.session("t", "s").notes == ()
