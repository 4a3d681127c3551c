"""The keys of a fleet's file: what each table may have. The reader and the JSON schema are made from them."""

from __future__ import annotations

from typing import Final

from l2tpv3.model.fields import SESSION, TUNNEL, by_word

TUNNEL_WORDS: Final = ("encap", "encrypt", "datapath", "udp-checksum", "ttl", "dscp")
SESSION_WORDS: Final = ("mtu", "fragment", "sublayer", "sequencing")
"""Words of a tunnel and of its session that can be said for both ends at once: see l2tpv3.model.fields."""

SETTINGS: Final = {
    **{word: by_word(TUNNEL)[word] for word in TUNNEL_WORDS},
    **{word: by_word(SESSION)[word] for word in SESSION_WORDS},
}
"""The fields of those words."""

DEFAULTS: Final = "defaults"
HOST: Final = {
    "reach": "How the host is commanded: ssh://[USER@]HOST[:PORT], here (the host that l2tpctl runs on), or nats.",
    "address": "Its underlay address, or a list of them: one IPv4 and one IPv6 address at most.",
    "labels": "Words by which meshes choose hosts.",
    "datapath": "Who moves the frames at this host, whatever a mesh or a wire says.",
}
MESH: Final = {
    "hosts": "The hosts in it. Default: all of them.",
    "label": "The hosts that have this label, instead of a list.",
    "shape": "full: a pseudowire between any two hosts. hub: one from the hub to each other host.",
    "hub": "The host in the middle, where the shape is hub.",
    "bridge": "The name of a bridge that is made at each host, over its pseudowires of this mesh.",
    "split-horizon": "No frame goes from one pseudowire of the bridge into another. Default: true in a full mesh.",
    "address": "A network, or a list of them: the bridge of each host gets an address of each.",
    "ports": "Further members of the bridge: a table of hosts with the names of netdevs there.",
}
WIRE: Final = {
    "ends": "The two hosts.",
    "address": "Addresses of the netdevs: a table of the two hosts, each with an address or a list of them.",
}
TABLES: Final = {"host": HOST, "mesh": MESH, "wire": WIRE}
"""The tables with names, each with its own keys; meshes and wires have SETTINGS besides."""
