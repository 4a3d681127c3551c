"""Finds out who is behind sessions, and tells it as a document."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from l2tpv3.documents.schemas import HOSTS_SCHEMA
from l2tpv3.errors import L2tpError
from l2tpv3.lan_hosts.listening import ask_kernel, listen
from l2tpv3.lan_hosts.table import HOSTS_MAX, OF_EACH, LanHost, Table
from l2tpv3.lan_hosts.vendors import vendors
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.model.status import NetdevState, TunnelStatus
from l2tpv3.value_class import value_class

SESSIONS_MAX: Final = 64
"""At so many netdevs it is listened at a time at most."""
_SENTENCES_MAX: Final = 1000


@value_class(frozen=True, slots=True, kw_only=True)
class SessionHosts:
    """The hosts of one session, those at the far end first, and what is wrong on that LAN."""

    tunnel: str
    name: str
    hosts: tuple[LanHost, ...] = ()
    findings: tuple[Finding, ...] = ()


@value_class(frozen=True, slots=True, kw_only=True)
class HostsReport:
    """unseen: sentences about what could not be looked at."""

    sessions: tuple[SessionHosts, ...]
    listened_s: float
    unseen: tuple[str, ...] = ()


BridgeOf = Callable[[NetdevState], NetdevState | None]
"""Gives the bridge that a netdev is a port of."""


def gather(
    tunnels: Iterable[TunnelStatus], session: str | None, bridge_of: BridgeOf, *, listen_s: float
) -> HostsReport:
    """Find out who is behind the sessions of these tunnels; session: only this one. listen_s: how long to listen."""
    sessions: list[tuple[str, str, NetdevState, Table]] = []
    unseen: list[str] = []
    for tunnel in tunnels:
        for one in tunnel.sessions:
            if session not in (None, one.name):
                continue
            subject = f"session {tunnel.name}/{one.name}"
            if one.netdev is None:
                unseen.append(f"{subject}: its netdev is not there; `l2tpctl doctor {tunnel.name}` says why")
            elif len(sessions) == SESSIONS_MAX:
                unseen.append(f"{subject}: it is listened at {SESSIONS_MAX} sessions at a time; name it to look at it")
            else:
                sessions.append((tunnel.name, one.name, one.netdev, Table(subject)))
    took, failed = listen([(netdev, table) for *_, netdev, table in sessions], listen_s) if listen_s else ({}, [])
    for *_, netdev, table in sessions:
        try:
            ask_kernel(netdev, bridge_of(netdev), table)
        except L2tpError as error:
            failed.append(error)
    unseen += [f"{error.subject}: {error.problem}" + (f"; {error.remedy}" if error.remedy else "") for error in failed]
    return HostsReport(sessions=tuple(_told(sessions, took)), listened_s=listen_s, unseen=tuple(dict.fromkeys(unseen)))


def _told(sessions: Sequence[tuple[str, str, NetdevState, Table]], took: dict[str, float]) -> Iterable[SessionHosts]:
    now = time.monotonic()
    by_session = [table.hosts(now, {}) for *_, table in sessions]
    known = vendors({one.mac[:8] for hosts in by_session for one in hosts})
    for tunnel, name, _, table in sessions:
        yield SessionHosts(
            tunnel=tunnel,
            name=name,
            hosts=tuple(table.hosts(now, known)),
            findings=tuple(table.findings(took.get(table.subject, 0.0))),
        )


def to_json(report: HostsReport) -> dict[str, Any]:
    """The document that `l2tpctl hosts --json` prints."""
    return {
        "schema": HOSTS_SCHEMA,
        "listened_s": report.listened_s,
        "sessions": [
            {
                "tunnel": one.tunnel,
                "name": one.name,
                "hosts": [
                    {
                        "mac": host.mac,
                        "far": host.far,
                        "addresses": list(host.addresses),
                        "names": list(host.names),
                        "vlans": list(host.vlans),
                        "vendor": host.vendor or None,
                        "age_s": host.age_s,
                    }
                    for host in one.hosts
                ],
                "findings": [
                    {"cause": it.cause, "harm": it.harm.name.lower(), "says": it.says, "remedy": it.remedy}
                    for it in one.findings
                ],
            }
            for one in report.sessions
        ],
        "unseen": list(report.unseen),
    }


def from_json(document: Mapping[str, Any]) -> HostsReport:
    """The inverse of to_json. Of what another host says no more is taken than a look of this one gives.

    Raises KeyError, TypeError, ValueError, OverflowError for what is no such document.
    """
    return HostsReport(
        sessions=tuple(map(_session_from_json, document["sessions"][:SESSIONS_MAX])),
        listened_s=float(document["listened_s"]),
        unseen=tuple(map(str, document["unseen"][:_SENTENCES_MAX])),
    )


def _session_from_json(document: Mapping[str, Any]) -> SessionHosts:
    subject = f"session {document['tunnel']}/{document['name']}"
    return SessionHosts(
        tunnel=str(document["tunnel"]),
        name=str(document["name"]),
        hosts=tuple(map(_host_from_json, document["hosts"][:HOSTS_MAX])),
        findings=tuple(
            Finding(
                cause=str(one["cause"]),
                harm=Harm[one["harm"].upper()],
                subject=subject,
                says=str(one["says"]),
                remedy=str(one["remedy"]),
            )
            for one in document["findings"][:_SENTENCES_MAX]
        ),
    )


def _host_from_json(document: Mapping[str, Any]) -> LanHost:
    age = document["age_s"]
    return LanHost(
        mac=str(document["mac"]),
        far=bool(document["far"]),
        addresses=tuple(map(str, document["addresses"][:OF_EACH])),
        names=tuple(map(str, document["names"][:OF_EACH])),
        vlans=tuple(map(int, document["vlans"][:OF_EACH])),
        vendor=str(document["vendor"] or ""),
        age_s=None if age is None else float(age),
    )
