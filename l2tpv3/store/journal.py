"""The journal: the change that is under way, or that waits for its confirmation, as a value and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

from l2tpv3.linux.boot import boot_id, since_boot_s
from l2tpv3.model.host_records import HostRecords, RecordDelta
from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.value_class import value_class

if TYPE_CHECKING:
    from l2tpv3.model.links.record import LinkRecord


class Renaming(NamedTuple):
    """A tunnel, or a session of it, that gets the name `new`. tunnel, session: what they were called."""

    tunnel: str
    session: str | None
    new: str


@value_class(frozen=True, slots=True, kw_only=True)
class PendingChange:
    """A change that has begun. target: what it makes of all that it is about. before: what that was.

    scope: what of tunnels and sessions, see plan.Scope; of links, those in `target`. deadline: of a change that is done
    but awaits its confirmation, the time at which it is undone, in seconds since boot (CLOCK_BOOTTIME: it counts while
    suspended, and nobody can set it); None while it is under way. boot: the boot_id that the deadline belongs to.
    renaming: it is on record already, and what runs has to follow.
    """

    scope: frozenset[tuple[str, str | None]]
    before: RecordDelta
    target: RecordDelta
    deadline: float | None = None
    boot: str | None = None
    renaming: Renaming | None = None

    @property
    def outlived(self) -> bool:
        """Whether the change waited for a confirmation when the machine went down."""
        return self.deadline is not None and self.boot != boot_id()

    @property
    def mark(self) -> str | None:
        """What tells this change from any other that waits for its confirmation; None when it awaits none."""
        return None if self.deadline is None else f"{self.boot} {self.deadline!r}"

    @property
    def left_s(self) -> float | None:
        """Seconds that are left to confirm it, 0 when it is due; None when it awaits no confirmation."""
        if self.deadline is None:
            return None
        return 0.0 if self.outlived else max(0.0, self.deadline - since_boot_s())

    def to_words(self) -> dict[str, Any]:
        """JSON-ready, secrets included; from_words takes it back."""
        return {
            "scope": sorted(self.scope, key=str),
            "before": {name: _to_words(record) for name, record in self.before.tunnels.items()},
            "target": {name: _to_words(record) for name, record in self.target.tunnels.items()},
            "links_before": {name: _link_words(record) for name, record in self.before.links.items()},
            "links_target": {name: _link_words(record) for name, record in self.target.links.items()},
            "deadline": self.deadline,
            "boot": self.boot,
            "renaming": self.renaming,
        }

    @classmethod
    def from_words(cls, words: Mapping[str, Any]) -> PendingChange:
        """The inverse of to_words. What is older than a word has None, or nothing, for it.

        Raises InvalidValueError, KeyError, ValueError or TypeError for what is not of that form.
        """
        before, target = _delta(words, "before"), _delta(words, "target")
        scope = frozenset((tunnel, session) for tunnel, session in words["scope"])
        renaming = words.get("renaming")
        return cls(
            scope=scope,
            before=before,
            target=target,
            deadline=words["deadline"],
            boot=words.get("boot"),
            renaming=None if renaming is None else Renaming(*renaming),
        )


def to_be_confirmed(changed: RecordDelta, before: HostRecords, confirm_s: float) -> PendingChange:
    """The journal entry of a change that is done, and is undone unless it is confirmed within `confirm_s` seconds."""
    return PendingChange(
        scope=frozenset((name, None) for name in changed.tunnels),
        before=changed.back(before),
        target=changed,
        deadline=since_boot_s() + confirm_s,
        boot=boot_id(),
    )


def _to_words(record: TunnelRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "spec": record.spec.to_words(),
        "local": str(record.local),
        "datapath": record.datapath,
        "reason": record.reason,
        "boot": record.boot,
        "stopped": record.stopped,
        "waits": record.waits,
        "sessions": [
            {"spec": one.spec.to_words(), "mtu": one.mtu, "mac": one.mac, "clamp_mtu": one.clamp_mtu}
            for one in record.sessions
        ],
    }


def _delta(words: Mapping[str, Any], key: str) -> RecordDelta:
    return RecordDelta(
        tunnels={name: _from_words(record) for name, record in words[key].items()},
        links={name: _link(record) for name, record in words.get(f"links_{key}", {}).items()},
    )


def _from_words(words: dict[str, Any] | None) -> TunnelRecord | None:
    if words is None:
        return None
    return TunnelRecord(
        spec=TunnelSpec.from_words(words["spec"]),
        local=ip_address(words["local"]),
        datapath=words["datapath"],
        reason=words["reason"],
        boot=words["boot"],
        stopped=words.get("stopped"),
        waits=words.get("waits", False),
        sessions=tuple(
            SessionRecord(
                spec=SessionSpec.from_words(one["spec"]),
                mtu=one["mtu"],
                mac=one.get("mac"),
                clamp_mtu=one.get("clamp_mtu"),
            )
            for one in words["sessions"]
        ),
    )


def _link_words(record: LinkRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "spec": record.spec.to_words(),
        "mac": record.mac,
        "over_netns": record.over_netns,
        "boot": record.boot,
        "stopped": record.stopped,
    }


def _link(words: dict[str, Any] | None) -> LinkRecord | None:
    if words is None:
        return None
    from l2tpv3.model.links.record import LinkRecord
    from l2tpv3.model.links.spec import LinkSpec

    return LinkRecord(**{**words, "spec": LinkSpec.from_words(words["spec"])})
