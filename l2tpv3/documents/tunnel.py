"""Tunnels and sessions with their status as JSON, and back.

Cookies are told by their length, and in clear only when the caller says `secrets`. What is wanted is written in words
of the command line, and read in those of the API (names.py) as well. Reading passes over fields and words
that this version does not know, since within a version they are only added. What is missing or malformed raises
KeyError, TypeError, ValueError or InvalidValueError: whoever reads a service's answer says whose it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, TypeVar

from l2tpv3.documents.names import to_words
from l2tpv3.documents.netdev import known_fields, netdev_from_json, netdev_to_json
from l2tpv3.documents.schemas import STATUS_SCHEMA
from l2tpv3.errors import NotPermittedError
from l2tpv3.model.encryption import EncryptionStatus
from l2tpv3.model.hearing import Hearing
from l2tpv3.model.observed import Counters, TunnelCounters
from l2tpv3.model.probe import FailoverRole, ProbeReport, ProbeState
from l2tpv3.model.spec import (
    SESSION_FIELDS,
    UDP_PORT,
    Egress,
    Encap,
    Sequencing,
    SessionSpec,
    Sublayer,
    TunnelSpec,
    unchecked,
)
from l2tpv3.model.status import Condition, SessionStatus, TunnelStatus
from l2tpv3.model.values import TUNNEL_FIELDS

_COOKIES = (("tx-cookie", "tx_cookie"), ("rx-cookie", "rx_cookie"))
_Counted = TypeVar("_Counted", Counters, TunnelCounters)


class Hidden(bytes):
    """A cookie of which only the length is told: that many zeros, which nobody gets to see."""

    def hex(self, *_: Any) -> str:
        """Refuse to show the cookie. Raises NotPermittedError."""
        raise NotPermittedError("cookie", "the service did not tell it", "ask with --show-secrets")

    def __repr__(self) -> str:
        return f"<{len(self)} bytes, hidden>"


def tunnels_document(tunnels: Iterable[TunnelStatus], *, secrets: bool = False) -> dict[str, Any]:
    """The document that `tunnel show --json` prints: every tunnel with its sessions."""
    return {"schema": STATUS_SCHEMA, "tunnels": [tunnel_to_json(tunnel, secrets=secrets) for tunnel in tunnels]}


def sessions_document(sessions: Iterable[tuple[str, SessionStatus]], *, secrets: bool = False) -> dict[str, Any]:
    """The document that `session show --json` prints, from pairs of tunnel's name and session."""
    return {
        "schema": STATUS_SCHEMA,
        "sessions": [session_to_json(tunnel, session, secrets=secrets) for tunnel, session in sessions],
    }


def tunnel_to_json(status: TunnelStatus, *, secrets: bool = False) -> dict[str, Any]:
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
        "remote_name": spec.remote_name,
        "id": spec.tunnel_id,
        "peer_id": spec.peer_tunnel_id,
        "local_port": spec.local_port if udp else None,
        "remote_port": spec.remote_port if udp else None,
        "udp_checksum": spec.udp_checksum if udp else None,
        "netns": spec.netns,
        "worker_pid": status.worker_pid,
        "notes": list(status.notes),
        **_hearing_to_json(status),
        "counters": dataclasses.asdict(status.counters),
        "encryption": None if status.encryption is None else dataclasses.asdict(status.encryption),
        "wanted": None if status.foreign else spec.to_words(secrets=secrets),
        "sessions": [session_to_json(status.name, session, secrets=secrets) for session in status.sessions],
    }


def tunnel_from_json(document: Mapping[str, Any]) -> TunnelStatus:
    """The inverse of tunnel_to_json; without `sessions` it has none.

    Raises InvalidValueError, KeyError, ValueError or TypeError for what is not of that form.
    """
    foreign = bool(document["foreign"])
    local = document["local"]
    return TunnelStatus(
        name=document["name"],
        spec=_foreign_tunnel(document) if foreign else _tunnel_spec(document["wanted"]),
        condition=Condition(document["condition"]),
        datapath=document["datapath"],
        reason=document["reason"],
        foreign=foreign,
        transient=document["transient"],
        local=None if local is None else ip_address(local),
        counters=_counters(TunnelCounters, document["counters"]),
        worker_pid=document["worker_pid"],
        hearing=_hearing_from_json(document),
        last_received_s=document.get("last_received_s"),
        encryption=_encryption_from_json(document.get("encryption")),
        notes=tuple(document["notes"]),
        sessions=tuple(map(session_from_json, document.get("sessions", ()))),
    )


def _encryption_from_json(document: Mapping[str, Any] | None) -> EncryptionStatus | None:
    if document is None:
        return None
    fields = known_fields(EncryptionStatus, document)
    return EncryptionStatus(**{**fields, "lacks": tuple(fields.get("lacks", ()))})


def session_to_json(tunnel: str, status: SessionStatus, *, secrets: bool = False) -> dict[str, Any]:
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
        "tx_cookie": _cookie_to_json(spec.tx_cookie, secrets),
        "rx_cookie": _cookie_to_json(spec.rx_cookie, secrets),
        "sublayer": None if status.foreign else spec.sublayer.value,
        "sequencing": sequencing(status).value,
        "send_seq": status.send_seq,
        "recv_seq": status.recv_seq,
        "reorder_timeout_ms": spec.reorder_timeout_ms,
        "vlan": spec.vlan,
        "egress": spec.egress.value if spec.vlan is not None else None,
        "fragment": spec.fragment,
        "mtu": status.mtu,
        "notes": list(status.notes),
        "netdev": netdev_to_json(status.netdev) if status.netdev else None,
        **_hearing_to_json(status),
        "probing": None if status.probing is None else dataclasses.asdict(status.probing),
        "failover": status.failover,
        "counters": dataclasses.asdict(status.counters),
        "wanted": None if status.foreign else spec.to_words(secrets=secrets),
    }


def session_from_json(document: Mapping[str, Any]) -> SessionStatus:
    """The inverse of session_to_json. Cookies that are not in it are Hidden. Raises what tunnel_from_json does."""
    foreign = bool(document["foreign"])
    netdev = document["netdev"]
    return SessionStatus(
        name=document["name"],
        spec=_foreign_session(document) if foreign else _session_spec(document),
        condition=Condition(document["condition"]),
        foreign=foreign,
        mtu=document["mtu"],
        netdev=None if netdev is None else netdev_from_json(netdev),
        send_seq=document["send_seq"],
        recv_seq=document["recv_seq"],
        hearing=_hearing_from_json(document),
        last_received_s=document.get("last_received_s"),
        probing=_probing_from_json(document.get("probing")),
        failover=_failover_from_json(document.get("failover")),
        counters=_counters(Counters, document["counters"]),
        notes=tuple(document.get("notes", ())),
    )


def _hearing_to_json(status: TunnelStatus | SessionStatus) -> dict[str, Any]:
    return {"hearing": status.hearing, "last_received_s": status.last_received_s}


def _hearing_from_json(document: Mapping[str, Any]) -> Hearing | None:
    """The inverse. A word of a later version is passed over."""
    told = document.get("hearing")
    return Hearing(told) if told in tuple(Hearing) else None


def _probing_from_json(document: Mapping[str, Any] | None) -> ProbeReport | None:
    """What `probing` tells; None also for a state of a later version."""
    if document is None or document["state"] not in tuple(ProbeState):
        return None
    return ProbeReport(**known_fields(ProbeReport, document) | {"state": ProbeState(document["state"])})


def _failover_from_json(told: str | None) -> FailoverRole | None:
    """What a session does in a failover; None also for a word of a later version."""
    return FailoverRole(told) if told in tuple(FailoverRole) else None


def sequencing(status: SessionStatus) -> Sequencing:
    """The sequencing that was asked for; of a foreign session, which nobody asked us for, what it does now."""
    if not status.foreign:
        return status.spec.sequencing
    table = {(False, False): "none", (True, False): "send", (False, True): "recv", (True, True): "both"}
    return Sequencing(table[status.send_seq, status.recv_seq])


def _cookie_to_json(cookie: bytes, secrets: bool) -> dict[str, Any]:  # noqa: FBT001 - private, named at each call's end
    return {"length": len(cookie)} | ({"hex": cookie.hex()} if secrets else {})


def _cookie_from_json(document: Mapping[str, Any]) -> bytes:
    told, length = document.get("hex"), document["length"]
    return Hidden(length) if told is None and length else bytes.fromhex(told or "")


def _counters(kind: type[_Counted], document: Mapping[str, Any]) -> _Counted:
    return kind(**known_fields(kind, document))


def _tunnel_spec(wanted: Mapping[str, Any]) -> TunnelSpec:
    words = to_words(wanted)
    return TunnelSpec.from_words({word: words[word] for word in TUNNEL_FIELDS if word in words})


def _session_spec(document: Mapping[str, Any]) -> SessionSpec:
    wanted = to_words(document["wanted"])
    words = {word: wanted[word] for word in SESSION_FIELDS if word in wanted}
    return SessionSpec.from_words(words | {word: _cookie_from_json(document[field]) for word, field in _COOKIES})


def _foreign_tunnel(document: Mapping[str, Any]) -> TunnelSpec:
    """The spec of a foreign tunnel, as the observer makes it from what it observes."""
    udp = document["encap"] == Encap.UDP
    return unchecked(
        TunnelSpec,
        name=f"id{document['id']}",
        remote=ip_address(document["remote"]),
        local=ip_address(document["local"]),
        encap=Encap(document["encap"]),
        tunnel_id=document["id"],
        peer_tunnel_id=document["peer_id"],
        local_port=document["local_port"] if udp else UDP_PORT,
        remote_port=document["remote_port"] if udp else UDP_PORT,
        udp_checksum=document["udp_checksum"] if udp else True,
        datapath=document["datapath"],
        netns=document["netns"],
    )


def _foreign_session(document: Mapping[str, Any]) -> SessionSpec:
    return unchecked(
        SessionSpec,
        name=document["name"],
        ifname=document["ifname"],
        session_id=document["id"],
        peer_session_id=document["peer_id"],
        tx_cookie=_cookie_from_json(document["tx_cookie"]),
        rx_cookie=_cookie_from_json(document["rx_cookie"]),
        sublayer=Sublayer(document["sublayer"] or "default"),
        sequencing=Sequencing(document["sequencing"]),
        reorder_timeout_ms=document["reorder_timeout_ms"],
        vlan=document.get("vlan"),
        egress=Egress(document.get("egress") or "remove"),
        fragment=document.get("fragment", False),
    )
