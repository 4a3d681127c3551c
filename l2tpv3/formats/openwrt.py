"""OpenWrt's /etc/config/network with interfaces of `proto l2tpv3`, in.

OpenWrt itself has no such protocol. Two packages for it are in use, whose handlers call `ip l2tp` with the options'
values: one says `remote` and `local` and names the netdev l2tpv3-INTERFACE, the other says `peeraddr` and `localaddr`
and names it l2v3-INTERFACE. So an interface is translated to those commands. The file's grammar: openwrt.org, "The UCI
system".
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from l2tpv3.formats.draft import Draft, Place, Warnings, quoted
from l2tpv3.formats.iproute2.script import Script

_TUNNEL = ("tunnel_id", "peer_tunnel_id", "encap", "udp_sport", "udp_dport")
_SESSION = ("session_id", "peer_session_id", "cookie", "peer_cookie", "l2spec_type")
_CHECKSUMS = ("udp_csum", "udp6_csum_tx", "udp6_csum_rx")
_ENDS = {"remote": "remote", "local": "local", "peeraddr": "remote", "localaddr": "local"}
_OWN = ("proto", "mtu", "ipaddr", "netmask", "ip6addr", "auto", "disabled", "bridge_to", "defaultroute", "delegate")


@dataclass(slots=True)
class _Section:
    """`config KIND 'NAME'`. options: key, value, place; a list has each of its values."""

    kind: str
    name: str
    place: Place
    options: list[tuple[str, str, Place]] = field(default_factory=list)

    def is_interface(self, protocol: str) -> bool:
        """Whether it is an interface of that protocol."""
        return self.kind == "interface" and self.get("proto") == protocol

    def get(self, key: str) -> str:
        """The last value, "" without one."""
        return next((value for name, value, _ in reversed(self.options) if name == key), "")

    def all(self, key: str) -> list[tuple[str, Place]]:
        """All values, those of one option separated by spaces."""
        return [(word, place) for name, value, place in self.options if name == key for word in value.split()]


def read(texts: list[tuple[Path, str]], complaints: Warnings) -> list[Draft]:
    """The tunnels of the files, named tID, with sessions sID, and the bridges that have them as ports."""
    sections = [section for file, text in texts for section in _sections(file, text, complaints)]
    script = Script(complaints)
    ours = [section for section in sections if section.is_interface("l2tpv3") and section.get("disabled") != "1"]
    netdevs = {section.name: _netdev(section) for section in ours}
    for section in ours:
        for words in _interface(section, netdevs[section.name], complaints):
            script.take(words, section.place)
    for section in sections:
        for words, place in _bridge(section, netdevs):
            script.take(words, place)
    for section in sections:
        if section.is_interface("static"):
            for words in _addresses_of_another(section, netdevs):
                script.take(words, section.place)
    return script.finished()


def _sections(file: Path, text: str, complaints: Warnings) -> Iterator[_Section]:
    section: _Section | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        place = Place(file, number)
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            complaints.add(place, "a quote is not closed", "close it")
            continue
        match words:
            case ["config", kind, *name]:
                if section is not None:
                    yield section
                section = _Section(kind, name[0] if name else "", place)
            case ["option" | "list", key, value] if section is not None:
                section.options.append((key, value, place))
            case [] | ["package", *_]:
                pass
            case _:
                complaints.add(place, f"{quoted(line.strip())} is not understood", "give what `uci export` prints")
    if section is not None:
        yield section


def _netdev(section: _Section) -> str:
    return f"{'l2v3' if section.get('peeraddr') else 'l2tpv3'}-{section.name}"


def _interface(section: _Section, netdev: str, complaints: Warnings) -> Iterator[list[str]]:
    """The commands that its handler runs."""
    tunnel = ["ip", "l2tp", "add", "tunnel"]
    session = ["ip", "l2tp", "add", "session", "name", netdev, "tunnel_id", section.get("tunnel_id")]
    for key, value, place in section.options:
        if key in _ENDS:
            tunnel += [_ENDS[key], value]
        elif key in _TUNNEL:
            tunnel += [key, value]
        elif key in _SESSION:
            session += [key, value]
        elif key not in (*_CHECKSUMS, *_OWN):
            complaints.warn(place, f"{quoted(key)} of {section.name} is not imported", "set it by other means")
    if not section.get("local") and not section.get("localaddr"):
        tunnel += ["local", "any"]
    if section.get("remote") and section.get("encap") == "udp":  # this handler says each, and says on by default
        for key in _CHECKSUMS:
            tunnel += [key, "off" if section.get(key) == "0" else "on"]
    yield tunnel
    yield session
    yield ["ip", "link", "set", "dev", netdev, "up"]
    if mtu := section.get("mtu"):
        yield ["ip", "link", "set", "dev", netdev, "mtu", mtu]
    yield from _addresses(section, netdev)
    if bridge := section.get("bridge_to"):
        yield ["ip", "link", "set", "dev", netdev, "master", bridge]


def _addresses(section: _Section, netdev: str) -> Iterator[list[str]]:
    for address, _ in section.all("ipaddr"):
        if (mask := section.get("netmask")) and "/" not in address:
            yield ["ifconfig", netdev, address, "netmask", mask]
        else:
            yield ["ip", "addr", "add", address, "dev", netdev]
    for address, _ in section.all("ip6addr"):
        yield ["ip", "addr", "add", address, "dev", netdev]


def _addresses_of_another(section: _Section, netdevs: dict[str, str]) -> Iterator[list[str]]:
    """Addresses of a netdev, or of another interface (`@NAME`), that an interface without a protocol gives."""
    device = section.get("device") or section.get("ifname")
    if " " not in device:
        yield from _addresses(section, netdevs.get(device.removeprefix("@"), device))


def _bridge(section: _Section, netdevs: dict[str, str]) -> Iterator[tuple[list[str], Place]]:
    """A bridge with a netdev of ours: a `device` since OpenWrt 21.02, an `interface` of type bridge before."""
    is_bridge = section.get("type") == "bridge" and section.kind in ("device", "interface")
    if section.kind == "device":
        name, ports = section.get("name"), section.all("ports")
    else:
        name, ports = f"br-{section.name}", section.all("ifname")
    ports = [(netdevs.get(port.removeprefix("@"), port), place) for port, place in ports]
    if not is_bridge or not any(port in netdevs.values() for port, _ in ports):
        return
    state = "1" if section.get("stp") == "1" else "0"
    yield ["ip", "link", "add", name, "type", "bridge", "stp_state", state], section.place
    yield ["ip", "link", "set", "dev", name, "up"], section.place
    for port, place in ports:
        yield ["ip", "link", "set", "dev", port, "master", name], place
    if section.kind == "interface":
        for words in _addresses(section, name):
            yield words, section.place
