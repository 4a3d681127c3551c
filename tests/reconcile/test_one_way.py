"""A change goes one way: the record is opened once for all of it, and what resolves it looks with what plans it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from tests.memory_host import Host, host

CHANGES: dict[str, Callable[[Host], object]] = {
    "add tunnel": lambda one: one.manager.add_tunnel("new", {"remote": "127.0.0.3"}),
    "add session": lambda one: one.manager.add_session("t", "new", {}),
    "set session": lambda one: one.manager.set_session("t", "s", {"mtu": 1300}),
    "del tunnel": lambda one: one.manager.del_tunnel("t"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_opens_the_record_once(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with host() as one:
        one.manager.add_tunnel("t", {"remote": "127.0.0.2"})
        one.manager.add_session("t", "s", {})
        opened: list[object] = []
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect

        def counted(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            opened.append(args)
            return connect(*args, **kwargs)

        monkeypatch.setattr(sqlite3, "connect", counted)
        CHANGES[name](one)
        assert len(opened) == 1


def test_a_change_looks_at_the_host_before_and_after_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What resolves it and what plans it share the one before."""
    with host() as one:
        one.manager.add_tunnel("t", {"remote": "127.0.0.2"})
        looks: list[str | None] = []
        tunnels = one.memory.tunnels

        def counted(netns: str | None) -> Any:
            looks.append(netns)
            return tunnels(netns)

        monkeypatch.setattr(one.memory, "tunnels", counted)
        one.manager.set_tunnel("t", {"peer-id": 7})
        assert looks == [None, None]
