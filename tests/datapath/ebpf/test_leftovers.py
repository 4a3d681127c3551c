"""After sessions and tunnels are deleted, or were never quite made, nothing of them is left, whatever came between."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from l2tpv3.datapath.ebpf import EbpfDatapath, veth
from l2tpv3.errors import ConflictError, ExistsError, L2tpError, NotFoundError
from l2tpv3.linux.bpf import syscall
from l2tpv3.model.spec import Encap, SessionSpec, TunnelSpec
from l2tpv3.paths import Paths
from tests.datapath.ebpf.ends import EbpfEnd, acquainted
from tests.datapath.ebpf.test_fallback import kill
from tests.datapath.user.ends import mirrored, passes, session
from tests.here import leftovers
from tests.hosts import PREFIX, UNDERLAY, Host
from tests.waiting import eventually

pytestmark = pytest.mark.root

Ends = tuple[EbpfEnd, EbpfEnd]


def filters(host: Host) -> dict[str, int]:
    """The programs at the netdevs of a host, by netdev, side and priority: their ids, as tc(8) tells them."""
    found = {}
    for link in json.loads(host.ip("-j", "link")):
        for side in ("ingress", "egress"):
            command = ["tc", "-j", "-n", host.netns, "filter", "show", "dev", link["ifname"], side]
            told = subprocess.run(command, check=False, capture_output=True, text=True).stdout
            for one in json.loads(told or "[]"):
                if "options" in one and "prog" in one["options"]:
                    found[f"{link['ifname']} {side} {one['pref']}"] = int(one["options"]["prog"]["id"])
    return found


class Loaded:
    """The programs that are at a host's netdevs, and their maps: to be looked for when they should be gone."""

    def __init__(self, host: Host) -> None:
        self.programs = set(filters(host).values())
        self.maps: set[int] = set()
        for number in self.programs:
            with _opened(syscall.program_by_id(number)) as fd:
                self.maps.update(syscall.maps_of(fd))

    def gone(self) -> bool:
        """Whether none of them is loaded any more; the kernel takes a moment."""
        return not any(_is_loaded(syscall.program_by_id, one) for one in self.programs) and not any(
            _is_loaded(syscall.map_by_id, one) for one in self.maps
        )


@contextlib.contextmanager
def _opened(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


def _is_loaded(by_id: object, number: int) -> bool:
    try:
        with _opened(by_id(number)):  # type: ignore[operator]
            return True
    except FileNotFoundError:
        return False


def nothing_left(end: EbpfEnd, loaded: Loaded | None = None) -> None:
    """No netdev, worker or socket; no program at any netdev, and what was loaded is unloaded."""
    assert leftovers(end.host) == []
    assert [path.name for path in end.host.runtime_dir.rglob("*") if path.suffix == ".sock"] == []
    assert filters(end.host) == {}
    if loaded is not None:
        assert loaded.programs
        eventually(loaded.gone, "programs and maps are unloaded")


def joined(ends: Ends, *sessions: SessionSpec, encap: Encap = Encap.UDP, family: int = 4) -> TunnelSpec:
    """A tunnel with sessions, its other end too."""
    a, b = ends
    acquainted(a.host, b.host)
    near = a.tunnel(b.host, encap=encap, family=family)
    a.add(near, *sessions)
    b.add(b.tunnel(a.host, encap=encap, family=family), *map(mirrored, sessions))
    return near


def still_works(ends: Ends, near: TunnelSpec, one: SessionSpec) -> None:
    """Frames go both ways by programs."""
    a, b = ends
    before = a.slow(near, one)
    passes(a.place(one), b.place(one), [60, 1400])
    passes(b.place(one), a.place(one), [60, 1400])
    assert a.slow(near, one) == before


WHOLE = pytest.mark.parametrize("whole", [False, True], ids=["sessions", "tunnel"])


def delete(end: EbpfEnd, tunnel: TunnelSpec, *sessions: SessionSpec, whole: bool) -> None:
    """Delete session by session, then the tunnel; or just that."""
    for one in () if whole else sessions:
        end.datapath.del_session(tunnel, one)
    end.datapath.del_tunnel(tunnel)


@WHOLE
@pytest.mark.parametrize(("encap", "family"), [(Encap.UDP, 4), (Encap.IP, 6)])
def test_what_was_deleted(ends: Ends, encap: Encap, family: int, whole: bool) -> None:  # noqa: FBT001
    a, _ = ends
    sessions = session(1), session(2)
    near = joined(ends, *sessions, encap=encap, family=family)
    loaded = Loaded(a.host)
    pref = 1701 if family == 4 else 1702
    assert f"{UNDERLAY} ingress {pref}" in filters(a.host)
    delete(a, near, *sessions, whole=whole)
    nothing_left(a, loaded)


def test_one_of_two_sessions_stays(ends: Ends) -> None:
    a, _ = ends
    one, two = session(1), session(2)
    near = joined(ends, one, two)
    a.datapath.del_session(near, one)
    assert set(a.ifindexes()) == {"lo", UNDERLAY, "pw2", "le1-4098", "lt1-4098"}
    still_works(ends, near, two)
    with pytest.raises(NotFoundError):
        a.datapath.del_session(near, one)
    still_works(ends, near, two)


def test_tunnels_of_both_ip_versions_leave_each_other_alone(ends: Ends) -> None:
    a, b = ends
    acquainted(a.host, b.host)
    one, two = session(1), session(2)
    tunnels = {}
    for family, each in ((4, one), (6, two)):
        tunnels[family] = a.tunnel(b.host, family=family, tunnel_id=family, name=f"t{family}")
        a.add(tunnels[family], each)
        b.add(b.tunnel(a.host, family=family, tunnel_id=family, name=f"t{family}"), mirrored(each))
    a.datapath.del_tunnel(tunnels[4])
    assert not [where for where in filters(a.host) if where.startswith(UNDERLAY) and where.endswith("1701")]
    still_works(ends, tunnels[6], two)
    a.datapath.del_tunnel(tunnels[6])
    nothing_left(a)


@WHOLE
def test_the_worker_was_killed(ends: Ends, whole: bool) -> None:  # noqa: FBT001
    a, _ = ends
    sessions = session(1), session(2)
    near = joined(ends, *sessions)
    loaded = Loaded(a.host)
    kill(a)
    for one in () if whole else sessions:
        a.datapath.del_session(near, one)
    with contextlib.nullcontext() if whole else contextlib.suppress(NotFoundError):
        a.datapath.del_tunnel(near)
    nothing_left(a, loaded)
    with pytest.raises(NotFoundError):
        a.datapath.del_tunnel(near)


@WHOLE
@pytest.mark.parametrize("lower", [False, True], ids=["upper", "lower"])
def test_the_netdev_was_deleted(ends: Ends, whole: bool, lower: bool) -> None:  # noqa: FBT001
    a, _ = ends
    one, two = session(1), session(2)
    near = joined(ends, one, two)
    loaded = Loaded(a.host)
    a.host.ip("link", "del", "le1-4097" if lower else "pw1")
    assert [each.peer_session_id for each in a.seen(near).sessions] == [0, two.peer_session_id], "one is not whole"
    still_works(ends, near, two)
    delete(a, near, one, two, whole=whole)
    nothing_left(a, loaded)


def test_the_only_sessions_netdev_was_deleted(ends: Ends) -> None:
    """Then the map is known to nobody but the program that takes in packets."""
    a, _ = ends
    near = joined(ends, session())
    loaded = Loaded(a.host)
    a.host.ip("link", "del", "pw1")
    a.datapath.del_tunnel(near)
    nothing_left(a, loaded)


def test_a_netdev_that_was_deleted_is_made_again(ends: Ends) -> None:
    a, _ = ends
    one = session()
    near = joined(ends, one)
    loaded = Loaded(a.host)
    a.host.ip("link", "del", "pw1")
    a.datapath.set_session(near, one)
    a.up(one)
    still_works(ends, near, one)
    again = Loaded(a.host)
    a.datapath.del_tunnel(near)
    nothing_left(a, loaded)
    eventually(again.gone, "the second ones are unloaded")


@WHOLE
def test_the_netdevs_other_namespace_was_deleted(ends: Ends, whole: bool) -> None:  # noqa: FBT001
    a, _ = ends
    one, two = session(1), session(2)
    near = joined(ends, one, two)
    loaded = Loaded(a.host)
    third = f"{PREFIX}third"
    subprocess.run(["ip", "netns", "add", third], check=True)
    try:
        a.host.ip("link", "set", "pw1", "netns", third)
    finally:
        subprocess.run(["ip", "netns", "del", third], check=True)
    eventually(lambda: "le1-4097" not in a.ifindexes(), "the netdev is gone")
    still_works(ends, near, two)
    delete(a, near, one, two, whole=whole)
    nothing_left(a, loaded)


@WHOLE
def test_the_netdev_is_in_another_namespace(ends: Ends, whole: bool) -> None:  # noqa: FBT001
    a, b = ends
    one = session(netns=b.host.netns)
    acquainted(a.host, b.host)
    near = a.tunnel(b.host)
    a.datapath.add_tunnel(near)
    a.datapath.add_session(near, one)
    loaded = Loaded(a.host)
    a.host.ip("link", "set", "pw1", "netns", b.host.netns, "name", "elsewhere")
    delete(a, near, one, whole=whole)
    assert "elsewhere" not in b.ifindexes()
    nothing_left(a, loaded)


def test_the_tunnels_namespace_lost_its_name(ends: Ends) -> None:
    a, _ = ends
    near = joined(ends, session())
    loaded = Loaded(a.host)
    subprocess.run(["ip", "netns", "del", a.host.netns], check=True)
    a.datapath.del_tunnel(near)
    assert a.host.workers() == []
    eventually(loaded.gone, "programs and maps are unloaded")


def test_the_name_is_taken(ends: Ends) -> None:
    a, b = ends
    a.host.ip("link", "add", "pw1", "type", "bridge")
    near = a.tunnel(b.host)
    a.datapath.add_tunnel(near)
    with pytest.raises(ConflictError, match=r"s1.*pw1.*--ifname"):
        a.datapath.add_session(near, session())
    assert set(a.ifindexes()) == {"lo", UNDERLAY, "pw1"}
    assert a.seen(near).sessions == ()
    assert filters(a.host) == {}
    a.host.ip("link", "del", "pw1")
    a.datapath.add_session(near, session())
    a.datapath.del_tunnel(near)
    nothing_left(a)


@pytest.mark.parametrize("alias", ["mine", "carries pw1, l2tpv3 t1/s1 /somewhere/else", "carries pw1, l2tpv3 t2/s1 "])
def test_the_lower_name_is_somebodys(ends: Ends, alias: str) -> None:
    a, b = ends
    taken = veth.lower_name(1, session().session_id)
    a.host.ip_batch([f"link add {taken} type veth peer other0", f"link set {taken} alias '{alias}'"])
    there = a.ifindexes()
    near = a.tunnel(b.host)
    a.datapath.add_tunnel(near)
    with pytest.raises(ConflictError, match=rf"s1.*{taken}"):
        a.datapath.add_session(near, session())
    assert a.ifindexes() == there
    a.datapath.del_tunnel(near)
    assert a.ifindexes() == there
    assert filters(a.host) == {}


def test_the_taps_name_is_somebodys(ends: Ends) -> None:
    a, b = ends
    taken = veth.slow_name(1, session().session_id)
    a.host.ip("link", "add", taken, "type", "bridge")
    there = a.ifindexes()
    near = a.tunnel(b.host)
    a.datapath.add_tunnel(near)
    with pytest.raises(L2tpError, match="s1"):
        a.datapath.add_session(near, session())
    assert a.ifindexes() == there
    a.datapath.del_tunnel(near)
    assert a.ifindexes() == there


def test_what_a_killed_command_left_half_made(ends: Ends) -> None:
    """A veth without an alias under the hidden name: the session is made over it, once more or anew."""
    a, b = ends
    one = session()
    near = a.tunnel(b.host)
    acquainted(a.host, b.host)
    a.datapath.add_tunnel(near)
    a.host.ip("link", "add", veth.lower_name(1, one.session_id), "type", "veth", "peer", "pw1")
    a.datapath.add_session(near, one)
    a.up(one)
    b.add(b.tunnel(a.host), mirrored(one))
    still_works(ends, near, one)
    a.datapath.del_tunnel(near)
    nothing_left(a)


def elsewhere(end: EbpfEnd) -> EbpfEnd:
    """The same host with another run-time directory, which knows nothing of the first."""
    folder = end.host.runtime_dir.parent / "run2"
    return EbpfEnd(dataclasses.replace(end.host), EbpfDatapath(Paths(folder, folder)))


def test_two_runtime_directories_share_a_namespace(ends: Ends) -> None:
    """The second has a session of its own beside the first one's, which outlives it."""
    a, b = ends
    one, two = session(1), session(2)
    near = joined(ends, one)
    other = elsewhere(a)
    second = a.tunnel(b.host, tunnel_id=2, name="t1", local_port=1702, remote_port=1702)
    other.add(second, two)
    b.add(b.tunnel(a.host, tunnel_id=2, name="t2", local_port=1702, remote_port=1702), mirrored(two))
    try:
        still_works(ends, near, one)
        still_works(ends, second, two)
    finally:
        other.datapath.del_tunnel(second)
    still_works(ends, near, one)
    assert "pw2" not in a.ifindexes()
    a.datapath.del_tunnel(near)
    nothing_left(a)


def test_another_runtime_directory_wants_the_same_ids(ends: Ends) -> None:
    """It is refused, and neither that nor its deletion does any harm."""
    a, b = ends
    one = session()
    near = joined(ends, one)
    other = elsewhere(a)
    second = dataclasses.replace(near, local_port=1702, remote_port=1702)
    other.datapath.add_tunnel(second)
    there = a.ifindexes()
    try:
        with pytest.raises((ConflictError, ExistsError), match="s1"):
            other.datapath.add_session(second, dataclasses.replace(one, ifname="pw9"))
        assert a.ifindexes() == there
        with pytest.raises(NotFoundError):
            other.datapath.del_session(second, one)
    finally:
        other.datapath.del_tunnel(second)
    assert a.ifindexes() == there
    still_works(ends, near, one)
    assert b.ifindexes()
