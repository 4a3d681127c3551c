"""VyOS's l2tpv3 interfaces, in: `set` commands, or the form with braces that `show` prints and config.boot has.

Sources: as of export.py; VyOS 1.3 and older say local-ip, remote-ip, source-port and destination-port.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from l2tpv3.formats.bridges import Bridges, Port, no_vlans, parse_vlans
from l2tpv3.formats.draft import Draft, Place, Warnings, name_from, quoted

_WORDS = {
    "encapsulation": "encap",
    "source-address": "local",
    "local-ip": "local",
    "remote": "remote",
    "remote-ip": "remote",
    "tunnel-id": "id",
    "peer-tunnel-id": "peer-id",
    "source-port": "local-port",
    "destination-port": "remote-port",
}
_SESSION_WORDS = {"session-id": "id", "peer-session-id": "peer-id", "mtu": "mtu", "address": "address"}
_NEEDED = ("tunnel-id", "peer-tunnel-id", "session-id", "peer-session-id")
_IGNORED = {"description"}
_LOST = {
    *("ip", "ipv6", "mirror", "traffic-policy", "policy", "firewall", "dhcp-options"),
    *("disable-flow-control", "disable-link-detect", "dhcpv6-options", "eapol"),
}
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_ROOTS = ("l2tpv3", "bridge")

_Path = tuple[list[str], Place]
"""Words from `l2tpv3` or `bridge` down to a value."""


def read(texts: list[tuple[Path, str]], complaints: Warnings) -> list[Draft]:
    """The interfaces of the files, each a tunnel with one session, both named for it."""
    interfaces = _Interfaces(complaints)
    for file, text in texts:
        braces = any(line.rstrip().endswith("{") for line in text.splitlines())
        for words, place in (_braces if braces else _commands)(file, text, complaints):
            interfaces.take(words, place)
    return interfaces.finished()


# -- both forms as paths -----------------------------------------------------------------------------------------------


def _commands(file: Path, text: str, complaints: Warnings) -> list[_Path]:
    paths = []
    other_system = False
    for number, line in enumerate(text.split("\n"), start=1):
        place = Place(file, number)
        words = _split(line, place, complaints, only_if="l2tp")
        if words[:1] == ["delete"] and words[1:3] == ["interfaces", "l2tpv3"]:
            complaints.add(place, "`delete` can't be imported", "take out what it deletes, and it")
        elif words[:2] == ["set", "interfaces"] and words[2:3] and words[2] in _ROOTS:
            paths.append((words[2:], place))
        elif words[:2] == ["set", "interfaces"] and words[2:3] == ["l2tpeth"]:
            if not other_system:
                remedy = "read `ip l2tp show session` there, and write it as `ip l2tp add ...` for --from iproute2"
                problem = "`interfaces l2tpeth` is of DANOS or Vyatta 5, not VyOS: its defaults are others"
                complaints.add(place, problem, remedy)
            other_system = True
        elif words[:2] == ["set", "interfaces"] and len(words) > 2 and words[2].startswith("l2tp"):
            complaints.add(place, f"{quoted(words[2])} is no kind of interface", "write l2tpv3, where that is meant")
    return paths


def _braces(file: Path, text: str, complaints: Warnings) -> list[_Path]:
    text = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)
    paths: list[_Path] = []
    stack: list[list[str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        place, bare = Place(file, number), line.strip()
        if not bare or bare.startswith("//"):
            continue
        if bare == "}":
            if not stack:
                complaints.add(place, "a closing brace too many", "take it out")
            stack = stack[:-1]
            continue
        words = _split(bare.removesuffix("{"), place, complaints, only_if="")
        if bare.endswith("{"):
            stack.append(words)
        path = [word for node in stack for word in node] + ([] if bare.endswith("{") else words)
        path = path[1:] if path[:1] == ["interfaces"] else path
        if path and path[0] in _ROOTS:
            paths.append((path, place))
    if stack:
        complaints.add(Place(file, text.count("\n") + 1), "a closing brace is missing", "give the whole of it")
    return paths


def _split(line: str, place: Place, complaints: Warnings, *, only_if: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        if only_if in line:
            complaints.add(place, "a quote is not closed", "close it")
        return []


# -- what they say -----------------------------------------------------------------------------------------------------


class _Interfaces:
    def __init__(self, complaints: Warnings) -> None:
        self._complaints = complaints
        self._tunnels: dict[str, Draft] = {}
        self._seen: dict[str, set[str]] = {}
        self._bridges = Bridges(complaints)

    def take(self, words: list[str], place: Place) -> None:
        """Take one path of the configuration, which `set` would have."""
        if words[0] == "bridge":
            if len(words) >= 2:
                self._bridge(words[1], words[2:], place)
        elif len(words) >= 2:
            self._interface(self._tunnel(words[1], place), words[1], words[2:], place)

    def _bridge(self, name: str, words: list[str], place: Place) -> None:
        """What a bridge is told."""
        bridge = self._bridges.add(None, name, place)
        draft = bridge.draft
        match words:
            case ["member", "interface", port, *rest]:
                self._port(bridge.port(port, place), port, rest, place)
            case ["address", value] if value not in ("dhcp", "dhcpv6"):
                draft.set("address", [*draft.words.get("address", []), value], place)
            case ["mtu" | "mac" | "priority" as word, value]:
                draft.set(word, value, place)
            case ["stp", *_]:
                draft.set("stp", "on", place)
            case ["enable-vlan", *_]:
                draft.set("vlan-filtering", "on", place)
            case ["disable", *_]:
                draft.set("up", "off", place)
            case ["vrf", *_]:
                self._complaints.add_vrf(place, name)
            case [] | ["description", *_] | ["member", *_]:
                pass
            case _:
                self._complaints.warn(place, f"{quoted(words[0])} of {name} is not imported", "set it by other means")

    def _port(self, port: Port, ifname: str, words: list[str], place: Place) -> None:
        """What a bridge's member is told. VyOS has each a member of VLAN 1, as the kernel."""
        match words:
            case []:
                pass
            case ["isolated", *_]:
                port.isolated = place
            case ["allowed-vlan" | "native-vlan" as word, value] if (numbers := parse_vlans(value)) is not None:
                port.vlans = place
                port.del_vlan(1)
                for number in numbers:
                    native = word == "native-vlan" or number == port.pvid
                    port.add_vlan(number, pvid=native, untagged=native)
            case ["allowed-vlan" | "native-vlan", value]:
                self._complaints.add(place, no_vlans(value), "give a number, or NUMBER-NUMBER")
            case _:
                self._complaints.warn(place, f"{quoted(words[0])} of {ifname} is not imported", "set it by other means")

    def _tunnel(self, ifname: str, place: Place) -> Draft:
        if ifname not in self._tunnels:
            name = name_from(ifname, {draft.name for draft in self._tunnels.values()}, "l2tpeth")
            session = Draft(name, place)
            session.words |= {"tx-cookie": b"", "rx-cookie": b"", "sublayer": "default", "address": []}
            session.words |= {"mtu": "1488", "ifname": ifname}
            tunnel = Draft(name, place, sessions=[session])
            tunnel.words |= {"encap": "udp", "local-port": "5000", "remote-port": "5000"}
            self._tunnels[ifname], self._seen[ifname] = tunnel, set()
        return self._tunnels[ifname]

    def _interface(self, tunnel: Draft, ifname: str, words: list[str], place: Place) -> None:
        (session,) = tunnel.sessions
        if not words or words[0] in _IGNORED:
            return
        key, values = words[0], words[1:]
        self._seen[ifname].add(key)
        if key == "disable":
            session.set("up", value=False, place=place)
        elif key == "vrf":
            self._complaints.add_vrf(place, ifname)
        elif key == "redirect":
            problem = f"that what comes in by {ifname} is sent out elsewhere can't be imported"
            self._complaints.add(place, problem, "take it out, and set it by other means before packets pass")
        elif key in _LOST:
            self._complaints.warn(place, f"{quoted(key)} of {ifname} is not imported", "set it by other means")
        elif key not in _WORDS and key not in _SESSION_WORDS:
            self._complaints.add(place, f"{quoted(key)} is unknown to VyOS's l2tpv3", "take it out")
        elif len(values) != 1:
            self._complaints.add(place, f"{key} needs one value", "give one")
        elif key == "address":
            self._address(session, values[0], place)
        elif key in _WORDS:
            tunnel.set(_WORDS[key], values[0], place)
        else:
            session.set(_SESSION_WORDS[key], values[0], place)

    def _address(self, session: Draft, value: str, place: Place) -> None:
        if value in ("dhcp", "dhcpv6"):
            self._complaints.warn(place, f"address {value} is not imported", "run a DHCP client on the netdev")
            return
        session.set("address", [*session.words["address"], value], place)

    def finished(self) -> list[Draft]:
        """All tunnels, once all paths were taken."""
        for ifname, tunnel in self._tunnels.items():
            for key in _NEEDED:
                if key not in self._seen[ifname]:
                    self._complaints.add(tunnel.place, f"{key} of {quoted(ifname)} is missing", "give it")
            if tunnel.words["encap"] == "ip":  # ports may be there, and mean nothing
                del tunnel.words["local-port"], tunnel.words["remote-port"]
            elif "remote" in tunnel.words:
                tunnel.words["udp-checksum"] = "on" if ":" in tunnel.words["remote"] else "off"
        tunnels = list(self._tunnels.values())
        sessions: dict[tuple[str | None, str], Draft] = {
            (None, ifname): tunnel.sessions[0] for ifname, tunnel in self._tunnels.items()
        }
        return [*tunnels, *self._bridges.finished(tunnels, sessions)]
