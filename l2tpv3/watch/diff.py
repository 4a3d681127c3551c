"""Compares two looks at a host: tunnels, sessions and links that were added, changed or removed; workers that died.

Pure functions over HostStatus. A counter that differs is no change, since counters grow all the time; neither is
the time since a packet came.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from l2tpv3.documents.link import link_to_json
from l2tpv3.documents.tunnel import session_to_json, tunnel_to_json
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.status import Condition, SessionStatus, TunnelStatus
from l2tpv3.value_class import value_class
from l2tpv3.watch import Targets


@value_class(frozen=True, slots=True)
class Event:
    """type: tunnel, session, link or worker. data: what is told of it, JSON-ready and without secrets."""

    type: str
    data: dict[str, Any]


class ChangeDetector:
    """Compares each look with the one before. The first look gives no events."""

    def __init__(self) -> None:
        self._before: dict[str, TunnelStatus] | None = None
        self._links: dict[str, LinkStatus] = {}
        self._bereft: dict[str, int] = {}  # tunnels whose worker died: its pid

    def happened(self, tunnels: Iterable[TunnelStatus], links: Iterable[LinkStatus] = ()) -> list[Event]:
        """The events between the look that it was given last and this one."""
        before, now = self._before, {one.name: one for one in tunnels}
        links_before, links_now = self._links, {one.name: one for one in links}
        self._before, self._links = now, links_now
        if before is None:
            return []
        return [
            *_links_gone(links_before, links_now),
            *_gone(before, now),
            *self._workers(before, now),
            *_there(before, now),
            *_links_there(links_before, links_now),
        ]

    def _workers(self, before: Mapping[str, TunnelStatus], now: Mapping[str, TunnelStatus]) -> Iterator[Event]:
        """A worker that died leaves its netdevs; one that was ended, because its tunnel was, leaves none.

        So a netdev that is the same as before while the worker is not tells a death from a change.
        """
        for name, tunnel in now.items():
            was = before[name].worker_pid if name in before else None
            pid = tunnel.worker_pid
            if was is not None and was != pid and _outlived(before[name], tunnel):
                self._bereft[name] = was
                yield _worker(name, was, "died")
            if name in self._bereft and pid is not None:
                del self._bereft[name]
                yield _worker(name, pid, "returned")
        for name in self._bereft.keys() - now.keys():
            del self._bereft[name]


def _worker(tunnel: str, pid: int, change: str) -> Event:
    return Event("worker", {"change": change, "tunnel": tunnel, "pid": pid})


def _outlived(before: TunnelStatus, now: TunnelStatus) -> bool:
    if now.worker_pid is None and now.condition is not Condition.MISSING:
        return False
    netdevs = {(one.name, one.netdev.netns, one.netdev.ifindex) for one in before.sessions if one.netdev}
    return any(
        (one.name, one.netdev.netns, one.netdev.ifindex) in netdevs for one in now.sessions if one.netdev is not None
    )


def _gone(before: Mapping[str, TunnelStatus], now: Mapping[str, TunnelStatus]) -> Iterator[Event]:
    for name, tunnel in before.items():
        left = {one.name for one in now[name].sessions} if name in now else set()
        for session in tunnel.sessions:
            if session.name not in left:
                yield _session("vanished", name, session)
        if name not in now:
            yield _tunnel("vanished", tunnel)


def _there(before: Mapping[str, TunnelStatus], now: Mapping[str, TunnelStatus]) -> Iterator[Event]:
    for name, tunnel in now.items():
        old = before.get(name)
        if old is None:
            yield _tunnel("appeared", tunnel)
        elif _of_tunnel(old) != _of_tunnel(tunnel):
            yield _tunnel("changed", tunnel)
        known = {one.name: one for one in old.sessions} if old else {}
        for session in tunnel.sessions:
            was = known.get(session.name)
            if was is None:
                yield _session("appeared", name, session)
            elif was is not session and _of_session(was) != _of_session(session):
                yield _session("changed", name, session)


def _links_gone(before: Mapping[str, LinkStatus], now: Mapping[str, LinkStatus]) -> Iterator[Event]:
    yield from (_link("vanished", link) for name, link in before.items() if name not in now)


def _links_there(before: Mapping[str, LinkStatus], now: Mapping[str, LinkStatus]) -> Iterator[Event]:
    for name, link in now.items():
        if name not in before:
            yield _link("appeared", link)
        elif dataclasses.replace(before[name], counters=link.counters) != link:
            yield _link("changed", link)


def _of_tunnel(one: TunnelStatus) -> tuple[object, ...]:
    """All but its counters, and of its sessions the number."""
    return (
        one.spec, one.condition, one.datapath, one.reason, one.foreign, one.transient, one.local, one.worker_pid,
        one.notes, one.hearing, len(one.sessions),
    )  # fmt: skip


def _of_session(one: SessionStatus) -> tuple[object, ...]:
    return (
        one.spec, one.condition, one.foreign, one.mtu, one.netdev, one.send_seq, one.recv_seq, one.notes, one.hearing,
        one.probing and one.probing.state, one.failover,
    )  # fmt: skip


def _tunnel(change: str, status: TunnelStatus) -> Event:
    return Event("tunnel", {"change": change, "name": status.name, "document": tunnel_document(status)})


def _session(change: str, tunnel: str, status: SessionStatus) -> Event:
    document = session_to_json(tunnel, status)
    return Event("session", {"change": change, "tunnel": tunnel, "name": status.name, "document": document})


def _link(change: str, status: LinkStatus) -> Event:
    return Event("link", {"change": change, "name": status.name, "document": link_to_json(status)})


def tunnel_document(status: TunnelStatus) -> dict[str, Any]:
    """A tunnel with the number of its sessions in their place."""
    document = tunnel_to_json(dataclasses.replace(status, sessions=()))
    del document["sessions"]
    document["session_count"] = len(status.sessions)
    return document


def targets(tunnels: Iterable[TunnelStatus], links: Iterable[LinkStatus] = ()) -> Targets:
    """The netdevs and workers that a Monitor has to watch so that no change of these tunnels and links is missed."""
    indices: dict[str | None, set[int]] = {}
    names: dict[str | None, set[str]] = {}
    pids: set[int] = set()
    for tunnel in tunnels:
        here = names.setdefault(tunnel.spec.netns, set())
        if tunnel.worker_pid:
            pids.add(tunnel.worker_pid)
        for session in tunnel.sessions:
            if session.netdev is not None:
                indices.setdefault(session.netdev.netns, set()).add(session.netdev.ifindex)
            else:
                here.add(session.spec.ifname)
                if session.spec.netns is not None:
                    names.setdefault(session.spec.netns, set()).add(session.spec.ifname)
    for link in links:
        if link.worker_pid:
            pids.add(link.worker_pid)
        if link.netdev is not None:
            indices.setdefault(link.netdev.netns, set()).add(link.netdev.ifindex)
        else:
            home = link.spec.netns if link.spec.netns is not None else link.over_netns
            names.setdefault(home, set()).update(filter(None, [link.spec.ifname]))
        # What it is over comes and goes by itself; sessions and links among it are heard of by their marks.
        beneath = names.setdefault(link.over_netns, set())
        beneath.update(link.over, (one for one in link.spec.over if "/" not in one))
    return Targets(indices=indices, names=names, pids=frozenset(pids))
