"""A change as a value: what somebody asks for. Resolving it gives a resolve.resolution.Resolution.

The reconciler has it resolved against what is on record, under the lock.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from typing import Any

from l2tpv3.errors import L2tpError
from l2tpv3.model.desired import Desired
from l2tpv3.model.host_records import HostRecords
from l2tpv3.model.links.record import LinkRecord
from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.value_class import value_class

TunnelCheck = Callable[[TunnelRecord | None], None]
SessionCheck = Callable[[SessionRecord | None], None]
LinkCheck = Callable[[LinkRecord | None], None]
RecordsCheck = Callable[[HostRecords], None]
"""A precondition: called with what is on record by that name (None: nothing), under the lock; raises to refuse."""


class Verb(enum.Enum):
    """The action on one tunnel, session or link."""

    ADD = "add"
    """Make it. An error if it is on record already."""
    PUT = "put"
    """Make it, or change it to what the words say, whatever it was. Words that are left out take their default."""
    SET = "set"
    """Change some words of what is on record. None resets a word to its default."""
    DELETE = "delete"


@value_class(frozen=True, slots=True, kw_only=True)
class EditTunnel:
    """One tunnel. words: by TUNNEL_WORDS. transient: whether it is gone after a reboot; None leaves that as it is."""

    verb: Verb
    name: str
    words: Mapping[str, Any] = field(default_factory=dict)
    transient: bool | None = None
    check: TunnelCheck | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class EditSession:
    """One session. words: by SESSION_WORDS."""

    verb: Verb
    tunnel: str
    name: str
    words: Mapping[str, Any] = field(default_factory=dict)
    check: SessionCheck | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class EditLink:
    """One link. words: by LinkSpec.to_words. transient: as for a tunnel."""

    verb: Verb
    name: str
    words: Mapping[str, Any] = field(default_factory=dict)
    transient: bool | None = None
    check: LinkCheck | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class ApplyAll:
    """Add or change what files ask for. prune: remove what is on record and in no file. may_wait: see Manager.apply.

    remove: tunnels, and links as model.link_key has them, to be removed where they are on record and not wanted; and
    sessions, as TUNNEL/SESSION.
    check: a precondition, called with what is on record, under the lock; raises to refuse.
    """

    wanted: tuple[Desired, ...]
    prune: bool = False
    may_wait: bool = False
    remove: frozenset[str] = frozenset()
    check: RecordsCheck | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class RestoreRecorded:
    """Make again what is on record and does not run. Nothing else changes.

    names: of tunnels, and of links as model.link_key has them; None is everything. stopped: False leaves alone what
    `down` stopped, and names that are on record no more. refused: sessions that can't be made, and why: left out.
    """

    names: Collection[str] | None = None
    stopped: bool = True
    refused: Mapping[tuple[str, str], L2tpError] = field(default_factory=dict)

    def asks_for(self, record: TunnelRecord | LinkRecord | None) -> bool:
        """Whether what is on record by one of the names is to be brought back."""
        return self.stopped or (record is not None and record.stopped is None)


Change = EditTunnel | EditSession | EditLink | ApplyAll | RestoreRecorded
