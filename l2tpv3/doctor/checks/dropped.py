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
    """The socket's buffer is full: its worker, or this host, does not keep up. Or checksums are wrong."""
    counts = case.counts
    if counts is None:
        return
    before, after = counts
    udp = case.spec.encap is Encap.UDP
    place = ("udp", case.spec.local_port) if udp else ("raw", L2TP_IP_PROTOCOL)
    lost = after.sockets.get(place, 0) - before.sockets.get(place, 0)
    if place not in before.sockets or lost <= 0:
        return
    wrong = after.checksums - before.checksums if udp else 0
    if wrong >= lost:
        says = f"packets come to UDP port {place[1]} with a wrong checksum, and the kernel drops them"
        seen = (f"InCsumErrors of UDP grew by {wrong} within {case.listened_s:g} s (/proc/net/snmp, snmp6)",)
        remedy = "`ethtool -K NETDEV tx off` at the peer: a network card there that should fill checksums in does not"
        yield case.of_tunnel("checksum", Harm.LOSES, says, remedy, seen)
        return
    what = f"UDP port {place[1]}" if udp else "IP protocol 115"
    says = f"the buffer of the socket at {what} is full: packets come faster than they are taken"
    evidence = (f"{lost} packets were dropped there within {case.listened_s:g} s", *_hints(case))
    remedy = (
        f"`l2tpctl tunnel set {case.spec.name} --datapath kernel`, or ebpf, takes less of a CPU;"
        " `sysctl -w net.core.rmem_max` allows larger buffers"
    )
    yield case.of_tunnel("socket-full", Harm.LOSES, says, remedy, evidence)


def _queue(case: Case) -> Iterator[Finding]:
    """The queue of a netdev by which packets or frames leave drops some, as a rate limit does."""
    grown = grown_queues(case, FILTERS, inverted=True)
    if not grown:
        return
    link = outer_link(case)
    if link is not None and link.ifindex in grown:
        yield case.of_tunnel("queue-full", Harm.LOSES, *_full(case, link.ifname, *grown[link.ifindex], "packets"))
    for record, status in case.sessions():
        netdev = status.netdev
        if netdev is not None and netdev.netns == case.spec.netns and netdev.ifindex in grown:
            told = _full(case, netdev.ifname, *grown[netdev.ifindex], f"frames of session {record.spec.name}")
            yield case.of_session(record.spec.name, "queue-full", Harm.LOSES, *told)


def grown_queues(case: Case, kinds: frozenset[str], *, inverted: bool = False) -> dict[int, tuple[str, int]]:
    """By the index of a netdev, its queue of one of these kinds (inverted: of another one), with what it dropped."""
    if case.counts is None:
        return {}
    before, after = case.counts
    grown = {queue: drops - before.queues.get(queue, drops) for queue, drops in after.queues.items()}
    chosen = {queue: lost for queue, lost in grown.items() if lost > 0 and (queue.kind in kinds) is not inverted}
    return {queue.ifindex: (queue.kind, lost) for queue, lost in chosen.items()}


FILTERS: Final = frozenset({"clsact", "ingress"})
"""Kinds of queues that queue nothing: filters of tc(8) hang on them, which drop what is counted there."""


def _full(case: Case, ifname: str, kind: str, lost: int, what: str) -> tuple[str, str, tuple[str, ...]]:
    """What is said of a queue, the remedy, and the evidence."""
    name = printable(ifname)
    why = "a rate limit" if kind in _LIMITS else "it is full"
    says = f"the queue ({printable(kind)}) of netdev {name}, by which {what} leave, drops some: {why}"
    evidence = (f"{lost} packets were dropped there within {case.listened_s:g} s", *_hints(case))
    return says, f"`tc -s qdisc show dev {name}` shows it; send less, or allow more", evidence


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
