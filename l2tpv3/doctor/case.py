"""What the checks are given of one tunnel: the record, what was observed, what arrived, what the peer answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from l2tpv3.doctor.arrivals import Arrivals
from l2tpv3.doctor.drops.attribution import TunnelDrops
from l2tpv3.doctor.host_drops import HostCounts
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.model.observed import Counters, Tunnel
from l2tpv3.model.record import SessionRecord
from l2tpv3.model.spec import Encap, SessionSpec, TunnelSpec
from l2tpv3.model.status import SessionStatus
from l2tpv3.reconcile.notes import LookedAt
from l2tpv3.value_class import value_class


class PathAnswers(NamedTuple):
    """Whether the peer answered ICMP echo requests: a short one, and one of `full_bytes`, what the route takes.

    cut: one of `cut_bytes`, which goes in IP fragments as the longest packets of a session do; None where none do.
    """

    short: bool
    full: bool
    full_bytes: int
    cut: bool | None = None
    cut_bytes: int = 0


@value_class(frozen=True, slots=True, kw_only=True)
class Case:
    """One tunnel. before: as its datapath reported it when listening began; `looked` was observed at the end of that.

    arrivals: None where nobody could listen. listened_s: for how long. path: None where the peer was not asked.
    counts: of the tunnel's network namespace, when listening began and at its end; None where it was not listened.
    drops: what the kernel says that it dropped meanwhile; None where it was not asked, or does not tell.
    """

    looked: LookedAt
    before: Tunnel | None = None
    arrivals: Arrivals | None = None
    listened_s: float = 0.0
    path: PathAnswers | None = None
    counts: tuple[HostCounts, HostCounts] | None = None
    drops: TunnelDrops | None = None

    @property
    def spec(self) -> TunnelSpec:
        """The tunnel as it is wanted."""
        return self.looked.record.spec

    @property
    def what(self) -> str:
        """What carries its packets: `UDP port 1701`, as the peer has it, or `IP protocol 115`."""
        return f"UDP port {self.spec.remote_port}" if self.spec.encap is Encap.UDP else "IP protocol 115"

    def sessions(self) -> Iterator[tuple[SessionRecord, SessionStatus]]:
        """Each session on record with its status."""
        yield from zip(self.looked.record.sessions, self.looked.status.sessions, strict=True)

    def gained(self, session: SessionSpec) -> Counters | None:
        """By how much a session's counters grew while it was listened; None where that can't be told."""
        both = [
            next((one.counters for one in seen.sessions if one.session_id == session.session_id), None)
            for seen in (self.before, self.looked.seen)
            if seen is not None
        ]
        if len(both) != 2 or both[0] is None or both[1] is None:
            return None
        old, new = both[0], both[1]
        return Counters(**{name: getattr(new, name) - getattr(old, name) for name in Counters.__slots__})

    def of_tunnel(self, cause: str, harm: Harm, says: str, remedy: str = "", evidence: tuple[str, ...] = ()) -> Finding:
        """A finding about the tunnel."""
        subject = f"tunnel {self.spec.name}"
        return Finding(cause=cause, harm=harm, subject=subject, says=says, evidence=evidence, remedy=remedy)

    def of_session(
        self, name: str, cause: str, harm: Harm, says: str, remedy: str = "", evidence: tuple[str, ...] = ()
    ) -> Finding:
        """A finding about one of its sessions."""
        subject = f"session {self.spec.name}/{name}"
        return Finding(cause=cause, harm=harm, subject=subject, says=says, evidence=evidence, remedy=remedy)


Check = Callable[[Case], Iterator[Finding]]
"""A check gives what it finds. What it raises (L2tpError) says what could not be looked at."""
