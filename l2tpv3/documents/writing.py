"""What is told to programs: TunnelStatus and SessionStatus as JSON-ready dicts, with stable, versioned schemas.

The schemas ship in `l2tpv3/schemas/`; docs/l2tpctl.md describes them. Within a version fields are only added.
Cookies are told by their length, and in clear only when the caller says `secrets`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from l2tpv3.errors import L2tpError
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.progress import StepText
from l2tpv3.model.spec import Encap, Sequencing
from l2tpv3.model.status import NetdevState, SessionStatus, TunnelStatus
from l2tpv3.store.database import AuditEntry

STATUS_SCHEMA = "l2tpv3/status/v1"
STATS_SCHEMA = "l2tpv3/stats/v1"
ERROR_SCHEMA = "l2tpv3/error/v1"
PLAN_SCHEMA = "l2tpv3/plan/v1"
AUDIT_SCHEMA = "l2tpv3/audit/v1"
TOKENS_SCHEMA = "l2tpv3/tokens/v1"
LINKS_SCHEMA = "l2tpv3/links/v1"

_FILES = {
    STATUS_SCHEMA: "status.v1.json",
    STATS_SCHEMA: "stats.v1.json",
    ERROR_SCHEMA: "error.v1.json",
    PLAN_SCHEMA: "plan.v1.json",
    AUDIT_SCHEMA: "audit.v1.json",
    TOKENS_SCHEMA: "tokens.v1.json",
    LINKS_SCHEMA: "links.v1.json",
}


def json_schema(schema: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of documents that say `"schema": schema`. KeyError when there is none."""
    text = resources.files("l2tpv3").joinpath("schemas", _FILES[schema]).read_text("utf-8")
    result: dict[str, Any] = json.loads(text)
    return result


def tunnels_document(tunnels: Iterable[TunnelStatus], *, secrets: bool = False) -> dict[str, Any]:
    """The document that `tunnel show --json` prints: every tunnel with its sessions."""
    return {"schema": STATUS_SCHEMA, "tunnels": [tunnel_dict(tunnel, secrets=secrets) for tunnel in tunnels]}


def status_document(tunnels: Iterable[TunnelStatus], links: Iterable[LinkStatus]) -> dict[str, Any]:
    """The document that bare `l2tpctl --json` prints: every tunnel with its sessions, and every link."""
    return {**tunnels_document(tunnels), "links": list(map(link_dict, links))}


def sessions_document(sessions: Iterable[tuple[str, SessionStatus]], *, secrets: bool = False) -> dict[str, Any]:
    """The document that `session show --json` prints, from pairs of tunnel's name and session."""
    return {
        "schema": STATUS_SCHEMA,
        "sessions": [session_dict(tunnel, session, secrets=secrets) for tunnel, session in sessions],
    }


def tunnel_dict(status: TunnelStatus, *, secrets: bool = False) -> dict[str, Any]:
    """One tunnel, JSON-ready. Ports and udp_checksum are null over IP; `wanted` is null for a foreign one."""
    spec = status.spec
    udp = spec.encap is Encap.UDP
    local = status.local or spec.local
    return {
        "name": status.name,
        "condition": status.condition.value,
        "foreign": status.foreign,
        "transient": status.transient,
        "datapath": status.datapath,
        "reason": status.reason,
        "encap": spec.encap.value,
        "local": str(local) if local else None,
        "remote": str(spec.remote),
        "id": spec.tunnel_id,
        "peer_id": spec.peer_tunnel_id,
        "local_port": spec.local_port if udp else None,
        "remote_port": spec.remote_port if udp else None,
        "udp_checksum": spec.udp_checksum if udp else None,
        "netns": spec.netns,
        "worker_pid": status.worker_pid,
        "notes": list(status.notes),
        "counters": dataclasses.asdict(status.counters),
        "wanted": None if status.foreign else spec.to_words(),
        "sessions": [session_dict(status.name, session, secrets=secrets) for session in status.sessions],
    }


def session_dict(tunnel: str, status: SessionStatus, *, secrets: bool = False) -> dict[str, Any]:
    """One session of the tunnel of that name, JSON-ready. sublayer and `wanted` are null for a foreign one."""
    spec = status.spec
    return {
        "tunnel": tunnel,
        "name": status.name,
        "condition": status.condition.value,
        "foreign": status.foreign,
        "ifname": spec.ifname,
        "id": spec.session_id,
        "peer_id": spec.peer_session_id,
        "tx_cookie": _cookie(spec.tx_cookie, secrets),
        "rx_cookie": _cookie(spec.rx_cookie, secrets),
        "sublayer": None if status.foreign else spec.sublayer.value,
        "sequencing": sequencing(status).value,
        "send_seq": status.send_seq,
        "recv_seq": status.recv_seq,
        "reorder_timeout_ms": spec.reorder_timeout_ms,
        "vlan": spec.vlan,
        "egress": spec.egress.value if spec.vlan is not None else None,
        "mtu": status.mtu,
        "notes": list(status.notes),
        "netdev": _netdev(status.netdev) if status.netdev else None,
        "counters": dataclasses.asdict(status.counters),
        "wanted": None if status.foreign else spec.to_words(secrets=secrets),
    }


def links_document(links: Iterable[LinkStatus]) -> dict[str, Any]:
    """The document that `link show --json` prints."""
    return {"schema": LINKS_SCHEMA, "links": list(map(link_dict, links))}


def link_dict(status: LinkStatus) -> dict[str, Any]:
    """One link, JSON-ready. over: as wanted; over_now: the netdevs beneath it now. netdev: null where there is none."""
    spec = status.spec
    return {
        "name": status.name,
        "type": str(spec.type),
        "condition": status.condition.value,
        "transient": status.transient,
        "over": list(spec.over),
        "over_now": list(status.over),
        "over_netns": status.over_netns,
        "ifname": spec.ifname or None,
        "mac": status.mac,
        "worker_pid": status.worker_pid,
        "notes": list(status.notes),
        "netdev": _netdev(status.netdev) if status.netdev else None,
        "counters": dict(status.counters),
        "seen": dict(status.words),
        "wanted": spec.to_words(),
    }


def sequencing(status: SessionStatus) -> Sequencing:
    """The sequencing that was asked for; of a foreign session, which nobody asked us for, what it does now."""
    if not status.foreign:
        return status.spec.sequencing
    table = {(False, False): "none", (True, False): "send", (False, True): "recv", (True, True): "both"}
    return Sequencing(table[status.send_seq, status.recv_seq])


def stats_document(
    sessions: Iterable[tuple[str, SessionStatus]],
    *,
    time: datetime,
    interval_s: float | None = None,
    before: Iterable[tuple[str, SessionStatus]] = (),
    links: Iterable[LinkStatus] | None = None,
    links_before: Iterable[LinkStatus] = (),
) -> dict[str, Any]:
    """The document that `session stats --json` prints; with `before`, seen interval_s seconds ago, rates too.

    links: whose counters are told beside those of sessions, if any are asked for.
    """
    earlier = {(tunnel, session.name): session for tunnel, session in before}
    document: dict[str, Any] = {
        "schema": STATS_SCHEMA,
        "time": time.astimezone(UTC).isoformat(timespec="milliseconds"),
        "interval_s": interval_s,
        "sessions": [
            {
                "tunnel": tunnel,
                "name": session.name,
                "ifname": session.spec.ifname,
                "condition": session.condition.value,
                "counters": dataclasses.asdict(session.counters),
                "rates": rates(session, earlier.get((tunnel, session.name)), interval_s),
            }
            for tunnel, session in sessions
        ],
    }
    if links is not None:
        past = {one.name: one for one in links_before}
        document["links"] = [_link_stats(one, past.get(one.name), interval_s) for one in links]
    return document


def _link_stats(now: LinkStatus, before: LinkStatus | None, interval_s: float | None) -> dict[str, Any]:
    return {
        "name": now.name,
        "type": str(now.spec.type),
        "ifname": now.spec.ifname or None,
        "condition": now.condition.value,
        "counters": dict(now.counters),
        "rates": None if before is None or not interval_s else _rates(now.counters, before.counters, interval_s),
    }


def rates(now: SessionStatus, before: SessionStatus | None, interval_s: float | None) -> dict[str, float] | None:
    """Change per second of each counter, or None where there is nothing to compare with.

    Counters that went back (the session was made anew in between) give 0, not a negative rate.
    """
    if before is None or not interval_s:
        return None
    return _rates(dataclasses.asdict(now.counters), dataclasses.asdict(before.counters), interval_s)


def _rates(now: Mapping[str, int], before: Mapping[str, int], interval_s: float) -> dict[str, float]:
    return {
        f"{name}_per_s": round(max(0, value - before.get(name, value)) / interval_s, 3) for name, value in now.items()
    }


def error_document(error: L2tpError) -> dict[str, Any]:
    """What goes to stderr when a command was given --json and failed."""
    return {
        "schema": ERROR_SCHEMA,
        "error": {
            "slug": error.slug,
            "subject": error.subject,
            "problem": error.problem,
            "remedy": error.remedy,
            "exit_code": error.exit_code,
            "errno": error.errno,
            "retryable": error.retryable,
        },
    }


def _cookie(cookie: bytes, secrets: bool) -> dict[str, Any]:  # noqa: FBT001 - private, named at each call's end
    return {"length": len(cookie)} | ({"hex": cookie.hex()} if secrets else {})


def _netdev(netdev: NetdevState) -> dict[str, Any]:
    return {
        "ifname": netdev.ifname,
        "ifindex": netdev.ifindex,
        "mac": netdev.mac,
        "mtu": netdev.mtu,
        "up": netdev.up,
        "carrier": netdev.carrier,
        "kind": netdev.kind,
        "alias": netdev.alias,
        "bridge": netdev.bridge,
        "netns": netdev.netns,
        "addresses": [str(address) for address in netdev.addresses],
    }


def plan_document(steps: Iterable[StepText]) -> dict[str, Any]:
    """The document that `plan --json` and `apply --json` print: the steps in their order."""
    return {"schema": PLAN_SCHEMA, "steps": [step_dict(step) for step in steps]}


def step_dict(step: StepText) -> dict[str, Any]:
    """One step, JSON-ready."""
    return dataclasses.asdict(step)


def audit_document(entries: Iterable[AuditEntry]) -> dict[str, Any]:
    """The document that `log --json` prints, oldest first."""
    return {
        "schema": AUDIT_SCHEMA,
        "entries": [
            {"at": datetime.fromtimestamp(entry.at, UTC).isoformat(), "who": entry.who, "what": entry.what}
            for entry in entries
        ],
    }
