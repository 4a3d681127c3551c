"""What this host itself drops, while it is listened: full buffers, full queues, rate limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from l2tpv3.doctor.case import Case, Check
from l2tpv3.doctor.outer_link import outer_link
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.model.spec import Encap
from l2tpv3.printable import printable
from l2tpv3.wire.data import L2TP_IP_PROTOCOL

_LIMITS: Final = frozenset({"tbf", "htb", "hfsc", "cake", "cbq", "netem"})
_AT_ITS_LIMIT: Final = 0.9


def _socket(case: Case) -> Iterator[Finding]:
    """The socket's buffer is full: its worker, or this host, does not keep up."""
    counts = case.counts
    if counts is None:
        return
    before, after = counts
    udp = case.spec.encap is Encap.UDP
    place = ("udp", case.spec.local_port) if udp else ("raw", L2TP_IP_PROTOCOL)
    lost = after.sockets.get(place, 0) - before.sockets.get(place, 0)
    if place in before.sockets and lost > 0:
        what = f"UDP port {place[1]}" if udp else "IP protocol 115"
        says = f"the buffer of the socket at {what} is full: packets come faster than they are taken"
        evidence = (f"{lost} packets were dropped there within {case.listened_s:g} s", *_hints(case))
        remedy = (
            f"`l2tpctl tunnel set {case.spec.name} --datapath kernel`, or ebpf, takes less of a CPU;"
            " `sysctl -w net.core.rmem_max` allows larger buffers"
        )
        yield case.of_tunnel("socket-full", Harm.LOSES, says, remedy, evidence)


def _queue(case: Case) -> Iterator[Finding]:
    """The queue of the netdev by which the tunnel's packets leave drops some, as a rate limit does."""
    counts = case.counts
    if counts is None:
        return
    before, after = counts
    grown = {queue: drops - before.queues.get(queue, drops) for queue, drops in after.queues.items()}
    if not any(lost > 0 for lost in grown.values()):
        return
    link = outer_link(case)
    if link is None:
        return
    for queue, lost in grown.items():
        if lost > 0 and queue.ifindex == link.ifindex:
            name = printable(link.ifname)
            why = "a rate limit" if queue.kind in _LIMITS else "it is full"
            says = f"the queue ({printable(queue.kind)}) of netdev {name}, by which packets leave, drops some: {why}"
            evidence = (f"{lost} packets were dropped there within {case.listened_s:g} s", *_hints(case))
            remedy = f"`tc -s qdisc show dev {name}` shows it; send less, or allow more"
            yield case.of_tunnel("queue-full", Harm.LOSES, says, remedy, evidence)
            return


def _hints(case: Case) -> Iterator[str]:
    """What else tells of a host that does not keep up."""
    if case.counts is None:
        return
    before, after = case.counts
    seconds = after.at - before.at
    for pid, busy in after.busy.items():
        share = (busy - before.busy.get(pid, busy)) / seconds if seconds > 0 else 0.0
        if pid == case.looked.status.worker_pid and share > _AT_ITS_LIMIT:
            yield f"worker {pid} is at its limit: it used {100 * share:.0f}% of a CPU"
    if after.backlog > before.backlog:
        yield (
            f"the kernel dropped {after.backlog - before.backlog} packets of this host before it looked at them"
            " (/proc/net/softnet_stat; net.core.netdev_max_backlog is their limit)"
        )


CHECKS: Final[tuple[Check, ...]] = (_socket, _queue)
