"""When a session's last good packet came, as its worker tells."""

from __future__ import annotations

import pytest

from l2tpv3.model.hearing import Hearing, Reception, hearing_of
from l2tpv3.model.spec import Encap, TunnelSpec
from tests.contract.frames import collect, packet_socket
from tests.datapath.user.ends import End, session
from tests.datapath.user.test_bad_input import FRAME, data, peer
from tests.waiting import eventually

pytestmark = pytest.mark.root

ONE = session(1, cookie=8)


def test_only_a_packet_with_the_right_cookie_is_heard(ends: tuple[End, End]) -> None:
    a, b = ends
    tunnel = a.tunnel(b.host, encap=Encap.UDP)
    a.add(tunnel, ONE)
    good = data(ONE.session_id, ONE.rx_cookie + bytes(4) + FRAME, encap=Encap.UDP)
    wrong = data(ONE.session_id, bytes(8) + bytes(4) + FRAME, encap=Encap.UDP)
    with peer(a, b, encap=Encap.UDP, family=4) as sender, packet_socket(a.place(ONE)) as receiver:
        for _ in range(5):
            sender.send(wrong)
        eventually(lambda: a.counters(tunnel, ONE).rx_cookie_discards == 5, "the wrong ones are counted")
        assert reception(a, tunnel).last_received_s is None
        assert told(a, tunnel) is not Hearing.HEARD
        sender.send(good)
        assert collect(receiver, 1) == [FRAME]
        first = reception(a, tunnel).last_received_s
        assert first is not None
        sender.send(wrong)
        eventually(lambda: a.counters(tunnel, ONE).rx_cookie_discards == 6, "another wrong one is counted")
        eventually(lambda: (reception(a, tunnel).last_received_s or 0) > first, "the age goes on")
        assert told(a, tunnel) is Hearing.HEARD


def test_another_far_end_has_not_been_heard(ends: tuple[End, End]) -> None:
    a, b = ends
    tunnel = a.tunnel(b.host, encap=Encap.UDP)
    a.add(tunnel, ONE)
    with peer(a, b, encap=Encap.UDP, family=4) as sender, packet_socket(a.place(ONE)) as receiver:
        sender.send(data(ONE.session_id, ONE.rx_cookie + bytes(4) + FRAME, encap=Encap.UDP))
        assert collect(receiver, 1) == [FRAME]
    assert told(a, tunnel) is Hearing.HEARD
    elsewhere = a.tunnel(b.host, encap=Encap.UDP, remote_port=1702)
    a.datapath.set_tunnel(tunnel, elsewhere, [ONE])
    assert reception(a, elsewhere).last_received_s is None


def reception(end: End, tunnel: TunnelSpec) -> Reception:
    found = end.session(tunnel, ONE).reception
    assert found is not None, "a worker takes note of times"
    return found


def told(end: End, tunnel: TunnelSpec) -> Hearing | None:
    return hearing_of(end.counters(tunnel, ONE), reception(end, tunnel))
