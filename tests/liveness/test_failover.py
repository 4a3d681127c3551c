"""Failover on real netdevs: one netdev, two ways to the other end, one of which goes and comes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from l2tpv3.errors import ConflictError, InvalidValueError
from l2tpv3.model.probe import FailoverRole, ProbeState
from tests.here import Here
from tests.hosts import Hosts, runs
from tests.waiting import eventually

pytestmark = pytest.mark.root

PRIMARY, BY_BACKUP, BACKUP = FailoverRole.PRIMARY, FailoverRole.BY_BACKUP, FailoverRole.BACKUP
PROBED = {"probe": "bfd", "probe-interval-ms": "300", "probe-multiplier": "10"}
COOKIES = {"tx-cookie": "00112233", "rx-cookie": "00112233"}


@pytest.fixture
def joined(hosts: Hosts) -> Iterator[tuple[Here, Here]]:
    """Two hosts with two tunnels between them, each by addresses of its own; the second has a backup of the first."""
    a, b = (Here(host) for host in hosts.pair())
    for number, (near, far) in enumerate(((a, b), (b, a)), start=1):
        near.host.ip("addr", "add", f"10.77.0.{number}/24", "dev", "u0")
        near.add_tunnel("one", {"remote": far.host.v4, "datapath": "user"})
        near.add_tunnel("two", {"remote": f"10.77.0.{3 - number}", "datapath": "user", "id": 2, "peer-id": 2,
                                "local-port": 1702, "remote-port": 1702})  # fmt: skip
        near.add_session("two", "spare", {**COOKIES, **PROBED})
        lan = {**COOKIES, **PROBED, "backup": "two/spare", "revert-delay-s": "1"}
        near.add_session("one", "lan", lan | {"address": [f"10.9.0.{number}/24"]})
    yield a, b


def roles(*ends: Here) -> list[FailoverRole | None]:
    """What each end says of the primary."""
    return [one.session("one", "lan").failover for one in ends]


def cut(one: Here, other: Here, *, way: str) -> None:
    """Have no packet of the first tunnel reach the other end, either way. way: add, or del for the contrary."""
    one.host.ip("route", way, "blackhole", f"{other.host.v4}/32")
    other.host.ip("route", way, "blackhole", f"{one.host.v4}/32")


def test_frames_go_by_the_backup_and_come_back(joined: tuple[Here, Here]) -> None:
    a, b = joined
    eventually(lambda: [one.session("one", "lan").probing.state for one in joined] == [ProbeState.ALIVE] * 2)
    eventually(lambda: [one.session("two", "spare").probing.state for one in joined] == [ProbeState.ALIVE] * 2)
    eventually(lambda: roles(a, b) == [PRIMARY, PRIMARY])
    assert a.session("two", "spare").failover is BACKUP
    assert "is the backup of another session" in " ".join(a.session("two", "spare").notes)
    assert a.host.ping("10.9.0.2")
    before = a.session("two", "spare").counters.tx_packets
    netdev = a.session("one", "lan").netdev
    cut(a, b, way="add")
    eventually(lambda: roles(a, b) == [BY_BACKUP, BY_BACKUP])
    assert a.host.ping("10.9.0.2")
    assert a.session("two", "spare").counters.tx_packets > before
    assert a.session("one", "lan").netdev == netdev
    assert "its frames go by its backup, two/spare" in a.session("one", "lan").notes
    cut(a, b, way="del")
    eventually(lambda: roles(a, b) == [PRIMARY, PRIMARY])
    before = a.session("two", "spare").counters.tx_packets
    assert a.host.ping("10.9.0.2")
    assert a.session("two", "spare").counters.tx_packets == before, "they go by the first way again"


def test_it_stands_through_renames_lost_workers_and_an_end(joined: tuple[Here, Here]) -> None:
    a, b = joined
    eventually(lambda: roles(a, b) == [PRIMARY, PRIMARY])
    a.rename_tunnel("two", "zwei")
    a.rename_session("zwei", "spare", "reserve")
    assert a.session("one", "lan").spec.backup == "zwei/reserve"
    assert roles(a) == [PRIMARY]
    assert not a.restore(), "nothing is to do"
    a.set_session("one", "lan", {"backup": None})
    assert roles(a) == [None] and a.session("zwei", "reserve").failover is None
    a.set_session("one", "lan", {"backup": "zwei/reserve"})
    assert roles(a) == [PRIMARY]
    for worker in a.host.workers():
        os.kill(worker, signal.SIGKILL)
        eventually(lambda pid=worker: not runs(pid))  # type: ignore[misc]
    a.restore()
    assert roles(a) == [PRIMARY] and a.session("zwei", "reserve").failover is BACKUP
    eventually(lambda: a.session("one", "lan").probing.state is ProbeState.ALIVE)
    with pytest.raises(
        ConflictError, match="there is no session zwei/reserve; add it first, or `l2tpctl session set one lan"
    ):
        a.del_tunnel("zwei")
    a.set_session("one", "lan", {"backup": None})
    a.del_tunnel("zwei")
    eventually(lambda: a.host.ping("10.9.0.2"))


def test_what_can_be_no_backup_is_refused(hosts: Hosts) -> None:
    a, b = (Here(host) for host in hosts.pair())
    a.add_tunnel("one", {"remote": b.host.v4, "datapath": "user"})
    a.add_session("one", "lan", PROBED | {"mtu": 1400})
    a.add_session("one", "spare", PROBED | {"mtu": 1300})
    a.add_session("one", "other", {"mtu": 1400})
    for words, wrong, remedy in (
        ({"backup": "one"}, InvalidValueError, "give TUNNEL/SESSION"),
        ({"backup": "one/lan"}, ConflictError, "name another one"),
        ({"backup": "one/none"}, ConflictError, "add it first, or `l2tpctl session set one lan --backup none`"),
        ({"backup": "one/spare"}, ConflictError, "`l2tpctl session set one lan --mtu 1300`"),
        ({"backup": "one/other"}, ConflictError, "`l2tpctl session set one other --probe bfd`, at the other end, too"),
        ({"backup": "one/spare", "probe": "none"}, InvalidValueError, "use --probe bfd for both sessions"),
    ):
        with pytest.raises(wrong) as caught:
            a.set_session("one", "lan", words)
        assert remedy in caught.value.remedy
    a.set_session("one", "lan", {"mtu": 1300, "backup": "one/spare"})
    for session, backup, problem in (("spare", "one/lan", "one/spare has a backup itself"),
                                     ("other", "one/spare", "one/spare is the backup of one/lan already")):  # fmt: skip
        with pytest.raises(ConflictError, match=problem):
            a.set_session("one", session, PROBED | {"mtu": 1300, "backup": backup})
