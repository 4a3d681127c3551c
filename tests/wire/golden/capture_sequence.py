"""Record what the kernel's receiver does with sequence numbers: what it delivers, in which order, what it counts.

    python tests/wire/golden/capture_sequence.py      # needs root, l2tp_eth (netns-lab/guest has both) and pyroute2

Writes sequence/kernel.json. For each pattern of arrivals a fresh session is made (`seq recv`, default sublayer), the
packets are sent to it from a plain UDP socket, and the frames that come out of its netdev are read with a packet
socket. The packets are put together here with struct; l2tpv3.wire is not imported.
"""

from __future__ import annotations

import json
import platform
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from capture import namespace, run  # type: ignore[import-not-found]  # a script: its folder is the path

ETHER_TYPE = 0x88B5
REORDER_MS = 60_000
SPACE = 1 << 24


def shuffled(generator: random.Random, count: int, loss: float, late: float, paths: int) -> list[int]:
    """Give 0 to count - 1 with some lost and some late by up to `places`."""
    arrivals = []
    for number in range(count):
        draw = generator.random()
        if number == 0 or draw > loss:
            delay = generator.random() * paths if number > 0 and draw < loss + late else 0
            arrivals.append((number + delay, number))
    return [number for _, number in sorted(arrivals)]


def patterns() -> Iterator[tuple[str, int, list[int]]]:
    """Give (name, reorder timeout in ms, numbers in order of arrival)."""
    generator = random.Random(3931)
    yield "in order", 0, list(range(20))
    yield "one lost", 0, [0, 1, 2, *range(4, 20)]
    yield "swapped", 0, [0, 2, 1, 3, 4, 6, 5, 7]
    yield "duplicates", 0, [0, 0, 1, 1, 2, 3, 2, 4]
    yield "starts late", 0, [100, 101, 103, *range(104, 120)]
    yield "wrap", 0, [0, *range(8388600, 8388610), *range(SPACE - 20, SPACE), 0, 1, 2]
    yield "restart", 0, [*range(100, 110), *range(40)]
    for number in range(12):
        yield f"random {number}", 0, shuffled(generator, 120, 0.02 + 0.01 * number, 0.05, 4)
    yield "reorder: in order", REORDER_MS, list(range(20))
    yield "reorder: swapped", REORDER_MS, [0, 2, 1, 3, 4, 6, 5, 7]
    yield "reorder: backwards", REORDER_MS, [0, 5, 4, 3, 2, 1, 6]
    yield "reorder: one lost", REORDER_MS, [0, 1, 2, *range(4, 20)]
    yield "reorder: old", REORDER_MS, [50, 51, 53, 49, 52, 51, 54]
    for number in range(12):
        yield f"reorder: random {number}", REORDER_MS, shuffled(generator, 120, 0.0 if number % 2 else 0.01, 0.2, 8)


def request(command: int, **attributes: Any) -> list[Any]:
    """Send one generic-netlink request to the kernel's L2TP."""
    from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST
    from pyroute2.netlink.generic import GenericNetlinkSocket
    from pyroute2.netlink.generic.l2tp import l2tpmsg

    with GenericNetlinkSocket() as sock:
        sock.bind("l2tp", l2tpmsg)
        message = l2tpmsg()
        message["cmd"], message["version"] = command, 1
        message["attrs"] = [[f"L2TP_ATTR_{name.upper()}", value] for name, value in attributes.items()]
        return list(sock.nlm_request(message, msg_type=sock.prid, msg_flags=NLM_F_REQUEST | NLM_F_ACK))


def deliver(number: int, timeout_ms: int, arrivals: list[int]) -> dict[str, Any]:
    """Send `arrivals` to session `number` and give what its netdev delivers and the kernel's counters."""
    netdev = f"l2tpseq{number}"
    session = ["ip", "l2tp", "add", "session", "name", netdev, "tunnel_id", "1", "session_id", str(number)]
    run(*session, "peer_session_id", str(number), "l2spec_type", "default", "seq", "recv")
    if timeout_ms:
        request(7, conn_id=1, session_id=number, recv_timeout=timeout_ms)
    run("ip", "link", "set", netdev, "up")
    delivered = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as reader, socket.socket(type=socket.SOCK_DGRAM) as sender:
        reader.bind((netdev, ETHER_TYPE))
        reader.settimeout(0.5)
        sender.bind(("127.0.0.2", 5000))
        sender.connect(("127.0.0.1", 20000))
        for ns in arrivals:
            frame = b"\xff" * 6 + bytes.fromhex("020000000001") + struct.pack("!HI", ETHER_TYPE, ns) + bytes(42)
            sender.send(struct.pack("!HHII", 3, 0, number, 0x40000000 | ns) + frame)
        try:
            while True:
                delivered.append(struct.unpack_from("!I", reader.recv(2048), 14)[0])
        except TimeoutError:
            pass
    (answer,) = [a for a in request(8, conn_id=1, session_id=number) if a.get_attr("L2TP_ATTR_STATS")]
    stats = answer.get_attr("L2TP_ATTR_STATS")
    names = ("rx_packets", "rx_errors", "rx_seq_discards", "rx_oos_packets")
    counters = {name: stats.get_attr(f"L2TP_ATTR_{name.upper()}") for name in names}
    return {"delivered": delivered, **counters}


def main() -> None:
    """Run every pattern and write the JSON file."""
    namespace()
    tunnel = ["ip", "l2tp", "add", "tunnel", "tunnel_id", "1", "peer_tunnel_id", "1", "encap", "udp"]
    run(*tunnel, "local", "127.0.0.1", "remote", "127.0.0.2", "udp_sport", "20000", "udp_dport", "5000")
    recorded = []
    for number, (name, timeout_ms, arrivals) in enumerate(patterns(), start=1):
        case = {"name": name, "reorder_timeout_ms": timeout_ms, "arrivals": arrivals}
        recorded.append(json.dumps({**case, **deliver(number, timeout_ms, arrivals)}))
    target = Path(__file__).parent / "sequence" / "kernel.json"
    target.parent.mkdir(exist_ok=True)
    header = f'{{"made_with": "capture_sequence.py", "peer": "Linux {platform.release()} l2tp_core",\n"cases": [\n'
    target.write_text(header + ",\n".join(recorded) + "\n]}\n")


if __name__ == "__main__":
    main()
