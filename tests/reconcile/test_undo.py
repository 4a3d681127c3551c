"""What fails takes nothing away that was there before it: netdevs of dead workers, with all that others gave them."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3 import Manager, Paths
from l2tpv3.errors import ConflictError, L2tpError, NotFoundError
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.model.status import NetdevState
from l2tpv3.netdev.base import NO_EVIDENCE, Evidence
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.here import Here
from tests.hosts import Host as RealHost
from tests.hosts import end
from tests.memory_host import Breaking, Countdown
from tests.properties import SOME

NAMES = ("t", "u", "v")


class Workers(MemoryDatapath):
    """A datapath whose netdevs outlive what carries them. taken: local ports that some other program has.

    netdevs: by tunnel and session, a number for each that was made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.netdevs: dict[tuple[str, str], int] = {}
        self.taken: set[int] = set()
        self._made = 0

    def add_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.add_tunnel."""
        if tunnel.local_port in self.taken:
            raise ConflictError(f"tunnel {tunnel.name}", "can't bind: Address already in use (EADDRINUSE)")
        super().add_tunnel(tunnel)

    def del_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.del_tunnel."""
        left = [key for key in self.netdevs if key[0] == tunnel.name]
        try:
            super().del_tunnel(tunnel)
        except NotFoundError:
            if not left:
                raise
        for key in left:
            del self.netdevs[key]

    def add_session(
        self, tunnel: TunnelSpec, session: SessionSpec, *, adopt: bool = False, homes: tuple[str | None, ...] = ()
    ) -> None:
        """See Datapath.add_session."""
        super().add_session(tunnel, session, adopt=adopt, homes=homes)
        if not adopt or (tunnel.name, session.name) not in self.netdevs:
            self._made += 1
            self.netdevs[tunnel.name, session.name] = self._made

    def del_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.del_session."""
        there = self.netdevs.pop((tunnel.name, session.name), None)
        with contextlib.suppress(NotFoundError) if there is not None else contextlib.nullcontext():
            super().del_session(tunnel, session)

    def die(self, tunnel: TunnelSpec) -> None:
        """Its worker does; the netdevs stay."""
        super().del_tunnel(tunnel)


class Netdevs(MemoryConfigurator):
    """Finds netdevs that nobody carries, too."""

    def __init__(self, workers: Workers) -> None:
        super().__init__(workers, frozenset({(None, "br0")}))
        self._workers = workers

    def find(
        self, tunnel: TunnelSpec, session: SessionSpec, mark: str, evidence: Evidence = NO_EVIDENCE
    ) -> NetdevState | None:
        """See Locator.find."""
        return self._state(mark) if (tunnel.name, session.name) in self._workers.netdevs else None


class Host:
    """A host with up to three tunnels of two sessions each."""

    def __init__(self, folder: Path, sessions: dict[str, int]) -> None:
        self.workers, self.countdown = Workers(), Countdown()
        placer = Netdevs(self.workers)
        datapath: Any = Breaking(self.workers, self.countdown)
        self.manager = Manager(Paths(folder / "state", folder / "run"), [datapath], Breaking(placer, self.countdown))
        for number, (name, count) in enumerate(sessions.items(), start=1):
            words = {"remote": f"127.0.0.{number + 1}", "local-port": 5000 + number}
            self.manager.add_tunnel(name, words)
            for one in range(count):
                self.manager.add_session(name, f"s{one}", {})

    def port(self, name: str) -> int:
        return self.manager.records()[name].spec.local_port

    def die(self, name: str) -> None:
        record = self.manager.records()[name]
        self.workers.die(TunnelSpec(**{**_fields(record.spec), "local": record.local}))


def _fields(spec: TunnelSpec) -> dict[str, Any]:
    return {field: getattr(spec, field) for field in TunnelSpec.__dataclass_fields__}


def change(manager: Manager, what: str, name: str) -> None:
    """One change that takes no netdev away when all goes well."""
    match what:
        case "restore":
            manager.restore()
        case "restore one":
            manager.restore(name)
        case "add":
            manager.add_session(name, "new", {})
        case "set":
            manager.set_session(name, "s0", {"mtu": 1300, "bridge": "br0"})
        case "tunnel":
            manager.add_tunnel("new", {"remote": "127.0.0.9", "local-port": 6000})
        case "apply":
            some = DesiredSession(name="s0", words={"mtu": 1200, "address": ["10.9.0.1/24"]})
            more = DesiredSession(name="more", words={})
            words = {"remote": "127.0.0.9", "local-port": 6000}
            manager.apply(
                [
                    DesiredTunnel(name="a", words=words, sessions=(more,)),
                    *(
                        DesiredTunnel.from_specs(one.spec, [])
                        if not one.sessions
                        else DesiredTunnel(
                            name=one.spec.name, words=DesiredTunnel.from_specs(one.spec).words, sessions=(some, more)
                        )
                        for one in manager.records().values()
                    ),
                ]
            )


@SOME
@given(
    sessions=st.dictionaries(st.sampled_from(NAMES), st.integers(1, 2), min_size=1),
    dead=st.sets(st.sampled_from(NAMES)),
    taken=st.sets(st.sampled_from(NAMES)),
    what=st.sampled_from(["restore", "restore one", "add", "set", "tunnel", "apply"]),
    fails_at=st.integers(0, 12),
)
def test_no_failed_change_takes_away_a_netdev_that_it_did_not_make(
    sessions: dict[str, int], dead: set[str], taken: set[str], what: str, fails_at: int
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        host = Host(Path(folder), sessions)
        for name in sorted(dead & sessions.keys()):
            host.die(name)
            if name in taken:
                host.workers.taken.add(host.port(name))
        before, record = dict(host.workers.netdevs), host.manager.records()
        host.countdown.at = fails_at
        try:
            change(host.manager, what, sorted(sessions)[0])
        except L2tpError as error:
            assert host.manager.records() == record
            undone = not any("undoing" in note for note in getattr(error, "__notes__", ()))
            assert not undone or what.startswith("restore") or host.workers.netdevs == before, "what it made goes"
        assert before.items() <= host.workers.netdevs.items()
        host.countdown.at = 0
        host.workers.taken.clear()
        host.manager.restore()
        assert before.items() <= host.workers.netdevs.items()
        assert {one.condition for one in host.manager.tunnels()} == {"up"}


def test_those_that_come_back_beside_one_that_can_not_are_told_and_keep_their_netdevs(tmp_path: Path) -> None:
    host = Host(tmp_path, {"s": 1, "t": 1, "u": 2})
    for name in ("s", "t", "u"):
        host.die(name)
    host.workers.taken.add(host.port("t"))
    before, told = dict(host.workers.netdevs), list[tuple[str, str]]()
    with pytest.raises(ConflictError, match="tunnel t: can't bind"):
        host.manager.restore(tell=lambda news: told.append((news.tunnel, news.outcome)))
    assert told == [("s", "restored"), ("u", "restored")]
    assert host.workers.netdevs == before


_BLOCKER = """
import signal, socket, sys
sock = socket.socket(type=socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 1701))
print("bound", flush=True)
signal.pause()
"""


def _state(host: RealHost) -> list[str]:
    """The sessions' netdevs with their addresses, masters and routes, whoever made those."""
    links, routes = host.ip("-o", "link", "show").splitlines(), host.ip("route").splitlines()
    numbers = [line.split(":")[0] + line.partition("master ")[2].split(" ")[0] for line in links if "pw" in line]
    addresses = [line.split()[1:4:2] for line in host.ip("-o", "-4", "addr", "show").splitlines() if "pw" in line]
    return [*numbers, *map(str, addresses), *(line.replace(" linkdown", "").strip() for line in routes if "pw" in line)]


@pytest.mark.root
@pytest.mark.parametrize("how", ["killed", "wiped"])
@pytest.mark.parametrize("datapath", ["user", "ebpf"])
def test_a_restore_that_fails_leaves_what_outlived_the_worker(
    underlay: tuple[RealHost, RealHost], datapath: str, how: str
) -> None:
    """killed: and another program has the port since. wiped: the runtime folder is, and workers have the ports."""
    a, b = underlay
    here = Here(a)
    here.add_tunnel("t", {"remote": b.v4, "datapath": datapath})
    here.add_session("t", "lan", {"ifname": "pwt"})
    here.add_tunnel("u", {"remote": b.v4, "datapath": datapath, "local-port": 1702})
    here.add_session("u", "lan", {"ifname": "pwu", "address": ["10.6.0.1/24"]})
    lines = ["link add br0 type bridge", "link set pwt master br0", "addr add 10.7.0.1/24 dev pwt"]
    a.ip_batch([*lines, "addr add 10.8.0.1/24 dev pwu", "route add 10.50.0.0/16 dev pwu"])
    before = _state(a)
    assert len(before) >= 6
    if how == "killed":
        end(a.workers())
        process = a.start(["python3", "-c", _BLOCKER, a.v4])
        assert process.stdout is not None and process.stdout.readline() == "bound\n"
    else:
        for path in sorted(a.runtime_dir.rglob("*.sock")):
            path.unlink()
    fresh = Here(a)
    for _ in range(2):
        # Workers out of reach may be ended, and what they had taken over; another program keeps its port.
        with pytest.raises(ConflictError, match="1701") if how == "killed" else contextlib.suppress(ConflictError):
            fresh.restore()
        assert _state(a) == before
    if how == "killed":
        assert {one.name: str(one.condition) for one in fresh.tunnels()} == {"t": "missing", "u": "up"}
