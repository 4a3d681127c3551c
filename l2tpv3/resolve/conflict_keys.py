"""Keys of what two tunnels or sessions can't have in common: two that have an equal key are in conflict.

Both the resolver (conflicts.py, for what is on record) and the reader of files (l2tpv3/config/conflicts.py, for what
files state) go by these. netns: the identity of a network namespace, see Identities.
"""

from __future__ import annotations

from collections.abc import Hashable

from l2tpv3.linux.netns import netns_identity, netns_path
from l2tpv3.model.spec import Encap, IPAddress, TunnelSpec

Key = tuple[Hashable, ...]


class Identities(dict[str | None, Hashable]):
    """The identity of network namespaces by their names, each looked up once.

    Two names of one namespace give the same. One that does not exist is known by its file.
    """

    def __missing__(self, netns: str | None) -> Hashable:
        identity = netns_identity(netns)
        self[netns] = netns_path(netns) if identity is None and netns is not None else identity
        return self[netns]


def tunnel_id_key(netns: Hashable, tunnel_id: int) -> Key:
    """A tunnel's id is its own in its network namespace."""
    return ("tunnel id", netns, tunnel_id)


def ends_key(netns: Hashable, local: IPAddress | None, spec: TunnelSpec) -> Key | None:
    """Two UDP tunnels can't have the same addresses and ports at both ends; None over IP, and inside of WireGuard.

    local: the local address; two that leave it open get the same one, that of the route to their peer.
    """
    if spec.encap is not Encap.UDP or spec.is_inside:
        return None
    return ("ends", netns, local, spec.local_port, spec.remote, spec.remote_port)


def netdev_key(netns: Hashable, ifname: str) -> Key:
    """A netdev's name is its own in its network namespace."""
    return ("netdev", netns, ifname)


def session_id_keys(
    netns: Hashable, tunnel: str, encap: Encap, session_id: int
) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
    """The keys that a session's id takes, and those that no other session may have taken.

    Over UDP an id is a tunnel's own; over IP it is the whole network namespace's, since nothing else in the packet
    tells sessions apart (RFC 3931 section 4.1.1.1; net/l2tp/l2tp_core.c l2tp_session_register).
    tunnel: its name. netns: of the tunnel's underlay.
    """
    own = ("session id", tunnel, session_id)
    over_ip, over_udp = ("session id over IP", netns, session_id), ("session id over UDP", netns, session_id)
    if encap is Encap.IP:
        return (own, over_ip), (own, over_ip, over_udp)
    return (own, over_udp), (own, over_ip)
