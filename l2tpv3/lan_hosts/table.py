"""The hosts behind one pseudowire, gathered from what they say. No I/O; times are given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from l2tpv3.lan_hosts.frames import IPAddress, Said
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.value_class import value_class

HOSTS_MAX: Final = 4096
OF_EACH: Final = 16
"""Addresses, names and VLANs that are kept of one host."""
STORM_PER_S: Final = 500.0
"""Frames to many each second that no LAN in health has."""


@value_class(frozen=True, slots=True, kw_only=True)
class LanHost:
    """A host. far: whether it is at the far end of the wire, not at this one. age_s: since it was heard last."""

    mac: str
    far: bool
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    vlans: tuple[int, ...] = ()
    vendor: str = ""
    age_s: float | None = None


@dataclass
class _Known:
    addresses: dict[IPAddress, None] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)
    vlans: set[int] = field(default_factory=set)
    ways: set[bool] = field(default_factory=set)
    known_far: bool = False
    heard: float | None = None


class Table:
    """What was heard of the hosts of one session. subject: `session siteb/lan`."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self._hosts: dict[bytes, _Known] = {}
        self._servers: dict[tuple[IPAddress, bytes], bool] = {}
        self._group_frames = 0.0

    def known(self, mac: bytes, address: IPAddress | None, heard: float | None) -> None:
        """Take note of a host at the far end that this host's kernel knows. heard: when, of the monotonic clock."""
        host = self._host(mac)
        if host is not None:
            host.known_far = True
            host.heard = host.heard if heard is None else max(host.heard or heard, heard)
            self._add(host.addresses, address)

    def add(self, told: Said, now: float, *, far: bool, stands_for: float = 1.0) -> None:
        """Take a frame in. far: it came through the wire. stands_for: of how many such frames it is the sample."""
        if far and told.group:
            self._group_frames += stands_for
        host = self._host(told.mac)
        if host is None:
            return
        host.ways.add(far)
        host.heard = now
        self._add(host.addresses, told.address)
        if told.vlan is not None and len(host.vlans) < OF_EACH:
            host.vlans.add(told.vlan)
        for name, address in told.names:
            self._add(host.names, name)
            self._add(host.addresses, address)
        if told.server is not None and len(self._servers) < OF_EACH:
            self._servers[told.server, told.mac] = far

    def _host(self, mac: bytes) -> _Known | None:
        if mac not in self._hosts and len(self._hosts) >= HOSTS_MAX:
            return None
        return self._hosts.setdefault(mac, _Known())

    @staticmethod
    def _add(kept: dict[IPAddress, None] | dict[str, None], one: IPAddress | str | None) -> None:
        if one is not None and len(kept) < OF_EACH:
            kept.setdefault(one)  # type: ignore[arg-type]  # each dict has keys of the kind of `one`

    def hosts(self, now: float, vendors: dict[str, str]) -> list[LanHost]:
        """The hosts, those at the far end first. vendors: by the first three bytes of a MAC address, as `00:00:0c`."""
        found = [
            LanHost(
                mac=mac.hex(":"),
                far=True in one.ways or (not one.ways and one.known_far),
                addresses=tuple(map(str, sorted(one.addresses, key=lambda it: (it.version, it.packed)))),
                names=tuple(one.names),
                vlans=tuple(sorted(one.vlans)),
                vendor=vendors.get(mac[:3].hex(":"), ""),
                age_s=None if one.heard is None else round(max(now - one.heard, 0.0), 1),
            )
            for mac, one in self._hosts.items()
        ]
        return sorted(found, key=lambda one: (not one.far, one.mac))

    def findings(self, listened_s: float) -> Iterator[Finding]:
        """What is wrong on the LAN, as far as was heard."""
        rate = self._group_frames / listened_s if listened_s else 0.0
        if rate >= STORM_PER_S:
            says = f"a broadcast storm: {rate:.0f} frames to many hosts come through the wire each second"
            remedy = (
                "look for a loop: two ways between the same two LANs (`l2tpctl doctor`), or spanning tree that is off"
            )
            yield self._finding("broadcast-storm", Harm.LOSES, says, remedy)
        for mac, one in self._hosts.items():
            if len(one.ways) > 1:
                says = f"{mac.hex(':')} is at both ends of the wire: two hosts have one MAC address, or there is a loop"
                remedy = "give one of them another MAC address, or take the loop apart (`bridge fdb show`)"
                yield self._finding("duplicate-mac", Harm.LOSES, says, remedy)
        yield from self._duplicate_addresses()
        if len({server for server, _ in self._servers}) > 1:
            where = [
                f"{server} ({mac.hex(':')}, {'far end' if far else 'this end'})"
                for (server, mac), far in self._servers.items()
            ]
            says = f"more than one DHCP server answers: {', '.join(where)}"
            yield self._finding("second-dhcp-server", Harm.LOSES, says, "switch one of them off, or keep DHCP apart")

    def _duplicate_addresses(self) -> Iterator[Finding]:
        macs: dict[tuple[IPAddress, frozenset[int]], list[bytes]] = {}  # each VLAN is a LAN of its own
        for mac, one in self._hosts.items():
            for address in one.addresses:
                macs.setdefault((address, frozenset(one.vlans)), []).append(mac)
        for (address, _), owners in macs.items():
            if len(owners) > 1:
                names = ", ".join(mac.hex(":") for mac in owners[:4])
                says = f"more than one host has address {address}: {names}"
                yield self._finding("duplicate-address", Harm.LOSES, says, "give each of them an address of its own")

    def _finding(self, cause: str, harm: Harm, says: str, remedy: str) -> Finding:
        return Finding(cause=cause, harm=harm, subject=self.subject, says=says, remedy=remedy)
