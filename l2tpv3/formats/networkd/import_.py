"""systemd-networkd's .netdev files of kinds l2tp and bridge, in, with the .network files that match their netdevs.

Sources: as of export.py; systemd.syntax(7). Files may also be concatenated: [NetDev] or [Match] begins the next one.
Of the .network files that match a netdev the first by name is applied, as networkd does. Where a session's netdev has
none it is taken to be up all the same: the file may just not be at hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from l2tpv3.formats.bridges import Bridges
from l2tpv3.formats.draft import Draft, Place, Warnings, name_from, quoted
from l2tpv3.formats.networkd.match import GLOB, match_section, name_patterns

_YES, _NO = {"1", "yes", "y", "true", "t", "on"}, {"0", "no", "n", "false", "f", "off"}
_CHECKSUM = {"UDPCheckSum", "UDPChecksum"}
_NO_CHECKSUM = {
    **dict.fromkeys(("UDP6CheckSumTx", "UDP6ChecksumTx", "UDP6ZeroChecksumTx", "UDP6ZeroCheckSumTx"), "tx"),
    **dict.fromkeys(("UDP6CheckSumRx", "UDP6ChecksumRx", "UDP6ZeroChecksumRx", "UDP6ZeroCheckSumRx"), "rx"),
}
_TUNNEL = {
    "TunnelId": "id",
    "PeerTunnelId": "peer-id",
    "Remote": "remote",
    "EncapsulationType": "encap",
    "UDPSourcePort": "local-port",
    "UDPDestinationPort": "remote-port",
}
_SESSION = {"Name": "ifname", "SessionId": "id", "PeerSessionId": "peer-id", "Layer2SpecificHeader": "sublayer"}


@dataclass(slots=True)
class _Section:
    name: str
    place: Place
    settings: list[tuple[str, str, Place]] = field(default_factory=list)

    def last(self, key: str) -> str:
        """The value of the last assignment, "" when there is none."""
        return next((value for name, value, _ in reversed(self.settings) if name == key), "")


_Unit = list[_Section]
"""The sections of one file."""


def read(texts: list[tuple[Path, str]], complaints: Warnings) -> list[Draft]:
    """The tunnels of the files, and the bridges that they make."""
    units = [unit for file, text in texts for unit in _units(list(_sections(file, text, complaints)))]
    drafts: list[Draft] = []
    bridges = Bridges(complaints)
    networks: list[_Unit] = []
    for unit in units:
        kinds = {section.last("Kind") for section in unit if section.name == "NetDev"}
        if kinds == {"l2tp"}:
            drafts.append(_tunnel(unit, {draft.name for draft in drafts}, complaints))
        elif kinds == {"bridge"}:
            _bridge(unit, bridges, complaints)
        elif not kinds:
            _no_netdev(unit, complaints)
            if unit[0].name == "Match":
                networks.append(unit)
    networks.sort(key=lambda unit: unit[0].place.file.name)  # keeps the order of those in one file
    sessions = {}
    for draft in drafts:
        sessions.update({str(one.words["ifname"]): one for one in draft.sessions if "ifname" in one.words})
    _Networks(networks, bridges, complaints).apply(sessions)
    return [*drafts, *bridges.finished(drafts, {(None, ifname): one for ifname, one in sessions.items()})]


def _no_netdev(unit: _Unit, complaints: Warnings) -> None:
    """Complain of sections that only a .netdev has."""
    for section in unit:
        if section.name in ("L2TP", "L2TPSession"):
            complaints.add(section.place, f"[{section.name}] without [NetDev] above it", "give the whole file")


# -- files as sections -------------------------------------------------------------------------------------------------


def _sections(file: Path, text: str, complaints: Warnings) -> Iterator[_Section]:
    section: _Section | None = None
    for number, line in _logical_lines(text):
        place = Place(file, number)
        if line.startswith("[") and line.endswith("]"):
            if section is not None:
                yield section
            section = _Section(line[1:-1], place)
        elif "=" not in line:
            complaints.add(place, f"{quoted(line)} is neither [SECTION] nor KEY=VALUE", "put a # before a comment")
        elif section is None:
            complaints.add(place, f"{quoted(line.split('=')[0])} stands before any [SECTION]", "give the whole file")
        else:
            key, _, value = line.partition("=")
            section.settings.append((key.strip(), value.strip(), place))
    if section is not None:
        yield section


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are neither empty nor comments, those that end in a backslash joined with the next."""
    begun, whole = 0, ""
    for number, line in enumerate(text.split("\n"), start=1):
        bare = line.strip()
        if bare.startswith(("#", ";")) or (not bare and not whole):
            continue
        begun = begun or number
        whole += bare.removesuffix("\\") + " "
        if not bare.endswith("\\"):
            yield begun, whole.strip()
            begun, whole = 0, ""
    if whole.strip():
        yield begun, whole.strip()


def _units(sections: list[_Section]) -> list[_Unit]:
    """The files that they were. A .netdev may have a [Match] of its own, above [NetDev]."""
    units: list[_Unit] = []
    for section in sections:
        names = [other.name for other in units[-1]] if units else []
        fresh = section.name == "Match" or (section.name == "NetDev" and names != ["Match"])
        if fresh or not units:
            units.append([])
        units[-1].append(section)
    return units


# -- .netdev -----------------------------------------------------------------------------------------------------------


def _tunnel(unit: _Unit, taken: set[str], complaints: Warnings) -> Draft:
    head = next(section for section in unit if section.name == "NetDev")
    draft = Draft(name_from(head.last("Name"), taken, "tunnel"), head.place)
    draft.words["encap"] = "udp"
    checksums = _Checksums()
    for section in unit:
        if section.name == "L2TP":
            _tunnel_section(section, draft, checksums, complaints)
        elif section.name == "L2TPSession":
            draft.sessions.append(_session(section, {one.name for one in draft.sessions}, complaints))
        elif section.name == "Match" and section.settings:
            complaints.warn(section.place, "[Match] of a .netdev is not imported", "it will be made everywhere")
        elif section.name not in ("NetDev", "Match"):
            complaints.add(section.place, f"[{section.name}] does not belong to an l2tp .netdev", "take it out")
    _finish(draft, checksums, complaints)
    return draft


@dataclass(slots=True)
class _Checksums:
    """What is said of UDP checksums; networkd's default is none. over_ipv4: sent. none: whether IPv6 goes without."""

    over_ipv4: bool = False
    none: dict[str, bool] = field(default_factory=lambda: {"tx": True, "rx": True})


def _tunnel_section(section: _Section, draft: Draft, checksums: _Checksums, complaints: Warnings) -> None:
    for key, value, place in section.settings:
        if key in _TUNNEL and value:
            draft.set(_TUNNEL[key], value, place)
        elif key == "Local":
            _local(draft, value, place, complaints)
        elif key in _CHECKSUM:
            checksums.over_ipv4 = _flag(key, value, place, complaints)
        elif key in _NO_CHECKSUM:
            checksums.none[_NO_CHECKSUM[key]] = _flag(key, value, place, complaints)
        elif key not in _TUNNEL:
            complaints.add(place, f"{quoted(key)} is unknown in [L2TP]", "see systemd.netdev(5)")


def _local(draft: Draft, value: str, place: Place, complaints: Warnings) -> None:
    address, at, _ = value.partition("@")
    if address in ("", "auto", "static", "dynamic"):
        if at or address in ("static", "dynamic"):
            complaints.warn(place, f"Local={value}: the route to the peer chooses the address instead", "or give it")
        draft.words.pop("local", None)
        return
    draft.set("local", address, place)


def _finish(draft: Draft, checksums: _Checksums, complaints: Warnings) -> None:
    demanded = ["id", "peer-id"]
    if draft.words["encap"] == "ip":
        draft.words = {word: value for word, value in draft.words.items() if not word.endswith("-port")}
    else:
        demanded += ["local-port", "remote-port"]
        v6 = ":" in draft.words.get("remote", "")
        none = checksums.none
        if v6 and none["tx"] != none["rx"]:
            problem = "UDP checksums in one direction only are not supported"
            complaints.add(draft.place, problem, "give UDP6CheckSumTx= and UDP6CheckSumRx= alike")
        draft.words["udp-checksum"] = "on" if (not none["tx"] if v6 else checksums.over_ipv4) else "off"
    for key, word in _TUNNEL.items():
        if word in demanded and word not in draft.words:
            complaints.add(draft.place, f"{key}= is missing, which networkd demands", "give it")


def _flag(key: str, value: str, place: Place, complaints: Warnings) -> bool:
    if value.lower() not in _YES | _NO:
        complaints.add(place, f"{key}={quoted(value)} is neither yes nor no", "give one of them")
    return value.lower() in _YES


def _session(section: _Section, taken: set[str], complaints: Warnings) -> Draft:
    draft = Draft(name_from(section.last("Name"), taken, "session"), section.place)
    draft.words |= {"tx-cookie": b"", "rx-cookie": b"", "sublayer": "default"}
    for key, value, place in section.settings:
        if key not in _SESSION:
            complaints.add(place, f"{quoted(key)} is unknown in [L2TPSession]", "see systemd.netdev(5)")
        elif value:
            draft.set(_SESSION[key], value, place)
    for key, word in _SESSION.items():
        if word not in draft.words:
            complaints.add(section.place, f"{key}= is missing, which networkd demands", "give it")
    return draft


# -- bridges -----------------------------------------------------------------------------------------------------------

_BRIDGE_SWITCHES = {"STP": "stp", "VLANFiltering": "vlan-filtering", "MulticastSnooping": "igmp-snooping"}


def _bridge(unit: _Unit, bridges: Bridges, complaints: Warnings) -> None:
    """A .netdev of kind bridge."""
    head = next(section for section in unit if section.name == "NetDev")
    draft = bridges.add(None, head.last("Name"), head.place).draft
    for section in unit:
        for key, value, place in section.settings:
            if (section.name, key) in (("NetDev", "MTUBytes"), ("NetDev", "MACAddress")) and value not in ("", "none"):
                draft.set("mtu" if key == "MTUBytes" else "mac", value, place)
            elif section.name == "Bridge" and key in _BRIDGE_SWITCHES:
                draft.set(_BRIDGE_SWITCHES[key], "on" if _flag(key, value, place, complaints) else "off", place)
            elif section.name == "Bridge" and key == "Priority":
                draft.set("priority", value, place)
            elif section.name != "NetDev" and section.name != "Match":
                complaints.warn(place, f"[{section.name}] {key}= of a bridge is not imported", "set it by other means")


# -- .network ----------------------------------------------------------------------------------------------------------


class _Networks:
    """The .network files in networkd's order. To each netdev the first that matches is applied, and no other."""

    def __init__(self, units: list[_Unit], bridges: Bridges, complaints: Warnings) -> None:
        self._units, self._bridges, self._complaints = units, bridges, complaints

    def apply(self, sessions: dict[str, Draft]) -> None:
        """Give the sessions' netdevs, the bridges and the bridges' other ports what the files say of them."""
        for ifname, session in sessions.items():
            self._to_netdev(session, ifname, None)
        for ifname in sorted(self._bridges.names()):
            bridge = self._bridges.get(None, ifname)
            if bridge is not None:
                self._to_netdev(bridge.draft, ifname, "bridge")
        for unit in self._units:
            self._other_ports(unit, sessions)

    def _to_netdev(self, draft: Draft, ifname: str, kind: str | None) -> None:
        for unit in self._units:
            match = unit[0]
            found = match_section([(key, value) for key, value, _ in match.settings], ifname, kind)
            if isinstance(found, str):
                problem = (
                    f"whether [Match] {found}= is true of {ifname} can't be decided: the file is not applied to it"
                )
                self._complaints.warn(match.place, problem, "give Name= alone, or set it by other means")
                return
            if found:
                for section in unit[1:]:
                    for key, value, place in section.settings:
                        self._setting(draft, ifname, section.name, key, value, place)
                return

    def _setting(self, draft: Draft, ifname: str, section: str, key: str, value: str, place: Place) -> None:
        """Give a session's netdev or a bridge what one line says."""
        match section, key:
            case ("Network" | "Address", "Address"):
                draft.set("address", [*draft.words.get("address", []), value] if value else [], place)
            case ("Network", "VRF") if value:
                self._complaints.add_vrf(place, ifname)
            case ("Link", "MTUBytes") if value:
                draft.set("mtu", value, place)
            case ("Link", "MACAddress") if value:
                draft.set("mac", value, place)
            case ("Link", "ActivationPolicy"):
                up = value not in ("down", "always-down", "manual")
                draft.set("up", ("on" if up else "off") if draft.is_link else up, place)
            case _ if draft.is_link or not self._port_setting(draft, ifname, section, key, value, place):
                self._complaints.warn(place, f"[{section}] {key}= of {ifname} is not imported", "set it by other means")

    def _port_setting(self, draft: Draft, ifname: str, section: str, key: str, value: str, place: Place) -> bool:
        """What a line says of a session's netdev as a port of a bridge. Whether it is such a line."""
        match section, key:
            case ("Network", "Bridge") if value:
                self._bridges.join(None, ifname, value, place)
                draft.set("bridge", value, place)
            case ("Bridge", "Isolated"):
                isolated = _flag(key, value, place, self._complaints)
                self._bridges.port(None, ifname, place).isolated = place if isolated else None
            case ("BridgeVLAN", _):
                remedy = "take it out, and give the VLANs to the link with `vlan = [...]` afterwards"
                self._complaints.add(place, f"[BridgeVLAN] {key}= of {ifname} can't be imported", remedy)
            case _:
                return False
        return True

    def _other_ports(self, unit: _Unit, sessions: dict[str, Draft]) -> None:
        """NICs that a file puts into a bridge of these files, where it names them."""
        network = next((section for section in unit if section.name == "Network" and section.last("Bridge")), None)
        bridge = network.last("Bridge") if network is not None else ""
        if network is None or self._bridges.get(None, bridge) is None:
            return
        isolated = any(section.last("Isolated").lower() in _YES for section in unit if section.name == "Bridge")
        for pattern in _names_matched(unit):
            if GLOB & set(pattern) or pattern.startswith("!"):
                problem = f"which other netdevs match {quoted(pattern)} and are in the bridge {bridge} can't be told"
                self._complaints.warn(unit[0].place, problem, "add them to the link's `over`")
            elif pattern not in sessions and self._bridges.get(None, pattern) is None:
                self._bridges.join(None, pattern, bridge, network.place)
                self._bridges.port(None, pattern, network.place).isolated = network.place if isolated else None


def _names_matched(unit: _Unit) -> list[str]:
    """The names and patterns of names of a .network's [Match]."""
    return list(name_patterns(value for key, value, _ in unit[0].settings if key == "Name"))
