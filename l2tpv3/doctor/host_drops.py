"""What this host drops while it is listened: at sockets whose buffers are full, in queues of netdevs, in the kernel."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from l2tpv3.doctor.firewall import counted_drops
from l2tpv3.errors import L2tpError
from l2tpv3.linux.netlink.neighbours import Unheard, known_hosts, unheard
from l2tpv3.linux.netlink.queues import Queue, queue_drops
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netns import inside
from l2tpv3.value_class import value_class

_SOCKETS: Final = ("udp", "udp6", "raw", "raw6")
_USER, _SYSTEM = 11, 12  # utime and stime in /proc/PID/stat (proc_pid_stat(5)), counted from the state


@value_class(frozen=True, slots=True, kw_only=True)
class HostCounts:
    """Counts of one network namespace at one time.

    sockets: packets dropped by local port, or by the protocol of raw ones. queues: packets dropped by each queue.
    backlog: those that the kernel dropped before it looked at them, of the whole host. checksums: UDP packets with a
    wrong checksum. reverse_path: IPv4 packets that rp_filter dropped. neighbours: those that told nothing of
    themselves. bridge_rules: see firewall.counted_drops. learnt: by MAC address, the indices of each bridge that has
    learnt it, and of the port. busy: seconds of CPU by a worker's pid. at: monotonic seconds.
    """

    sockets: dict[tuple[str, int], int]
    queues: dict[Queue, int]
    backlog: int
    checksums: int
    reverse_path: int
    neighbours: Unheard
    bridge_rules: dict[str, int]
    learnt: dict[bytes, set[tuple[int, int]]]
    busy: dict[int, float]
    at: float


def count(netns: str | None, pids: Collection[int], *, bridged: bool = False) -> HostCounts | None:
    """What a namespace has counted so far. pids: of workers. bridged: read the packet filter's rules of bridges, too.

    None where that can't be read.
    """
    with contextlib.suppress(OSError, L2tpError, ValueError, IndexError), inside(netns), RouteSocket() as route:
        return HostCounts(
            sockets=dict(_sockets()),
            queues=queue_drops(route),
            backlog=_backlog(),
            checksums=_checksums(),
            reverse_path=_named("netstat", "TcpExt:", "IPReversePathFilter"),
            neighbours=unheard(route),
            bridge_rules=counted_drops(None, "bridge") if bridged else {},
            learnt=_learnt(),
            busy=dict(_busy(pids)),
            at=time.monotonic(),
        )
    return None


def _sockets() -> Iterator[tuple[tuple[str, int], int]]:
    found: dict[tuple[str, int], int] = {}
    for name in _SOCKETS:
        path = Path(f"/proc/thread-self/net/{name}")
        for line in path.read_text("ascii").splitlines()[1:] if path.exists() else ():
            words = line.split()
            place = name.rstrip("6"), int(words[1].rpartition(":")[2], 16)
            found[place] = found.get(place, 0) + int(words[-1])
    yield from found.items()


def _learnt() -> dict[bytes, set[tuple[int, int]]]:
    found: dict[bytes, set[tuple[int, int]]] = {}
    for one in known_hosts(None)[1]:
        found.setdefault(one.mac, set()).add((one.bridge, one.ifindex))
    return found


def _backlog() -> int:
    lines = Path("/proc/net/softnet_stat").read_text("ascii").splitlines()
    return sum(int(line.split()[1], 16) for line in lines)


def _named(file: str, kind: str, name: str) -> int:
    """A number of /proc/net/netstat or snmp, where a line of names is followed by one of numbers."""
    lines = Path(f"/proc/thread-self/net/{file}").read_text("ascii").splitlines()
    for names, numbers in zip(lines[::2], lines[1::2], strict=False):
        counted = dict(zip(names.split(), numbers.split(), strict=False))
        if kind in counted:
            return int(counted.get(name, 0))
    return 0


def _checksums() -> int:
    path = Path("/proc/thread-self/net/snmp6")
    lines = path.read_text("ascii").splitlines() if path.exists() else []
    over_6 = sum(int(line.split()[1]) for line in lines if line.startswith("Udp6InCsumErrors"))
    return over_6 + _named("snmp", "Udp:", "InCsumErrors")


def _busy(pids: Collection[int]) -> Iterator[tuple[int, float]]:
    for pid in pids:
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace").rpartition(") ")[2].split()
            yield pid, (int(words[_USER]) + int(words[_SYSTEM])) / os.sysconf("SC_CLK_TCK")
