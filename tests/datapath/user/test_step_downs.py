"""Each offload that a kernel may lack, taken away in turn: the same frames arrive, counted the same, and it is told."""

from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path

import pytest

from l2tpv3.datapath.user.offloads import MISSING, VARIABLE, WORDS
from l2tpv3.linux import napi
from l2tpv3.linux.netns import inside
from l2tpv3.model.observed import Counters
from l2tpv3.model.spec import Encap, SessionSpec
from tests.contract.frames import collect, frame, packet_socket
from tests.datapath.user.ends import End, mirrored, session

pytestmark = pytest.mark.root

WITHOUT = [",".join(words) for count in (0, 1, 2, len(WORDS)) for words in itertools.combinations(WORDS, count)]


def joined(ends: tuple[End, End], one: SessionSpec, encap: Encap = Encap.UDP, **changes: bool) -> None:
    """A tunnel between the ends with that session."""
    a, b = ends
    a.add(a.tunnel(b.host, encap=encap, **changes), one)
    b.add(b.tunnel(a.host, encap=encap, **changes), mirrored(one))


def carried(ends: tuple[End, End], one: SessionSpec, sizes: list[int], encap: Encap = Encap.UDP) -> None:
    """Frames of these sizes arrive in order, whatever they are sent together with, and are counted one by one."""
    a, b = ends
    frames = [frame(size, number) for number, size in enumerate(sizes)]
    with packet_socket(b.place(one)) as receiver, packet_socket(a.place(one)) as sender:
        receiver.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        for start in range(0, len(frames), 400):
            for each in frames[start : start + 400]:
                sender.send(each)
            count = len(frames[start : start + 400])
            assert collect(receiver, count) == frames[start : start + 400]
    header = (8 if encap is Encap.UDP else 4) + 8 + 4
    total = sum(sizes) + header * len(sizes)
    assert a.counters(a.tunnel(b.host), one) == Counters(tx_packets=len(sizes), tx_bytes=total)
    assert b.counters(b.tunnel(a.host), mirrored(one)) == Counters(rx_packets=len(sizes), rx_bytes=total)


SIZES = [60] * 300 + [1414] * 300 + [60, 1414] * 50 + [14, 61, 590] * 40 + [1414] * 100 + [200] + [1414] * 30


@pytest.mark.parametrize("without", WITHOUT, ids=lambda words: words or "all")
def test_the_same_frames_arrive_and_what_is_missing_is_told(
    ends: tuple[End, End], without: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, without)
    one = session()
    joined(ends, one)
    carried(ends, one, SIZES)
    notes = ends[0].seen(ends[0].tunnel(ends[1].host)).notes
    assert list(notes) == [MISSING[word] for word in without.split(",") if word]


@pytest.mark.parametrize("without", ["", "napi", "mmsg"])
def test_over_ip(ends: tuple[End, End], without: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, without)
    one = session()
    joined(ends, one, Encap.IP)
    carried(ends, one, SIZES, Encap.IP)
    notes = ends[0].seen(ends[0].tunnel(ends[1].host, encap=Encap.IP)).notes
    assert list(notes) == ([MISSING[without]] if without else [])


def test_without_checksums_packets_go_one_by_one(ends: tuple[End, End]) -> None:
    """The kernel refuses to cut them up (net/ipv4/udp.c, udp_send_skb)."""
    one = session()
    joined(ends, one, udp_checksum=False)
    carried(ends, one, SIZES)
    assert ends[0].seen(ends[0].tunnel(ends[1].host)).notes == (MISSING["gso"],)


def test_what_the_route_takes_only_in_fragments_is_not_cut_up(ends: tuple[End, End]) -> None:
    a, b = ends
    one = session(mtu=9000)
    joined(ends, one)
    for end in ends:
        end.host.ip("link", "set", "u0", "mtu", "1300")
    carried(ends, one, [1414] * 100 + [1000] * 100 + [5000] * 50 + [1000] * 20)
    assert a.seen(a.tunnel(b.host)).notes == ()


def test_where_no_sysfs_is_writable_netdevs_do_not_merge(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container, and under a unit that protects the kernel's tunables."""

    def refused() -> int:
        raise PermissionError(1, "no mount here")

    monkeypatch.setattr(napi, "_mount", refused)
    one = session()
    joined(ends, one)
    carried(ends, one, [60, 1414])
    assert ends[0].seen(ends[0].tunnel(ends[1].host)).notes == (MISSING["napi"],)


def test_a_thread_merges_for_a_netdev_and_goes_with_it(ends: tuple[End, End]) -> None:
    one = session(ifname="pwthread")
    joined(ends, one)
    assert len(threads("pwthread")) == 2
    for end, other in (ends, ends[::-1]):
        end.datapath.del_tunnel(end.tunnel(other.host))
    assert not threads("pwthread")


def test_workers_and_netdevs_threads_let_frames_gather(ends: tuple[End, End]) -> None:
    one = session(ifname="pwpatient")
    joined(ends, one)
    pids = [int(path.parent.name) for path in threads("pwpatient")]
    assert [(os.sched_getscheduler(pid), os.getpriority(os.PRIO_PROCESS, pid)) for pid in pids] == [
        (os.SCHED_BATCH, 3)
    ] * 2
    worker = ends[0].seen(ends[0].tunnel(ends[1].host)).worker_pid
    assert worker is not None
    assert os.sched_getscheduler(worker) == os.SCHED_BATCH


def threads(ifname: str) -> list[Path]:
    """The kernel's threads for netdevs of that name."""
    found = []
    for process in Path("/proc").glob("[0-9]*/comm"):
        try:
            found += [process] if process.read_text().startswith(f"napi/{ifname}") else []
        except OSError:
            continue
    return found


def test_a_tap_of_the_same_name_elsewhere_is_left_alone(ends: tuple[End, End]) -> None:
    """The /sys at hand may show another network namespace's netdev of that name."""
    a, b = ends
    with inside(b.host.netns):
        b.host.ip("tuntap", "add", "pw1", "mode", "tap")
    a.datapath.add_tunnel(a.tunnel(b.host))
    a.datapath.add_session(a.tunnel(b.host), session())
    assert b.host.run(["cat", "/sys/class/net/pw1/threaded"]).stdout.strip() == "0"
    assert a.host.run(["cat", "/sys/class/net/pw1/threaded"]).stdout.strip() == "1"
