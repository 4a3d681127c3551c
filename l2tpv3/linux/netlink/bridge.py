"""Reads what bridges do with the frames of their ports, by rtnetlink and nf_tables."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.errors import from_errno
from l2tpv3.linux.netlink.bridge_port import vlans
from l2tpv3.linux.netlink.message import Answer, attributes, text_of, unsigned
from l2tpv3.linux.netlink.rtnetlink import LINK_HEADER, RouteSocket, read_links
from l2tpv3.linux.netlink.sock import NetlinkSocket
from l2tpv3.linux.netns import inside
from l2tpv3.value_class import value_class

LISTENING, LEARNING, FORWARDING, BLOCKING = 1, 2, 3, 4
"""What spanning tree has a port do (BR_STATE_* in linux/if_bridge.h)."""

_GETLINK = 18
_LINK = Struct("=BxHiII")  # struct ifinfomsg
_LINKINFO, _KIND, _DATA, _PORT_KIND, _PORT_DATA = 18, 1, 2, 4, 5  # IFLA_LINKINFO, IFLA_INFO_*
_FORWARD_DELAY, _STP_STATE, _VLAN_FILTERING = 1, 5, 7  # IFLA_BR_*
_PORT_STATE, _PORT_ISOLATED = 1, 33  # IFLA_BRPORT_*
_HZ: Final = 100  # rtnetlink's clock_t: hundredths of a second

_NETFILTER: Final = 12  # NETLINK_NETFILTER
_GETCHAIN: Final = 10 << 8 | 4  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETCHAIN
_NFGENMSG = Struct("!BBH")
_CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _HOOK_NUMBER = 3, 4, 5, 1  # NFTA_*
_DOCKER: Final = "DOCKER-USER"
"""The chain that Docker makes for the rules of others, and never changes."""
_FORWARD, _DROP = 2, 0  # NF_INET_FORWARD, NF_DROP
_INET: Final = 1  # NFPROTO_INET: IPv4 and IPv6
_be32 = Struct("!I").unpack_from


@value_class(frozen=True, slots=True, kw_only=True)
class PortSeen:
    """A bridge's port. mtu: in bytes. alias: its ifalias, as anybody may write it. state: see LISTENING.

    vlans: whose frames it lets pass; None where its bridge does not look at that.
    """

    ifname: str
    mtu: int
    alias: str
    state: int
    isolated: bool
    vlans: frozenset[int] | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class BridgeSeen:
    """A bridge. stp: whether spanning tree runs. forward_delay_s: a new port waits twice as long then.

    own_vlans: those whose frames reach the bridge itself; None where it does not look at VLANs.
    """

    ifname: str
    mtu: int
    alias: str
    stp: bool
    forward_delay_s: float
    ports: tuple[PortSeen, ...]
    own_vlans: frozenset[int] | None = None


def bridges(netns: str | None) -> dict[str, BridgeSeen]:
    """The bridges of a network namespace by name. Raises NotFoundError, NotPermittedError, RefusedError."""
    try:
        with RouteSocket(netns) as route:
            answer = route.dump(_GETLINK, _LINK.pack(0, 0, 0, 0, 0))
            settings, states = _settings(answer)
            numbers = vlans(route) if any(one.filters for one in settings.values()) else {}
    except OSError as error:
        raise from_errno("the bridges", "list them", error.errno or 0) from error
    links = list(read_links(answer))
    filtering = {index for index, one in settings.items() if one.filters}

    def passing(index: int, bridge: int) -> frozenset[int] | None:
        return frozenset(numbers.get(index, ())) if bridge in filtering else None

    ports: dict[int, list[PortSeen]] = {}
    for link in links:
        if link.ifindex in states:
            state, isolated = states[link.ifindex]
            port = PortSeen(
                ifname=link.ifname, mtu=link.mtu, alias=link.alias, state=state, isolated=isolated,
                vlans=passing(link.ifindex, link.master),
            )  # fmt: skip
            ports.setdefault(link.master, []).append(port)
    return {
        link.ifname: BridgeSeen(
            ifname=link.ifname,
            mtu=link.mtu,
            alias=link.alias,
            stp=settings[link.ifindex].stp,
            forward_delay_s=settings[link.ifindex].forward_delay_s,
            ports=tuple(ports.get(link.ifindex, ())),
            own_vlans=passing(link.ifindex, link.ifindex),
        )
        for link in links
        if link.ifindex in settings
    }


class _Settings(NamedTuple):
    """Of a bridge. filters: whether it looks at VLANs."""

    stp: bool
    forward_delay_s: float
    filters: bool


def _settings(answer: Answer) -> tuple[dict[int, _Settings], dict[int, tuple[int, bool]]]:
    """The settings of bridges, and the states of ports and whether they are isolated, by index."""
    settings: dict[int, _Settings] = {}
    states: dict[int, tuple[int, bool]] = {}
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            index = _LINK.unpack_from(datagram, begin - LINK_HEADER)[2]
            outer = attributes(datagram, begin, end)
            info = attributes(datagram, *outer[_LINKINFO]) if _LINKINFO in outer else {}
            if _DATA in info and text_of(datagram, info[_KIND]) == "bridge":
                data = attributes(datagram, *info[_DATA])
                delay = unsigned(datagram, data.get(_FORWARD_DELAY)) / _HZ
                stp, filters = (bool(unsigned(datagram, data.get(one))) for one in (_STP_STATE, _VLAN_FILTERING))
                settings[index] = _Settings(stp, delay, filters)
            if _PORT_DATA in info and text_of(datagram, info[_PORT_KIND]) == "bridge":
                data = attributes(datagram, *info[_PORT_DATA])
                isolated = bool(unsigned(datagram, data.get(_PORT_ISOLATED)))
                states[index] = unsigned(datagram, data.get(_PORT_STATE)), isolated
    return settings, states


class DroppingFilter(NamedTuple):
    """sysctl: it gives bridges' frames to IP's packet filter. docker: whether that has Docker's chains."""

    sysctl: str
    docker: bool


def dropping_filters(netns: str | None) -> tuple[DroppingFilter, ...]:
    """Where bridges' frames go through IP's packet filter (br_netfilter), whose FORWARD chain drops by default.

    Only what nf_tables tells, which iptables writes to as well, but for its old kernel interface.
    Raises MissingError where the namespace is not there.
    """
    with contextlib.suppress(OSError), inside(netns):
        return tuple(_dropping())
    return ()


def _dropping() -> Iterator[DroppingFilter]:
    for name, family in (("iptables", socket.AF_INET), ("ip6tables", socket.AF_INET6)):
        try:
            called = Path(f"/proc/sys/net/bridge/bridge-nf-call-{name}").read_text("ascii").strip() != "0"
        except OSError:  # no br_netfilter here
            continue
        chains = [_chains(one) for one in (family, _INET)] if called else []
        if any(drops for drops, _ in chains):
            yield DroppingFilter(f"net.bridge.bridge-nf-call-{name}", chains[0][1])


def _chains(family: int) -> tuple[bool, bool]:
    """Whether a FORWARD chain of a family drops by default, and whether Docker has chains there."""
    with NetlinkSocket(_NETFILTER, None, _NFGENMSG.size) as netfilter:
        answer = netfilter.dump(_GETCHAIN, _NFGENMSG.pack(family, 0, 0))
    drops = docker = False
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            chain = attributes(datagram, begin, end)
            docker |= _CHAIN_NAME in chain and text_of(datagram, chain[_CHAIN_NAME]) == _DOCKER
            if _CHAIN_HOOK not in chain or _CHAIN_POLICY not in chain:
                continue
            hook = attributes(datagram, *chain[_CHAIN_HOOK])
            forwards = _HOOK_NUMBER in hook and _be32(datagram, hook[_HOOK_NUMBER][0])[0] == _FORWARD
            drops |= forwards and _be32(datagram, chain[_CHAIN_POLICY][0])[0] == _DROP
    return drops, docker
