"""Names of the formats that other tools' configurations have here. Nothing is imported: shell completion reads this."""

from __future__ import annotations

PEER_FORMATS = ("l2tpctl", "iproute2", "networkd", "vyos", "cisco", "routeros", "qemu", "ql2tpd")
"""The formats that the other end's commands can be written in (`peer.commands`)."""

IMPORT_FORMATS = ("iproute2", "networkd", "vyos", "ql2tpd", "openwrt", "routeros")
"""The formats that tunnels can be read from (`importer.import_from`)."""
