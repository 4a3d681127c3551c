"""From the JSON documents of l2tpv3/documents/writing.py back to the values that they were made from.

Fields and words that this version does not know are passed over, as within a version they are only added. What is
missing or malformed raises KeyError, TypeError, ValueError or InvalidValueError: whoever reads a service's answer says
whose it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, ip_interface
from typing import Any, TypeVar

from l2tpv3.errors import NotPermittedError
from l2tpv3.model import ids
from l2tpv3.model.desired import Desired, DesiredLink, DesiredSession, DesiredTunnel
from l2tpv3.model.fields import link_fields
from l2tpv3.model.links.options import LinkType
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.observed import Counters, TunnelCounters
from l2tpv3.model.progress import StepText
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
from l2tpv3.model.status import Condition, NetdevState, SessionStatus, TunnelStatus
from l2tpv3.model.values import TUNNEL_FIELDS
from l2tpv3.store.database import AuditEntry

_COOKIES = (("tx-cookie", "tx_cookie"), ("rx-cookie", "rx_cookie"))

_Counted = TypeVar("_Counted", Counters, TunnelCounters)


class Hidden(bytes):
    """A cookie of which only the length is told: that many zeros, which nobody gets to see."""

    def hex(self, *_: Any) -> str:
        """What every way to show a cookie calls. Raises NotPermittedError."""
        raise NotPermittedError("cookie", "the service did not tell it", "ask with --show-secrets")

    def __repr__(self) -> str:
        return f"<{len(self)} bytes, hidden>"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteDid:
    """What a change did on another host: a l2tpv3.host.base.Did."""

    told: tuple[StepText, ...]
    changes: bool


def read_tunnel(document: Mapping[str, Any]) -> TunnelStatus:
    """What report.tunnel_dict said of a tunnel; without `sessions` it has none."""
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
        notes=tuple(document["notes"]),
        sessions=tuple(map(read_session, document.get("sessions", ()))),
    )


def read_session(document: Mapping[str, Any]) -> SessionStatus:
    """What report.session_dict said of a session. Cookies that it did not say are Hidden."""
    foreign = bool(document["foreign"])
    netdev = document["netdev"]
    return SessionStatus(
        name=document["name"],
        spec=_foreign_session(document) if foreign else _session_spec(document),
        condition=Condition(document["condition"]),
        foreign=foreign,
        mtu=document["mtu"],
        netdev=None if netdev is None else _netdev(netdev),
        send_seq=document["send_seq"],
        recv_seq=document["recv_seq"],
        counters=_counters(Counters, document["counters"]),
        notes=tuple(document.get("notes", ())),
    )


def read_link(document: Mapping[str, Any]) -> LinkStatus:
    """What report.link_dict said of a link."""
    netdev = document["netdev"]
    return LinkStatus(
        name=document["name"],
        spec=LinkSpec.from_words({**_link_words(document["wanted"]), "name": document["name"]}),
        condition=Condition(document["condition"]),
        mac=document["mac"],
        over_netns=document["over_netns"],
        transient=document["transient"],
        netdev=None if netdev is None else _netdev(netdev),
        over=tuple(document["over_now"]),
        words=dict(document["seen"]),
        counters=dict(document["counters"]),
        worker_pid=document["worker_pid"],
        notes=tuple(document["notes"]),
    )


def read_did(document: Mapping[str, Any]) -> RemoteDid:
    """What report.plan_document said, with `changes`."""
    return RemoteDid(told=tuple(map(read_step, document["steps"])), changes=document["changes"])


def read_step(document: Mapping[str, Any]) -> StepText:
    """What report.step_dict said of a step."""
    return StepText(**_known(StepText, document))


def read_audit_entry(document: Mapping[str, Any]) -> AuditEntry:
    """What report.audit_document said of one change."""
    at = datetime.fromisoformat(document["at"]).timestamp()
    return AuditEntry(at=at, who=document["who"], what=document["what"])


def read_state(document: Mapping[str, Any]) -> list[Desired]:
    """What a file that has this shape wants (state_document's inverse): cookies as bytes, the rest as it is."""
    found: list[Desired] = []
    for name, table in document.get("tunnel", {}).items():
        sessions = tuple(
            DesiredSession(name=one, words=_stated_session(words)) for one, words in table.get("session", {}).items()
        )
        words = {word: table[word] for word in TUNNEL_FIELDS if word in table}
        found.append(DesiredTunnel(name=name, words=words, sessions=sessions))
    for name, table in document.get("link", {}).items():
        found.append(DesiredLink(name=name, words=_link_words(table)))
    return found


def _link_words(table: Mapping[str, Any]) -> dict[str, Any]:
    """Those that this version knows of a link of that type."""
    known = link_fields(LinkType(table["type"]))
    return {word: value for word, value in table.items() if word == "type" or word in known}


def _stated_session(table: Mapping[str, Any]) -> dict[str, Any]:
    words = {word: table[word] for word in SESSION_FIELDS if word in table}
    return words | {word: ids.parse_cookie(words[word], word) for word, _ in _COOKIES if word in words}


def _tunnel_spec(words: Mapping[str, Any]) -> TunnelSpec:
    return TunnelSpec.from_words({word: words[word] for word in TUNNEL_FIELDS})


def _session_spec(document: Mapping[str, Any]) -> SessionSpec:
    wanted = document["wanted"]
    words = {word: wanted[word] for word in SESSION_FIELDS if word in wanted}
    return SessionSpec.from_words(words | {word: _cookie(document[field]) for word, field in _COOKIES})


def _foreign_tunnel(document: Mapping[str, Any]) -> TunnelSpec:
    """As the observer makes it up from what it sees."""
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
        tx_cookie=_cookie(document["tx_cookie"]),
        rx_cookie=_cookie(document["rx_cookie"]),
        sublayer=Sublayer(document["sublayer"] or "default"),
        sequencing=Sequencing(document["sequencing"]),
        reorder_timeout_ms=document["reorder_timeout_ms"],
        vlan=document.get("vlan"),
        egress=Egress(document.get("egress") or "remove"),
    )


def _cookie(document: Mapping[str, Any]) -> bytes:
    told, length = document.get("hex"), document["length"]
    return Hidden(length) if told is None and length else bytes.fromhex(told or "")


def _netdev(document: Mapping[str, Any]) -> NetdevState:
    known = _known(NetdevState, document)
    return NetdevState(**known | {"addresses": tuple(map(ip_interface, document["addresses"]))})


def _counters(kind: type[_Counted], document: Mapping[str, Any]) -> _Counted:
    return kind(**_known(kind, document))


def _known(kind: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """The document's values for the fields of a dataclass; an older service may not tell those with defaults."""
    names = {field.name: field.default for field in dataclasses.fields(kind)}
    return {name: document[name] for name, value in names.items() if name in document or value is dataclasses.MISSING}
