"""The status of a link: its desired spec, what is observed of it, and its condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.status import Condition, NetdevState
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """The status of one link on record.

    mac: what its netdev is made with; None where it has that of what it is over. over: the netdevs that it is over now.
    over_netns: where those are. words, counters: see LinkState. worker_pid: of the process that relays a virtual card.
    """

    name: str
    spec: LinkSpec
    condition: Condition
    mac: str | None = None
    over_netns: str | None = None
    transient: bool = False
    netdev: NetdevState | None = None
    over: tuple[str, ...] = ()
    words: Mapping[str, Any] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    worker_pid: int | None = None
    notes: tuple[str, ...] = ()
