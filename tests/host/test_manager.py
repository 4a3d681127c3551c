"""The manager's promises, over the in-memory datapath: choices, conflicts, changes, undo and restore."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2tpv3 import Condition, Manager, Paths
from l2tpv3.errors import (
    ConflictError,
    ExistsError,
    ForeignError,
    InvalidValueError,
    L2tpError,
    NotFoundError,
    PreconditionError,
    RefusedError,
)
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.store.actor import acting_for
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator

PEER = {"remote": "127.0.0.2"}


class Failing:
    """A datapath or placer of which one method fails when told to, after or before it has done its work."""

    def __init__(self, inner: object) -> None:
        self.inner, self.fails = inner, ""

    def __getattr__(self, name: str) -> object:
        if name == self.fails:
            raise RefusedError("injected", f"{name} fails")
        return getattr(self.inner, name)


@pytest.fixture
def memory() -> MemoryDatapath:
    return MemoryDatapath()


@pytest.fixture
def manager(tmp_path: Path, memory: MemoryDatapath) -> Manager:
    return make(tmp_path, memory)


def make(tmp_path: Path, memory: MemoryDatapath) -> Manager:
    bridges = frozenset({(None, "br0")})
    return Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory], MemoryConfigurator(memory, bridges))


def test_defaults(manager: Manager) -> None:
    tunnel = manager.add_tunnel("siteb", PEER)
    assert (tunnel.spec.tunnel_id, tunnel.spec.peer_tunnel_id) == (1, 1)
    assert (tunnel.spec.local_port, tunnel.spec.remote_port, tunnel.spec.encap) == (1701, 1701, "udp")
    assert (str(tunnel.local), tunnel.condition, tunnel.datapath) == ("127.0.0.1", Condition.UP, "memory")
    session = manager.add_session("siteb", "lan", {})
    assert (session.spec.session_id, session.spec.peer_session_id, session.spec.ifname) == (1, 1, "l2tpeth0")
    assert (len(session.spec.tx_cookie), len(session.spec.rx_cookie)) == (8, 8)
    assert session.spec.tx_cookie != session.spec.rx_cookie
    assert session.condition is Condition.UP
    assert session.mtu == 65535 - 20 - 8 - 8 - 8 - 4 - 14  # loopback's MTU less the overhead


def test_lowest_free_ids(manager: Manager) -> None:
    for number in (1, 2, 3):
        manager.add_tunnel(f"t{number}", {**PEER, "local-port": number})
    manager.del_tunnel("t2")
    assert manager.add_tunnel("again", {**PEER, "local-port": 9}).spec.tunnel_id == 2


def test_session_ids_are_a_udp_tunnels_own_but_shared_over_ip(manager: Manager) -> None:
    manager.add_tunnel("u1", {**PEER, "local-port": 1})
    manager.add_tunnel("u2", {**PEER, "local-port": 2})
    manager.add_tunnel("i1", {"remote": "127.0.0.3", "encap": "ip"})
    assert manager.add_session("u1", "a", {}).spec.session_id == 1
    assert manager.add_session("u2", "a", {}).spec.session_id == 1
    assert manager.add_session("i1", "a", {}).spec.session_id == 2
    with pytest.raises(ExistsError, match=r"u1/a|u2/a"):
        manager.add_session("i1", "b", {"id": 1})


def test_names_and_ids_that_are_taken(manager: Manager) -> None:
    manager.add_tunnel("siteb", PEER)
    manager.add_session("siteb", "lan", {"ifname": "lan0"})
    with pytest.raises(ExistsError):
        manager.add_tunnel("siteb", PEER)
    with pytest.raises(ExistsError, match="siteb"):
        manager.add_tunnel("sitec", {**PEER, "id": 1, "local-port": 5})
    with pytest.raises(ConflictError, match="siteb"):
        manager.add_tunnel("sitec", {**PEER, "local-port": 1701})
    with pytest.raises(ExistsError):
        manager.add_session("siteb", "lan", {})
    with pytest.raises(ExistsError, match="lan"):
        manager.add_session("siteb", "other", {"id": 1})
    with pytest.raises(ConflictError, match="lan0"):
        manager.add_session("siteb", "other", {"ifname": "lan0"})


def test_what_is_not_there(manager: Manager) -> None:
    for call in (
        lambda: manager.tunnel("x"),
        lambda: manager.del_tunnel("x"),
        lambda: manager.set_tunnel("x", {}),
        lambda: manager.add_session("x", "y", {}),
        lambda: manager.restore("x"),
    ):
        with pytest.raises(NotFoundError, match="tunnel x"):
            call()
    manager.add_tunnel("siteb", PEER)
    for call in (
        lambda: manager.session("siteb", "y"),
        lambda: manager.del_session("siteb", "y"),
        lambda: manager.set_session("siteb", "y", {}),
    ):
        with pytest.raises(NotFoundError, match="siteb/y"):
            call()


def test_a_missing_bridge_or_namespace_is_said_before_anything_is_made(manager: Manager) -> None:
    manager.add_tunnel("siteb", PEER)
    with pytest.raises(NotFoundError, match="br9"):
        manager.add_session("siteb", "lan", {"bridge": "br9"})
    with pytest.raises(NotFoundError, match="nowhere"):
        manager.add_tunnel("sitec", {"remote": "127.0.0.9", "netns": "nowhere"})
    assert manager.tunnel("siteb").sessions == ()


def test_an_unknown_datapath_is_refused(manager: Manager) -> None:
    with pytest.raises(InvalidValueError, match="turbo"):
        manager.add_tunnel("siteb", {**PEER, "datapath": "turbo"})


def test_set_changes_in_place_what_it_can(manager: Manager) -> None:
    manager.add_tunnel("siteb", PEER)
    before = manager.add_session("siteb", "lan", {})
    assert not manager.set_session("siteb", "lan", {"mtu": 1400, "sequencing": "both", "up": False}).recreated
    after = manager.session("siteb", "lan")
    assert (after.mtu, after.send_seq, after.recv_seq, after.condition) == (1400, True, True, Condition.DOWN)
    assert after.spec.tx_cookie == before.spec.tx_cookie
    assert not manager.set_session("siteb", "lan", {"ifname": "lan7"}).recreated
    assert manager.session("siteb", "lan").netdev.ifname == "lan7"  # type: ignore[union-attr]
    assert not manager.set_session("siteb", "lan", {"mtu": 1400}).recreated


def test_set_says_what_forced_a_recreate(manager: Manager) -> None:
    manager.add_tunnel("siteb", PEER)
    manager.add_session("siteb", "lan", {})
    change = manager.set_session("siteb", "lan", {"tx-cookie": "none", "mtu": "auto"})
    assert change.recreated
    assert "tx-cookie" in change.why
    assert manager.session("siteb", "lan").mtu == 65535 - 20 - 8 - 8 - 4 - 14


def test_setting_a_tunnel_brings_its_sessions_along(manager: Manager) -> None:
    manager.add_tunnel("siteb", PEER)
    session = manager.add_session("siteb", "lan", {"address": ["192.0.2.1/24"]})
    assert manager.set_tunnel("siteb", {"remote": "127.0.0.7"}).recreated
    tunnel = manager.tunnel("siteb")
    assert str(tunnel.spec.remote) == "127.0.0.7"
    assert [(one.spec, one.condition) for one in tunnel.sessions] == [(session.spec, Condition.UP)]
    assert not manager.set_tunnel("siteb", {"remote": "127.0.0.7"}).recreated


def test_checksums_keep_to_the_default_of_the_datapath_and_the_peer(tmp_path: Path) -> None:
    ebpf, memory = MemoryDatapath(), MemoryDatapath()
    ebpf.name = "ebpf"
    manager = Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory, ebpf], MemoryConfigurator(memory))

    def checksum() -> bool:
        return manager.tunnel("siteb").spec.udp_checksum

    manager.add_tunnel("siteb", {**PEER, "datapath": "memory"})
    assert checksum()
    for words, expected in (
        ({"datapath": "ebpf"}, False),
        ({"peer-id": 7}, False),
        ({"remote": "::1", "local-port": 1702}, True),
        ({"remote": "127.0.0.2", "local-port": None}, False),
        ({"datapath": "memory"}, True),
        ({"udp-checksum": "off"}, False),
        ({"datapath": "ebpf"}, False),
        ({"udp-checksum": "on"}, True),
        ({"id": 9}, True),
        ({"udp-checksum": None}, False),
    ):
        manager.set_tunnel("siteb", words)
        assert checksum() is expected, words
        assert not manager.plan(manager.stated()).steps
    wanted = [DesiredTunnel(name="siteb", words={**PEER, "id": 9, "peer-id": 7, "datapath": "ebpf"})]
    assert not manager.plan(wanted).steps, "a file that says nothing of them does not differ"
    manager.put_tunnel("siteb", {**PEER, "datapath": "memory"})
    assert checksum()


@pytest.mark.parametrize("step", ["add_session", "place"])
def test_a_session_add_that_fails_leaves_nothing(tmp_path: Path, memory: MemoryDatapath, step: str) -> None:
    datapath, placer = Failing(memory), Failing(MemoryConfigurator(memory))
    manager = Manager(Paths(tmp_path / "s", tmp_path / "r"), [datapath], placer)  # type: ignore[list-item, arg-type]
    manager.add_tunnel("siteb", PEER)
    datapath.fails = placer.fails = step
    with pytest.raises(RefusedError, match="injected"):
        manager.add_session("siteb", "lan", {})
    datapath.fails = placer.fails = ""
    assert manager.tunnel("siteb").sessions == ()
    assert memory.tunnels(None)[0].sessions == ()


def test_a_tunnel_add_that_fails_leaves_nothing(tmp_path: Path, memory: MemoryDatapath) -> None:
    datapath = Failing(memory)
    manager = Manager(Paths(tmp_path / "s", tmp_path / "r"), [datapath], MemoryConfigurator(memory))  # type: ignore[list-item]
    datapath.fails = "add_tunnel"
    with pytest.raises(RefusedError, match="injected"):
        manager.add_tunnel("siteb", PEER)
    assert manager.tunnels() == []


@pytest.mark.parametrize("words", [{"tx-cookie": "none"}, {"mtu": 1400, "sequencing": "send"}])
def test_a_set_that_fails_leaves_what_was(tmp_path: Path, memory: MemoryDatapath, words: dict[str, object]) -> None:
    placer = Failing(MemoryConfigurator(memory))
    manager = Manager(Paths(tmp_path / "s", tmp_path / "r"), [memory], placer)  # type: ignore[arg-type]
    manager.add_tunnel("siteb", PEER)
    before = manager.add_session("siteb", "lan", {"mtu": 1300})

    def fail_once(*args: object, **kwargs: object) -> None:
        del placer.place, placer.change
        raise RefusedError("injected", "fails once")

    placer.place = placer.change = fail_once  # type: ignore[attr-defined]
    with pytest.raises(RefusedError, match="injected"):
        manager.set_session("siteb", "lan", words)
    after = manager.session("siteb", "lan")
    assert (after.spec, after.mtu, after.condition, after.send_seq) == (before.spec, 1300, Condition.UP, False)


def test_a_tunnel_set_that_fails_brings_the_old_one_back(tmp_path: Path, memory: MemoryDatapath) -> None:
    manager = make(tmp_path, memory)
    manager.add_tunnel("siteb", PEER)
    manager.add_session("siteb", "lan", {})
    manager.add_tunnel("sitec", {"remote": "127.0.0.3", "local-port": 99})
    with pytest.raises(L2tpError):
        manager.set_tunnel("siteb", {"local-port": 99})  # the in-memory datapath shares no port
    tunnel = manager.tunnel("siteb")
    assert (tunnel.spec.local_port, tunnel.condition) == (1701, Condition.UP)
    assert [one.condition for one in tunnel.sessions] == [Condition.UP]


def test_restore_brings_back_what_is_gone(tmp_path: Path, memory: MemoryDatapath) -> None:
    before = make(tmp_path, memory)
    before.add_tunnel("siteb", PEER)
    before.add_session("siteb", "lan", {"address": ["192.0.2.1/24"], "mtu": 1400})
    after = make(tmp_path, MemoryDatapath())  # as after a reboot
    assert after.tunnel("siteb").condition is Condition.MISSING
    with pytest.raises(NotFoundError, match="restore"):
        after.add_session("siteb", "more", {})
    assert after.restore() == ["siteb"]
    tunnel = after.tunnel("siteb")
    assert (tunnel.condition, tunnel.sessions[0].condition, tunnel.sessions[0].mtu) == ("up", "up", 1400)
    assert after.restore() == []


def test_what_is_missing_can_be_deleted(tmp_path: Path, memory: MemoryDatapath) -> None:
    before = make(tmp_path, memory)
    before.add_tunnel("siteb", PEER)
    before.add_session("siteb", "lan", {})
    after = make(tmp_path, MemoryDatapath())
    after.del_session("siteb", "lan")
    after.del_tunnel("siteb")
    assert after.tunnels() == []


def foreign(memory: MemoryDatapath) -> None:
    from ipaddress import ip_address

    tunnel = TunnelSpec(name="x", remote=ip_address("127.0.0.9"), local=ip_address("127.0.0.1"), tunnel_id=1)
    memory.add_tunnel(tunnel)
    memory.add_session(tunnel, SessionSpec(name="x", ifname="other0", session_id=77))


def test_foreign_tunnels_are_shown_and_never_changed(manager: Manager, memory: MemoryDatapath) -> None:
    foreign(memory)
    (status,) = manager.tunnels()
    assert (status.name, status.foreign, status.sessions[0].spec.ifname) == ("memory:1", True, "other0")
    for call in (
        lambda: manager.del_tunnel("memory:1"),
        lambda: manager.set_tunnel("memory:1", {"encap": "ip"}),
        lambda: manager.add_session("memory:1", "lan", {}),
        lambda: manager.del_session("memory:1", "77"),
    ):
        with pytest.raises(ForeignError):
            call()
    assert len(memory.tunnels(None)[0].sessions) == 1


def test_foreign_ids_are_not_chosen(manager: Manager, memory: MemoryDatapath) -> None:
    foreign(memory)
    with pytest.raises(ExistsError):
        manager.add_tunnel("siteb", {**PEER, "id": 1})
    assert manager.add_tunnel("siteb", {**PEER, "local-port": 5}).spec.tunnel_id == 2


def test_a_foreign_tunnel_with_our_id_is_not_taken_for_ours(tmp_path: Path, memory: MemoryDatapath) -> None:
    before = make(tmp_path, memory)
    before.add_tunnel("siteb", PEER)
    rebooted = MemoryDatapath()
    foreign(rebooted)  # something else was quicker, and took id 1
    after = make(tmp_path, rebooted)
    assert after.tunnel("siteb").condition is Condition.MISSING
    after.del_tunnel("siteb")
    assert len(rebooted.tunnels(None)) == 1


def test_a_foreign_session_in_our_tunnel_is_noted(manager: Manager, memory: MemoryDatapath) -> None:
    status = manager.add_tunnel("siteb", PEER)
    import dataclasses

    memory.add_session(
        dataclasses.replace(status.spec, local=status.local), SessionSpec(name="x", ifname="other0", session_id=77)
    )
    assert any("77" in note for note in manager.tunnel("siteb").notes)


def test_a_killed_add_is_shown_and_swept_by_the_next_change(tmp_path: Path, memory: MemoryDatapath) -> None:
    class Killed(BaseException):
        pass

    manager = make(tmp_path, memory)

    def die(*_: object, **__: object) -> None:
        raise Killed

    manager._reconciler.store.commit = manager._reconciler._convergence.undo = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        manager.add_tunnel("siteb", PEER)
    after = make(tmp_path, memory)
    assert [(one.name, one.condition, one.foreign) for one in after.tunnels()] == [
        ("siteb", Condition.INCOMPLETE, False)
    ]
    after.restore()
    assert (after.tunnels(), memory.tunnels(None)) == ([], [])


def test_what_we_would_refuse_is_shown_when_something_else_made_it(tmp_path: Path) -> None:
    """The kernel takes tunnel id 0 and cookies of any length up to 8."""
    from ipaddress import ip_address

    from l2tpv3.documents.tunnel import tunnel_to_json
    from l2tpv3.model.observed import Session, Tunnel
    from l2tpv3.model.spec import Encap

    class Strange(MemoryDatapath):
        def tunnels(self, netns: str | None) -> list[Tunnel]:
            odd = Session(session_id=0, peer_session_id=0, ifname="", tx_cookie=b"12345", rx_cookie=b"1")
            any_ = ip_address("0.0.0.0")
            return [
                Tunnel(tunnel_id=0, peer_tunnel_id=0, encap=Encap.UDP, local=any_, remote=any_, sessions=(odd,)),
                Tunnel(
                    tunnel_id=9,
                    peer_tunnel_id=9,
                    encap=Encap.IP,
                    local=ip_address("fe80::1"),
                    remote=ip_address("fe80::2"),
                ),
            ]

    manager = make(tmp_path, Strange())
    assert [one.name for one in manager.tunnels()] == ["memory:0", "memory:9"]
    assert tunnel_to_json(manager.tunnel("memory:0"))["sessions"][0]["tx_cookie"]
    with pytest.raises(InvalidValueError):
        manager.adopt("memory:0", "mine")
    assert manager.records() == {}


def test_a_put_replaces_words_and_keeps_what_was_chosen(manager: Manager) -> None:
    made = manager.put_tunnel("a", {**PEER, "local-port": 5000, "id": 7}, transient=True)
    assert made.made and manager.tunnel("a").transient
    assert manager.put_session("a", "s", {"mtu": 1400, "address": ["10.0.0.1/24"]}).made
    chosen = manager.session("a", "s").spec
    assert manager.put_session("a", "s", {}).made is False
    now = manager.session("a", "s").spec
    assert (now.mtu, now.addresses) == (None, ())
    assert (now.session_id, now.ifname, now.tx_cookie) == (chosen.session_id, chosen.ifname, chosen.tx_cookie)
    manager.put_tunnel("a", PEER)
    tunnel = manager.tunnel("a")
    assert (tunnel.spec.tunnel_id, tunnel.spec.local_port, tunnel.transient) == (7, 5000, True)
    assert [one.spec for one in tunnel.sessions] == [now]
    changes = len(manager.audit())
    manager.put_tunnel("a", PEER)
    manager.put_session("a", "s", {})
    assert len(manager.audit()) == changes, "the same again is no change"


def test_a_word_that_is_reset_takes_its_default(manager: Manager) -> None:
    manager.add_tunnel("a", PEER)
    manager.add_session("a", "s", {"id": 9, "peer-id": 8, "mtu": 1400, "bridge": "br0"})
    manager.set_session("a", "s", {"mtu": None, "bridge": None, "peer-id": None, "id": None})
    spec = manager.session("a", "s").spec
    assert (spec.session_id, spec.peer_session_id, spec.mtu, spec.bridge) == (9, 8, None, None)


def test_a_check_sees_what_is_on_record_and_can_refuse(manager: Manager) -> None:
    seen: list[object] = []

    def refuse(record: object) -> None:
        seen.append(record)
        raise PreconditionError("it", "has changed")

    with pytest.raises(PreconditionError):
        manager.put_tunnel("a", PEER, check=refuse)
    assert seen == [None] and manager.tunnels() == []
    manager.add_tunnel("a", PEER)
    manager.add_session("a", "s", {})
    for refused in (
        lambda: manager.set_tunnel("a", {"local-port": 9}, check=refuse),
        lambda: manager.del_tunnel("a", check=refuse),
        lambda: manager.put_session("a", "s", {"mtu": 1400}, check=refuse),
        lambda: manager.set_session("a", "s", {"mtu": 1400}, check=refuse),
        lambda: manager.del_session("a", "s", check=refuse),
    ):
        with pytest.raises(PreconditionError):
            refused()
    assert seen[1:3] == [manager.records()["a"]] * 2 and seen[3:] == [manager.records()["a"].session("s")] * 3


def test_the_log_names_whom_a_thread_acts_for(manager: Manager) -> None:
    with acting_for("token laptop"):
        manager.add_tunnel("a", PEER)
    manager.del_tunnel("a")
    ours, theirs = manager.audit()
    assert theirs.who == "token laptop" and "uid" in ours.who


def test_ids_pass_from_one_session_to_another_in_one_change(manager: Manager) -> None:
    def wanted(**ids: int) -> list[DesiredTunnel]:
        sessions = (DesiredSession(name=name, words={"id": number}) for name, number in ids.items())
        return [DesiredTunnel(name="siteb", words=PEER, sessions=tuple(sessions))]

    manager.apply(wanted(a=1, b=2))
    for ids in ({"a": 2, "b": 1}, {"a": 2, "b": 9, "c": 1}, {"a": 1, "b": 2, "c": 9}):
        manager.apply(wanted(**ids))
        assert {one.name: one.spec.session_id for one in manager.tunnel("siteb").sessions} == ids
        assert not manager.plan(wanted(**ids)).changes
