"""The dump parser, on what a kernel answered: golden/kernel.json, made by golden/capture.py."""

from __future__ import annotations

import errno
import json
import struct
from ipaddress import ip_address
from pathlib import Path

import pytest

from l2tpv3.datapath.kernel.decode import read_sessions, read_tunnels
from l2tpv3.linux.netlink.generic import read_family
from l2tpv3.linux.netlink.message import Answer
from l2tpv3.model.observed import Counters, Session, Tunnel, TunnelCounters
from l2tpv3.model.spec import Encap

GOLDEN = json.loads((Path(__file__).parent / "golden" / "kernel.json").read_text("ascii"))
SEQUENCE = 7


def feed(name: str) -> Answer:
    """One of the golden answers, complete with its last datagram and not before."""
    answer = Answer(SEQUENCE)
    datagrams = [bytes.fromhex(text) for text in GOLDEN[name]]
    assert [answer.feed(datagram) for datagram in datagrams] == [False] * (len(datagrams) - 1) + [True]
    return answer


def session(session_id: int, ifname: str, **values: object) -> Session:
    return Session(session_id=session_id, peer_session_id=session_id + 100, ifname=ifname, **values)  # type: ignore[arg-type]


SESSIONS = {
    1: {
        # frames of 60, 5 and 5 bytes; the short ones are dropped by the netdev, after the session counted them
        101: session(101, "plain0", counters=Counters(rx_packets=3, rx_bytes=106)),
        102: session(
            102,
            "cookies0",
            tx_cookie=bytes.fromhex("0011223344556677"),
            rx_cookie=bytes.fromhex("8899aabb"),
            counters=Counters(rx_cookie_discards=3),
        ),
        103: session(103, "sequence0", send_seq=True, recv_seq=True, counters=Counters(rx_seq_discards=4)),
        104: session(104, "send0", send_seq=True, counters=Counters(rx_packets=1, rx_bytes=72)),
        105: session(105, "recv0", recv_seq=True),
    },
    5: {
        0xFFFFFFFF: Session(session_id=0xFFFFFFFF, peer_session_id=0xFFFFFFFE, ifname="fifteen-letters"),
    },
}


def test_family() -> None:
    assert read_family(feed("family")) == GOLDEN["family number"]


def test_sessions() -> None:
    seen = read_sessions(feed("sessions"))
    assert {number: {one.session_id: one for one in there} for number, there in seen.items()} == SESSIONS


def test_tunnels() -> None:
    sessions = read_sessions(feed("sessions"))
    near4, far4, near6, far6 = map(ip_address, ("127.0.0.1", "127.0.0.2", "fd00::1", "fd00::2"))
    expected = [
        Tunnel(
            tunnel_id=number, peer_tunnel_id=number + 10, encap=Encap.UDP, local=local, remote=remote,
            local_port=5000 + number, remote_port=6000 + number, udp_checksum=checksum,
            sessions=tuple(sessions.get(number, ())), counters=TunnelCounters(rx_invalid=invalid),
        )
        for number, local, remote, checksum, invalid in (
            (1, near4, far4, False, 5),
            (2, near4, far4, True, 0),
            (3, near6, far6, True, 0),
            (4, near6, far6, False, 0),
        )
    ]  # fmt: skip
    expected += [
        Tunnel(
            tunnel_id=number, peer_tunnel_id=peer, encap=Encap.IP, local=local, remote=remote,
            sessions=tuple(sessions.get(number, ())), counters=TunnelCounters(rx_invalid=0),
        )
        for number, peer, local, remote in ((5, 15, near4, far4), (0xFFFFFFFF, 0xFFFFFFFE, near6, far6))
    ]  # fmt: skip
    assert sorted(read_tunnels(feed("tunnels"), sessions), key=lambda one: one.tunnel_id) == expected


def test_no_such_tunnel_is_a_refusal() -> None:
    with pytest.raises(OSError, match="No such device") as raised:
        feed("no such tunnel")
    assert raised.value.errno == errno.ENODEV


def test_the_kernels_own_words_are_kept() -> None:
    with pytest.raises(OSError, match="Attribute failed policy validation") as raised:
        feed("malformed request")
    assert raised.value.errno == errno.ERANGE


def test_statistics_10_and_11_are_known() -> None:
    """pyroute2 0.9.7 gives them as UNKNOWN."""
    seen = read_sessions(feed("sessions"))
    assert sum(one.counters.rx_cookie_discards for one in seen[1]) == 3
    (tunnel,) = [one for one in read_tunnels(feed("tunnels"), seen) if one.tunnel_id == 1]
    assert tunnel.counters.rx_invalid == 5


def test_other_answers_are_passed_over() -> None:
    answer = Answer(SEQUENCE + 1)
    assert [answer.feed(bytes.fromhex(text)) for text in GOLDEN["sessions"]] == [False] * len(GOLDEN["sessions"])
    assert read_sessions(answer) == {}


def test_a_session_told_twice_is_kept_once() -> None:
    """The kernel's dump counts sessions and holds no place: one that is deleted meanwhile shifts the others."""
    answer = Answer(SEQUENCE)
    for text in GOLDEN["sessions"] * 2:
        answer.feed(bytes.fromhex(text))
    assert {number: len(there) for number, there in read_sessions(answer).items()} == {1: 5, 5: 1}


def with_attributes_padded(datagram: bytes) -> bytes:
    """The datagram with a padding attribute before each of its statistics, as kernels on other machines write them."""
    result, offset = b"", 0
    while offset < len(datagram):
        (length,) = struct.unpack_from("=I", datagram, offset)
        message = datagram[offset : offset + length]
        offset += (length + 3) & ~3
        at = message.find(struct.pack("=HH", 124, 30))  # L2TP_ATTR_STATS with ten u64
        if at >= 0:
            values = [message[at + 4 + 12 * n : at + 16 + 12 * n] for n in range(10)]
            nest = b"".join(struct.pack("=HH", 4, 9) + value for value in values)
            message = message[:at] + struct.pack("=HH", 4 + len(nest), 30) + nest + message[at + 124 :]
        message = struct.pack("=I", len(message)) + message[4:]
        result += message + bytes(-len(message) % 4)
    return result


def test_padded_statistics_are_read_too() -> None:
    answer = Answer(SEQUENCE)
    for text in GOLDEN["sessions"]:
        padded = with_attributes_padded(bytes.fromhex(text))
        assert len(padded) > len(bytes.fromhex(text)) or text == GOLDEN["sessions"][-1]
        answer.feed(padded)
    assert {
        number: {one.session_id: one for one in there} for number, there in read_sessions(answer).items()
    } == SESSIONS


@pytest.mark.parametrize("name", ["sessions", "tunnels", "malformed request"])
def test_whatever_is_cut_off_raises_nothing_but_oserror(name: str) -> None:
    datagram = bytes.fromhex(GOLDEN[name][0])
    for size in range(len(datagram)):
        answer = Answer(SEQUENCE)
        try:
            answer.feed(datagram[:size])
        except OSError:
            continue
        read_tunnels(answer, read_sessions(answer))
