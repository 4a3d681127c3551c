"""Bodies that work, for OpenAPI; a test sends each."""

from __future__ import annotations

from typing import Any, Final

TUNNELS: Final[dict[str, Any]] = {
    "shortest": {"remote": "192.0.2.2"},
    "stated": {"remote": "192.0.2.2", "id": 7, "peer_id": 8, "local_port": 5000, "remote_port": 5001},
    "over-ip": {"remote": "2001:db8::2", "encap": "ip", "transient": True},
}
TUNNEL_PATCHES: Final[dict[str, Any]] = {
    "another-peer": {"remote": "192.0.2.9"},
    "default-port": {"local_port": None},
}
SESSIONS: Final[dict[str, Any]] = {
    "all-chosen": {},
    "addressed": {"address": ["10.9.0.1/24"], "mtu": 1400},
    "with-cookies": {"tx_cookie": "0123456789abcdef", "rx_cookie": "fedcba9876543210", "sequencing": "both"},
}
SESSION_PATCHES: Final[dict[str, Any]] = {"mtu": {"mtu": 1400}, "default-mtu": {"mtu": None}}
LINKS: Final[dict[str, Any]] = {
    "bridge": {"type": "bridge", "over": ["siteb/lan"], "address": ["10.9.0.1/24"]},
    "bond": {"type": "bond", "mode": "active-backup", "primary": "siteb/lan", "over": ["siteb/lan"]},
    "vlan": {"type": "vlan", "id": 7, "over": ["siteb/lan"], "mtu": 1400},
}
LINK_PATCHES: Final[dict[str, Any]] = {"alone": {"over": []}, "default-mtu": {"mtu": None}}
STATES: Final[dict[str, Any]] = {
    "one-tunnel": {"tunnel": {"siteb": {"remote": "192.0.2.2", "session": {"lan": {"mtu": 1400}}}}},
    "with-a-bridge": {
        "tunnel": {"siteb": {"remote": "192.0.2.2", "session": {"lan": {}}}},
        "link": {"br1": {"type": "bridge", "over": ["siteb/lan"]}},
    },
}
FILE: Final = '[tunnel.siteb]\nremote = "192.0.2.2"\n\n[tunnel.siteb.session.lan]\nmtu = 1400\n'
ADOPTIONS: Final[dict[str, Any]] = {"by-id": {"foreign": "kernel:1000", "name": "siteb"}}
