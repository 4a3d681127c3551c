"""systemd-networkd's .netdev files of kind l2tp, in, with the .network files that match their sessions' netdevs.

Sources: as of networkd.py; systemd.syntax(7). Files may also be concatenated: [NetDev] or [Match] begins the next one.
Where a session's netdev has no .network file it is taken to be up all the same: the file may just not be at hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from l2tpv3.interop.draft import Complaints, Draft, Place, name_from, quoted

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


def read(texts: list[tuple[Path, str]], complaints: Complaints) -> list[Draft]:
    """The tunnels of the files."""
    units = [unit for file, text in texts for unit in _units(list(_sections(file, text, complaints)))]
    drafts: list[Draft] = []
    for unit in units:
        kinds = {section.last("Kind") for section in unit if section.name == "NetDev"}
        if kinds == {"l2tp"}:
            drafts.append(_tunnel(unit, {draft.name for draft in drafts}, complaints))
        elif not kinds:
            for section in unit:
                if section.name in ("L2TP", "L2TPSession"):
                    complaints.add(section.place, f"[{section.name}] without [NetDev] above it", "give the whole file")
    for unit in units:
        for section in unit:
            if section.name == "Match" and not any(other.name == "NetDev" for other in unit):
                _network(unit, section, drafts, complaints)
    return drafts


# -- files as sections -------------------------------------------------------------------------------------------------


def _sections(file: Path, text: str, complaints: Complaints) -> Iterator[_Section]:
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


def _units(sections: list[_Section]) -> list[list[_Section]]:
    """The files that they were. A .netdev may have a [Match] of its own, above [NetDev]."""
    units: list[list[_Section]] = []
    for section in sections:
        names = [other.name for other in units[-1]] if units else []
        fresh = section.name == "Match" or (section.name == "NetDev" and names != ["Match"])
        if fresh or not units:
            units.append([])
        units[-1].append(section)
    return units


# -- .netdev -----------------------------------------------------------------------------------------------------------


def _tunnel(unit: list[_Section], taken: set[str], complaints: Complaints) -> Draft:
    head = next(section for section in unit if section.name == "NetDev")
    draft = Draft(name_from(head.last("Name"), taken, "tunnel"), head.place)
    draft.words["encap"] = "udp"
    none = {"tx": True, "rx": True}  # networkd's default over IPv6 is no checksums
    checksum = False  # and over IPv4
    for section in unit:
        if section.name == "L2TPSession":
            draft.sessions.append(_session(section, {one.name for one in draft.sessions}, complaints))
        elif section.name == "Match" and section.settings:
            complaints.warn(section.place, "[Match] of a .netdev is not imported", "it will be made everywhere")
        elif section.name not in ("NetDev", "L2TP", "Match"):
            complaints.add(section.place, f"[{section.name}] does not belong to an l2tp .netdev", "take it out")
        for key, value, place in section.settings if section.name == "L2TP" else ():
            if key in _TUNNEL and value:
                draft.set(_TUNNEL[key], value, place)
            elif key == "Local":
                _local(draft, value, place, complaints)
            elif key in _CHECKSUM:
                checksum = _flag(key, value, place, complaints)
            elif key in _NO_CHECKSUM:
                none[_NO_CHECKSUM[key]] = _flag(key, value, place, complaints)
            elif key not in _TUNNEL:
                complaints.add(place, f"{quoted(key)} is unknown in [L2TP]", "see systemd.netdev(5)")
    _finish(draft, checksum, none, complaints)
    return draft


def _local(draft: Draft, value: str, place: Place, complaints: Complaints) -> None:
    address, at, netdev = value.partition("@")
    if address in ("", "auto", "static", "dynamic"):
        if at:
            complaints.warn(place, f"Local={address}@{netdev}: the route to the peer chooses instead", "or give it")
        draft.words.pop("local", None)
        return
    draft.set("local", address, place)


def _finish(draft: Draft, checksum: bool, none: dict[str, bool], complaints: Complaints) -> None:  # noqa: FBT001
    demanded = ["id", "peer-id"]
    if draft.words["encap"] == "ip":
        draft.words = {word: value for word, value in draft.words.items() if not word.endswith("-port")}
    else:
        demanded += ["local-port", "remote-port"]
        v6 = ":" in draft.words.get("remote", "")
        if v6 and none["tx"] != none["rx"]:
            problem = "UDP checksums in one direction only are not supported"
            complaints.add(draft.place, problem, "give UDP6CheckSumTx= and UDP6CheckSumRx= alike")
        draft.words["udp-checksum"] = "on" if (not none["tx"] if v6 else checksum) else "off"
    for key, word in _TUNNEL.items():
        if word in demanded and word not in draft.words:
            complaints.add(draft.place, f"{key}= is missing, which networkd demands", "give it")


def _flag(key: str, value: str, place: Place, complaints: Complaints) -> bool:
    if value.lower() not in _YES | _NO:
        complaints.add(place, f"{key}={quoted(value)} is neither yes nor no", "give one of them")
    return value.lower() in _YES


def _session(section: _Section, taken: set[str], complaints: Complaints) -> Draft:
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


# -- .network ----------------------------------------------------------------------------------------------------------


def _network(unit: list[_Section], match: _Section, drafts: list[Draft], complaints: Complaints) -> None:
    """Give what a .network says to the sessions that it matches; those that match by other means are nobody's."""
    patterns = match.last("Name").split()
    sessions = [
        session
        for draft in drafts
        for session in draft.sessions
        if any(fnmatchcase(str(session.words.get("ifname", "")), pattern) for pattern in patterns)
    ]
    for session in sessions:
        for section in unit:
            for key, value, place in section.settings if section is not match else ():
                _network_setting(session, section.name, key, value, place, complaints)


def _network_setting(session: Draft, section: str, key: str, value: str, place: Place, complaints: Complaints) -> None:
    if (section, key) in (("Network", "Address"), ("Address", "Address")):
        session.set("address", [*session.words.get("address", []), value] if value else [], place)
    elif (section, key) == ("Network", "Bridge") and value:
        session.set("bridge", value, place)
    elif (section, key) == ("Link", "MTUBytes") and value:
        session.set("mtu", value, place)
    elif (section, key) == ("Link", "MACAddress") and value:
        session.set("mac", value, place)
    elif (section, key) == ("Link", "ActivationPolicy"):
        session.set("up", value not in ("down", "always-down", "manual"), place)
    else:
        complaints.warn(place, f"[{section}] {key}= is not imported", "set it by other means")
