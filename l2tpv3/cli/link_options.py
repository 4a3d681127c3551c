"""An option for each word of each type of link. tests/cli/test_link_options.py compares them with the types' tables."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from l2tpv3.cli import completion, options
from l2tpv3.cli.parameters import Argument, Option

TYPES = ("bridge", "bond", "alias", "macvlan", "ipvlan", "vlan", "vnic", "port")
"""LinkType's values, by hand: to import it would cost every run of l2tpctl 20 ms."""

LinkName = Annotated[str, Argument(metavar="NAME", help="The link's name.", complete=completion.links)]
LinkNames = Annotated[list[str], Argument(metavar="NAME...", help="The links' names.", complete=completion.links)]
NewLink = Annotated[str, Argument(metavar="NAME", help="A name for the link, of your choice.")]
AnyLink = Annotated[
    str | None,
    Argument(metavar="NAME", help="Only this link; a pattern such as 'v*' does.", complete=completion.links),
]

_TYPE: dict[str, Any] = {"metavar": "TYPE", "complete": completion.choice(*TYPES)}
Type = Annotated[str, Option("--type", help=f"What it is: {', '.join(TYPES)}.", **_TYPE)]
MaybeType = Annotated[str | None, Option("--type", help="Make it another type, anew.", **_TYPE)]


def _text(word: str, metavar: str, about: str, offer: Any = None) -> Any:
    if offer is None and "|" in metavar:
        offer = completion.choice(*(one for one in metavar.split("|") if one != "N"))
    return Annotated[str | None, Option(f"--{word}", metavar=metavar, help=about, complete=offer)]


def _list(word: str, metavar: str, about: str, offer: Any = None) -> Any:
    return Annotated[list[str] | None, Option(f"--{word}", metavar=metavar, help=about, complete=offer)]


_ALL: dict[str, Any] = {
    "over": _list(
        "over",
        "DEV,...",
        "What it is layered on: netdevs, sessions as TUNNEL/NAME, other links; may be repeated.",
        completion.devices,
    ),
    "ifname": _text("ifname", "IF", "Its netdev's name. [default: the link's name]"),
    "over-netns": _text(
        "over-netns",
        "NETNS",
        "Network namespace of what it is over. [default: where the first of it that is ours is]",
        completion.netns,
    ),
    "netns": _text(
        "netns",
        "NETNS",
        "Network namespace for its netdev; it is made if need be. [default: as --over-netns]",
        completion.netns,
    ),
    "mac": _text("mac", "MAC", "Its MAC address. [default: its own one, the same at each boot]"),
    "mtu": _text("mtu", "auto|N", "Its MTU in bytes; auto is what those beneath allow. [default: auto]"),
    "address": options.Address,
    "up": options.Up,
}
_OWN: dict[str, Any] = {
    "mode": _text(
        "mode",
        "MODE",
        "bond: active-backup (default), round-robin, xor, 802.3ad. macvlan: bridge (default), private, vepa, passthru,"
        " source. ipvlan: l2 (default), l3, l3s.",
        completion.modes,
    ),
    "stp": _text(
        "stp",
        "auto|on|off",
        "bridge: spanning tree; auto is on where two members or more hear each other. [default: auto]",
    ),
    "priority": _text("priority", "N", "bridge: the lowest becomes the spanning tree's root. [default: 32768]"),
    "forward-delay-ms": _text(
        "forward-delay-ms", "N", "bridge: with STP a new member listens, then learns, so long. [default: 4000]"
    ),
    "ageing-s": _text("ageing-s", "N", "bridge: an address that is silent so long is forgotten. [default: 300]"),
    "igmp-snooping": _text("igmp-snooping", "on|off", "bridge: multicast goes where it is asked for. [default: on]"),
    "vlan-filtering": _text("vlan-filtering", "on|off", "bridge: keep VLANs apart. [default: off]"),
    "vlan": _list(
        "vlan",
        "DEV=VLANS",
        "bridge: a member's VLANs, as eth1=10u+20-29, `u` for the untagged one; may be repeated.",
    ),
    "isolated": _list(
        "isolated",
        "DEV,...",
        "bridge: members that hear only the others (split horizon); may be repeated.",
        completion.members,
    ),
    "hash": _text(
        "hash",
        "layer2|layer2+3|layer3+4",
        "bond: what chooses a flow's member in xor and 802.3ad. [default: layer3+4]",
    ),
    "miimon-ms": _text("miimon-ms", "N", "bond: how often members' carrier is looked at. [default: 100]"),
    "lacp-rate": _text("lacp-rate", "slow|fast", "bond: LACP each 30 s, or each second. [default: fast]"),
    "min-links": _text("min-links", "N", "bond: no carrier with fewer members than that. [default: 0]"),
    "arp-interval-ms": _text(
        "arp-interval-ms", "N", "bond: ask --arp-target so often, instead of looking at carriers. [default: 0]"
    ),
    "arp-target": _list(
        "arp-target", "ADDR,...", "bond: whom to ask, by IPv4; may be repeated. Sessions need it: see docs/links.md."
    ),
    "primary": _text("primary", "DEV", "bond: the member to prefer in active-backup.", completion.members),
    "source-mac": _list("source-mac", "MAC,...", "macvlan: in mode source, whose frames it gets; may be repeated."),
    "flag": _text("flag", "bridge|private|vepa", "ipvlan: what those on one NIC see of each other. [default: bridge]"),
    "id": _text("id", "N", "vlan: its number, 1 to 4094."),
    "protocol": _text("protocol", "802.1q|802.1ad", "vlan: the customer's tag, or the provider's. [default: 802.1q]"),
    "carrier": _text(
        "carrier", "alone|follow", "port: follow has a cable pulled at one end show at the other. [default: alone]"
    ),
}

OPTIONS: Mapping[str, Any] = {**_ALL, **_OWN}
"""By the word."""


def with_words(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each word in the place of its `**words`, before those that it has itself."""
    signature = inspect.signature(command, eval_str=True)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    words = [
        inspect.Parameter(word.replace("-", "_"), inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for word, option in OPTIONS.items()
    ]
    last = [one for one in own if one.name in ("transient", "json")]
    first = [one for one in own if one not in last]
    command.__signature__ = signature.replace(parameters=[*first, *words, *last])  # type: ignore[attr-defined]
    return command


def given(words: Mapping[str, Any]) -> dict[str, Any]:
    """The words that were given, for the host: option_name=value → "option-name": value."""
    return {
        word: ",".join(value) if isinstance(value, (list, tuple)) else value
        for word, value in options.given(**words).items()
    }


def reset(words: Mapping[str, Any]) -> dict[str, Any]:
    """For `set`: `none` or `auto` takes a word back to its default."""
    return {word: None if value in ("none", "auto") else value for word, value in words.items()}
