"""Bodies that work, for OpenAPI, each of which a test sends; and answers, which a test holds against their schemas."""

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
HOSTS: Final[dict[str, Any]] = {
    "schema": "l2tpv3/hosts/v1",
    "listened_s": 2.0,
    "sessions": [
        {
            "tunnel": "siteb",
            "name": "lan",
            "hosts": [
                {
                    "mac": "02:00:00:00:00:07",
                    "far": True,
                    "addresses": ["192.0.2.7"],
                    "names": ["printer.local"],
                    "vlans": [],
                    "vendor": None,
                    "age_s": 0.4,
                }
            ],
            "findings": [],
        }
    ],
    "unseen": [],
}
FLOWS: Final[dict[str, Any]] = {
    "schema": "l2tpv3/flows/v1",
    "time": "2026-01-01T00:00:00.000+00:00",
    "interval_s": 1.0,
    "tunnel": "siteb",
    "session": "lan",
    "bytes_per_s": 151400.0,
    "rest_bytes_per_s": 0.0,
    "count": 1,
    "flows": [
        {
            "out": True,
            "protocol": "tcp",
            "source": "192.0.2.7",
            "destination": "198.51.100.9",
            "source_port": 41512,
            "destination_port": 443,
            "vlan": None,
            "packets_per_s": 100.0,
            "bytes_per_s": 151400.0,
        }
    ],
}
FLEET: Final[dict[str, Any]] = {
    "file": "/etc/l2tpv3-fleet/fleet.toml",
    "looked_at": "2026-01-01T00:00:00+00:00",
    "took_s": 1.2,
    "problem": None,
    "status": {
        "schema": "l2tpv3/fleet-status/v1",
        "hosts": [
            {"name": "siteb", "reach": "here", "version": "1.0", "state": "as committed", "good": True},
            {"name": "sitec", "reach": "ssh://sitec", "version": None, "state": "not known: timed out", "good": False},
        ],
        "wires": [
            {
                "name": "lan/siteb/sitec",
                "good": False,
                "ends": [
                    {
                        "host": "siteb",
                        "condition": "up",
                        "hearing": "unheard",
                        "last_received_s": 41.0,
                        "mtu": 1400,
                        "notes": [],
                    },
                    {
                        "host": "sitec",
                        "condition": "unknown",
                        "hearing": None,
                        "last_received_s": None,
                        "mtu": None,
                        "notes": [],
                    },
                ],
            }
        ],
    },
}
