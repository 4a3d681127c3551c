"""Names of the formats that other tools' configurations have here. Nothing is imported: shell completion reads this."""

from __future__ import annotations

PEER_FORMATS = ("l2tpctl", "iproute2", "networkd", "vyos", "cisco", "routeros", "qemu", "ql2tpd")
"""In which the other end can be told (`peer.commands`)."""

IMPORT_FORMATS = ("iproute2", "networkd", "vyos", "ql2tpd", "openwrt", "routeros")
"""From which tunnels can be read (`importer.import_from`)."""
