"""The bridges that another tool's files make: each becomes a link of type bridge, over its ports.

A session whose bridge the files do not make keeps the bridge's name as its `bridge`. What such a port is told beyond
that (isolation, VLANs) has no place on record, so it is refused: left out, frames would go where they did not before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from l2tpv3.formats.draft import Draft, Place, Warnings, name_from, quoted

VLAN_MAX = 4094
"""IEEE 802.1Q."""

Netdevs = Mapping[tuple[str | None, str], Draft]
"""Sessions by their netdevs' network namespace (None: the files' own) and name."""


@dataclass(slots=True)
class Port:
    """A bridge's port, as bridge(8) has it.

    place: the line that made it one. isolated, vlans: the lines that say so. pvid: the VLAN of frames that come in
    without a tag. untagged: the VLANs whose frames go out without one. tagged: those whose frames have one.
    """

    place: Place
    isolated: Place | None = None
    vlans: Place | None = None
    pvid: int | None = 1  # the kernel makes each port an untagged member of VLAN 1 (vlan_default_pvid)
    untagged: set[int] = field(default_factory=lambda: {1})
    tagged: set[int] = field(default_factory=set)

    def add_vlan(self, number: int, *, pvid: bool, untagged: bool) -> None:
        """Make it a member of a VLAN."""
        self.del_vlan(number)
        (self.untagged if untagged else self.tagged).add(number)
        if pvid:
            self.pvid = number

    def del_vlan(self, number: int) -> None:
        """Take it out of a VLAN."""
        self.tagged.discard(number)
        self.untagged.discard(number)
        self.pvid = None if self.pvid == number else self.pvid

    @property
    def is_plain(self) -> bool:
        """Whether the VLAN without tags is one, and the same in both directions, which is all that a link has."""
        return self.untagged == (set() if self.pvid is None else {self.pvid})


@dataclass(slots=True)
class Bridge:
    """A bridge that the files make: its words as a link's, and its ports by their netdevs' names."""

    ifname: str
    netns: str | None
    draft: Draft
    ports: dict[str, Port] = field(default_factory=dict)

    def port(self, ifname: str, place: Place) -> Port:
        """The port with that netdev, made when it is new."""
        return self.ports.setdefault(ifname, Port(place))


class Bridges:
    """The bridges in files, by network namespace (None: the files' own) and name."""

    def __init__(self, complaints: Warnings) -> None:
        self._complaints = complaints
        self._made: dict[tuple[str | None, str], Bridge] = {}
        self._ports: dict[tuple[str | None, str], Port] = {}  # of bridges that were not made, as far as is known

    def add(self, netns: str | None, ifname: str, place: Place) -> Bridge:
        """The files make this bridge."""
        if (netns, ifname) not in self._made:
            taken = {one.draft.name for one in self._made.values()}
            draft = Draft(name_from(ifname, taken, "bridge"), place)
            draft.words |= {"type": "bridge", "stp": "off"}
            if draft.name != ifname:
                draft.words["ifname"] = ifname
            if netns is not None:
                draft.words["over-netns"] = netns
            self._made[netns, ifname] = Bridge(ifname, netns, draft)
        return self._made[netns, ifname]

    def get(self, netns: str | None, ifname: str) -> Bridge | None:
        """The bridge, if the files make it."""
        return self._made.get((netns, ifname))

    def remove(self, netns: str | None, ifname: str) -> None:
        """The files delete it again."""
        self._made.pop((netns, ifname), None)

    def names(self) -> set[str]:
        """The names of all bridges that the files make."""
        return {ifname for _, ifname in self._made}

    def join(self, netns: str | None, port: str, bridge: str | None, place: Place) -> None:
        """A netdev becomes the port of a bridge that the files make (or of another one), or of none."""
        for one in self._made.values():
            if one.netns == netns:
                one.ports.pop(port, None)
        if bridge is not None and (netns, bridge) in self._made:
            self._made[netns, bridge].ports[port] = self._ports.pop((netns, port), Port(place))

    def port(self, netns: str | None, ifname: str, place: Place) -> Port:
        """The settings of a netdev as the port of a bridge, as far as they were read."""
        for one in self._made.values():
            if one.netns == netns and ifname in one.ports:
                return one.ports[ifname]
        return self._ports.setdefault((netns, ifname), Port(place))

    def rename_port(self, netns: str | None, old: str, new: str) -> None:
        """A netdev has another name from now on."""
        for one in self._made.values():
            if one.netns == netns and old in one.ports:
                one.ports = {new if name == old else name: port for name, port in one.ports.items()}

    def finished(self, tunnels: Iterable[Draft], netdevs: Netdevs) -> list[Draft]:
        """The links, once all is known. netdevs: the sessions' netdevs."""
        keys = {id(session): f"{tunnel.name}/{session.name}" for tunnel in tunnels for session in tunnel.sessions}
        sessions = {at: keys[id(session)] for at, session in netdevs.items() if id(session) in keys}
        refused: set[Place | None] = set()  # one line may be about several ports
        for (netns, ifname), port in self._ports.items():
            cause = port.isolated or port.vlans
            if (netns, ifname) in sessions and cause not in refused:
                self._refuse_lost(ifname, port)
                refused.add(cause)
        links = []
        for bridge in self._made.values():
            # Without a session it has nothing to do with us, and stays what it is.
            if any((bridge.netns, ifname) in sessions for ifname in bridge.ports):
                self._finish(bridge, sessions, netdevs)
                links.append(bridge.draft)
        return links

    def _refuse_lost(self, ifname: str, port: Port) -> None:
        remedy = "add the line that makes the bridge: then it becomes a link, which can have that"
        if port.isolated is not None:
            self._complaints.add(port.isolated, f"{ifname} is isolated in a bridge that is not made here", remedy)
        elif port.vlans is not None:
            self._complaints.add(port.vlans, f"{ifname} has VLANs in a bridge that is not made here", remedy)

    def _finish(self, bridge: Bridge, sessions: Mapping[tuple[str | None, str], str], netdevs: Netdevs) -> None:
        draft = bridge.draft
        over: list[str] = []
        isolated: list[str] = []
        vlans: list[str] = []
        for ifname, port in bridge.ports.items():
            key = sessions.get((bridge.netns, ifname), ifname)
            over.append(key)
            draft.places.setdefault("over", port.place)
            if (bridge.netns, ifname) in sessions:
                netdevs[bridge.netns, ifname].words.pop("bridge", None)
            if port.isolated is not None:
                isolated.append(key)
            if draft.words.get("vlan-filtering") == "on" and port.vlans is not None:
                vlans.append(_vlans(key, port))
                if not port.is_plain:
                    problem = f"{ifname}: frames without a tag are of several VLANs, or of one in one direction only"
                    remedy = "have `pvid untagged` at one VLAN, and delete VLAN 1 where it is another"
                    self._complaints.add(port.vlans, problem, remedy)
        draft.words["over"] = over
        if isolated:
            draft.words["isolated"] = isolated
        if vlans:
            draft.words["vlan"] = vlans


def _vlans(key: str, port: Port) -> str:
    """A port's VLANs as --vlan has them: eth1=10u+20-29."""
    parts = [] if port.pvid is None else [f"{port.pvid}u"]
    parts += [str(low) if low == high else f"{low}-{high}" for low, high in _ranges(sorted(port.tagged))]
    return f"{key}={'+'.join(parts)}"


def _ranges(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Neighbours joined: 1, 2, 3, 7 is (1, 3) and (7, 7)."""
    for number in numbers:
        if number - 1 not in numbers:
            last = number
            while last + 1 in numbers:
                last += 1
            yield number, last


def parse_vlans(text: str) -> list[int] | None:
    """The VLANs of `10` or `10-20`; None where it is neither."""
    low, dash, high = text.partition("-")
    if not low.isascii() or not low.isdigit() or (dash and not (high.isascii() and high.isdigit())):
        return None
    first, last = int(low), int(high or low)
    return list(range(first, last + 1)) if 1 <= first <= last <= VLAN_MAX else None


def no_vlans(text: str) -> str:
    """The problem with what `parse_vlans` gave None for."""
    return f"{quoted(text)} is no VLAN or range of VLANs"
