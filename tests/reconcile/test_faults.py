"""Faults at every operation of a change: a typed error and the host is as it was, or it has worked all the same.

Each time one call fails in a traced child: with what that call can really fail with. Answers of the kernel are spoilt
as well: an acknowledgement that says no although it was done, a dump that was interrupted, one that is cut.
By default some of the points are tried, spread over all; L2TPV3_TEST_FULL says how many (tests/points.py).
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2tpv3.errors import L2tpError, RefusedError
from tests.changes import SCENARIOS, Bench, Change, assert_same, is_operation, make_bench, session, to
from tests.here import Here, leftovers
from tests.hosts import Host, Hosts
from tests.link_changes import LINK_SCENARIOS, NOT_ON_THE_KERNEL
from tests.points import in_turn, sample
from tests.traced import Call, Ended, Fail, Spoil, Verdict, traced

pytestmark = [pytest.mark.root, pytest.mark.timeout(0 if os.environ.get("L2TPV3_TEST_FULL") else 300)]

POINTS = {"user": 4, "ebpf": 4, "kernel": 2}
"""How many are tried of each scenario when not all are."""

CHOSEN = (
    "tunnel and sessions from nothing",
    "a session in place",
    "a session anew",
    "a netdev moves",
    "a tunnel with another id and port",
    "prune",
    "bridge, alias and macvlan from nothing",
    "port and virtual card from nothing",
    "all links go",
    "bridge, alias and macvlan in place",
    "port and virtual card in place",
    "links anew",
    "a tunnel anew under links",
)
_EVERY = {**SCENARIOS, **LINK_SCENARIOS}

_NLMSG_ERROR = 2
_NLM_F_MULTI, _NLM_F_DUMP_INTR = 0x2, 0x10
_header = struct.Struct("=IHHII")


def _refused(number: int) -> Spoil:
    """An acknowledgement becomes a refusal."""

    def edit(data: bytes) -> bytes:
        acknowledged = len(data) >= 20 and _header.unpack_from(data)[1] == _NLMSG_ERROR and data[16:20] == bytes(4)
        return data[:16] + struct.pack("=i", -number) + data[20:] if acknowledged else data

    return Spoil(edit)


def _is_dump(data: bytes) -> bool:
    return len(data) > 20 and _header.unpack_from(data)[0] <= len(data) and bool(data[6] & _NLM_F_MULTI)


def _interrupt(data: bytes) -> bytes:
    return data[:6] + bytes([data[6] | _NLM_F_DUMP_INTR]) + data[7:] if _is_dump(data) else data


def _cut(data: bytes) -> bytes:
    return data[:-6] if _is_dump(data) else data


_SPOILT = (
    _refused(errno.EEXIST),
    _refused(errno.EBUSY),
    _refused(errno.ENOBUFS),
    Spoil(_interrupt),
    Spoil(_cut),
)
FAULTS: dict[str, tuple[Verdict, ...]] = {
    "bind": (Fail(errno.EADDRINUSE), Fail(errno.EADDRNOTAVAIL)),
    "connect": (Fail(errno.EADDRNOTAVAIL), Fail(errno.EAGAIN)),
    "socket": (Fail(errno.ENOBUFS), Fail(errno.EMFILE)),
    "setsockopt": (Fail(errno.ENOBUFS),),
    "sendto": (Fail(errno.ENOBUFS), Fail(errno.EINTR)),
    "sendmsg": (Fail(errno.ENOBUFS), Fail(errno.EINTR)),
    "recvfrom": (Fail(errno.ENOBUFS), Fail(errno.EINTR), *_SPOILT),
    "recvmsg": (Fail(errno.ENOBUFS), Fail(errno.EINTR)),
    "ioctl": (Fail(errno.EBUSY),),
    "write": (Fail(errno.ENOSPC), Fail(errno.EINTR)),
    "pwrite64": (Fail(errno.ENOSPC), Fail(errno.EIO), Fail(errno.EINTR)),
    "fdatasync": (Fail(errno.EIO), Fail(errno.ENOSPC)),
    "fsync": (Fail(errno.EIO),),
    "ftruncate": (Fail(errno.EIO),),
    "mkdir": (Fail(errno.ENOSPC),),
    "openat": (Fail(errno.ENOSPC), Fail(errno.EMFILE)),
    "flock": (Fail(errno.EINTR),),
    "vfork": (Fail(errno.EAGAIN),),
    "fork": (Fail(errno.EAGAIN),),
    "bpf": (Fail(errno.ENOMEM), Fail(errno.EPERM), Fail(errno.EINVAL)),
}


_IN_GUEST = [name for name in in_turn(CHOSEN, of=6) if name not in NOT_ON_THE_KERNEL]  # where each takes half a minute
_BY_PROGRAMS = ("tunnel and sessions from nothing", "a session in place", "a session anew", "a netdev moves", "prune")
_CASES = [
    *(pytest.param("user", name, id=f"user-{name}") for name in CHOSEN),
    *(pytest.param("ebpf", name, id=f"ebpf-{name}") for name in _BY_PROGRAMS),
    *(pytest.param("kernel", name, id=f"kernel-{name}", marks=pytest.mark.kernel_l2tp) for name in _IN_GUEST),
]


def _picture(bench: Bench) -> str:
    """Without what is done only where it can be, as in a container it can't: threaded NAPI by /sys, IPv6 kept off NICs
    of a port by /proc/sys. A fault there has it done without, which `show` tells."""
    return re.sub(r"silenced=\w+|'slower: [^']*',? ?", "", bench.picture())


@pytest.mark.parametrize(("datapath", "name"), _CASES)
def test_a_change_in_which_something_fails_is_undone(hosts: Hosts, datapath: str, name: str) -> None:
    bench = make_bench(hosts, datapath)
    scenario = _EVERY[name](bench)
    for one in (scenario.start, scenario.change, scenario.back):
        bench.call(one)
    before, strangers = _picture(bench), bench.strangers()
    calls: list[str] = []
    _fail(bench, scenario.change, 0, Fail(0), calls)
    after = _picture(bench)
    bench.call(scenario.back)

    points = [(number, fault) for number, call in enumerate(calls, start=1) for fault in FAULTS.get(call, ())]
    chosen = sample(len(points), POINTS[bench.datapath])
    wrong: list[str] = []
    worked = 0
    for number, fault in (points[point - 1] for point in chosen):
        ended = _fail(bench, scenario.change, number, fault, only=calls[number - 1])
        where = f"point {number} of {len(calls)}, {calls[number - 1]}, {fault}: {ended.error!r}"
        try:
            if ended.error is None:
                worked += 1
                assert_same(lambda: _picture(bench), after, where)
                bench.call(scenario.back)
            else:
                assert isinstance(ended.error, L2tpError), f"{where}\n{ended.trace}"
                assert "\n" not in str(ended.error), where
                assert ended.error.exit_code in (2, 3, 4, 5), where
            assert_same(lambda: _picture(bench), before, where)
            assert bench.strangers() == strangers, where
        except (AssertionError, L2tpError) as error:
            wrong.append(f"{where}: {error}")
            print(wrong[-1])
            bench.call(scenario.start)
    tried = f"{len(chosen)} of {len(points)} faults"
    print(f"{bench.datapath}: {name}: {tried}, {worked} without effect, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong)


def _fail(
    bench: Bench, change: Change, at: int, fault: Verdict, calls: list[str] | None = None, only: str | None = None
) -> Ended:
    """only: what that call must be; another one (a lock was polled more often this time) can't fail like that."""
    count = 0

    def on_call(call: Call) -> Verdict | None:
        nonlocal count
        if not is_operation(call):
            return None
        count += 1
        if calls is not None:
            calls.append(call.name)
        return fault if count == at and only in (None, call.name) else None

    return traced(lambda: bench.call(change), on_call)


@pytest.fixture
def full_disk(hosts: Hosts) -> Iterator[tuple[Host, Host]]:
    """A host whose state directory is on a file system of 192 KiB."""
    a, b = hosts.pair()
    a.state_dir.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192k", "l2tpv3-test", a.state_dir], check=True)
    try:
        yield a, b
    finally:
        subprocess.run(["umount", a.state_dir], check=True)


def test_no_space_for_the_record(full_disk: tuple[Host, Host]) -> None:
    a, b = full_disk
    here = Here(a)
    here.add_tunnel("siteb", {"remote": b.v4, "datapath": "user"})
    here.add_session("siteb", "lan", {})
    records = here.records()
    filler = a.state_dir / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))
    with pytest.raises(RefusedError, match=r"l2tpv3\.db.*full|l2tpv3\.db.*disk"):
        here.add_session("siteb", "two", {})
    assert here.records() == records
    assert [one.name for one in here.tunnel("siteb").sessions] == ["lan"]
    filler.unlink()
    here.add_session("siteb", "two", {})
    here.del_tunnel("siteb")
    assert leftovers(a) == []


def test_a_torn_record_stops_changes_and_no_traffic(hosts: Hosts) -> None:
    a, b = hosts.pair()
    here, there = Here(a), Here(b)
    cookies = {"tx-cookie": "01234567", "rx-cookie": "01234567"}
    for one, other, number in ((here, b, 1), (there, a, 2)):
        one.add_tunnel("peer", {"remote": other.v4, "datapath": "user"})
        one.add_session("peer", "lan", {**cookies, "address": [f"10.9.0.{number}/24"]})
    whole = a.state_dir / "l2tpv3.db"
    shutil.copy(whole, a.folder / "whole")
    whole.write_bytes(whole.read_bytes()[:5000] + bytes(3000))
    for method, *words in (("add_session", "peer", "two", {}), ("del_tunnel", "peer"), ("restore",)):
        with pytest.raises(RefusedError, match=r"l2tpv3\.db"):
            getattr(here, str(method))(*words)
    assert a.ping("10.9.0.2", count=3)
    shutil.copy(a.folder / "whole", whole)
    assert here.restore() == []
    assert a.ping("10.9.0.2")


@pytest.mark.parametrize(
    "fault", [Fail(errno.ENOBUFS), _refused(errno.EBUSY), Spoil(_cut)], ids=["ENOBUFS", "EBUSY", "cut"]
)
def test_other_sessions_lose_no_packet(hosts: Hosts, fault: Verdict, tmp_path: Path) -> None:
    bench = make_bench(hosts, "user")
    far = Here(Host("f", _netns_of(hosts, "b"), bench.host.folder / "f"))
    far.host.folder.mkdir()
    cookies = {"tx-cookie": b"12345678", "rx-cookie": b"12345678"}
    near = bench.tunnel("siteb", 1, session("lan", 1, address=["10.9.0.1/24"], **cookies))
    more = bench.tunnel("siteb", 1, *near.sessions, session("two", 2), session("three", 3))
    bench.call(to(near))
    far.add_tunnel("sitea", {"remote": bench.host.v4, "id": 1, "remote-port": 1701, "datapath": "user"})
    far.add_session("sitea", "lan", {"id": 1, **cookies, "address": ["10.9.0.2/24"]})
    assert bench.host.ping("10.9.0.2", count=1)
    calls: list[str] = []
    _fail(bench, to(more), 0, fault, calls)
    bench.call(to(near))
    kinds = ("recvfrom",) if isinstance(fault, Spoil) else ("sendto", "sendmsg", "recvfrom")
    points = [number for number, call in enumerate(calls, start=1) if call in kinds]
    pinging = bench.host.start(["ping", "-q", "-n", "-i", "0.02", "-c", "100", "10.9.0.2"])
    for number in points[:: max(1, len(points) // 6)]:
        _fail(bench, to(more), number, fault)
    bench.call(to(near))
    assert pinging.stdout is not None
    assert " 100 received" in pinging.stdout.read()


def _netns_of(hosts: Hosts, name: str) -> str:
    return next(host.netns for host in hosts._all if host.name == name)
