"""A host in memory, tunnels, sessions and links, to plan for and to change: what fails on it is for a test to say."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from l2tpv3 import Manager, Paths
from l2tpv3.errors import L2tpError, RefusedError
from l2tpv3.model.desired import Desired
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.status import NetdevState
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.memory_links import memory_maker

BRIDGES = frozenset({(None, "br0"), (None, "br1")})


class Countdown:
    """at: which change fails, counted from now on; 0: none. dead: so do all after it, as if whoever makes them were."""

    def __init__(self) -> None:
        self.at, self.dead = 0, False

    def __call__(self, name: str) -> None:
        """One change more. Raises RefusedError when it is to fail."""
        self.at -= 1
        if self.at == 0 or (self.dead and self.at < 0):
            raise RefusedError("injected", f"{name} fails")


class Breaking:
    """A datapath, placer or maker of links whose changes, of all together, a Countdown fails."""

    def __init__(self, inner: Any, countdown: Countdown) -> None:
        self._inner, self._countdown = inner, countdown

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not name.startswith(("add_", "del_", "set_", "place", "change", "make", "remove")):
            return found

        def counted(*args: Any, **kwargs: Any) -> Any:
            self._countdown(name)
            return found(*args, **kwargs)

        return counted


class Host:
    """A host in memory with NICs (tests.memory_links.NICS), whose changes `countdown` fails."""

    def __init__(self, directory: Path) -> None:
        self.memory = MemoryDatapath()
        self.placer = MemoryConfigurator(self.memory, BRIDGES)
        self.maker = memory_maker(self.placer)
        self.countdown = Countdown()
        datapath: Any = Breaking(self.memory, self.countdown)
        placer: Any = Breaking(self.placer, self.countdown)
        maker: Any = Breaking(self.maker, self.countdown)
        self.manager = Manager(Paths(directory / "state", directory / "run"), [datapath], placer, lambda _: maker)

    def picture(self) -> Any:
        """Everything that can be seen, but for what counts up (ifindex, made-up MAC addresses)."""
        records = self.manager.records()
        links = {
            one.name: (
                one.spec,
                one.condition,
                one.mac,
                one.over_netns,
                sorted(one.over),
                _plain(one),
                one.words,
            )
            for one in self.manager.links.all()
        }
        return links, {
            name: (
                record,
                status.condition,
                [
                    (one.spec, one.condition, one.mtu, one.netdev and (one.netdev.ifname, one.netdev.mtu, one.netdev.up,
                     one.netdev.bridge, one.netdev.addresses), one.send_seq, one.recv_seq)
                    for one in status.sessions
                ],
            )
            for name, record in records.items()
            for status in [self.manager.tunnel(name)]
        }  # fmt: skip

    def seen(self) -> Any:
        return self.memory.tunnels(None)


def _plain(link: LinkStatus) -> NetdevState | None:
    """Without an address that it takes from what it is over."""
    return link.netdev and dataclasses.replace(link.netdev, ifindex=0, mac=link.netdev.mac if link.mac else "")


@contextmanager
def host() -> Iterator[Host]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        yield Host(Path(directory))


def try_apply(one: Host, wanted: tuple[Desired, ...], *, prune: bool = True) -> bool:
    """False when the state can't be (clashing ids, ports or names): that has to be said before anything is touched."""
    before = one.picture(), one.seen()
    try:
        one.manager.plan(wanted, prune=prune)
    except L2tpError:
        assert (one.picture(), one.seen()) == before
        return False
    one.manager.apply(wanted, prune=prune)
    return True


def assert_undone_when_it_fails(one: Host, wanted: tuple[Desired, ...], break_at: int) -> None:
    """Apply; when the `break_at`-th change fails, all is as before. In either case nothing is left to do."""
    before = one.picture()
    one.countdown.at = break_at
    try:
        one.manager.apply(wanted, prune=True)
    except RefusedError as error:
        assert "injected" in str(error)
        assert not getattr(error, "__notes__", [])
        assert one.picture() == before
        assert not [status for status in one.manager.tunnels() if status.foreign]
    assert one.manager.plan((), prune=False).steps == ()
