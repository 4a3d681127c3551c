"""The scapy layers against the kernel's and QEMU's packets, the control messages that tshark vouches for, and noise."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.config import conf
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.l2tp import L2TP
from scapy.layers.ppp import PPP
from scapy.packet import Packet, Raw

from l2tpv3.contrib.scapy import avps
from l2tpv3.contrib.scapy.avps import L2TPv3AVP
from l2tpv3.contrib.scapy.l2tpv3 import (
    L2TPv3,
    L2TPv3Control,
    L2TPv3DefaultSublayer,
    L2TPv3IP,
    L2TPv3IPControl,
    bind_l2tpv3,
    unbind_l2tpv3,
)
from l2tpv3.wire import data
from l2tpv3.wire.data import Framing
from l2tpv3.wire.errors import DecodeError
from tests.properties import MANY
from tests.wire import tshark
from tests.wire.control_cases import HELLO, ICRQ, SLI, STOPCCN, TABLE, ZLB
from tests.wire.golden_cases import GoldenPacket, golden_packets

PACKETS = golden_packets()
DEFAULTS = {"cookie_length": 0, "sublayer": "none", "sessions": {}}


@pytest.fixture(autouse=True, scope="module")
def _bound() -> Iterator[None]:
    """Bind for this file only, and let errors in dissectors come out instead of becoming Raw."""
    before, conf.debug_dissector = conf.debug_dissector, 2
    bind_l2tpv3()
    yield
    unbind_l2tpv3()
    conf.debug_dissector = before


@pytest.fixture(autouse=True)
def settings() -> Iterator[dict[str, Any]]:
    """The dissection settings, set back afterwards."""
    yield conf.contribs["L2TPv3"]
    conf.contribs["L2TPv3"] = {**DEFAULTS, "sessions": {}}


def dissect(sent: tshark.Sent) -> Packet:
    return (IP if sent.family == 4 else IPv6)(sent.packet())


def control(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize("packet", PACKETS, ids=lambda p: p.name)
def test_dissect_a_peers_packet(packet: GoldenPacket, settings: dict[str, Any]) -> None:
    framing = packet.framing
    settings["sessions"][packet.session_id] = {"cookie_length": framing.cookie_length, "sublayer": framing.sublayer}
    whole = dissect(tshark.Sent(framing.encap, packet.family, packet.payload))
    header = whole[L2TPv3 if framing.encap == "udp" else L2TPv3IP]
    assert (header.session_id, header.cookie) == (packet.session_id, packet.cookie)
    assert (L2TPv3DefaultSublayer in header) == (framing.sublayer == "default")
    if framing.sublayer == "default":
        sublayer = header[L2TPv3DefaultSublayer]
        assert (sublayer.S, sublayer.sequence) == (packet.sublayer_word >> 30, packet.sublayer_word & 0xFFFFFF)
    inner = header[Ether]
    assert inner.src == "02:00:00:00:00:01"
    assert (ARP in inner) == (packet.frame[12:14] == b"\x08\x06")
    assert (Dot1Q in inner) == (packet.frame[12:14] == b"\x81\x00")
    assert bytes(inner) == packet.frame


@pytest.mark.parametrize("packet", PACKETS, ids=lambda p: p.name)
def test_build_gives_a_peers_bytes(packet: GoldenPacket) -> None:
    layer = L2TPv3 if packet.framing.encap == "udp" else L2TPv3IP
    built = layer(session_id=packet.session_id, cookie=packet.cookie)
    if packet.framing.sublayer == "default":
        word = packet.sublayer_word
        built /= L2TPv3DefaultSublayer(S=word >> 30, sequence=word & 0xFFFFFF)
    assert bytes(built / Raw(packet.frame)) == packet.payload


MESSAGES = [
    (HELLO, L2TPv3Control(ccid=0x01020304, ns=5, nr=0xFFFF, avps=[avps.AVPMessageType(message_type="HELLO")])),
    (ZLB, L2TPv3Control(ccid=7, ns=1, nr=2)),
    (
        STOPCCN,
        L2TPv3Control(
            ccid=0xDEADBEEF,
            ns=3,
            nr=4,
            avps=[
                avps.AVPMessageType(message_type="StopCCN"),
                avps.AVPAssignedControlConnectionID(ccid=9),
                avps.AVPResultCode(result=2, error=b"\x00\x08attribute 999!!"),
            ],
        ),
    ),
    (
        ICRQ,
        L2TPv3Control(
            ccid=0xDEADBEEF,
            ns=2,
            nr=1,
            avps=[
                avps.AVPMessageType(message_type="ICRQ"),
                avps.AVPLocalSessionID(session_id=0x01020304),
                avps.AVPRemoteSessionID(),
                avps.AVPAssignedCookie(cookie=bytes.fromhex("0123456789abcdef")),
                avps.AVPSerialNumber(M=0, serial=77),
                avps.AVPPseudowireType(pseudowire="Ethernet"),
                avps.AVPSublayer(sublayer="default"),
                avps.AVPDataSequencing(level="all"),
                avps.AVPCircuitStatus(N=1, A=1),
                L2TPv3AVP(M=0, vendor_id=9, attribute=2, value=b"\0\0\0\1"),
            ],
        ),
    ),
    (
        SLI,
        L2TPv3Control(
            ccid=2,
            ns=7,
            nr=0,
            avps=[
                avps.AVPMessageType(message_type="SLI"),
                avps.AVPLocalSessionID(session_id=0x01020304),
                avps.AVPRemoteSessionID(session_id=0x0A0B0C0D),
                avps.AVPCircuitStatus(N=0, A=1),
                avps.AVPAssignedCookie(M=0, cookie=bytes.fromhex("0123456789abcdef")),
            ],
        ),
    ),
]


def test_every_row_of_the_control_table_is_here() -> None:
    assert [text for text, _ in MESSAGES] == [text for text, _ in TABLE]


@pytest.mark.parametrize(("text", "message"), MESSAGES, ids=["hello", "zlb", "stopccn", "icrq", "sli"])
@pytest.mark.parametrize("encap", ["udp", "ip"])
@pytest.mark.parametrize("family", [4, 6])
def test_control_both_ways(text: str, message: Packet, encap: str, family: int) -> None:
    raw = control(text)
    assert bytes(message) == raw
    prefix = b"" if encap == "udp" else bytes(L2TPv3IPControl())
    assert prefix in (b"", bytes(4))
    got = dissect(tshark.Sent(encap, family, prefix + raw))[L2TPv3Control]
    assert (got.ccid, got.ns, got.nr, got.length) == (message.ccid, message.ns, message.nr, len(raw))
    assert [type(a) for a in got.avps] == [type(a) for a in message.avps]
    for dissected, wanted in zip(got.avps, message.avps, strict=True):
        assert bytes(dissected) == bytes(wanted)
        assert all(dissected.getfieldval(name) == wanted.getfieldval(name) for name in wanted.fields)


def test_binding_fills_in_ports_and_protocols() -> None:
    udp = IP(bytes(IP() / UDP() / L2TPv3Control()))
    assert (udp[UDP].sport, udp[UDP].dport) == (1701, 1701)
    assert IP(bytes(IP() / L2TPv3IP() / Ether())).proto == 115
    assert IPv6(bytes(IPv6() / L2TPv3IPControl() / L2TPv3Control())).nh == 115


def test_version_2_still_goes_to_scapys_l2tp() -> None:
    raw = bytes(IP() / UDP(sport=1701, dport=1701) / L2TP(tunnel_id=3, session_id=4) / PPP())
    got = IP(raw)
    assert (got[L2TP].tunnel_id, got[L2TP].session_id) == (3, 4)
    assert PPP in got
    assert L2TPv3 not in got


@pytest.mark.parametrize("payload", ["", "00", "0007 0000 00000001", "0001 0000 00000001"])
def test_neither_version_is_raw(payload: str) -> None:
    got = dissect(tshark.Sent("udp", 4, bytes.fromhex(payload)))
    assert L2TPv3 not in got
    assert L2TP not in got


def test_another_port_and_unbinding() -> None:
    raw = IP() / UDP(sport=5001, dport=5000) / L2TPv3(session_id=5) / Ether()
    bind_l2tpv3(5000)
    assert L2TPv3 in IP(bytes(raw))
    unbind_l2tpv3(5000)
    assert L2TPv3 not in IP(bytes(raw))
    bind_l2tpv3()  # ports are filled in by the last call: 1701 again for the other tests


def test_import_alone_binds_nothing_outside() -> None:
    code = """
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
import scapy.layers.l2tp
before = [list(c.payload_guess) for c in (IP, IPv6, UDP)]
import l2tpv3.contrib.scapy.l2tpv3
assert before == [list(c.payload_guess) for c in (IP, IPv6, UDP)]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_wire_room_does_not_import_scapy() -> None:
    modules = "l2tpv3.wire, l2tpv3.wire.data, l2tpv3.wire.control, l2tpv3.wire.avp, l2tpv3.wire.sequence"
    subprocess.run([sys.executable, "-c", f"import sys, {modules}; assert 'scapy' not in sys.modules"], check=True)


def test_every_typed_avp_round_trips_and_tshark_agrees(tmp_path: Path) -> None:
    typed = [cls() for cls in L2TPv3AVP.typed.values() if cls is not avps.AVPMessageType]
    assert len(typed) == 23
    for item in typed:
        again = L2TPv3AVP(bytes(item))
        if isinstance(item, avps.AVPMessageDigest):
            assert type(again) is L2TPv3AVP  # a digest of no bytes fits no digest type
            item.digest = bytes(16)
            again = L2TPv3AVP(bytes(item))
        assert type(again) is type(item)
        assert bytes(again) == bytes(item)
    if shutil.which("tshark"):
        message = L2TPv3Control(avps=[avps.AVPMessageType(message_type="SCCRQ"), *typed])
        fields = ["l2tp.avp.type", "l2tp.avp.length", "_ws.malformed"]
        (row,) = tshark.decode(tmp_path / "avps.pcap", [tshark.Sent("udp", 4, bytes(message))], fields)
        assert row[0] == ",".join(str(a.attribute) for a in message.avps)
        assert row[1] == ",".join(str(len(bytes(a))) for a in message.avps)
        assert row[2] == ""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("8008 0000 0000 0006", avps.AVPMessageType),
        ("c008 0000 0000 0006", L2TPv3AVP),  # hidden
        ("8008 0009 0000 0006", L2TPv3AVP),  # a vendor's
        ("8009 0000 0000 000006", L2TPv3AVP),  # wrong size
        ("800a 0000 0000 0006", L2TPv3AVP),  # says more than there is
        ("8000 0000 0000 0006", Raw),  # length 0: nothing can be said about what follows
        ("8005 0000 0000 0006", Raw),
        ("8008 0000 00", Raw),
        ("8008 0000 ffff 0006", L2TPv3AVP),
    ],
)
def test_avp_dispatch(text: str, kind: type[Packet]) -> None:
    assert type(L2TPv3AVP(bytes.fromhex(text))) is kind


def test_avp_length_zero_does_not_loop() -> None:
    raw = bytes.fromhex("c803 ffff 00000001 0000 0000 8008 0000 0000 0006") + bytes(3000)
    message_type, rest = L2TPv3Control(raw).avps
    assert message_type.message_type == 6
    assert rest.load == bytes(3000)


framings = st.builds(
    Framing, st.sampled_from(["udp", "ip"]), st.sampled_from([0, 4, 8]), st.sampled_from(["default", "none"])
)


@MANY
@given(st.binary(min_size=40, max_size=100), framings)
def test_noise_means_the_same_to_the_codec(payload: bytes, framing: Framing) -> None:
    """Any bytes: the layers and l2tpv3.wire.data read the same session id, cookie and sequence number from them."""
    conf.contribs["L2TPv3"].update(cookie_length=framing.cookie_length, sublayer=framing.sublayer)
    if framing.encap == "udp":
        payload = bytes([payload[0] & 0x7F, payload[1] & 0xF0 | 3]) + payload[2:]
    try:
        expected = data.decode(framing, payload)
    except DecodeError:
        return
    before, conf.debug_dissector = conf.debug_dissector, 0  # what is inside is noise to scapy's own layers
    try:
        got = (L2TPv3 if framing.encap == "udp" else L2TPv3IP)(payload)
    finally:
        conf.debug_dissector = before
    assert (got.session_id, got.cookie) == (expected.session_id, expected.cookie)
    if framing.sublayer == "default":
        assert (got.payload.sequence if got.payload.S else None) == expected.sequence
        got = got.payload
    assert bytes(got.payload) == expected.frame


@MANY
@given(st.binary(min_size=12, max_size=200))
def test_control_noise_is_dissected_without_errors(payload: bytes) -> None:
    assert L2TPv3Control(payload).ccid == int.from_bytes(payload[4:8], "big")


def test_mutated_control_messages_are_dissected_without_errors() -> None:
    generator = random.Random(3931)
    for _ in range(300):
        raw = bytearray(control(generator.choice(TABLE)[0]))
        for _ in range(generator.randrange(1, 6)):
            raw[generator.randrange(len(raw))] = generator.randrange(256)
        packet = L2TPv3Control(bytes(raw[: generator.randrange(12, len(raw) + 1)]))
        assert sum(len(bytes(a)) for a in packet.avps) <= len(raw)


@pytest.mark.parametrize(
    ("bits", "b_and_e", "kind"),
    [
        (data.WHOLE, (0, 0), Ether),
        (data.FIRST, (0, 1), Ether),
        (data.INTERMEDIATE, (1, 1), Raw),
        (data.LAST, (1, 0), Raw),
    ],
)
def test_parts_of_frames(bits: int, b_and_e: tuple[int, int], kind: type[Packet]) -> None:
    """Ethernet is looked for where a frame begins only."""
    packet = L2TPv3DefaultSublayer((data.S_BIT | bits | 9).to_bytes(4, "big") + bytes(12) + b"\x88\xb5" + bytes(60))
    assert (packet.S, packet.B, packet.E, packet.sequence) == (1, *b_and_e, 9)
    assert type(packet.payload) is kind
    assert bytes(packet)[:4] == (data.S_BIT | bits | 9).to_bytes(4, "big")
