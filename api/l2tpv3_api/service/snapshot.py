"""All tunnels and links at one moment, shared by all who asked meanwhile; what is derived of them is derived once."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import Callable, Hashable, Iterator
from functools import cached_property
from typing import Any, Final

import orjson

from l2tpv3.documents.link import link_to_json
from l2tpv3.documents.names import document_to_names
from l2tpv3.documents.tunnel import session_to_json, tunnel_to_json
from l2tpv3.model.absent import no_link, no_session, no_tunnel
from l2tpv3.model.host_status import HostStatus
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.status import SessionStatus, TunnelStatus
from l2tpv3_api.http.paging import Key

_KEPT_MAX: Final = 64  # answers of one snapshot; it lives for one look
_AT_ONCE: Final = 200  # documents; about 3 ms
_LOOKED_THROUGH: Final = 20  # so many take as long to look through as one takes to tell


class Snapshot:
    """look: as Manager.look gives it. at: when, in seconds since the epoch. Threads may share it."""

    def __init__(self, look: HostStatus) -> None:
        self.at = time.time()
        self.tunnels = tuple(look.tunnels)
        self.links = tuple(look.links)
        self._by_name: dict[str, TunnelStatus] = {}
        for one in self.tunnels:
            self._by_name.setdefault(one.name, one)
        self._answers: dict[Hashable, bytes | asyncio.Task[bytes]] = {}

    def tunnel(self, name: str) -> TunnelStatus:
        """One tunnel by name. Raises NotFoundError."""
        found = self._by_name.get(name)
        if found is None:
            raise no_tunnel(name, self._by_name)
        return found

    def session(self, tunnel: str, name: str) -> SessionStatus:
        """One session by name. Raises NotFoundError."""
        sessions = self.tunnel(tunnel).sessions
        for session in sessions:
            if session.name == name:
                return session
        raise no_session(tunnel, name, (session.name for session in sessions))

    def link(self, name: str) -> LinkStatus:
        """One link by name. Raises NotFoundError."""
        for link in self.links:
            if link.name == name:
                return link
        raise no_link(name, (link.name for link in self.links))

    @cached_property
    def sorted_tunnels(self) -> list[TunnelStatus]:
        """The tunnels, sorted by tunnel_key."""
        return sorted(self.tunnels, key=tunnel_key)

    @cached_property
    def sorted_sessions(self) -> list[tuple[TunnelStatus, SessionStatus]]:
        """The sessions, each with its tunnel, sorted by session_key."""
        return sorted(self.pairs(), key=session_key)

    def pairs(self) -> Iterator[tuple[TunnelStatus, SessionStatus]]:
        """All sessions, each with its tunnel."""
        return ((tunnel, session) for tunnel in self.tunnels for session in tunnel.sessions)

    async def answer(self, key: Hashable, make: Callable[[], bytes], documents: int) -> bytes:
        """Give what `make` gives, and keep it for others who ask for the same. key: names what is asked for.

        documents: how many tunnels, sessions and links it tells of, about: many are told in a thread, few at once, as
        handing those over and back takes longer.
        """
        kept = self._answers.get(key)
        if kept is None:
            if documents + self.sessions_count // _LOOKED_THROUGH <= _AT_ONCE:
                kept = make()
            else:
                kept = asyncio.create_task(asyncio.to_thread(make))
            if len(self._answers) < _KEPT_MAX:
                self._answers[key] = kept
        return kept if isinstance(kept, bytes) else await asyncio.shield(kept)

    @cached_property
    def sessions_count(self) -> int:
        """How many sessions there are."""
        return sum(len(one.sessions) for one in self.tunnels)


def tunnel_key(tunnel: TunnelStatus) -> Key:
    """The key to sort tunnels by: foreign ones come last."""
    return tunnel.foreign, tunnel.name, tunnel.spec.netns or "", ""


def session_key(pair: tuple[TunnelStatus, SessionStatus]) -> Key:
    """The key to sort sessions by: those of foreign tunnels come last."""
    tunnel, session = pair
    return tunnel.foreign, tunnel.name, tunnel.spec.netns or "", session.name


def link_key(link: LinkStatus) -> Key:
    """The key to sort links by."""
    return False, link.name, "", ""


def tunnel_document(tunnel: TunnelStatus, *, sessions: bool, secrets: bool = False) -> dict[str, Any]:
    """One tunnel; without its sessions it tells how many there are."""
    shown = tunnel if sessions else dataclasses.replace(tunnel, sessions=())
    document = document_to_names(tunnel_to_json(shown, secrets=secrets))
    if sessions:
        document["sessions"] = list(map(document_to_names, document["sessions"]))
        return document
    del document["sessions"]
    return document | {"session_count": len(tunnel.sessions)}


def session_document(tunnel: str, session: SessionStatus, *, secrets: bool = False) -> dict[str, Any]:
    """One session of the tunnel of that name."""
    return document_to_names(session_to_json(tunnel, session, secrets=secrets))


def link_document(link: LinkStatus) -> dict[str, Any]:
    """The JSON document of one link."""
    return document_to_names(link_to_json(link))


def encode(document: Any) -> bytes:
    """JSON. A netdev that something else made may have any bytes in its name, which JSON then has escaped."""
    try:
        return orjson.dumps(document)
    except TypeError:
        return json.dumps(document).encode()
