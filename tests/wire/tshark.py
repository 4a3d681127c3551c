"""Ask tshark what a list of L2TPv3 payloads is: an independent decoder, run on a pcap file written here by hand."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

LINKTYPE_RAW = 101
L2TP_PORT = 1701
COOKIE_WORDS = {0: "None", 4: "4 Byte Cookie", 8: "8 Byte Cookie"}
SUBLAYER_WORDS = {"none": "None", "default": "Default L2-Specific"}


@dataclass(frozen=True)
class Sent:
    """An L2TPv3 payload with what is needed to put an IP packet around it."""

    encap: str
    family: int
    payload: bytes

    def packet(self) -> bytes:
        """Give the whole IP packet; checksums are left zero, which tshark does not mind."""
        if self.encap == "udp":
            body = struct.pack("!HHHH", L2TP_PORT, L2TP_PORT, 8 + len(self.payload), 0) + self.payload
        else:
            body = self.payload
        protocol = 17 if self.encap == "udp" else 115
        if self.family == 4:
            addresses = bytes([192, 0, 2, 1, 192, 0, 2, 2])
            return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0) + addresses + body
        addresses = bytes.fromhex("20010db800000000000000000000000120010db8000000000000000000000002")
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + addresses + body


def decode(
    path: Path, packets: list[Sent], fields: list[str], cookie: int = 0, sublayer: str = "none"
) -> list[list[str]]:
    """Write `packets` to `path` as pcap and give, for each, the text of each field ("" when absent)."""
    content = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, LINKTYPE_RAW)
    for number, sent in enumerate(packets):
        raw = sent.packet()
        content += struct.pack("=IIII", number, 0, len(raw), len(raw)) + raw
    path.write_bytes(content)
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=|", "-d", "l2tp.pw_type==0,eth"]
    command += ["-o", f"l2tp.cookie_size:{COOKIE_WORDS[cookie]}", "-o", f"l2tp.l2_specific:{SUBLAYER_WORDS[sublayer]}"]
    for field in fields:
        command += ["-e", field]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split("|") for line in output.splitlines()]
    assert len(rows) == len(packets)
    return rows
