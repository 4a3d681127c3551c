"""A netdev's state as JSON, and back; and the fields of a document that a dataclass knows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from ipaddress import ip_interface
from typing import Any

from l2tpv3.model.status import NetdevState


def netdev_to_json(netdev: NetdevState) -> dict[str, Any]:
    """A netdev, as values that the json module can write."""
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


def netdev_from_json(document: Mapping[str, Any]) -> NetdevState:
    """The inverse of netdev_to_json."""
    known = known_fields(NetdevState, document)
    return NetdevState(**known | {"addresses": tuple(map(ip_interface, document["addresses"]))})


def known_fields(kind: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """The document's values for the fields of a dataclass; an older service may not tell those with defaults."""
    names = {field.name: field.default for field in dataclasses.fields(kind)}
    return {name: document[name] for name, value in names.items() if name in document or value is dataclasses.MISSING}
