"""Links with their status as JSON, and back. For what reading passes over and raises see tunnel.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from l2tpv3.documents.names import to_words
from l2tpv3.documents.netdev import netdev_from_json, netdev_to_json
from l2tpv3.documents.schemas import LINKS_SCHEMA
from l2tpv3.documents.tunnel import tunnels_document
from l2tpv3.model.fields import link_fields
from l2tpv3.model.links.options import LinkType
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.status import Condition, TunnelStatus


def status_document(tunnels: Iterable[TunnelStatus], links: Iterable[LinkStatus]) -> dict[str, Any]:
    """The document that bare `l2tpctl --json` prints: every tunnel with its sessions, and every link."""
    return {**tunnels_document(tunnels), "links": list(map(link_to_json, links))}


def links_document(links: Iterable[LinkStatus]) -> dict[str, Any]:
    """The document that `link show --json` prints."""
    return {"schema": LINKS_SCHEMA, "links": list(map(link_to_json, links))}


def link_to_json(status: LinkStatus) -> dict[str, Any]:
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
        "netdev": netdev_to_json(status.netdev) if status.netdev else None,
        "counters": dict(status.counters),
        "seen": dict(status.words),
        "wanted": spec.to_words(),
    }


def link_from_json(document: Mapping[str, Any]) -> LinkStatus:
    """The inverse of link_to_json.

    Raises InvalidValueError, KeyError, ValueError or TypeError for what is not of that form.
    """
    netdev = document["netdev"]
    return LinkStatus(
        name=document["name"],
        spec=LinkSpec.from_words({**known_link_words(document["wanted"]), "name": document["name"]}),
        condition=Condition(document["condition"]),
        mac=document["mac"],
        over_netns=document["over_netns"],
        transient=document["transient"],
        netdev=None if netdev is None else netdev_from_json(netdev),
        over=tuple(document["over_now"]),
        words=to_words(document["seen"]),
        counters=dict(document["counters"]),
        worker_pid=document["worker_pid"],
        notes=tuple(document["notes"]),
    )


def known_link_words(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The words that this version knows of a link of that type.

    Raises ValueError for a type that it does not know, InvalidValueError for a word that is there in both spellings.
    """
    table = to_words(wanted)
    known = link_fields(LinkType(table["type"]))
    return {word: value for word, value in table.items() if word == "type" or word in known}
