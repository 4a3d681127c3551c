"""Regenerate kernel.json: what a kernel answers to GETFAMILY, TUNNEL_GET and SESSION_GET, byte for byte.

    netns-lab/guest .venv/bin/python tests/datapath/kernel/golden/capture.py > tests/datapath/kernel/golden/kernel.json

Needs root and l2tp_eth. Tunnels and sessions are made by `ip l2tp`, in a namespace of their own; packets are sent
to some of them so that counters are not zero. The requests are put together by hand: nothing here is the package's
own code. What the bytes are expected to say is written down in test_reply.py.
"""

from __future__ import annotations

import ctypes
import json
import platform
import re
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

SEQUENCE = 7
"""The sequence number of every request."""

_CLONE_NEWNET = 0x4000_0000
_NETLINK_GENERIC, _SOL_NETLINK, _NETLINK_EXT_ACK = 16, 270, 11
_GENL_ID_CTRL, _GETFAMILY = 16, 3
_REQUEST, _ACK, _DUMP = 1, 4, 0x300
_ERROR, _DONE = 2, 3
_TUNNEL_GET, _SESSION_GET = 4, 8
_CONN_ID = 9

_UDP4 = "encap udp local 127.0.0.1 remote 127.0.0.2"
_UDP6 = "encap udp local fd00::1 remote fd00::2"
_TUNNEL, _SESSION = "l2tp add tunnel tunnel_id", "l2tp add session tunnel_id"
OBJECTS = f"""\
link set lo up
address add fd00::1/128 dev lo nodad
address add fd00::2/128 dev lo nodad
{_TUNNEL} 1 peer_tunnel_id 11 {_UDP4} udp_sport 5001 udp_dport 6001
{_TUNNEL} 2 peer_tunnel_id 12 {_UDP4} udp_sport 5002 udp_dport 6002 udp_csum on
{_TUNNEL} 3 peer_tunnel_id 13 {_UDP6} udp_sport 5003 udp_dport 6003
{_TUNNEL} 4 peer_tunnel_id 14 {_UDP6} udp_sport 5004 udp_dport 6004 udp6_csum_tx off udp6_csum_rx off
{_TUNNEL} 5 peer_tunnel_id 15 encap ip local 127.0.0.1 remote 127.0.0.2
{_TUNNEL} 4294967295 peer_tunnel_id 4294967294 encap ip local fd00::1 remote fd00::2
{_SESSION} 1 session_id 101 peer_session_id 201 name plain0
{_SESSION} 1 session_id 102 peer_session_id 202 name cookies0 cookie 0011223344556677 peer_cookie 8899aabb
{_SESSION} 1 session_id 103 peer_session_id 203 name sequence0 seq both
{_SESSION} 1 session_id 104 peer_session_id 204 name send0 seq send
{_SESSION} 1 session_id 105 peer_session_id 205 name recv0 seq recv
{_SESSION} 5 session_id 4294967295 peer_session_id 4294967294 name fifteen-letters l2spec_type none
link set plain0 up
"""
"""Lines for `ip -batch`."""

PACKETS = (
    bytes.fromhex("0003000000000065 00000000") + bytes(60),  # session 101: one good frame
    *[bytes.fromhex("0003000000000065 00000000") + bytes(5)] * 2,  # two that are too short for ethernet
    *[bytes.fromhex("0003000000000066 88 99 aa bc 00000000") + bytes(60)] * 3,  # session 102: three wrong cookies
    *[bytes.fromhex("0003000000000067 00000000") + bytes(60)] * 4,  # session 103: four without the number they need
    *[bytes.fromhex("0003000000000068 40000000") + bytes(60)],  # session 104: one with a number
    *[bytes.fromhex("0001000000000065 00000000") + bytes(60)] * 5,  # five of another version
)
"""What is sent to tunnel 1's port."""


def main() -> None:
    """Make, send, ask, print."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        sys.exit("needs root")
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")  # no packets of the kernel's own
    subprocess.run(["ip", "-batch", "-"], input=OBJECTS, text=True, check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.2", 6001))
        for packet in PACKETS:
            sender.sendto(packet, ("127.0.0.1", 5001))
    time.sleep(0.5)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_GENERIC) as asking:
        asking.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
        family = ask(asking, _GENL_ID_CTRL, _GETFAMILY, _ACK, attribute(2, b"l2tp\0"))
        number = int(re.search(rb"\x06\x00\x01\x00(..)", family[0], re.DOTALL)[1][::-1].hex(), 16)  # type: ignore[index]
        golden = {
            "family": family,
            "tunnels": ask(asking, number, _TUNNEL_GET, _DUMP),
            "sessions": ask(asking, number, _SESSION_GET, _DUMP),
            "no such tunnel": ask(asking, number, _TUNNEL_GET, _ACK, attribute(_CONN_ID, struct.pack("=I", 77))),
            "malformed request": ask(asking, number, _TUNNEL_GET, _ACK, attribute(_CONN_ID, b"\1")),
        }
    answers = {name: [datagram.hex() for datagram in datagrams] for name, datagrams in golden.items()}
    print(json.dumps({"kernel": platform.release(), "family number": number, **answers}, indent=1))


def attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, padded."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def ask(asking: socket.socket, family: int, command: int, flags: int, attributes: bytes = b"") -> list[bytes]:
    """Send one request, sequence number SEQUENCE, and give every datagram of the answer, to the last."""
    size = 20 + len(attributes)
    asking.send(struct.pack("=IHHIIBBH", size, family, _REQUEST | flags, SEQUENCE, 0, command, 1, 0) + attributes)
    datagrams: list[bytes] = []
    while not datagrams or not _ends(datagrams[-1]):
        datagrams.append(asking.recv(65536))
    return datagrams


def _ends(datagram: bytes) -> bool:
    offset, ends = 0, False
    while offset < len(datagram):
        length, kind = struct.unpack_from("=IH", datagram, offset)
        ends |= kind in (_ERROR, _DONE)
        offset += (length + 3) & ~3
    return ends


if __name__ == "__main__":
    main()
