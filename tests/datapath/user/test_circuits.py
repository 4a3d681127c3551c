"""What workers tell each other of the circuits behind their sessions, and that no other peer minds."""

from __future__ import annotations

import itertools
import os
import signal
import time

import pytest

from l2tpv3.datapath.base import SignalledCircuit
from l2tpv3.errors import WorkerError
from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import CircuitKey, Encap, SessionSpec, Sublayer, TunnelSpec
from l2tpv3.worker import pool
from tests.datapath.user.ends import End, mirrored, passes, session
from tests.datapath.user.test_kernel_peer import kernel_session, kernel_tunnel, kernel_up
from tests.datapath.user.test_qemu_peer import PORT, qemu
from tests.here import Here
from tests.waiting import eventually

pytestmark = pytest.mark.root


def key(tunnel: TunnelSpec, one: SessionSpec) -> CircuitKey:
    return tunnel.netns, tunnel.tunnel_id, one.session_id


def has_carrier(end: End, one: SessionSpec) -> bool:
    return "LOWER_UP" in end.host.ip("link", "show", one.ifname)


@pytest.mark.parametrize(("encap", "family"), list(itertools.product(Encap, (4, 6))))
@pytest.mark.parametrize("cookie", [0, 8])
def test_what_one_end_tells_is_the_others_carrier(
    ends: tuple[End, End], encap: Encap, family: int, cookie: int
) -> None:
    a, b = ends
    one, two = session(1, cookie=cookie), session(2, cookie=cookie)
    near, far = a.tunnel(b.host, encap=encap, family=family), b.tunnel(a.host, encap=encap, family=family)
    a.add(near, one, two)
    b.add(far, mirrored(one), mirrored(two))
    here, there = key(near, one), key(far, mirrored(one))
    assert b.datapath.circuits({there: SignalledCircuit(up=True)}) == {there: None}
    assert a.datapath.circuits({here: SignalledCircuit(up=False)}) == {here: None}
    eventually(lambda: not has_carrier(b, one), "it is told")
    assert has_carrier(a, one) and has_carrier(b, two), "of that session and that end alone"
    assert b.datapath.circuits({there: SignalledCircuit(up=True)}) == {there: False}
    passes(a.place(two), b.place(two), [60, 1414])
    a.datapath.circuits({here: SignalledCircuit(up=True)})
    eventually(lambda: has_carrier(b, one), "and told again")
    assert b.datapath.circuits({there: SignalledCircuit(up=True)}) == {there: True}
    passes(a.place(one), b.place(one), [60, 1414])
    assert a.datapath.circuits({}) == {}, "nothing is told any more"
    eventually(lambda: not has_carrier(b, one), "a silent one counts as down")
    assert b.datapath.circuits({}) == {}
    eventually(lambda: has_carrier(b, one), "unless nobody asks")


def test_it_is_said_again_and_again_and_what_an_earlier_worker_heard_holds(ends: tuple[End, End]) -> None:
    a, b = ends
    one = session()
    near, far = a.tunnel(b.host), b.tunnel(a.host)
    a.add(near, one)
    b.add(far, mirrored(one))
    here, there = key(near, one), key(far, mirrored(one))
    a.datapath.circuits({here: SignalledCircuit(up=False)})
    time.sleep(0.2)  # nobody listens yet
    assert b.datapath.circuits({there: SignalledCircuit(up=True)}) == {there: None}
    eventually(lambda: not has_carrier(b, one), "the next second")
    b.datapath.circuits({})
    a.datapath.circuits({})
    assert has_carrier(b, one)
    assert b.datapath.circuits({there: SignalledCircuit(up=True, heard=False)}) == {there: False}
    assert not has_carrier(b, one), "as it was before this worker"


def test_a_session_that_goes_takes_its_circuit_along(ends: tuple[End, End]) -> None:
    a, b = ends
    one = session()
    near = a.tunnel(b.host)
    a.add(near, one)
    told = {key(near, one): SignalledCircuit(up=True), ("l2tpv3-no-such", 1, 1): SignalledCircuit(up=True)}
    assert a.datapath.circuits(told) == {key(near, one): None}
    a.datapath.del_session(near, one)
    assert a.datapath.circuits(told) == {}
    a.datapath.add_session(near, one)
    assert a.datapath.circuits(told) == {key(near, one): None}
    time.sleep(1.2)
    assert (a.host.runtime_dir / "worker-0.log").read_text() == ""


def _tell_often(a: End, tunnel: TunnelSpec, one: SessionSpec) -> None:
    """More than any socket's buffer holds that nobody reads."""
    for number in range(400):
        a.datapath.circuits({key(tunnel, one): SignalledCircuit(up=number % 2 == 0)})


@pytest.mark.parametrize(
    ("encap", "sublayer"), [(Encap.UDP, Sublayer.DEFAULT), (Encap.UDP, Sublayer.NONE), (Encap.IP, Sublayer.DEFAULT)]
)
def test_qemu_goes_on_moving_frames(ends: tuple[End, End], encap: Encap, sublayer: Sublayer) -> None:
    a, b = ends
    one = session(cookie=8, sublayer=sublayer)
    tunnel = a.tunnel(b.host, encap=encap, remote_port=PORT)
    a.add(tunnel, one)
    process = qemu(a, b, encap=encap, family=4, cookie=8, sublayer=sublayer)
    _tell_often(a, tunnel, one)
    for _ in range(2):
        passes(a.place(one), (b.host.netns, "qtap0"), [60, 1414])
        passes((b.host.netns, "qtap0"), a.place(one), [60, 1414])
        time.sleep(1.2)
    assert process.poll() is None


@pytest.mark.kernel_l2tp
@pytest.mark.parametrize("encap", list(Encap))
def test_the_kernel_goes_on_moving_frames(ends: tuple[End, End], encap: Encap) -> None:
    a, b = ends
    one = session(cookie=8)
    tunnel = a.tunnel(b.host, encap=encap)
    a.add(tunnel, one)
    b.host.ip_batch([kernel_tunnel(a, b, encap=encap, family=4), kernel_session(one), *kernel_up(b, one)])
    _tell_often(a, tunnel, one)
    for _ in range(2):
        passes(a.place(one), b.place(one), [60, 1414])
        passes(b.place(one), a.place(one), [60, 1414])
        time.sleep(1.2)


def test_a_session_without_its_carrier_is_not_taken_from_a_worker_that_does_not_answer(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over IP no port would keep a second worker from it."""
    monkeypatch.setattr(pool, "LOOK_TIMEOUT_S", 0.3)
    a, b = ends
    here = Here(a.host)
    here.add_tunnel("t", {"remote": b.host.v4, "datapath": "user", "encap": "ip"})
    here.add_session("t", "s", {})
    (worker,) = a.host.workers()
    with inside(a.host.netns):
        circuit: CircuitKey = (None, 1, 1)
        assert a.datapath.circuits({circuit: SignalledCircuit(up=True, heard=False)}) == {circuit: False}
    assert "NO-CARRIER" in a.host.ip("link", "show", "l2tpeth0")
    os.kill(worker, signal.SIGSTOP)
    try:
        with pytest.raises(WorkerError, match=f"worker {worker}: does not answer"):
            here.restore()
        assert a.host.workers() == [worker]
    finally:
        os.kill(worker, signal.SIGCONT)
