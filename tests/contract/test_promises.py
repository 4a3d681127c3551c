"""What every datapath promises (l2tpv3/datapath/base.py), whatever it is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from l2tpv3.datapath.base import FindsSome
from l2tpv3.errors import ConflictError, ExistsError, NotFoundError
from l2tpv3.model.observed import Counters
from l2tpv3.model.spec import Egress, Encap, Sequencing, SessionSpec, Sublayer, TunnelSpec
from tests.contract.bench import Bench

ENCAPS = pytest.mark.parametrize(("encap", "version"), [(e, v) for e in Encap for v in (4, 6)])
OLDER, NEWER = bytes.fromhex("0011223344556677"), bytes.fromhex("8899aabb")


def test_it_works_here_and_says_so_in_one_line(bench: Bench) -> None:
    support = bench.datapath.probe()
    assert support.works, support.reason
    assert support.reason
    assert "\n" not in support.reason


def test_in_place_names_fields_of_a_session(bench: Bench) -> None:
    assert bench.datapath.in_place <= {field.name for field in dataclasses.fields(SessionSpec)}


def test_nothing_there_at_first(bench: Bench) -> None:
    assert bench.datapath.tunnels(bench.near) == []


@ENCAPS
def test_a_tunnel_is_seen_exactly_as_added(bench: Bench, encap: Encap, version: int) -> None:
    tunnel = bench.tunnel(version=version, encap=encap, tunnel_id=0xFFFFFFFF, peer_tunnel_id=0x80000000)
    bench.datapath.add_tunnel(tunnel)
    (seen,) = bench.datapath.tunnels(bench.near)
    assert (seen.tunnel_id, seen.peer_tunnel_id, seen.encap) == (0xFFFFFFFF, 0x80000000, encap)
    assert (seen.local, seen.remote) == (tunnel.local, tunnel.remote)
    udp = encap is Encap.UDP
    assert (seen.local_port, seen.remote_port) == ((tunnel.local_port, tunnel.remote_port) if udp else (0, 0))
    assert seen.udp_checksum is (True if udp else None)
    assert seen.sessions == ()


@ENCAPS
def test_a_few_are_found_as_in_a_list_of_all(bench: Bench, encap: Encap, version: int) -> None:
    datapath = bench.datapath
    if not isinstance(datapath, FindsSome):
        return
    tunnel = bench.tunnel(version=version, encap=encap)
    datapath.add_tunnel(tunnel)
    for number in (11, 12):
        session = bench.session(session_id=number, peer_session_id=number, ifname=f"few{number}", rx_cookie=NEWER)
        datapath.add_session(tunnel, session)
    (all_of_it,) = datapath.tunnels(bench.near)
    one = tuple(session for session in all_of_it.sessions if session.session_id == 12)
    assert len(one) == 1
    absent = tunnel.tunnel_id + 1
    found = datapath.some(bench.near, {tunnel.tunnel_id: [12, 99], absent: [11]})
    assert found == [dataclasses.replace(all_of_it, sessions=one)]


@pytest.mark.parametrize("version", [4, 6])
def test_udp_checksums_can_be_off(bench: Bench, version: int) -> None:
    bench.datapath.add_tunnel(bench.tunnel(version=version, udp_checksum=False))
    assert bench.datapath.tunnels(bench.near)[0].udp_checksum is False


@ENCAPS
@pytest.mark.parametrize("sublayer", Sublayer)
def test_a_session_is_seen_exactly_as_added(bench: Bench, encap: Encap, version: int, sublayer: Sublayer) -> None:
    tunnel = bench.tunnel(version=version, encap=encap)
    session = bench.session(
        session_id=0xFFFFFFFE, peer_session_id=0x80000001, tx_cookie=OLDER, rx_cookie=NEWER, sublayer=sublayer,
        ifname="fifteen-letters",
    )  # fmt: skip
    bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(tunnel, session)
    (seen,) = bench.seen_tunnel(tunnel).sessions
    assert (seen.session_id, seen.peer_session_id, seen.ifname) == (0xFFFFFFFE, 0x80000001, "fifteen-letters")
    assert (seen.tx_cookie, seen.rx_cookie) == (OLDER, NEWER)
    assert (seen.send_seq, seen.recv_seq, seen.reorder_timeout_ms) == (False, False, 0)
    assert seen.sublayer in (sublayer, None)
    assert seen.counters == Counters()
    assert "fifteen-letters" in bench.netdevs(bench.near)
    assert "fifteen-letters" not in bench.netdevs(bench.far)


@pytest.mark.parametrize(("tx_cookie", "rx_cookie"), [(b"", b""), (NEWER, b""), (b"", OLDER), (NEWER, NEWER)])
def test_cookies_have_each_their_own_length(bench: Bench, tx_cookie: bytes, rx_cookie: bytes) -> None:
    tunnel, session = bench.tunnel(), bench.session(tx_cookie=tx_cookie, rx_cookie=rx_cookie)
    bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(tunnel, session)
    seen = bench.seen_session(tunnel, session)
    assert (seen.tx_cookie, seen.rx_cookie) == (tx_cookie, rx_cookie)


@pytest.mark.parametrize("sequencing", Sequencing)
def test_sequencing_and_reordering_as_added(bench: Bench, sequencing: Sequencing) -> None:
    tunnel, session = bench.tunnel(), bench.session(sequencing=sequencing, reorder_timeout_ms=200)
    bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(tunnel, session)
    _check_sequencing(bench, tunnel, session)


def _check_sequencing(bench: Bench, tunnel: TunnelSpec, session: SessionSpec) -> None:
    seen = bench.seen_session(tunnel, session)
    assert seen.recv_seq is session.sequencing.recv
    # With `recv` a datapath may number what it sends too: a Linux peer stops numbering when nobody numbers for it.
    if session.sequencing is not Sequencing.RECV:
        assert seen.send_seq is session.sequencing.send
    assert seen.reorder_timeout_ms == session.reorder_timeout_ms


def test_sequencing_changes_in_place_each_way(bench: Bench) -> None:
    assert {"sequencing", "reorder_timeout_ms"} <= bench.datapath.in_place
    tunnel, session = bench.tunnel(), bench.session(tx_cookie=OLDER, rx_cookie=NEWER)
    bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(tunnel, session)
    before = bench.seen_session(tunnel, session)
    netdevs = bench.netdevs(bench.near)
    for sequencing in (Sequencing.BOTH, Sequencing.SEND, Sequencing.RECV, Sequencing.NONE, Sequencing.BOTH):
        for timeout in (200, 0, 1000):
            session = dataclasses.replace(session, sequencing=sequencing, reorder_timeout_ms=timeout)
            bench.datapath.set_session(tunnel, session)
            _check_sequencing(bench, tunnel, session)
    session = dataclasses.replace(session, sequencing=Sequencing.NONE, reorder_timeout_ms=0)
    bench.datapath.set_session(tunnel, session)
    assert bench.seen_session(tunnel, session) == before
    assert bench.netdevs(bench.near) == netdevs


def test_set_session_changes_only_what_is_in_place(bench: Bench) -> None:
    tunnel, session = bench.tunnel(), bench.session(tx_cookie=OLDER)
    bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(tunnel, session)
    before = bench.seen_session(tunnel, session)
    elsewhere = {"peer_session_id": 9, "tx_cookie": NEWER, "rx_cookie": NEWER, "ifname": "other0"}
    changes = {field: value for field, value in elsewhere.items() if field not in bench.datapath.in_place}
    bench.datapath.set_session(tunnel, dataclasses.replace(session, **changes))  # type: ignore[arg-type]
    assert bench.seen_session(tunnel, session) == before


@pytest.mark.parametrize("egress", Egress)
def test_a_session_of_one_vlan_has_a_netdev_of_its_name(bench: Bench, egress: Egress) -> None:
    """And no trace of it is left when it is gone."""
    tunnel, session = bench.tunnel(), bench.session(vlan=100, egress=egress, tx_cookie=OLDER)
    before = bench.netdevs(bench.near)
    bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(tunnel, session)
    seen = bench.seen_session(tunnel, session)
    assert seen.tx_cookie == OLDER
    assert (seen.vlan, seen.egress) in ((100, egress), (None, Egress.REMOVE))
    assert "pw1" in bench.netdevs(bench.near)
    bench.datapath.set_session(tunnel, dataclasses.replace(session, sequencing=Sequencing.BOTH))
    _check_sequencing(bench, tunnel, dataclasses.replace(session, sequencing=Sequencing.BOTH))
    bench.datapath.del_session(tunnel, session)
    assert bench.netdevs(bench.near) == before
    bench.datapath.add_session(tunnel, session)
    bench.datapath.del_tunnel(tunnel)
    assert bench.netdevs(bench.near) == before


@pytest.mark.parametrize("egress", Egress)
def test_a_session_of_one_vlan_that_can_not_be_made_leaves_nothing(bench: Bench, egress: Egress) -> None:
    tunnel = bench.tunnel()
    bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(tunnel, bench.session(1))
    before = bench.footprint(bench.near)
    with pytest.raises(ConflictError, match=r"s2.*pw1.*--ifname"):
        bench.datapath.add_session(tunnel, bench.session(2, ifname="pw1", vlan=100, egress=egress))
    with pytest.raises(ExistsError, match=r"s2.*\b4097\b.*--id"):
        bench.datapath.add_session(tunnel, bench.session(2, session_id=0x1001, vlan=100, egress=egress))
    assert bench.footprint(bench.near) == before


def test_a_tunnel_id_that_is_taken_exists(bench: Bench) -> None:
    bench.datapath.add_tunnel(bench.tunnel(1))
    bench.datapath.add_session(bench.tunnel(1), bench.session())
    before = bench.footprint(bench.near)
    for again in (bench.tunnel(1), bench.tunnel(2, tunnel_id=101), bench.tunnel(2, tunnel_id=101, encap=Encap.IP)):
        with pytest.raises(ExistsError, match=r"t\d.*\b101\b.*--id"):
            bench.datapath.add_tunnel(again)
    assert bench.footprint(bench.near) == before


@pytest.mark.parametrize("version", [4, 6])
def test_a_port_that_another_tunnel_has_conflicts(bench: Bench, version: int) -> None:
    bench.datapath.add_tunnel(bench.tunnel(1, version=version))
    before = bench.footprint(bench.near)
    with pytest.raises(ConflictError, match=r"t2.*20001.*--local-port") as raised:
        bench.datapath.add_tunnel(bench.tunnel(2, version=version, local_port=20001))
    assert not isinstance(raised.value, ExistsError)
    assert bench.footprint(bench.near) == before


def test_tunnels_between_the_same_addresses(bench: Bench) -> None:
    tunnels = [bench.tunnel(1), bench.tunnel(2), bench.tunnel(3, encap=Encap.IP), bench.tunnel(4, encap=Encap.IP)]
    tunnels += [bench.tunnel(5, encap=Encap.IP, local_port=20001), bench.tunnel(6, local_port=20003)]
    for tunnel in tunnels:
        bench.datapath.add_tunnel(tunnel)
    assert {seen.tunnel_id for seen in bench.datapath.tunnels(bench.near)} == {tunnel.tunnel_id for tunnel in tunnels}


def test_a_session_id_that_is_taken_exists(bench: Bench) -> None:
    tunnel = bench.tunnel()
    bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(tunnel, bench.session(1, tx_cookie=OLDER))
    before = bench.footprint(bench.near)
    for again in (bench.session(1), bench.session(2, session_id=0x1001)):
        with pytest.raises(ExistsError, match=r"s\d.*\b4097\b.*--id"):
            bench.datapath.add_session(tunnel, again)
    assert bench.footprint(bench.near) == before


def test_a_netdev_name_that_is_taken_conflicts(bench: Bench) -> None:
    tunnel, other = bench.tunnel(1), bench.tunnel(2)
    bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_tunnel(other)
    bench.datapath.add_session(tunnel, bench.session(1))
    before = bench.footprint(bench.near)
    for where in (tunnel, other):
        with pytest.raises(ConflictError, match=r"s2.*pw1.*--ifname") as raised:
            bench.datapath.add_session(where, bench.session(2, ifname="pw1"))
        assert not isinstance(raised.value, ExistsError)
    assert bench.footprint(bench.near) == before


def test_what_is_not_there_is_not_found(bench: Bench) -> None:
    tunnel, session, datapath = bench.tunnel(), bench.session(), bench.datapath
    calls: list[Callable[[], None]] = [
        lambda: datapath.del_tunnel(tunnel),
        lambda: datapath.add_session(tunnel, session),
        lambda: datapath.set_session(tunnel, session),
        lambda: datapath.del_session(tunnel, session),
    ]
    for call in calls:
        with pytest.raises(NotFoundError, match=r"t1.*101|s1.*4097"):
            call()
    datapath.add_tunnel(tunnel)
    datapath.add_session(tunnel, bench.session(2))
    before = bench.footprint(bench.near)
    for call in calls[2:]:
        with pytest.raises(NotFoundError, match=r"s1.*4097"):
            call()
    assert bench.footprint(bench.near) == before


@pytest.mark.parametrize("encap", Encap)
def test_a_session_of_another_tunnel_is_not_found(bench: Bench, encap: Encap) -> None:
    """Newer kernels answer for, change and delete the other tunnel's."""
    tunnel, other = bench.tunnel(1, encap=encap), bench.tunnel(2, encap=encap)
    for one in (tunnel, other):
        bench.datapath.add_tunnel(one)
    bench.datapath.add_session(tunnel, bench.session())
    before = bench.footprint(bench.near)
    changed = bench.session(sequencing=Sequencing.BOTH, reorder_timeout_ms=1000)
    with pytest.raises(NotFoundError, match=r"s1.*4097"):
        bench.datapath.set_session(other, changed)
    with pytest.raises(NotFoundError, match=r"s1.*4097"):
        bench.datapath.del_session(other, bench.session())
    assert bench.footprint(bench.near) == before


def test_deleting_a_tunnel_takes_its_sessions_and_netdevs(bench: Bench) -> None:
    kept, gone = bench.tunnel(1), bench.tunnel(2)
    empty = bench.sessions_netdevs(bench.near)
    for tunnel in (kept, gone):
        bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(kept, bench.session(1))
    for number in (2, 3, 4):
        bench.datapath.add_session(gone, bench.session(number))
    assert bench.sessions_netdevs(bench.near) - empty == {"pw1", "pw2", "pw3", "pw4"}
    bench.datapath.del_tunnel(gone)
    assert bench.sessions_netdevs(bench.near) - empty == {"pw1"}
    assert [seen.tunnel_id for seen in bench.datapath.tunnels(bench.near)] == [kept.tunnel_id]
    assert bench.seen_session(kept, bench.session(1)).ifname == "pw1"


def test_deleting_a_session_leaves_the_others(bench: Bench) -> None:
    tunnel = bench.tunnel()
    bench.datapath.add_tunnel(tunnel)
    for number in (1, 2, 3):
        bench.datapath.add_session(tunnel, bench.session(number))
    bench.datapath.del_session(tunnel, bench.session(2))
    assert {session.ifname for session in bench.seen_tunnel(tunnel).sessions} == {"pw1", "pw3"}
    assert bench.netdevs(bench.near) & {"pw1", "pw2", "pw3"} == {"pw1", "pw3"}
    with pytest.raises(NotFoundError):
        bench.datapath.del_session(tunnel, bench.session(2))


@pytest.mark.parametrize("encap", Encap)
def test_delete_then_add_again_and_again(bench: Bench, encap: Encap) -> None:
    tunnel, session = bench.tunnel(encap=encap), bench.session()
    for _ in range(10):
        bench.datapath.add_tunnel(tunnel)
        bench.datapath.add_session(tunnel, session)
        bench.datapath.del_session(tunnel, session)
        bench.datapath.add_session(tunnel, session)
        bench.datapath.del_tunnel(tunnel)
        assert bench.datapath.tunnels(bench.near) == []


def test_namespaces_do_not_know_of_each_other(bench: Bench) -> None:
    here = bench.tunnel()
    there = dataclasses.replace(here, local=here.remote, remote=here.endpoint, netns=bench.far)
    for tunnel in (here, there):
        bench.datapath.add_tunnel(tunnel)
        bench.datapath.add_session(tunnel, bench.session())
    bench.datapath.del_tunnel(here)
    assert bench.datapath.tunnels(bench.near) == []
    assert bench.seen_session(there, bench.session()).ifname == "pw1"
    assert ("pw1" in bench.netdevs(bench.near), "pw1" in bench.netdevs(bench.far)) == (False, True)


def test_adopting_nothing_makes_a_session_as_usual(bench: Bench) -> None:
    tunnel, session = bench.tunnel(), bench.session()
    bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(tunnel, session, adopt=True)
    assert bench.seen_session(tunnel, session).ifname == "pw1"
    assert "pw1" in bench.netdevs(bench.near)


def test_no_file_descriptor_stays_open(bench: Bench) -> None:
    tunnel, session = bench.tunnel(), bench.session()

    def use() -> None:
        bench.datapath.probe()
        bench.datapath.add_tunnel(tunnel)
        bench.datapath.add_session(tunnel, session)
        with pytest.raises(ExistsError):
            bench.datapath.add_tunnel(tunnel)
        with pytest.raises(ExistsError):
            bench.datapath.add_session(tunnel, session)
        bench.datapath.tunnels(bench.near)
        bench.datapath.set_session(tunnel, session)
        bench.datapath.del_session(tunnel, session)
        bench.datapath.del_tunnel(tunnel)

    use()  # what is opened once and kept is no leak
    before = open_files()
    use()
    after = open_files()
    assert len(after) == len(before), (before, after)


def open_files() -> list[str]:
    """What this process has open."""
    return sorted(str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
