"""BFD in the control channels of sessions, from worker to worker, while frames pass."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.datapath.base import SignalledCircuit
from l2tpv3.linux.netns import inside
from l2tpv3.model.probe import ProbeState
from l2tpv3.model.spec import Encap, Sequencing, SessionSpec, TunnelSpec
from l2tpv3.wire.bfd import BfdPacket, BfdState
from l2tpv3.wire.data import Framing, encode_header
from l2tpv3.wire.vccv import SUBLAYER_OF_CHANNEL, encode_channel
from tests.contract.frames import packet_socket
from tests.datapath.user.ends import End, mirrored, passes, session
from tests.datapath.user.test_circuits import has_carrier, key
from tests.waiting import eventually

pytestmark = pytest.mark.root

ALIVE, DEAD, STARTING = ProbeState.ALIVE, ProbeState.DEAD, ProbeState.STARTING
PROBED: dict[str, Any] = {"probe": "bfd", "probe_interval_ms": 300, "probe_multiplier": 10}


def state(end: End, tunnel: TunnelSpec, one: SessionSpec) -> ProbeState | None:
    """What an end says of a session's other end."""
    probing = end.session(tunnel, one).probing
    return None if probing is None else probing.state


def pair(ends: tuple[End, End], one: SessionSpec, **tunnel: Any) -> tuple[TunnelSpec, TunnelSpec]:
    """Make a session at both ends."""
    a, b = ends
    near, far = a.tunnel(b.host, **tunnel), b.tunnel(a.host, **tunnel)
    a.add(near, one)
    b.add(far, mirrored(one))
    return near, far


@pytest.mark.parametrize(
    ("tunnel", "words"),
    [({}, {}), ({"encap": Encap.IP}, {"cookie": 4}), ({"family": 6}, {"sequencing": Sequencing.BOTH}),
     ({"dscp": None}, {"fragment": True}), ({}, {"cookie": 0, "vlan": 5})],
    ids=["plain", "ip", "numbered", "fragments", "vlan"],
)  # fmt: skip
def test_both_ends_are_alive_and_frames_pass_as_they_are(
    ends: tuple[End, End], tunnel: dict[str, Any], words: dict[str, Any]
) -> None:
    a, b = ends
    one = session(**PROBED, **words)
    near, far = pair(ends, one, **tunnel)
    with packet_socket(b.place(one)) as seen:
        eventually(lambda: (state(a, near, one), state(b, far, mirrored(one))) == (ALIVE, ALIVE))
        passes(a.place(one), b.place(one), [60, 1400, 60] + 40 * [900])
        passes(b.place(one), a.place(one), [42, 1400])
        seen.settimeout(0)
        assert not [one for one in _all(seen) if len(one) < 42], "no packet of the channel came out as a frame"
    assert a.counters(near, one).rx_packets >= 2 and not a.counters(near, one).rx_errors


def _all(sock: Any) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(sock.recv(65535))
        except BlockingIOError:
            return found


def test_a_failure_is_found_at_both_ends_with_the_netdev_down_and_without_carrier(ends: tuple[End, End]) -> None:
    a, b = ends
    one = session(**PROBED)
    near, far = pair(ends, one)
    a.host.ip("link", "set", "pw1", "down")
    eventually(lambda: (state(a, near, one), state(b, far, mirrored(one))) == (ALIVE, ALIVE))
    a.host.ip("link", "set", "u0", "down")
    eventually(lambda: (state(a, near, one), state(b, far, mirrored(one))) == (DEAD, DEAD))
    told = a.session(near, one).probing
    assert told is not None and told.reason == "no BFD packet came for 3 s"
    a.host.ip("link", "set", "u0", "up")
    eventually(lambda: (state(a, near, one), state(b, far, mirrored(one))) == (ALIVE, ALIVE))


def test_the_carrier_goes_and_comes_with_the_other_end(ends: tuple[End, End]) -> None:
    a, b = ends
    one = session(**PROBED, on_dead="carrier")
    near, far = pair(ends, one)
    there = mirrored(one)
    eventually(lambda: (state(a, near, one), state(b, far, there)) == (ALIVE, ALIVE))
    assert has_carrier(a, one) and has_carrier(b, there)
    a.host.ip("link", "set", "u0", "down")
    eventually(lambda: not has_carrier(a, one) and not has_carrier(b, there))
    a.datapath.circuits({key(near, one): SignalledCircuit(up=True)})
    a.datapath.circuits({})
    assert not has_carrier(a, one), "what a port's far end says of it is another matter"
    a.datapath.set_session(near, session(**PROBED))
    assert has_carrier(a, one), "nothing follows any more"
    a.datapath.set_session(near, one)
    eventually(lambda: not has_carrier(a, one))
    a.host.ip("link", "set", "u0", "up")
    eventually(lambda: has_carrier(a, one) and has_carrier(b, there))
    a.wait_for_carrier(one)
    b.wait_for_carrier(there)
    passes(a.place(one), b.place(there), [60, 1400])


def test_an_end_that_probes_no_more_or_whose_worker_is_another_now_is_not_dead(ends: tuple[End, End]) -> None:
    a, b = ends
    one = session(**PROBED)
    near, far = pair(ends, one)
    eventually(lambda: state(b, far, mirrored(one)) is ALIVE)
    a.datapath.set_session(near, session())
    eventually(lambda: state(b, far, mirrored(one)) is STARTING)
    a.datapath.set_session(near, one)
    eventually(lambda: state(b, far, mirrored(one)) is ALIVE)
    a.datapath.del_session(near, one)
    eventually(lambda: state(b, far, mirrored(one)) is STARTING)
    a.datapath.add_session(near, one)
    eventually(lambda: state(b, far, mirrored(one)) is ALIVE)


def test_a_worker_that_was_suspended_takes_that_for_no_failure(ends: tuple[End, End]) -> None:
    a, b = ends
    patient = session(**PROBED | {"probe_multiplier": 255})  # for which the other end waits
    near, far = a.tunnel(b.host), b.tunnel(a.host)
    a.add(near, patient)
    b.add(far, mirrored(patient, probe_multiplier=8))
    eventually(lambda: (state(a, near, patient), state(b, far, mirrored(patient))) == (ALIVE, ALIVE))
    began = time.monotonic()
    (worker,) = a.host.workers()
    os.kill(worker, signal.SIGSTOP)
    b.host.ip("link", "set", "u0", "down")  # so that nothing waits for it
    time.sleep(3.0)  # more than the time after which it would say that the other end is dead
    b.host.ip("link", "set", "u0", "up")
    os.kill(worker, signal.SIGCONT)
    received = b.counters(far, mirrored(patient)).rx_packets
    passes(a.place(patient), b.place(patient), [60])
    assert b.counters(far, mirrored(patient)).rx_packets > received
    told = a.session(near, patient).probing
    assert told is not None and told.state is ALIVE and told.since_s >= time.monotonic() - began - 1.0


def test_junk_changes_nothing_and_takes_no_memory(ends: tuple[End, End]) -> None:
    a, b = ends
    one = session(**PROBED | {"probe_multiplier": 255})
    near, far = pair(ends, one)
    eventually(lambda: (state(a, near, one), state(b, far, mirrored(one))) == (ALIVE, ALIVE))
    began = time.monotonic()
    (worker,) = a.host.workers()
    right = encode_header(Framing("udp", 8, "none"), one.session_id, one.rx_cookie)
    wrong = encode_header(Framing("udp", 8, "none"), one.session_id, bytes(8))
    down = encode_channel(BfdPacket(state=BfdState.DOWN, multiplier=1, mine=7, yours=9, desired_min_tx_us=1,
                                    required_min_rx_us=1))  # fmt: skip
    junk = [right + SUBLAYER_OF_CHANNEL + text for text in (b"", bytes(14), bytes(28), down, down[:4] + bytes(1400))]
    junk += [wrong + SUBLAYER_OF_CHANNEL + down, b"\xc8\x03" + bytes(20), b"\xc8\x03" + bytes(1400), b"\x00"]
    before = resident_bytes(worker)
    with inside(b.host.netns), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for number in range(9_000):
            raw.sendto(as_ip(b.host.v4, a.host.v4, junk[number % len(junk)]), (a.host.v4, 0))
    passes(b.place(one), a.place(one), [60])
    told = a.session(near, one).probing
    assert told is not None and told.state is ALIVE and told.since_s >= time.monotonic() - began
    assert resident_bytes(worker) < before + 4_000_000
    assert a.counters(near, one).rx_cookie_discards and a.seen(near).counters.rx_control


def as_ip(source: str, target: str, payload: bytes) -> bytes:
    """A packet from port 1701 to port 1701; the kernel fills in what is left out of the IP header."""
    udp = struct.pack("!4H", 1701, 1701, 8 + len(payload), 0) + payload
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0) + ends + udp


def resident_bytes(pid: int) -> int:
    """How much memory a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
