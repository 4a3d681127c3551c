"""Everything that a host has of tunnels, as text by which two moments can be compared."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from l2tpv3 import Manager
from l2tpv3.config import dump
from l2tpv3.datapath.ebpf import EbpfDatapath
from l2tpv3.datapath.kernel import KernelDatapath
from l2tpv3.datapath.user import UserDatapath
from l2tpv3.linux.netlink.host_routes import host_routes
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netns import inside
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.observed import Counters, Tunnel, TunnelCounters
from l2tpv3.model.record import TunnelRecord
from l2tpv3.netdev.locator import NetdevLocator
from l2tpv3.netdev.netdevs import Netdevs
from l2tpv3.paths import CARDS, EBPF, Paths
from l2tpv3.store.database import Store
from l2tpv3.store.journal import PendingChange
from l2tpv3.worker.pool import WorkerPool
from tests.hosts import Host
from tests.wiring import wiring


def picture(host: Host, namespaces: Iterable[str] = ()) -> str:
    """Record, export, tunnels, netdevs (also of other namespaces), sockets, workers, files.

    Left out: counters, pids, interface indices, what the kernel makes up (link-local addresses, unasked MACs).
    """
    paths = Paths(host.state_dir, host.runtime_dir)
    lines: list[str] = []
    with inside(host.netns):
        recorded = Store(paths.state).load()
        lines.append(f"pending {_plain_pending(recorded.pending)}")
        lines += [f"record {_plain_record(record)}" for record in recorded.tunnels.values()]
        lines += [f"link {record}" for record in recorded.links.values()]
        lines += [f"mac {text}" for text in _macs(recorded.tunnels.values(), paths)]
        lines.append(dump([(one.spec, [it.spec for it in one.sessions]) for one in recorded.tunnels.values()]))
        manager = Manager(paths)
        lines += [f"status {one}" for one in _statuses(manager)]
        links = manager.links.all()
        lines += [f"link {text}" for text in _links(links)]
        datapaths = (KernelDatapath(), UserDatapath(paths), EbpfDatapath(paths))
        seen = {one.name: sorted(one.tunnels(None), key=lambda it: it.tunnel_id) for one in datapaths}
    lines += [f"{name} {_plain(tunnel, names=name != 'kernel')}" for name, some in seen.items() for tunnel in some]
    lines += [f"namespace on record {name}" for name in sorted(Store(paths.state).namespaces())]
    for netns in (host.netns, *namespaces):
        lines += [f"namespace {name}" for name in _names(Path("/run/netns")) if name.startswith(f"{netns}-")]
        lines += [f"netdev {text}" for text in _netdevs(netns)]
        lines += [f"wiring {text}" for text in wiring(netns)]
        lines += [f"socket {text}" for text in _sockets(netns)]
        lines += [f"route {text}" for text in _routes(netns)]
    expected = {tunnel.worker_pid for tunnel in (*seen["user"], *seen["ebpf"])} | {one.worker_pid for one in links}
    lines += [f"orphan worker {pid}" for pid in host.workers() if pid not in expected]
    WorkerPool(paths.runtime / CARDS).answering()  # as every look at cards, it clears away after those that ended
    files = [*_names(paths.runtime), *_names(paths.state)]
    files += [f"{folder}/{name}" for folder in (CARDS, EBPF) for name in _names(paths.runtime / folder)]
    lines += sorted(f"file {re.sub('worker-[0-9]+', 'worker', name)}" for name in files)
    return "\n".join(lines)


def _plain_pending(pending: PendingChange | None) -> PendingChange | None:
    """Without the time that it has left."""
    return pending if pending is None or pending.deadline is None else dataclasses.replace(pending, deadline=0.0)


def _plain_record(record: TunnelRecord) -> TunnelRecord:
    """Without MAC addresses that were chosen."""
    return record.with_sessions(
        tuple(dataclasses.replace(one, mac=one.spec.mac or (one.mac and "chosen")) for one in record.sessions)
    )


def _macs(records: Iterable[TunnelRecord], paths: Paths) -> Iterator[str]:
    """Whether netdevs have the MAC addresses that are on record."""
    locator = NetdevLocator()
    for record in records:
        for session in record.sessions:
            found = locator.find(record.spec, session.spec, paths.mark(record.spec.name, session.spec.name))
            said = "is not there" if found is None else "is as on record" if found.mac == session.mac else "differs"
            yield f"{record.spec.name}/{session.spec.name} {said}"


def _links(links: Iterable[LinkStatus]) -> Iterator[str]:
    for one in links:
        netdev = one.netdev
        mac = "none" if netdev is None else "as on record" if one.mac in (None, netdev.mac) else "differs"
        relayed = "relayed" if one.worker_pid is not None else "not relayed"
        # Bridges age quicker while their topology changes, for half a minute.
        words = [(word, value) for word, value in sorted(one.words.items()) if word != "ageing-s"]
        told = [sorted(one.over), relayed, f"mac {mac}", words, one.notes]
        yield " ".join(map(str, (one.name, one.condition, *told)))


def _statuses(manager: Manager) -> list[tuple[Any, ...]]:
    return [
        (
            *(one.name, one.condition, one.foreign, [(it.name, it.condition) for it in one.sessions]),
            one.encryption and (one.encryption.by, one.encryption.lacks, one.encryption.endpoint),
        )
        for one in manager.tunnels()
    ]


def _plain(tunnel: Tunnel, *, names: bool) -> Tunnel:
    """names: whether it tells netdevs' names. The kernel goes on saying the one that a netdev was made under.

    Without what traffic and time alone change: counters, when something was received, what the far end refused.
    """
    sessions = sorted(tunnel.sessions, key=lambda one: one.session_id)
    return dataclasses.replace(
        tunnel,
        worker_pid=None,
        counters=TunnelCounters(),
        notes=tuple(one for one in tunnel.notes if "(ICMP " not in one),
        refused=0,
        control=(0, 0),
        sessions=tuple(
            dataclasses.replace(one, counters=Counters(), reception=None, ifname=one.ifname if names else "")
            for one in sessions
        ),
    )


def _netdevs(netns: str) -> list[str]:
    with Netdevs(netns) as netdevs:
        found = sorted(netdevs.all(), key=lambda one: one.ifname)
    return [
        str(
            dataclasses.replace(
                one,
                ifindex=0,
                alias=re.sub("(l2tpv3 encryption [^ ]+) [0-9]+", r"\1 SINCE", one.alias),
                mac=one.mac if one.mac.startswith("02:00:5e") else "",
                carrier=one.carrier and one.kind != "bridge",  # STP listens first
                addresses=tuple(sorted((it for it in one.addresses if not it.ip.is_link_local), key=str)),
            )
        )
        for one in found
    ]


def _routes(netns: str) -> list[str]:
    """Those to peers' addresses inside WireGuard."""
    with RouteSocket(netns) as route:
        return sorted(f"{one.target} {'by a netdev' if one.ifindex else 'refused'}" for one in host_routes(route))


def _sockets(netns: str) -> list[str]:
    found: list[str] = []
    with inside(netns):
        for kind in ("udp", "udp6", "raw", "raw6"):
            lines = Path("/proc/thread-self/net", kind).read_text("ascii").splitlines()[1:]
            found += [" ".join([kind, *line.split()[1:3]]) for line in lines]
    return sorted(found)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []
