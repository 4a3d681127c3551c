"""Probes: whether an address behind a session answers, as `l2tpctl watch` finds it out."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from l2tpv3.value_class import value_class

if TYPE_CHECKING:  # a worker does without these modules
    from ipaddress import IPv4Address, IPv6Address

NONE = "none"
CHANNEL = "bfd"
"""The value of `probe` by which the other end is probed by BFD in the session's control channel."""
NO_ADDRESS = (NONE, CHANNEL)
"""The values of `probe` that name no address."""

CARRIER = "carrier"
"""The value of `on_dead` by which the session's netdev has no carrier meanwhile."""
HOOK = "hook:"
"""What the value of `on_dead` begins with where a program is run."""


class ProbeKind(StrEnum):
    """What `probe` begins with that has an address behind it. ICMP: echo requests are sent there (RFC 792, RFC 4443).

    BFD: control packets are exchanged with it (RFC 5880, RFC 5881).
    """

    ICMP = "icmp"
    BFD = "bfd"


class ProbeState(StrEnum):
    """STARTING: nothing is known, or BFD was told that nobody watches at the other end. ALIVE: probes are answered.

    DEAD: as many in a row were not as mean that, or BFD is down.
    """

    STARTING = "starting"
    ALIVE = "alive"
    DEAD = "dead"


@value_class(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """What the probes of a session came to. since_s: for how many seconds it has been in this state.

    reason: why it is dead, "" in the other states. round_trip_s: of the last answer, in seconds; None before the first.
    """

    state: ProbeState
    since_s: float
    reason: str = ""
    round_trip_s: float | None = None


class FailoverRole(StrEnum):
    """What a session does where one is the backup of another. PRIMARY, BY_BACKUP: it has a backup, and its frames go by
    itself, or by that. APART: it has one that its worker does not carry. BACKUP: it is one."""

    PRIMARY = "primary"
    BY_BACKUP = "by-backup"
    APART = "apart"
    BACKUP = "backup"


class ChannelProbe(NamedTuple):
    """How a worker probes the other end of a session, in the session's control channel. interval_ms: between two.

    multiplier: so many in a row without an answer mean that it is dead. carrier: whether the netdev then has none.
    backup: the session that its frames then go by, as TUNNEL/SESSION; None for none. revert_delay_s: how long the other
    end has to be alive again before they go by it.
    """

    interval_ms: int
    multiplier: int
    carrier: bool = False
    backup: str | None = None
    revert_delay_s: int = 0


@value_class(frozen=True, slots=True, kw_only=True)
class ProbeTarget:
    """What to probe for a session. key: which session it is, see store.receptions.reception_key. name: TUNNEL/SESSION.

    kind: what is sent. address: where to; None is the other end, by the session's worker. netns, ifname: the netdev
    that probes go out by, the session's or its bridge. interval_s: between two, in seconds. multiplier: so many in a
    row without an answer mean that it is dead. hook: the name of the program to run when it is dead, and when it is
    alive again; None for none.
    """

    key: str
    name: str
    netns: str | None
    ifname: str
    kind: ProbeKind
    address: IPv4Address | IPv6Address | None
    interval_s: float
    multiplier: int
    hook: str | None = None

    @property
    def whom(self) -> str:
        """Who is probed, in words."""
        return "the other end" if self.address is None else str(self.address)


def probed_address(probe: str) -> IPv4Address | IPv6Address | None:
    """The address that a session's `probe` names; None where it names none. Raises ValueError for another text."""
    from ipaddress import ip_address

    return None if probe in NO_ADDRESS else ip_address(probe.partition(":")[2])


def probe_kind(probe: str) -> ProbeKind:
    """How a session is probed whose `probe` names an address. Raises ValueError for another text."""
    return ProbeKind(probe.partition(":")[0])


def hook_of(on_dead: str) -> str | None:
    """The name of the program that a session's `on_dead` has run; None where it has none run."""
    return on_dead.removeprefix(HOOK) if on_dead.startswith(HOOK) else None
