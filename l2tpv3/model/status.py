"""The status of tunnels and sessions: the desired spec, what is observed, and the condition of each."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from l2tpv3.model.encryption import EncryptionStatus
from l2tpv3.model.hearing import Hearing
from l2tpv3.model.observed import Counters, TunnelCounters
from l2tpv3.model.probe import FailoverRole, ProbeReport
from l2tpv3.model.spec import IPAddress, IPInterface, SessionSpec, TunnelSpec
from l2tpv3.value_class import value_class


class Condition(StrEnum):
    """Whether a tunnel, session or link on record exists.

    UP: it exists (a session: its netdev is there and administratively up). DOWN: it exists, its netdev is set
    down. MISSING: on record, but the datapath does not have it (a reboot, a dead worker): `l2tpctl restore`
    brings it back. INCOMPLETE: an add or delete was interrupted half-way: delete it, or restore.
    """

    UP = "up"
    DOWN = "down"
    MISSING = "missing"
    INCOMPLETE = "incomplete"


@value_class(frozen=True, slots=True, kw_only=True)
class NetdevState:
    """A netdev as rtnetlink reports it. mtu in bytes; netns: the name it was found under, None is the caller's.

    clamp_mtu: the MTU that TCP's MSS is clamped to fit on it, in bytes; 0 where that is so in part, None where it is
    not so, or was not looked at: see Locator.with_clamp.
    """

    ifname: str
    ifindex: int
    mac: str
    mtu: int
    up: bool
    carrier: bool
    kind: str = ""
    alias: str = ""
    bridge: str | None = None
    netns: str | None = None
    addresses: tuple[IPInterface, ...] = ()
    clamp_mtu: int | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class SessionStatus:
    """The status of one session. A foreign session's name is its id, and its sublayer in `spec` is not known.

    mtu: what --mtu auto came to, in bytes; None when unknown. netdev: None when it is not there.
    send_seq, recv_seq: what the datapath does now; a Linux kernel changes its own to follow the peer.
    hearing: whether the far end is heard, None where that can't be told. last_received_s: how many seconds ago its last
    good packet came; None where none has, or nobody took note of when. probing: what its probes came
    to; None where nobody probes. failover: see observed.Session.
    notes: what the user should know of it beside that, in sentences; see l2tpv3.reconcile.notes.
    """

    name: str
    spec: SessionSpec
    condition: Condition
    foreign: bool = False
    mtu: int | None = None
    netdev: NetdevState | None = None
    send_seq: bool = False
    recv_seq: bool = False
    hearing: Hearing | None = None
    last_received_s: float | None = None
    probing: ProbeReport | None = None
    failover: FailoverRole | None = None
    counters: Counters = field(default_factory=Counters)
    notes: tuple[str, ...] = ()


@value_class(frozen=True, slots=True, kw_only=True)
class TunnelStatus:
    """One tunnel with its sessions. `name` of a foreign one is `DATAPATH:ID`, which no name on record can be.

    spec: as wanted. local: the address in use. datapath and reason: what carries it, and why that one. transient: it
    is not on record any more after a reboot. encryption: None for a tunnel that is not encrypted. hearing,
    last_received_s: of the session that was heard last. notes: see reconcile.notes; those of a session are with it.
    """

    name: str
    spec: TunnelSpec
    condition: Condition
    datapath: str
    reason: str = ""
    foreign: bool = False
    transient: bool = False
    local: IPAddress | None = None
    counters: TunnelCounters = field(default_factory=TunnelCounters)
    worker_pid: int | None = None
    encryption: EncryptionStatus | None = None
    hearing: Hearing | None = None
    last_received_s: float | None = None
    notes: tuple[str, ...] = ()
    sessions: tuple[SessionStatus, ...] = ()
