"""The record of one host (all tunnels and links), and the difference that a change makes to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, TypeVar

from l2tpv3.model.record import Records, TunnelRecord
from l2tpv3.value_class import value_class

if TYPE_CHECKING:
    from l2tpv3.model.links.record import LinkRecord, Links

_One = TypeVar("_One")


@value_class(frozen=True, slots=True, kw_only=True)
class HostRecords:
    """Tunnels with their sessions, and links, each by name."""

    tunnels: Records = field(default_factory=dict)
    links: Links = field(default_factory=dict)

    def edited(self, edits: RecordDelta) -> HostRecords:
        """These records with the changes of `edits` made."""
        return HostRecords(tunnels=_edited(self.tunnels, edits.tunnels), links=_edited(self.links, edits.links))


@value_class(frozen=True, slots=True, kw_only=True)
class RecordDelta:
    """The new record of each tunnel and link that a change is about, by name. None: it is removed."""

    tunnels: Mapping[str, TunnelRecord | None] = field(default_factory=dict)
    links: Mapping[str, LinkRecord | None] = field(default_factory=dict)

    @classmethod
    def between(cls, old: HostRecords, new: HostRecords) -> RecordDelta:
        """The difference that turns the records `old` into `new`."""
        return cls(tunnels=_differing(old.tunnels, new.tunnels), links=_differing(old.links, new.links))

    def __bool__(self) -> bool:
        return bool(self.tunnels or self.links)

    @property
    def made(self) -> HostRecords:
        """The records of the tunnels and links that these changes add or change."""
        return HostRecords().edited(self)

    def back(self, before: HostRecords) -> RecordDelta:
        """The difference that undoes this one. before: the records that this one is applied to."""
        return RecordDelta(
            tunnels={name: before.tunnels.get(name) for name in self.tunnels},
            links={name: before.links.get(name) for name in self.links},
        )


def _edited(old: Mapping[str, _One], edits: Mapping[str, _One | None]) -> dict[str, _One]:
    return {name: one for name, one in {**old, **edits}.items() if one is not None}


def _differing(old: Mapping[str, _One], new: Mapping[str, _One]) -> dict[str, _One | None]:
    return {name: new.get(name) for name in sorted({*old, *new}) if old.get(name) != new.get(name)}
