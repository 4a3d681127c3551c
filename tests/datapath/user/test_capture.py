"""What is on the wire between two user datapaths, read by tshark down to the inner frame."""

from __future__ import annotations

import itertools
import socket
from pathlib import Path

import pytest

from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import Encap, Sequencing, Sublayer
from tests.contract.frames import frame
from tests.datapath.user.ends import End, mirrored, passes, session
from tests.hosts import UNDERLAY
from tests.waiting import PATIENCE_S
from tests.wire.tshark import Sent, decode

pytestmark = pytest.mark.root

FIELDS = ["l2tp.sid", "l2tp.cookie", "l2tp.l2_spec_s", "l2tp.l2_spec_sequence", "eth.src", "eth.type", "_ws.malformed"]


def payload(packet: bytes, encap: Encap, family: int) -> bytes | None:
    """The L2TPv3 payload of a captured IP packet, or None when it is something else."""
    protocol = 17 if encap is Encap.UDP else 115
    if packet[0] >> 4 != family or packet[9 if family == 4 else 6] != protocol:
        return None
    return packet[(20 if family == 4 else 40) + (8 if encap is Encap.UDP else 0) :]


@pytest.mark.parametrize(("cookie", "sublayer"), list(itertools.product((0, 4, 8), Sublayer)))
def test_tshark_reads_each_form(ends: tuple[End, End], tmp_path: Path, cookie: int, sublayer: Sublayer) -> None:
    a, b = ends
    sent: list[Sent] = []
    expected: list[int] = []
    sequencing = Sequencing.BOTH if sublayer is Sublayer.DEFAULT and cookie == 4 else Sequencing.NONE
    with inside(a.host.netns):
        capture = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    with capture:
        capture.bind((UNDERLAY, 3))
        capture.settimeout(PATIENCE_S)
        for number, (encap, family) in enumerate(itertools.product(Encap, (4, 6)), start=1):
            one = session(number, cookie=cookie, sublayer=sublayer, sequencing=sequencing)
            a.add(a.tunnel(b.host, encap=encap, family=family, name=f"t{number}", tunnel_id=number), one)
            b.add(b.tunnel(a.host, encap=encap, family=family, name=f"t{number}", tunnel_id=number), mirrored(one))
            passes(a.place(one), b.place(one), [60])
            passes(b.place(one), a.place(one), [60])
            for session_id in (one.peer_session_id, one.session_id):
                while (found := payload(capture.recv(2048), encap, family)) is None:
                    continue
                sent.append(Sent(encap.value, family, found))
                expected.append(session_id)
    assert all(one.payload.endswith(frame(60, 0)) for one in sent)
    rows = decode(tmp_path / "it.pcap", sent, FIELDS, cookie, sublayer.value)
    for row, session_id, number in zip(rows, expected, itertools.count(), strict=False):
        one = session(1, cookie=cookie)
        sid, seen_cookie, s_bit, sequence, source, kind, malformed = row
        assert int(sid, 0) == session_id
        assert seen_cookie.replace(":", "") == (one.tx_cookie if number % 2 == 0 else one.rx_cookie).hex()
        assert source == "02:00:00:00:00:01"
        assert int(kind, 0) == 0x88B5
        assert malformed == ""
        if sublayer is Sublayer.DEFAULT:
            assert s_bit in (("1", "True") if sequencing.send else ("0", "False"))
            assert int(sequence) == 0
