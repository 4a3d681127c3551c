"""What comes back to a tunnel's socket: ICMP errors and control messages are named in a note, with what mends them."""

from __future__ import annotations

import dataclasses
import errno
import socket
import struct
from ipaddress import ip_address

import pytest

from l2tpv3.datapath.user.heard import CONTROL_S, LASTING_S, REFUSED_S, Heard
from l2tpv3.linux.netns import inside
from l2tpv3.model.observed import Tunnel
from l2tpv3.model.spec import Encap
from l2tpv3.reconcile.notes.heard import control_notes, refusal_notes
from tests.here import Here
from tests.hosts import Hosts
from tests.waiting import eventually

_SEEN = Tunnel(
    tunnel_id=1, peer_tunnel_id=1, encap=Encap.UDP, remote_port=1701,
    local=ip_address("192.0.2.1"), remote=ip_address("192.0.2.2"),
)  # fmt: skip


def _heard(refused: int = 0, control: tuple[int, int] = (0, 0)) -> dict[str, int]:
    return {"refused": refused, "control_version": control[0], "control_type": control[1]}


def _message(version: int, kind: int) -> bytes:
    """A control message whose first AVP says its type (RFC 3931 s. 3.2.1, RFC 2661 s. 3.1)."""
    return struct.pack("!HHIHH", 0xC800 | version, 20, 0, 0, 0) + struct.pack("!HHHH", 0x8008, 0, 0, kind)


def test_what_was_heard_counts_for_a_while() -> None:
    now, received = 100.0, 0
    heard = Heard(lambda: received, lambda: now)
    heard.receive_failed(errno.EAGAIN)
    heard.send_failed(errno.EHOSTUNREACH)  # our own routes
    heard.message(bytes(64), 64)
    heard.message(_message(3, 6), 19)
    assert heard.report() == _heard()
    heard.message(_message(2, 1), 20)
    heard.receive_failed(errno.EHOSTUNREACH)
    assert heard.report() == _heard(control=(2, 1))  # once is none
    now += LASTING_S
    heard.send_failed(errno.ECONNREFUSED)
    assert heard.report() == _heard(errno.ECONNREFUSED, (2, 1))
    received = 1
    assert heard.report()["refused"] == 0
    for _ in range(2):
        heard.receive_failed(errno.ECONNREFUSED)
        now += LASTING_S
    assert heard.report()["refused"] == errno.ECONNREFUSED
    now += REFUSED_S
    assert heard.report()["refused"] == 0
    now += CONTROL_S
    assert heard.report() == _heard()


@pytest.mark.parametrize(
    ("refused", "control", "said"),
    [
        (errno.ECONNREFUSED, (0, 0), "192.0.2.2 answers that nobody there"),
        (errno.ENOPROTOOPT, (0, 0), "ICMP protocol unreachable"),
        (errno.EHOSTUNREACH, (0, 0), "ICMP administratively prohibited"),
        (0, (3, 6), "the peer sends HELLO of L2TPv3"),
        (0, (2, 1), "the peer sends SCCRQ of L2TPv2"),
        (0, (3, 99), "the peer sends message 99 of L2TPv3"),
        (0, (3, 16), ""),
        (errno.EPERM, (0, 0), ""),
        (0, (0, 0), ""),
    ],
)
def test_in_words(refused: int, control: tuple[int, int], said: str) -> None:
    seen = dataclasses.replace(_SEEN, refused=refused, control=control)
    notes = [*refusal_notes("t", seen), *control_notes(seen)]
    assert len(notes) == bool(said)
    assert said in "".join(notes)


def test_what_came_since_outweighs_what_was_refused() -> None:
    seen = dataclasses.replace(_SEEN, refused=errno.ECONNREFUSED)
    assert list(refusal_notes("t", seen, 3.0)) == []
    assert len(list(refusal_notes("t", seen, 60.0))) == 1


@pytest.mark.root
def test_on_real_sockets(hosts: Hosts) -> None:
    a, b = hosts.pair()
    here = Here(a)
    here.add_tunnel("t", {"remote": b.v4, "datapath": "user"})
    here.add_session("t", "lan", {"address": ["10.9.0.1/24"]})
    a.run(["ping", "-c3", "-W1", "10.9.0.2"], check=False)
    eventually(lambda: any("ICMP port unreachable" in note for note in here.tunnel("t").notes))
    with inside(b.netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((b.v4, 1701))
        for version, kind, name in ((3, 6, "HELLO of L2TPv3"), (2, 1, "SCCRQ of L2TPv2")):
            peer.sendto(_message(version, kind), (a.v4, 1701))
            eventually(lambda name=name: any(name in note for note in here.tunnel("t").notes))  # type: ignore[misc]
