"""The document of each host: its tunnels, sessions and bridges in a fleet, as l2tpctl's own files state them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from l2tpv3.config import dump
from l2tpv3.errors import NotFoundError
from l2tpv3.fleet.draws import Drawn
from l2tpv3.fleet.model import SESSION, Fleet, Mesh
from l2tpv3.fleet.pairs import Pair, all_pairs
from l2tpv3.fleet.state import FleetState
from l2tpv3.model.desired import Desired, DesiredLink, DesiredSession, DesiredTunnel
from l2tpv3.model.fields import SECRETS

_HIDDEN = "hidden"


def host_document(
    fleet: Fleet,
    state: FleetState,
    host: str,
    pairs: Iterable[Pair],
    kept: Mapping[str, DesiredTunnel | None] = MappingProxyType({}),
) -> list[Desired]:
    """What a host is to have. state: with the draws of every pair, and the numbers of all hosts. pairs: of this host.

    kept: pairs that stay as they are now, as their other end can't be reached: the tunnel that this host has of each;
    None where it has none yet.
    """
    tunnels: dict[str, DesiredTunnel] = {}
    joined: dict[str | None, list[str]] = {}
    for pair in pairs:
        tunnel = kept[pair.key] if pair.key in kept else _tunnel(pair, state.drawn[pair.key], pair.at(host))
        if tunnel is not None:
            tunnels[pair.key] = tunnel
            joined.setdefault(pair.mesh, []).append(tunnel.name)
    bridges = [
        _bridge(fleet, state, mesh, host, joined.get(mesh.name, []))
        for mesh in fleet.meshes.values()
        if mesh.bridge is not None and host in mesh.hosts
    ]
    return [*tunnels.values(), *bridges]


def pairs_of(fleet: Fleet, host: str) -> list[Pair]:
    """The pairs that a host is an end of. Raises NotFoundError for a host that the fleet has not."""
    if host not in fleet.hosts:
        names = list(fleet.hosts)
        which = f"{', '.join(names[:10])}{' ...' if len(names) > 10 else ''}"
        raise NotFoundError(f"host {host}", f"is not in {fleet.file}", f"hosts are {which}")
    return [pair for pair in all_pairs(fleet) if host in pair.hosts]


def host_text(fleet: Fleet, state: FleetState, host: str) -> str:
    """The document of a host as text, cookies and keys in clear. Raises what pairs_of does."""
    return dump(host_document(fleet, state, host, pairs_of(fleet, host)))


def without_secrets(document: Iterable[Desired]) -> list[Desired]:
    """The same for people to look at: a word stands in the place of each secret."""

    def shown(words: Mapping[str, Any]) -> dict[str, Any]:
        return {word: _HIDDEN if word in SECRETS and value else value for word, value in words.items()}

    found: list[Desired] = []
    for one in document:
        if isinstance(one, DesiredTunnel):
            sessions = tuple(replace(session, words=shown(session.words)) for session in one.sessions)
            found.append(replace(one, words=shown(one.words), sessions=sessions))
        else:
            found.append(one)
    return found


def _tunnel(pair: Pair, drawn: Drawn, end: int) -> DesiredTunnel:
    """One end of a pair."""
    words: dict[str, Any] = {
        "remote": str(pair.underlay[1 - end]),
        "local": str(pair.underlay[end]),
        "id": drawn.tunnel_id,
        "peer-id": drawn.tunnel_id,
    }
    if pair.tunnel_words.get("encap", "udp") == "udp":
        words |= {"local-port": drawn.ports[end], "remote-port": drawn.ports[1 - end]}
    words |= {**drawn.encryption[end], **pair.settings.tunnel}
    datapath = pair.datapaths[end]
    words |= {} if datapath is None else {"datapath": datapath}
    session: dict[str, Any] = {
        "id": drawn.session_id,
        "peer-id": drawn.session_id,
        "tx-cookie": drawn.cookies[1 - end],
        "rx-cookie": drawn.cookies[end],
        **pair.settings.session,
    }
    if pair.addresses[end]:
        session["address"] = [str(one) for one in pair.addresses[end]]
    sessions = (DesiredSession(name=SESSION, words=session),)
    return DesiredTunnel(name=pair.tunnels[end], words=words, sessions=sessions)


def _bridge(fleet: Fleet, state: FleetState, mesh: Mesh, host: str, tunnels: Collection[str]) -> DesiredLink:
    """The bridge of a mesh at a host, over the sessions of these tunnels and the host's own ports."""
    assert mesh.bridge is not None
    wires = [f"{tunnel}/{SESSION}" for tunnel in tunnels]
    # Pseudowires that do not hear each other can't be a loop, and neither can those of one hub: no spanning tree is
    # needed, and one that blocked a pseudowire would cut hosts off that have no other way to each other.
    words: dict[str, Any] = {"type": "bridge", "over": [*wires, *mesh.ports.get(host, ())], "stp": "off"}
    if mesh.split_horizon and wires:
        words["isolated"] = wires
    if addresses := state.addresses(fleet, mesh.name, host):
        words["address"] = [str(one) for one in addresses]
    return DesiredLink(name=mesh.bridge, words=words)
