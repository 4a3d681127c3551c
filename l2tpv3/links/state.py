"""What is seen of a link: its netdev, and what it is over now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from l2tpv3.status import NetdevState


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """A link's netdev as rtnetlink reports it.

    netdev: None of a port, which has none. over: the names of its members, or of what it is stacked on; () when that
    is in another namespace and not found. words: those of its type that the kernel tells, as LinkSpec.to_words has
    them. counters: bytes, packets, errors and drops each way, by struct rtnl_link_stats64's names; of a port by NIC.
    mtus: of what it is over, in bytes, by name. worker_pid: of the process that relays it.
    """

    netdev: NetdevState | None = None
    over: tuple[str, ...] = ()
    words: Mapping[str, Any] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    mtus: Mapping[str, int] = field(default_factory=dict)
    worker_pid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksSeen:
    """One look at links. there: those that are there, by name. lacking: link's name → netdevs of others' that it is to
    be over and that are not there."""

    there: Mapping[str, LinkState] = field(default_factory=dict)
    lacking: Mapping[str, frozenset[str]] = field(default_factory=dict)
