"""The golden data packets as values: one row per packet, from the JSON files that golden/capture.py wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from l2tpv3.wire.data import S_BIT, Framing

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class GoldenPacket:
    """One packet that a peer made: the settings and the frame it was given, the payload it sent."""

    name: str
    family: int
    port: int
    framing: Framing
    session_id: int
    cookie: bytes
    sequence: int | None
    sublayer_word: int
    """The whole sublayer: QEMU puts a counter there without the S bit, which a receiver must ignore."""
    frame: bytes
    payload: bytes


def golden_packets() -> list[GoldenPacket]:
    """Give every golden packet of every peer."""
    return [
        packet
        for path in sorted(GOLDEN.glob("*.json"))
        for case in json.loads(path.read_text())["cases"]
        for packet in _packets(path.stem, case)
    ]


def _packets(peer: str, case: dict[str, object]) -> list[GoldenPacket]:
    cookie = bytes.fromhex(str(case["cookie"]))
    framing = Framing(str(case["encap"]), len(cookie), str(case["sublayer"]))
    packets = case["packets"]
    assert isinstance(packets, list)
    rows = []
    for number, packet in enumerate(packets):
        sequence = number if case["sequenced"] else None  # both peers count from the first frame of a session
        counter = number + 1 if peer == "qemu" else 0  # QEMU's begins at 1 and never has the S bit
        rows.append(
            GoldenPacket(
                name=f"{peer}-{case['name']}-{number}",
                family=int(str(case["family"])),
                port=int(str(case["port"])),
                framing=framing,
                session_id=int(str(case["session_id"])),
                cookie=cookie,
                sequence=sequence,
                sublayer_word=counter if sequence is None else S_BIT | sequence,
                frame=bytes.fromhex(packet["frame"]),
                payload=bytes.fromhex(packet["payload"]),
            )
        )
    return rows
