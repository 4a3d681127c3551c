"""Decides when a host may note that it is what its fleet wants; see l2tpv3.fleet.noted."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from l2tpv3.errors import L2tpError
from l2tpv3.fleet.noted import Note, digest_of, seen_alive, seen_on_record, write_note
from l2tpv3.model.desired import Desired, DesiredLink

if TYPE_CHECKING:
    from l2tpv3.host.manager import Manager


class Noting:
    """Looks at one host twice. What was found between, or just before the first look, holds where both are the same."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._first: tuple[object, str] | None = None

    def look(self) -> None:
        """Remember what the host looks like now."""
        self._first = None
        with contextlib.suppress(L2tpError, OSError):
            self._first = self._recorded(), seen_alive(self._manager.paths)

    def note(self, document: str) -> None:
        """Note that the host is what this document says, if it looks as it did when `look` was called."""
        paths = self._manager.paths
        with contextlib.suppress(L2tpError, OSError):
            on_record, alive = seen_on_record(paths), seen_alive(paths)
            recorded = self._recorded()  # read behind its digest: what changes meanwhile is not noted
            if self._first == (recorded, alive) and _is_plain(self._manager, self._manager.stated()):
                identity = self._manager.host_id
                note = Note(document=digest_of(document), identity=identity, on_record=on_record, alive=alive)
                write_note(paths, note)

    def _recorded(self) -> object:
        return self._manager.records(), self._manager.stated()


def _is_plain(manager: Manager, stated: Sequence[Desired]) -> bool:
    """Whether all that the record asks for can be seen in netdevs, their addresses, and workers."""
    if any(one.datapath != "user" or one.spec.encrypt != "none" for one in manager.records().values()):
        return False
    return all(_is_plain_part(words) for wanted in stated for words in _parts(wanted)) and all(
        wanted.words.get("type") == "bridge" for wanted in stated if isinstance(wanted, DesiredLink)
    )


def _parts(wanted: Desired) -> list[Any]:
    return [wanted.words, *([] if isinstance(wanted, DesiredLink) else [one.words for one in wanted.sessions])]


def _is_plain_part(words: Any) -> bool:
    """Whether nothing in it is elsewhere, or in the kernel's filters."""
    return not any(part in word and words[word] for word in words for part in ("netns", "vlan", "clamp"))
