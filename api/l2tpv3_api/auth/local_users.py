"""Local users, by the credentials of their end of the unix socket."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
from collections.abc import Callable
from typing import Final

from l2tpv3.errors import NotPermittedError
from l2tpv3.worker.sandbox.privileges import USERS
from l2tpv3_api.auth.identity import CHANGING, EVERYTHING, READING, Identity
from l2tpv3_api.auth.peercred import Peer

GROUP: Final = "l2tpv3"
"""The group whose members may change things through the unix socket."""

_NAMES_MAX: Final = 1024


class LocalUsers:
    """Turns a Peer into an Identity: root, members of the group, and others, who may read or nothing."""

    def __init__(self, *, others_read: bool = False, group: str = GROUP) -> None:
        self._others_read, self._group = others_read, group
        self._names: dict[int, str] = {}
        self._gid: int | None = None
        self._workers: frozenset[int] = frozenset()
        self.look_up()

    def look_up(self) -> None:
        """Find the group's number, and those of the users that workers run as, again. May block."""
        self._gid = _number(lambda: grp.getgrnam(self._group).gr_gid)
        found = (_number(lambda name=name: pwd.getpwnam(name).pw_uid) for name in USERS)  # type: ignore[misc]
        self._workers = frozenset(uid for uid in found if uid is not None)
        self._names.clear()

    async def identify(self, peer: Peer) -> Identity:
        """The identity of a peer. Raises NotPermittedError for others, where they may do nothing."""
        name = self._names.get(peer.uid) or await self._look_up_name(peer.uid)
        key = f"uid:{peer.uid}"
        if peer.uid in (0, os.geteuid()):  # who is the service's own user could trace it anyway
            return Identity(name, EVERYTHING, key)
        # A worker parses what comes from the network, and its user's own group bears the same name: should it be
        # taken over, what it may do here is what anyone may.
        if self._gid is not None and self._gid in peer.groups and peer.uid not in self._workers:
            return Identity(f"{name} (group {self._group})", CHANGING, key)
        if self._others_read:
            return Identity(name, READING, key)
        remedy = f"be root or in the group {self._group} (`id` shows the groups of this login)"
        raise NotPermittedError(name, "may do nothing here", remedy)

    async def _look_up_name(self, uid: int) -> str:
        """A user's name, for logs. In a thread: it may be in a directory on the network."""
        name = await asyncio.to_thread(_name, uid)
        if len(self._names) >= _NAMES_MAX:
            self._names.clear()
        self._names[uid] = name
        return name


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OSError):
        return f"uid {uid}"


def _number(look_up: Callable[[], int]) -> int | None:
    try:
        return look_up()
    except (KeyError, OSError):
        return None
