"""ifupdown's /etc/network/interfaces, as the commands that `ifup` runs, in its order.

Source: interfaces(5), bridge-utils-interfaces(5). What `down`, `pre-down` and `post-down` take away again is left out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from l2tpv3.formats.draft import Place, Warnings, quoted
from l2tpv3.formats.lines import logical_lines

_IFACE = re.compile(r"^\s*iface\s+\S+", re.MULTILINE)
_STANZAS = (
    "iface",
    "auto",
    "mapping",
    "source",
    "source-directory",
    "rename",
    "no-auto-down",
    "no-scripts",
    "template",
)
_BEFORE, _AFTER = ("pre-up",), ("up", "post-up")
_GOING = ("down", "pre-down", "post-down")
_HARMLESS = {"network", "broadcast", "dns-nameservers", "dns-search", "dns-domain", "scope", "accept_ra", "autoconf"}
_OWN_NAME = re.compile(r"\$(?:IFACE\b|\{IFACE\})")


@dataclass(slots=True)
class _Stanza:
    """What one `iface` says. options: key, value, place."""

    ifname: str
    method: str
    place: Place
    options: list[tuple[str, str, Place]] = field(default_factory=list)


def is_interfaces(text: str) -> bool:
    """Whether it is such a file."""
    return bool(_IFACE.search(text))


def interfaces_lines(file: Path, text: str, complaints: Warnings) -> Iterator[tuple[Place, str]]:
    """The commands of an interfaces(5) file, one a line."""
    for stanza in _stanzas(file, text):
        yield from _commands(stanza, complaints)


def _stanzas(file: Path, text: str) -> Iterator[_Stanza]:
    stanza: _Stanza | None = None
    for place, line in logical_lines(file, text):
        words = line.split(None, 1)
        if not words or words[0].startswith("#"):
            continue
        key, value = words[0], words[1].strip() if len(words) > 1 else ""
        if key in _STANZAS or key.startswith("allow-"):
            if stanza is not None:
                yield stanza
            named = value.split()
            stanza = _Stanza(named[0], named[2] if len(named) > 2 else "", place) if key == "iface" and named else None
        elif stanza is not None:
            stanza.options.append((key, value, place))
    if stanza is not None:
        yield stanza


def _commands(stanza: _Stanza, complaints: Warnings) -> Iterator[tuple[Place, str]]:
    """pre-up, the interface itself, then up and post-up, as `ifup` does it."""
    name = shlex.quote(stanza.ifname)
    own = {key: value for key, value, _ in stanza.options}

    def given(keys: tuple[str, ...]) -> Iterator[tuple[Place, str]]:
        for key, value, place in stanza.options:
            if key in keys:
                yield place, _OWN_NAME.sub(lambda _: name, value)

    yield from given(_BEFORE)
    for key, value, place in stanza.options:
        yield from ((place, line) for line in _setting(name, key, value, own))
        if key not in (*_BEFORE, *_AFTER, *_GOING, *_HARMLESS, *_SETTINGS):
            yield place, f"interfaces-option {key} {name}"  # no command: told of where the netdev is ours
    if stanza.method == "dhcp":
        yield stanza.place, f"dhclient {name}"
    yield stanza.place, f"ip link set dev {name} up"
    yield from given(_AFTER)
    if "$" in stanza.ifname:
        complaints.add(stanza.place, f"{quoted(stanza.ifname)} is no netdev's name", "write it out")


_SETTINGS = (
    *("address", "netmask", "mtu", "hwaddress", "bridge_ports", "bridge-ports", "bridge_stp", "bridge-stp"),
    *("bridge_fd", "bridge-fd", "bridge-vlan-aware", "bridge_vlan_aware"),
)


def _setting(name: str, key: str, value: str, own: dict[str, str]) -> Iterator[str]:
    """What an option does, as commands."""
    text = shlex.quote(value)
    match key.replace("-", "_"):
        case "address":
            yield _address(name, value, own.get("netmask", ""))
        case "mtu":
            yield f"ip link set dev {name} mtu {text}"
        case "hwaddress":
            yield f"ip link set dev {name} address {shlex.quote(value.split()[-1] if value else '')}"
        case "bridge_ports":
            yield f"ip link add {name} type bridge"
            for port in value.split():
                if port not in ("none", "all", "regex"):
                    yield f"ip link set dev {shlex.quote(port)} master {name} up"
        case "bridge_stp":
            yield f"ip link set dev {name} type bridge stp_state {'1' if value in ('on', 'yes') else '0'}"
        case "bridge_fd" if value.replace(".", "", 1).isdigit() and float(value):
            yield f"ip link set dev {name} type bridge forward_delay {round(float(value) * 100)}"
        case "bridge_vlan_aware":
            yield f"ip link set dev {name} type bridge vlan_filtering {'1' if value == 'yes' else '0'}"


def _address(name: str, value: str, mask: str) -> str:
    """The command that gives an address. mask: the netmask, the prefix's length in bits, or ""."""
    if mask.isdigit() and "/" not in value:
        value = f"{value}/{mask}"
    elif mask and "/" not in value:
        return f"ifconfig {name} {shlex.quote(value)} netmask {shlex.quote(mask)}"
    return f"ip addr add {shlex.quote(value)} dev {name}"
