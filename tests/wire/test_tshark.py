"""tshark reads what we write, down to the inner frame and the last AVP, and finds nothing malformed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from l2tpv3.wire import avp, control, data
from l2tpv3.wire.data import Framing
from l2tpv3.wire.registry import Attribute, MessageType
from tests.wire.control_cases import TABLE
from tests.wire.golden_cases import GoldenPacket, golden_packets
from tests.wire.tshark import Sent, decode

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")

DATA_FIELDS = ["l2tp.sid", "l2tp.cookie", "l2tp.l2_spec_s", "l2tp.l2_spec_sequence", "eth.dst", "eth.src", "eth.type"]
DATA_FIELDS += ["data.data", "arp.dst.proto_ipv4", "_ws.malformed", "frame.protocols"]


def mac(raw: bytes) -> str:
    return raw.hex(":")


def expected_row(packet: GoldenPacket) -> list[str]:
    """What tshark should say about a packet, from what went into it."""
    word, frame = packet.sublayer_word, packet.frame
    arp, vlan = frame[12:14] == b"\x08\x06", frame[12:14] == b"\x81\x00"
    has_sublayer = packet.framing.sublayer == "default"
    protocols = ("raw:ip" if packet.family == 4 else "raw:ipv6") + (":udp" if packet.framing.encap == "udp" else "")
    protocols += ":l2tp:ethertype" + (":arp" if arp else ":vlan:ethertype:data" if vlan else ":data")
    return [
        f"{packet.session_id:#010x}",
        packet.cookie.hex(),
        str(word >> 30 & 1) if has_sublayer else "",
        str(word & 0xFFFFFF) if has_sublayer else "",
        mac(frame[:6]),
        mac(frame[6:12]),
        f"0x{frame[12:14].hex()}",
        "" if arp else frame[18 if vlan else 14 :].hex(),
        "10.0.0.2" if arp else "",
        "",
        protocols,
    ]


@pytest.mark.parametrize("sublayer", ["default", "none"])
@pytest.mark.parametrize("cookie", [0, 4, 8])
def test_data_packets(tmp_path: Path, cookie: int, sublayer: str) -> None:
    """Each setting that a golden packet has, encoded by us; and the golden packets, so that tshark vouches for both."""
    rows = [p for p in golden_packets() if p.framing.cookie_length == cookie and p.framing.sublayer == sublayer]
    sent, expected = [], []
    for row in rows:
        sent.append(Sent(row.framing.encap, row.family, row.payload))
        expected.append(expected_row(row))
        if row.name.startswith("kernel"):
            ours = data.encode(row.framing, row.session_id, row.frame, row.cookie, row.sequence)
            sent.append(Sent(row.framing.encap, row.family, ours))
            expected.append(expected_row(row))
    assert decode(tmp_path / "data.pcap", sent, DATA_FIELDS, cookie, sublayer) == expected


def test_sequence_numbers_at_their_limits(tmp_path: Path) -> None:
    numbers = [0, 1, 0x7FFFFF, 0x800000, 0xFFFFFF]
    framing = Framing("udp", 8, "default")
    sent = [Sent("udp", 4, data.encode(framing, 0xFFFFFFFF, bytes(60), bytes(range(8)), ns)) for ns in numbers]
    fields = ["l2tp.sid", "l2tp.l2_spec_s", "l2tp.l2_spec_sequence"]
    assert decode(tmp_path / "seq.pcap", sent, fields, 8, "default") == [["0xffffffff", "1", str(ns)] for ns in numbers]


CONTROL_FIELDS = ["l2tp.type", "l2tp.version", "l2tp.length", "l2tp.ccid", "l2tp.Ns", "l2tp.Nr", "_ws.malformed"]
AVP_FIELDS = ["l2tp.avp.type", "l2tp.avp.mandatory", "l2tp.avp.hidden", "l2tp.avp.length", "l2tp.avp.vendor_id"]

SCCRQ = control.ControlMessage(
    0,
    0,
    0,
    (
        avp.make(Attribute.MESSAGE_TYPE, MessageType.SCCRQ),
        avp.make(Attribute.HOST_NAME, "site-a.example"),
        avp.make(Attribute.ROUTER_ID, 0xC0000201),
        avp.make(Attribute.ASSIGNED_CONTROL_CONNECTION_ID, 0xDEADBEEF),
        avp.make(Attribute.PSEUDOWIRE_CAPABILITIES, (4, 5)),
        avp.make(Attribute.RECEIVE_WINDOW_SIZE, 8, mandatory=False),
        avp.make(Attribute.VENDOR_NAME, "l2tpv3", mandatory=False),
    ),
)
MESSAGES = [(bytes.fromhex(text), message) for text, message in TABLE] + [(control.encode(SCCRQ), SCCRQ)]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("encap", ["udp", "ip"])
def test_control_messages(tmp_path: Path, encap: str, family: int) -> None:
    sent = [Sent(encap, family, (bytes(4) if encap == "ip" else b"") + payload) for payload, _ in MESSAGES]
    rows = decode(tmp_path / "control.pcap", sent, [*CONTROL_FIELDS, *AVP_FIELDS])
    for (_, message), row, packet in zip(MESSAGES, rows, sent, strict=True):
        length = len(packet.payload) - (4 if encap == "ip" else 0)
        header = ["1", "3", str(length), f"{message.ccid:#010x}", str(message.ns), str(message.nr), ""]
        assert row[:7] == header
        avps = message.avps
        assert row[7:] == [
            ",".join(str(a.attribute) for a in avps if a.vendor_id == 0),  # a vendor's has another field's name
            ",".join(str(int(a.mandatory)) for a in avps),
            ",".join(str(int(a.hidden)) for a in avps),
            ",".join(str(6 + len(a.value)) for a in avps),
            ",".join(str(a.vendor_id) for a in avps),
        ]


def test_avp_values(tmp_path: Path) -> None:
    """The values that tshark shows by a field of their own."""
    fields = {
        "l2tp.avp.message_type": ["6", "", "4", "10", "16", "1"],
        "l2tp.avp.host_name": ["", "", "", "", "", "site-a.example"],
        "l2tp.avp.vendor_name": ["", "", "", "", "", "l2tpv3"],
        "l2tp.avp.assigned_control_conn_id": ["", "", "9", "", "", str(0xDEADBEEF)],
        "l2tp.avp.receive_window_size": ["", "", "", "", "", "8"],
        "l2tp.avp.local_session_id": ["", "", "", str(0x01020304), str(0x01020304), ""],
        "l2tp.avp.remote_session_id": ["", "", "", "0", str(0x0A0B0C0D), ""],
        "l2tp.avp.call_serial_number": ["", "", "", "77", "", ""],
        "l2tp.result_code": ["", "", "2", "", "", ""],
        "l2tp.avp.error_code": ["", "", "8", "", "", ""],
        "l2tp.avp.error_message": ["", "", "attribute 999!!", "", "", ""],
    }
    sent = [Sent("udp", 4, payload) for payload, _ in MESSAGES]
    rows = decode(tmp_path / "avps.pcap", sent, list(fields))
    assert {name: [row[n] for row in rows] for n, name in enumerate(fields)} == fields


def test_parts_of_frames(tmp_path: Path) -> None:
    """tshark knows no B and E in this sublayer; it reads S and the number beside them, and takes parts for frames."""
    framing, frame = Framing("udp", 8, "default"), bytes(range(12)) + b"\x88\xb5" + bytes(100)
    header = data.encode_header(framing, 7, bytes(8))[:-4]
    words = [data.S_BIT | bits | 5 + n for n, bits in enumerate((data.FIRST, data.INTERMEDIATE, data.LAST, data.WHOLE))]
    sent = [Sent("udp", 4, header + word.to_bytes(4, "big") + frame) for word in words]
    fields = ["l2tp.l2_spec_s", "l2tp.l2_spec_sequence", "eth.dst", "_ws.malformed"]
    rows = decode(tmp_path / "parts.pcap", sent, fields, cookie=8, sublayer="default")
    assert rows == [["1", str(5 + number), mac(frame[:6]), ""] for number in range(4)]
