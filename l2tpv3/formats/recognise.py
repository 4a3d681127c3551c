"""Whose file a text is, told by words that only one system has: for who gave it to the wrong importer."""

from __future__ import annotations

import re

_SIGNS: tuple[tuple[str, str, str | None], ...] = (
    (r"^\s*option\s+proto\s+['\"]?l2tpv3", "OpenWrt's", "openwrt"),
    (r"^\s*/interface[ /]l2tp-ether", "RouterOS's", "routeros"),
    (r"^\s*Kind\s*=\s*l2tp\s*$", "systemd-networkd's", "networkd"),
    (r"^\s*set interfaces l2tpv3\b|^\s*l2tpv3 l2tpeth\d+ \{", "VyOS's", "vyos"),
    (r"^\s*pseudowire\s*=\s*\"eth\"", "ql2tpd's", "ql2tpd"),
    (r"^\s*\[tunnel\.[^]]+\]\s*$", "this program's own", "apply"),
    (r"\bip l2tp add\b|\bl2tpv3tun add\b", "commands of `ip l2tp`", "iproute2"),
    (r"^\s*l2tp(tunnel|session)_\w+=", "netifrc's (Gentoo)", None),
    (r"^\s*(pseudowire-class|xconnect) ", "Cisco IOS's", None),
    (r"^\s*\[lac |^\s*\[lns ", "xl2tpd's, which is for PPP", None),
)
"""A pattern of a line, whose it is, and the format that reads it."""


def recognise(text: str, given: str) -> tuple[str, str] | None:
    """The problem and the remedy for a text in which the format `given` found no tunnel; None where nothing tells."""
    for pattern, whose, format_ in _SIGNS:
        if format_ == "apply" and given == "ql2tpd":  # both have [tunnel.NAME]
            continue
        if format_ != given and re.search(pattern, text, re.MULTILINE):
            problem = f"there is no L2TPv3 ethernet tunnel of {given} in it: it looks like {whose}"
            if format_ == "apply":
                return problem, "`l2tpctl plan -f FILE` takes it as it is"
            if format_ is None:
                return problem, "write its tunnels as `ip l2tp add ...` lines for --from iproute2"
            return problem, f"give --from {format_}"
    return None
