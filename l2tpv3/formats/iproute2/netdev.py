"""Follows what `ip link`, `ip addr`, `bridge`, ifconfig and brctl in a script do to netdevs of sessions and to bridges.

Grammar: ip-link(8) with iproute2's ip/iplink.c, ip-address(8), bridge(8), ifconfig(8), brctl(8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.bridges import Bridge, Bridges, no_vlans, parse_vlans
from l2tpv3.formats.draft import Draft, Place, Warnings, quoted

_WITH_VALUE = {
    *("name", "link", "address", "broadcast", "mtu", "netns", "master", "vrf", "txqueuelen", "txqlen", "qlen"),
    *("alias", "group", "index", "multicast", "allmulticast", "promisc", "arp", "trailers", "dynamic", "carrier"),
    *("mode", "state", "addrgenmode", "protodown", "numtxqueues", "numrxqueues", "gso_max_size", "gso_max_segs"),
    *("gso_ipv4_max_size", "gro_max_size", "gro_ipv4_max_size", "link-netns", "link-netnsid", "min_mtu", "max_mtu"),
}
"""Words of `ip link add` and `set` that a value follows."""

_FLAGS = {"up", "down", "nomaster"}
_SESSION_WORDS = {"mtu": "mtu", "address": "mac"}
_BRIDGE_SWITCHES = {"stp_state": "stp", "vlan_filtering": "vlan-filtering", "mcast_snooping": "igmp-snooping"}
_HARMLESS_ADDRESS_WORDS = {"brd", "broadcast", "scope", "label", "metric", "proto"}
_HARMLESS_ADDRESS_FLAGS = {"nodad", "noprefixroute", "home", "mngtmpaddr", "autojoin", "optimistic"}
_LOOKS = ("show", "list", "lst", "save")
_OTHER_MEANS = "set it by other means"


@dataclass(slots=True)
class LinkRequest:
    """`ip link add` or `set`, taken apart. type_words: what follows `type TYPE`, with it."""

    ifname: str = ""
    flags: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    type_words: list[str] = field(default_factory=list)


def parse_link(words: list[str]) -> LinkRequest:
    """The words after `ip link add` or `set`: the netdev's name may stand anywhere, with or without `dev`.

    Raises InvalidValueError where a value is missing or two names are given.
    """
    request = LinkRequest()
    rest = iter(words)
    for word in rest:
        if word in _FLAGS:
            request.flags.append(word)
        elif word == "type":
            request.type_words = list(rest)
        elif word in _WITH_VALUE:
            request.values[word] = _value(rest, word)
        else:
            name = _value(rest, word) if word == "dev" else word
            if request.ifname and request.ifname != name:
                problem = f"two netdevs are named, {quoted(request.ifname)} and {quoted(name)}"
                raise InvalidValueError("ip link", problem, "name one; other words are not understood here")
            request.ifname = name
    return request


class Netdevs:
    """The netdevs that a script has made so far: those of sessions, by namespace (None: its own) and name; bridges."""

    def __init__(self, complaints: Warnings) -> None:
        self._complaints = complaints
        self.sessions: dict[tuple[str | None, str], Draft] = {}
        self.bridges = Bridges(complaints)
        self._others: dict[str, str] = {}  # netdevs of other types, which the script makes

    def knows(self, netns: str | None, ifname: str) -> bool:
        """Whether it is a session's netdev, or a bridge that the script made."""
        return (netns, ifname) in self.sessions or self.bridges.get(netns, ifname) is not None

    # -- ip link -----------------------------------------------------------------------------------------------------

    def ip_link(self, netns: str | None, words: list[str], place: Place) -> bool:
        """`ip link` and these words. Whether it was understood. Raises InvalidValueError."""
        verb = words[0] if words else "show"
        if any(look.startswith(verb) for look in _LOOKS):
            return True
        if "add".startswith(verb):
            return self._add_link(netns, words[1:], place)
        if "delete".startswith(verb):
            request = parse_link(words[1:])
            ifname = request.values.get("name", request.ifname)
            self.bridges.remove(netns, ifname)
            if (netns, ifname) in self.sessions:
                problem = f"a session's netdev, {ifname}, can't be deleted by `ip link`"
                raise InvalidValueError("ip link del", problem, "take the line out, or write `ip l2tp del session`")
            return True
        if "set".startswith(verb) or "change".startswith(verb):
            return self._set_link(netns, words[1:], place)
        return False

    def _add_link(self, netns: str | None, words: list[str], place: Place) -> bool:
        request = parse_link(words)
        ifname = request.values.pop("name", request.ifname)
        if request.type_words[:1] != ["bridge"] or not ifname:
            self._others[ifname] = " ".join(request.type_words[:1]) or "netdev"
            return False
        bridge = self.bridges.add(netns, ifname, place)
        bridge.draft.words.setdefault("up", "off")
        self._bridge_options(bridge, request.type_words[1:], place)
        self._apply(netns, ifname, request, place)
        return True

    def _set_link(self, netns: str | None, words: list[str], place: Place) -> bool:
        request = parse_link(words)
        ifname = request.ifname
        if request.type_words[:1] == ["bridge_slave"]:
            self._port_options(netns, ifname, request.type_words[1:], place)
        elif request.type_words[:1] == ["bridge"]:
            bridge = self.bridges.get(netns, ifname)
            if bridge is not None:
                self._bridge_options(bridge, request.type_words[1:], place)
        elif request.type_words:
            return False
        self._apply(netns, ifname, request, place)
        return True

    def _apply(self, netns: str | None, ifname: str, request: LinkRequest, place: Place) -> None:
        """What the words say, to a session's netdev or a bridge; of any other netdev only which bridge it is in."""
        for word in ("master", "nomaster"):
            if word in request.values or word in request.flags:
                self._join(netns, ifname, request.values.get("master"), place)
        if not self.knows(netns, ifname):
            return
        session = self.sessions.get((netns, ifname))
        draft = self._draft(netns, ifname)
        if session is not None:
            session.words.setdefault("ifname", ifname)
        for flag in request.flags:
            if flag in ("up", "down"):
                draft.set("up", _switch(session, up=flag == "up"), place)
        for word, value in request.values.items():
            if word in _SESSION_WORDS:
                draft.set(_SESSION_WORDS[word], value, place)
            elif word in ("name", "netns"):
                netns, ifname = self._move((netns, ifname), word, value, place)
            elif word == "vrf":
                self._complaints.add_vrf(place, ifname)
            elif word != "master":
                self._complaints.warn(place, f"{quoted(word)} of {ifname} is not imported", _OTHER_MEANS)

    def _draft(self, netns: str | None, ifname: str) -> Draft:
        bridge = self.bridges.get(netns, ifname)
        return bridge.draft if bridge is not None else self.sessions[netns, ifname]

    def _join(self, netns: str | None, ifname: str, bridge: str | None, place: Place) -> None:
        self.bridges.join(netns, ifname, bridge, place)
        if (netns, ifname) in self.sessions:
            if bridge in self._others:
                problem = f"{ifname} becomes a member of {bridge}, a {self._others[bridge]}"
                remedy = f"take the line out, and use `l2tpctl link add {bridge} --type bond --over ...` afterwards"
                raise InvalidValueError("ip link set", problem, remedy)
            self.sessions[netns, ifname].set("bridge", bridge, place)

    def _move(self, at: tuple[str | None, str], word: str, value: str, place: Place) -> tuple[str | None, str]:
        """Rename the netdev, or move it to a network namespace, and give where it is from now on."""
        netns, ifname = at
        if at not in self.sessions:
            problem = f"{quoted(word)} of the bridge {ifname} can't be imported"
            raise InvalidValueError("ip link set", problem, "make it under that name, in that namespace")
        if word == "netns" and value.isdigit():
            problem = f"netns {value} is a process, whose namespace may be any"
            raise InvalidValueError("ip link set", problem, "give the name of a namespace")
        session = self.sessions.pop(at)
        session.set("ifname" if word == "name" else "netns", value, place)
        if word == "netns":
            self._lose(session, at, place)
        now = (netns, value) if word == "name" else (value, ifname)
        if word == "name":
            self.bridges.rename_port(netns, ifname, value)
        self.sessions[now] = session
        return now

    def _lose(self, session: Draft, at: tuple[str | None, str], place: Place) -> None:
        """What the kernel takes from a netdev that goes to another namespace: addresses, its bridge, and `up`."""
        lost = [word for word in ("address", "bridge") if session.words.get(word)]
        if lost:
            problem = f"{at[1]} loses its {' and its '.join(lost)} when it goes to another namespace"
            self._complaints.warn(place, problem, "give it to the netdev again after that line")
        self.bridges.join(*at, None, place)
        session.words = {word: value for word, value in session.words.items() if word not in lost}
        session.set("up", value=False, place=place)

    def _bridge_options(self, bridge: Bridge, words: list[str], place: Place) -> None:
        """What follows `type bridge`. Raises InvalidValueError."""
        rest = iter(words)
        for word in rest:
            value = _value(rest, word)
            if word in _BRIDGE_SWITCHES:
                bridge.draft.set(_BRIDGE_SWITCHES[word], "off" if value in ("0", "off") else "on", place)
            elif word == "priority":
                bridge.draft.set(word, value, place)
            elif word == "forward_delay":
                self._delay(bridge, value, place)
            else:
                self._complaints.warn(place, f"{quoted(word)} of {bridge.ifname} is not imported", _OTHER_MEANS)

    def _delay(self, bridge: Bridge, hundredths: str, place: Place) -> None:
        if hundredths.isascii() and hundredths.isdigit():
            bridge.draft.set("forward-delay-ms", str(int(hundredths) * 10), place)
        else:
            self._complaints.add(place, f"{quoted(hundredths)} is no forward_delay", "give hundredths of a second")

    def _port_options(self, netns: str | None, ifname: str, words: list[str], place: Place) -> None:
        """`isolated on` and the like of a bridge's port. Raises InvalidValueError."""
        rest = iter(words)
        for word in rest:
            if word == "isolated":
                isolated = _value(rest, word) not in ("off", "0")
                self.bridges.port(netns, ifname, place).isolated = place if isolated else None
            elif word not in ("self", "master"):
                _value(rest, word)
                if (netns, ifname) in self.sessions:
                    self._complaints.warn(place, f"{quoted(word)} of {ifname} is not imported", _OTHER_MEANS)

    # -- bridge ------------------------------------------------------------------------------------------------------

    def bridge(self, netns: str | None, words: list[str], place: Place) -> bool:
        """`bridge` and these words. Whether it was understood. Raises InvalidValueError."""
        if len(words) < 2 or any(look.startswith(words[1]) for look in _LOOKS):
            return True
        if words[:2] == ["link", "set"]:
            ifname, rest = _take_dev(words[2:])
            self._port_options(netns, ifname, rest, place)
            return True
        if words[0] == "vlan" and words[1] in ("add", "del", "delete"):
            ifname, rest = _take_dev(words[2:])
            self._vlans(netns, ifname, words[1], rest, place)
            return True
        return False

    def _vlans(self, netns: str | None, ifname: str, verb: str, words: list[str], place: Place) -> None:
        if "self" in words:
            self._complaints.warn(place, f"the VLANs of the bridge {ifname} itself are not imported", _OTHER_MEANS)
            return
        text = words[words.index("vid") + 1] if "vid" in words[:-1] else ""
        numbers = parse_vlans(text)
        if numbers is None:
            raise InvalidValueError("bridge vlan", no_vlans(text), "give vid NUMBER or vid NUMBER-NUMBER")
        port = self.bridges.port(netns, ifname, place)
        port.vlans = place
        for number in numbers:
            if verb == "add":
                port.add_vlan(number, pvid="pvid" in words, untagged="untagged" in words)
            else:
                port.del_vlan(number)

    # -- ip addr -----------------------------------------------------------------------------------------------------

    def ip_addr(self, netns: str | None, words: list[str], place: Place) -> None:
        """`ip addr` and these words. Raises InvalidValueError."""
        verb = words[0] if words else "show"
        if any(look.startswith(verb) for look in _LOOKS):
            return
        address, ifname, peer = _parse_address(words[1:])
        if not ifname and "flush".startswith(verb):
            ifname, address = address, ""
        if not self.knows(netns, ifname):
            return
        draft = self._draft(netns, ifname)
        if (netns, ifname) in self.sessions:
            draft.words.setdefault("ifname", ifname)
        if peer:
            address = _whole(address.partition("/")[0])
            problem = f"the peer {peer} of {address} on {ifname} is not imported: {address} has a prefix of its own"
            self._complaints.warn(place, problem, f"add a route to {peer} by other means")
        self._change_address(draft, verb, address, place)

    def _change_address(self, draft: Draft, verb: str, address: str, place: Place) -> None:
        present = draft.words.get("address", [])
        if verb in ("add", "a", "ad", "replace", "change"):
            draft.set("address", [*present, _whole(address)], place)
        elif verb and ("delete".startswith(verb) or "flush".startswith(verb)):
            left = [one for one in present if one != _whole(address)] if "delete".startswith(verb) else []
            draft.set("address", left, place)
        else:
            raise InvalidValueError("ip addr", f"{quoted(verb)} is unknown", "give add or del")

    # -- the old tools -----------------------------------------------------------------------------------------------

    def brctl(self, words: list[str], place: Place) -> bool:
        """`brctl` and these words. Whether it was understood.

        Raises InvalidValueError for a session that becomes a member of something that is no bridge.
        """
        match words:
            case ["addbr", bridge]:
                self.bridges.add(None, bridge, place).draft.words.setdefault("up", "off")
            case ["delbr", bridge]:
                self.bridges.remove(None, bridge)
            case ["addif", bridge, *ports] if ports:
                for port in ports:
                    self._join(None, port, bridge, place)
            case ["delif", _, port]:
                self._join(None, port, None, place)
            case ["stp", bridge, state]:
                self._stp(bridge, state, place)
            case ["show" | "showmacs" | "showstp", *_]:
                pass
            case _:
                return False
        return True

    def _stp(self, bridge: str, state: str, place: Place) -> None:
        known = self.bridges.get(None, bridge)
        if known is not None:
            known.draft.set("stp", "on" if state in ("on", "yes", "1") else "off", place)

    def ifconfig(self, words: list[str], place: Place) -> bool:
        """`ifconfig` and these words. Whether all was understood. Raises InvalidValueError."""
        ifname, *rest = words or [""]
        if not self.knows(None, ifname) or not rest:
            return True
        draft = self._draft(None, ifname)
        session = self.sessions.get((None, ifname))
        if session is not None:
            session.words.setdefault("ifname", ifname)
        address, mask, understood = "", "", True
        left = iter(rest)
        for word in left:
            if word in ("up", "down"):
                draft.set("up", _switch(session, up=word == "up"), place)
            elif word == "netmask":
                mask = _value(left, word)
            elif word == "mtu":
                draft.set("mtu", _value(left, word), place)
            elif word == "hw":
                _value(left, word)
                draft.set("mac", _value(left, word), place)
            elif word in ("broadcast", "add") or not word[:1].isdigit():
                understood = False
            else:
                address = word
        if address:
            draft.set("address", [_with_mask(address, mask)], place)
            draft.set("up", _switch(session, up=True), place)  # ifconfig(8): an address implies `up`
        return understood


def _switch(session: Draft | None, *, up: bool) -> Any:
    """`up` as a session's words have it, or a link's."""
    if session is not None:
        return up
    return "on" if up else "off"


def _whole(address: str) -> str:
    """An address as `ip addr` takes it: without a length it has that of a host."""
    if "/" in address or not address:
        return address
    return f"{address}/{128 if ':' in address else 32}"


def _with_mask(address: str, mask: str) -> str:
    """An address with the length of a dotted netmask. Raises InvalidValueError."""
    if "/" in address or not mask:
        return address
    try:
        return f"{address}/{IPv4Network(f'0.0.0.0/{mask}').prefixlen}"
    except ValueError:
        raise InvalidValueError("netmask", f"{quoted(mask)} is none", "give one as 255.255.255.0") from None


def _parse_address(words: list[str]) -> tuple[str, str, str]:
    """The address, the netdev and the peer's address of `ip addr add` and the like."""
    address = ifname = peer = ""
    rest = iter(words)
    for word in rest:
        if word == "dev":
            ifname = _value(rest, word)
        elif word == "local":
            address = _value(rest, word)
        elif word in ("peer", "remote"):
            peer = _value(rest, word)
        elif word in _HARMLESS_ADDRESS_WORDS:
            _value(rest, word)
        elif word in ("valid_lft", "preferred_lft") and _value(rest, word) == "forever":
            continue
        elif word in ("anycast", "valid_lft", "preferred_lft"):
            raise InvalidValueError("ip addr", f"{word!r} can't be imported", "give ADDRESS/LENGTH dev NETDEV alone")
        elif word not in _HARMLESS_ADDRESS_FLAGS:
            address = word
    return address, ifname, peer


def _take_dev(words: list[str]) -> tuple[str, list[str]]:
    """The value of `dev`, and the other words. Raises InvalidValueError."""
    if "dev" not in words[:-1]:
        raise InvalidValueError("bridge", "no `dev NETDEV` is given", "give it")
    at = words.index("dev")
    return words[at + 1], words[:at] + words[at + 2 :]


def _value(rest: Iterator[str], word: str) -> str:
    value = next(rest, None)
    if value is None:
        raise InvalidValueError(f"ip: {word}", "its value is missing", "give it")
    return value
