"""The options of each type of link: one frozen class for each type, checked when it is made."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Any, ClassVar

from l2tpv3.errors import InvalidValueError
from l2tpv3.model import ids
from l2tpv3.model.fields import LINK_TYPES, Field, by_word
from l2tpv3.model.values import TYPES as COMMON_TYPES
from l2tpv3.model.values import ValueType, choice, format_words, parse_words, texts
from l2tpv3.value_class import value_class


class LinkType(StrEnum):
    """The type of a link."""

    BRIDGE = "bridge"
    BOND = "bond"
    ALIAS = "alias"
    MACVLAN = "macvlan"
    IPVLAN = "ipvlan"
    VLAN = "vlan"
    VNIC = "vnic"
    PORT = "port"

    @property
    def with_article(self) -> str:
        """The type with its article, for sentences: `a bridge`, `an alias`."""
        return f"an {self}" if self[0] in "aeiou" else f"a {self}"


class Stp(StrEnum):
    """The spanning tree protocol of a bridge. AUTO: on where members can be a loop: with two or more of them."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class BondMode(StrEnum):
    """How a bond uses its members (Documentation/networking/bonding.rst)."""

    ROUND_ROBIN = "round-robin"
    XOR = "xor"
    ACTIVE_BACKUP = "active-backup"
    LACP = "802.3ad"


class Hash(StrEnum):
    """The parts of a frame that choose a flow's member in the modes `xor` and `802.3ad`."""

    LAYER2 = "layer2"
    LAYER23 = "layer2+3"
    LAYER34 = "layer3+4"


class LacpRate(StrEnum):
    """How often LACP asks its partner to tell of itself: every 30 s, or every second."""

    SLOW = "slow"
    FAST = "fast"


class MacvlanMode(StrEnum):
    """Which frames macvlans on one NIC pass to each other (linux/if_link.h MACVLAN_MODE_*)."""

    PRIVATE = "private"
    VEPA = "vepa"
    BRIDGE = "bridge"
    PASSTHRU = "passthru"
    SOURCE = "source"


class IpvlanMode(StrEnum):
    """Whether an ipvlan shares its NIC as a switch (l2) or as a router: l3; l3s also passes netfilter."""

    L2 = "l2"
    L3 = "l3"
    L3S = "l3s"


class IpvlanFlag(StrEnum):
    """Which frames ipvlans on one NIC pass to each other (linux/if_link.h IPVLAN_F_*)."""

    BRIDGE = "bridge"
    PRIVATE = "private"
    VEPA = "vepa"


class VlanProtocol(StrEnum):
    """The tag: the customer's (ethertype 0x8100), or the provider's (0x88a8)."""

    DOT1Q = "802.1q"
    DOT1AD = "802.1ad"


class PortCarrier(StrEnum):
    """Whether a port's NIC loses its link when that at the far end does, and the far end's when this one does."""

    ALONE = "alone"
    FOLLOW = "follow"


@value_class(frozen=True, slots=True)
class MemberVlans:
    """The VLANs of a bridge's member: `eth1=10u,20-29`. untagged: the one of frames without a tag (its PVID)."""

    member: str
    tagged: tuple[tuple[int, int], ...] = ()
    untagged: int | None = None

    @classmethod
    def parse(cls, text: str, what: str) -> MemberVlans:
        """Parse `DEV=VID[u][-VID]+...`. Raises InvalidValueError."""
        member, equals, rest = text.partition("=")
        tagged: list[tuple[int, int]] = []
        untagged: int | None = None
        for part in rest.split("+") if equals and member else ("",):
            found = re.fullmatch(r"(\d{1,4})(u|-(\d{1,4}))?", part)
            low = int(found[1]) if found else 0
            high = int(found[3]) if found and found[3] else low
            if not found or not 1 <= low <= high <= 4094 or (found[2] == "u" and untagged is not None):
                remedy = "give DEV=VLAN+VLAN-VLAN, `u` behind the one that is untagged: eth1=10u+20-29"
                raise InvalidValueError(what, f"{text!r} is not a member's VLANs", remedy)
            if found[2] == "u":
                untagged = low
            else:
                tagged.append((low, high))
        return cls(member, tuple(sorted(tagged)), untagged)

    @property
    def numbers(self) -> dict[int, bool]:
        """The number of each VLAN, and whether it is the untagged one."""
        tagged = {number: False for low, high in self.tagged for number in range(low, high + 1)}
        return tagged if self.untagged is None else {**tagged, self.untagged: True}

    def __str__(self) -> str:
        parts = [f"{low}-{high}" if high > low else str(low) for low, high in self.tagged]
        return f"{self.member}={'+'.join([*([f'{self.untagged}u'] if self.untagged else []), *parts])}"


def parse_device(text: str, what: str) -> str:
    """A netdev's or link's name, or tunnel/session. Raises InvalidValueError for another text."""
    tunnel, slash, session = text.partition("/")
    if slash:
        ids.parse_name(tunnel, what)
        ids.parse_name(session, what)
    elif len(text.encode()) <= ids.IFNAME_MAX:
        ids.parse_ifname(text, what)
    else:
        ids.parse_name(text, what)
    return text


def _member(text: str, what: str) -> str:
    return ids.parse_name(text, what) if "/" not in text else text


def _ipv4(text: str, what: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise InvalidValueError(what, f"{text!r} is not an IPv4 address", "give one as 192.0.2.1") from None


TYPES: Mapping[str, ValueType] = {
    **COMMON_TYPES,
    "devices": texts(parse_device),
    "members": texts(_member),
    "member": ValueType(lambda value, what, field: _member(str(value), what)),
    "member-vlans": texts(MemberVlans.parse),
    "ipv4-list": texts(_ipv4),
    "macs": texts(ids.parse_mac),
    "Stp": choice(Stp),
    "BondMode": choice(BondMode),
    "Hash": choice(Hash),
    "LacpRate": choice(LacpRate),
    "MacvlanMode": choice(MacvlanMode),
    "IpvlanMode": choice(IpvlanMode),
    "IpvlanFlag": choice(IpvlanFlag),
    "VlanProtocol": choice(VlanProtocol),
    "PortCarrier": choice(PortCarrier),
}
"""The types of links' fields by their names: those of every field, and those that only links have."""


def _wrong(word: str, problem: str, remedy: str) -> InvalidValueError:
    return InvalidValueError(f"--{word}", problem, remedy, field=word)


class _Options:
    """Base class of the options of every type.

    least_over, most_over: of how many netdevs it is made; None is any number. loose: these may come and go while it
    stays; else it goes with them. exclusive: nothing else may be over them. own_netdev: it has a netdev. relayed: a
    process of ours carries it.
    """

    type: ClassVar[LinkType]
    least_over: ClassVar[int] = 1
    most_over: ClassVar[int | None] = 1
    loose: ClassVar[bool] = False
    exclusive: ClassVar[bool] = False
    own_netdev: ClassVar[bool] = True
    relayed: ClassVar[bool] = False

    @property
    def words(self) -> dict[str, Field]:
        """The fields that links of its type have beside those of every link, by the word."""
        return own_fields(self.type)

    @property
    def own_mac(self) -> bool:
        """Whether its netdev has a MAC address of its own, rather than that of what it is over."""
        return False

    @property
    def can_lack(self) -> bool:
        """Whether it comes up without what it is to be over."""
        return self.loose and not self.least_over

    def to_words(self) -> dict[str, Any]:
        """The options as JSON can say them, by the words of the command line."""
        return format_words(self, LINK_TYPES[self.type], TYPES)

    def mentioned(self) -> list[tuple[str, str]]:
        """The members of `over` that these options name, each with the word that names it, in their order."""
        return []

    def changed_words(self, other: _Options) -> tuple[str, ...]:
        """The words in which these options differ from others of the same type."""
        return tuple(
            field.word
            for field in LINK_TYPES[self.type]
            if getattr(self, field.attribute) != getattr(other, field.attribute)
        )


@value_class(frozen=True, slots=True, kw_only=True)
class BridgeOptions(_Options):
    """A bridge (IEEE 802.1D). isolated: members that hear only the others, so that no frame goes from one pseudowire
    into the next (split horizon). forward_delay_ms: the shortest that the standard knows, or a bridge is deaf for half
    a minute when it comes up."""

    type: ClassVar[LinkType] = LinkType.BRIDGE
    least_over: ClassVar[int] = 0
    most_over: ClassVar[int | None] = None
    loose: ClassVar[bool] = True
    exclusive: ClassVar[bool] = True
    stp: Stp = Stp.AUTO
    priority: int = 32768
    forward_delay_ms: int = 4000
    ageing_s: int = 300
    igmp_snooping: bool = True
    vlan_filtering: bool = False
    vlans: tuple[MemberVlans, ...] = ()
    isolated: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.vlans and not self.vlan_filtering:
            raise InvalidValueError(
                "--vlan", "has no effect without VLAN filtering", "give --vlan-filtering on too", field="vlan"
            )
        if len({one.member for one in self.vlans}) < len(self.vlans):
            raise _wrong("vlan", "names a member twice", "join its VLANs by +: eth1=10u+20")

    @property
    def own_mac(self) -> bool:
        """True. Otherwise the bridge would have the lowest MAC address of its members, and that member may go."""
        return True

    def vlans_of(self, member: str) -> MemberVlans:
        """The VLANs of a member. A member without VLANs of its own has the kernel's default: VLAN 1, untagged."""
        return next((one for one in self.vlans if one.member == member), MemberVlans(member, untagged=1))

    def mentioned(self) -> list[tuple[str, str]]:
        """Members with VLANs of their own, or isolated."""
        isolated = [(member, "isolated") for member in self.isolated]
        return sorted([*isolated, *((one.member, "vlan") for one in self.vlans)])


@value_class(frozen=True, slots=True, kw_only=True)
class BondOptions(_Options):
    """An etherchannel. miimon_ms: how often members' carrier is looked at.

    arp_interval_ms, arp_targets: ask these hosts instead: a session of the kernel always has a carrier, whatever
    happens on its way, so only answers tell that it works. primary: the member to prefer in active-backup.
    """

    type: ClassVar[LinkType] = LinkType.BOND
    least_over: ClassVar[int] = 0
    most_over: ClassVar[int | None] = None
    loose: ClassVar[bool] = True
    exclusive: ClassVar[bool] = True
    mode: BondMode = BondMode.ACTIVE_BACKUP
    hash: Hash = Hash.LAYER34
    miimon_ms: int = 100
    lacp_rate: LacpRate = LacpRate.FAST
    min_links: int = 0
    arp_interval_ms: int = 0
    arp_targets: tuple[str, ...] = ()
    primary: str | None = None

    def __post_init__(self) -> None:
        if bool(self.arp_interval_ms) != bool(self.arp_targets):
            raise InvalidValueError(
                "--arp-interval-ms", "needs --arp-target, and the other way round", "give both", field="arp-interval-ms"
            )
        if self.arp_targets and self.mode is BondMode.LACP:
            raise InvalidValueError(
                "--arp-target", "802.3ad watches its members by LACP", "leave it out", field="arp-target"
            )
        if len(self.arp_targets) > 16:
            raise InvalidValueError(
                "--arp-target", f"{len(self.arp_targets)} are too many", "give 16 at most", field="arp-target"
            )

    def mentioned(self) -> list[tuple[str, str]]:
        """The member that is the primary."""
        return [(self.primary, "primary")] if self.primary else []


@value_class(frozen=True, slots=True, kw_only=True)
class AliasOptions(_Options):
    """One interface in front of one NIC, which can be exchanged, or taken away for a while, beneath it."""

    type: ClassVar[LinkType] = LinkType.ALIAS
    least_over: ClassVar[int] = 0
    loose: ClassVar[bool] = True
    exclusive: ClassVar[bool] = True

    @property
    def own_mac(self) -> bool:
        """True."""
        return True


@value_class(frozen=True, slots=True, kw_only=True)
class MacvlanOptions(_Options):
    """A card of its own on a NIC. sources: in mode `source`, whose frames it gets."""

    type: ClassVar[LinkType] = LinkType.MACVLAN
    mode: MacvlanMode = MacvlanMode.BRIDGE
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.sources) != (self.mode is MacvlanMode.SOURCE):
            raise InvalidValueError(
                "--source-mac", "goes with --mode source, which needs it", "give both or neither", field="source-mac"
            )

    @property
    def own_mac(self) -> bool:
        """True, except in mode passthru, where it has the NIC's MAC address."""
        return self.mode is not MacvlanMode.PASSTHRU


@value_class(frozen=True, slots=True, kw_only=True)
class IpvlanOptions(_Options):
    """A share in a NIC by layer-3 address: one MAC address on the wire for all."""

    type: ClassVar[LinkType] = LinkType.IPVLAN
    mode: IpvlanMode = IpvlanMode.L2
    flag: IpvlanFlag = IpvlanFlag.BRIDGE


@value_class(frozen=True, slots=True, kw_only=True)
class VlanOptions(_Options):
    """One VLAN of the netdev beneath. id: 1 to 4094."""

    type: ClassVar[LinkType] = LinkType.VLAN
    id: int = 0
    protocol: VlanProtocol = VlanProtocol.DOT1Q

    def __post_init__(self) -> None:
        if not self.id:
            raise _wrong("id", "a vlan needs its number", "give --id 1 to 4094")


@value_class(frozen=True, slots=True, kw_only=True)
class PortOptions(_Options):
    """Two netdevs wired together, transparent to every frame: a NIC and a session.

    carrier: FOLLOW needs a session of the user datapath, and `l2tpctl watch` at both ends.
    """

    type: ClassVar[LinkType] = LinkType.PORT
    least_over: ClassVar[int] = 2
    most_over: ClassVar[int | None] = 2
    exclusive: ClassVar[bool] = True
    own_netdev: ClassVar[bool] = False
    carrier: PortCarrier = PortCarrier.ALONE


@value_class(frozen=True, slots=True, kw_only=True)
class VnicOptions(_Options):
    """A card of its own on a NIC, relayed in user space: where the kernel has no macvlan."""

    type: ClassVar[LinkType] = LinkType.VNIC
    loose: ClassVar[bool] = True
    relayed: ClassVar[bool] = True

    @property
    def own_mac(self) -> bool:
        """True."""
        return True


Options = (
    BridgeOptions
    | BondOptions
    | AliasOptions
    | MacvlanOptions
    | IpvlanOptions
    | VlanOptions
    | VnicOptions
    | PortOptions
)

_TYPES: Mapping[LinkType, type[Options]] = {
    one.type: one
    for one in (
        BridgeOptions,
        BondOptions,
        AliasOptions,
        MacvlanOptions,
        IpvlanOptions,
        VlanOptions,
        VnicOptions,
        PortOptions,
    )
}


def options_type(type_: LinkType) -> type[Options]:
    """The class of the options of this type of link."""
    return _TYPES[type_]


def own_fields(type_: str) -> dict[str, Field]:
    """The fields that links of a type have beside those of every link, by the word."""
    return by_word(LINK_TYPES[type_])


def parse_options(type_: LinkType, words: Mapping[str, Any], what: str) -> Options:
    """A type's options from its words; what is left out is the default. Raises InvalidValueError."""
    attributes = parse_words(words, own_fields(type_), what, TYPES)
    try:
        return _TYPES[type_](**attributes)
    except InvalidValueError as error:  # of a check that does not know which link it is about
        raise InvalidValueError(f"{what}: {error.subject}", error.problem, error.remedy, field=error.field) from None


def replace_options(options: Options, words: Mapping[str, Any], what: str) -> Options:
    """Give a copy of the options with some words changed. Raises InvalidValueError."""
    return dataclasses.replace(options, **parse_words(words, own_fields(options.type), what, TYPES))
