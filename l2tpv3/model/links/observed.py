"""A link as it is observed: its netdev, and the netdevs that it is over now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from l2tpv3.model.status import NetdevState
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class MemberState:
    """A netdev as a member of a bridge, alias or bond.

    primary: of a bond. vlans: of a bridge that filters them: each
    one's number, and whether it is the untagged one; None where it does not.
    """

    isolated: bool = False
    primary: bool = False
    vlans: Mapping[int, bool] | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class LinkState:
    """A link's netdev as rtnetlink reports it.

    netdev: None of a port, which has none. over: the names of its members, or of what it is stacked on; () when that
    is in another namespace and not found. words: those of its type that the kernel tells, as LinkSpec.to_words has
    them. counters: COUNTERS, and what relays it counts; of a port, by NIC, what it has received.
    mtus: of what it is over, in bytes, by name. sessions: TUNNEL/SESSION of those among it that are a session's netdev.
    below_mtu: of the session's netdev that it lies on at the very bottom, by TUNNEL/SESSION. members: of a bridge,
    alias or bond, by name. worker_pid: of the process that relays it. notes: what else to know of it.
    """

    netdev: NetdevState | None = None
    over: tuple[str, ...] = ()
    words: Mapping[str, Any] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    mtus: Mapping[str, int] = field(default_factory=dict)
    sessions: Mapping[str, str] = field(default_factory=dict)
    below_mtu: Mapping[str, int] = field(default_factory=dict)
    members: Mapping[str, MemberState] = field(default_factory=dict)
    worker_pid: int | None = None
    notes: tuple[str, ...] = ()


COUNTERS = (
    *("rx_packets", "rx_bytes", "rx_errors", "rx_dropped", "multicast"),
    *("tx_packets", "tx_bytes", "tx_errors", "tx_dropped"),
)
"""The counters of struct rtnl_link_stats64 (linux/if_link.h) that every link has."""


def counters_of(stats: Mapping[str, int] | None) -> dict[str, int]:
    """The counters in an attribute IFLA_STATS64; zeros without the attribute."""
    return {name: (stats or {}).get(name, 0) for name in COUNTERS}


@value_class(frozen=True, slots=True, kw_only=True)
class LinksSeen:
    """What was observed of links.

    present: the state of those that are there, by name. lacking: by a link's name, the netdevs that it is to be over,
    that are no links of ours, and that are not there.
    """

    present: Mapping[str, LinkState] = field(default_factory=dict)
    lacking: Mapping[str, frozenset[str]] = field(default_factory=dict)
