"""Checks what a fleet's tables say beside each other: addresses, reaches, and words that do not go together."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_interface
from typing import Any

from l2tpv3.config.reader import Findings, as_keys
from l2tpv3.errors import InvalidValueError
from l2tpv3.fleet.model import NATS, SESSION, Fleet, FleetHost, Mesh, Settings
from l2tpv3.fleet.pairs import common_underlay
from l2tpv3.model.source import Source
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.model.values import session_attributes, tunnel_attributes

_PAIRS_TOLD = 5


def check_fleet(fleet: Fleet, findings: Findings) -> None:
    """Note what is wrong with the fleet as a whole."""
    _check_hosts(list(fleet.hosts.values()), findings)
    for mesh in fleet.meshes.values():
        _check_underlay(fleet, mesh.pairs(), mesh.source, findings)
        _check_settings(mesh.settings, mesh.source, findings)
    for wire in fleet.wires.values():
        _check_underlay(fleet, [wire.ends], wire.source, findings)
        _check_settings(wire.settings, wire.source, findings)
    _check_bridges(list(fleet.meshes.values()), findings)
    _check_networks(fleet, findings)


def _check_hosts(hosts: Iterable[FleetHost], findings: Findings) -> None:
    at: dict[object, FleetHost] = {}
    for host in hosts:
        for address in host.addresses:
            if (other := at.setdefault(address, host)) is not host:
                problem = f"{address} is that of host {other.name} too (line {other.source.line})"
                findings.add(host.source.of("address"), problem, "each host has addresses of its own")
        if host.reach != NATS and (other := at.setdefault(host.reach, host)) is not host:
            problem = f"host {other.name} is reached so too (line {other.source.line})"
            findings.add(host.source.of("reach"), problem, "one of both is another host, or is not needed")


def _check_underlay(fleet: Fleet, pairs: Iterable[tuple[str, str]], source: Source, findings: Findings) -> None:
    apart = []
    for a, b in pairs:
        ends = fleet.hosts[a], fleet.hosts[b]
        if all(end.addresses for end in ends) and common_underlay(*ends) is None:
            apart.append(f"{a} and {b}")
    if apart:
        more = f", and {len(apart) - _PAIRS_TOLD} more" if len(apart) > _PAIRS_TOLD else ""
        problem = f"no address family in common: {', '.join(apart[:_PAIRS_TOLD])}{more}"
        findings.add(source, problem, "give one of both hosts an address of the other's family too")


def _check_settings(settings: Settings, source: Source, findings: Findings) -> None:
    """Note words that each can be meant, but not beside each other."""
    for make, words in ((_tunnel, settings.tunnel), (_session, settings.session)):
        try:
            make(dict(words))
        except InvalidValueError as error:
            # A key that is none of this table's comes from the defaults; its place is not known any more.
            at = source.of(error.field) if error.field in words else source
            findings.add(at, as_keys(error.problem), as_keys(error.remedy))


def _tunnel(words: dict[str, Any]) -> TunnelSpec:
    return TunnelSpec(name="new", **tunnel_attributes({**words, "remote": "240.0.0.1"}))


def _session(words: dict[str, Any]) -> SessionSpec:
    return SessionSpec(name=SESSION, ifname="l2tpeth0", **session_attributes(words))


def _check_bridges(meshes: list[Mesh], findings: Findings) -> None:
    """Note bridges of one name, and netdevs that are to be members of two."""
    at: dict[tuple[str, str], Mesh] = {}
    for mesh in meshes:
        for host in mesh.hosts:
            names = [] if mesh.bridge is None else [mesh.bridge, *mesh.ports.get(host, ())]
            for name in names:
                if (other := at.setdefault((host, name), mesh)) is not mesh:
                    problem = f"host {host} has {name} in mesh {other.name} already (line {other.source.line})"
                    findings.add(mesh.source.of("bridge"), problem, "give each mesh netdevs of its own")
                    return
        if mesh.bridge is not None and any(mesh.bridge in ports for ports in mesh.ports.values()):
            findings.add(mesh.source.of("ports"), f"{mesh.bridge} can't be in itself", "name another netdev")


def _check_networks(fleet: Fleet, findings: Findings) -> None:
    """Note networks of meshes that overlap, and addresses of a wire that both ends have."""
    seen: list[tuple[Any, Mesh]] = []
    for mesh in fleet.meshes.values():
        for network in mesh.networks:
            for other_network, other in seen:
                if network.version == other_network.version and network.overlaps(other_network):
                    problem = f"{network} overlaps {other_network} of mesh {other.name} (line {other.source.line})"
                    findings.add(mesh.source.of("address"), problem, "give each mesh a network of its own")
            seen.append((network, mesh))
    for wire in fleet.wires.values():
        both = {ip_interface(str(one)).ip for one in wire.addresses[0]} & {one.ip for one in wire.addresses[1]}
        for address in sorted(both, key=str):
            findings.add(wire.source.of("address"), f"{address} is at both ends", "give each end its own")
