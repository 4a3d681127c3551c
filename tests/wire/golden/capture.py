"""Regenerate the golden data packets in this folder from the two L2TPv3 implementations that are not ours.

    python tests/wire/golden/capture.py kernel    # needs root and l2tp_eth (netns-lab/guest has both): kernel.json
    python tests/wire/golden/capture.py qemu      # needs root and qemu-system-x86_64: qemu.json

Each peer is given a session per combination of encapsulation, family, cookie, sublayer and sequencing; known ethernet
frames are put into the peer's netdev (kernel: the l2tpeth netdev, QEMU: its TAP) through a packet socket, and what then
arrives at a plain UDP or raw IP socket is written down. So the frames and the settings come from this file, the bytes
around them from the peer, and nothing from l2tpv3.wire, which is not imported. Everything happens on loopback in an
anonymous network namespace that ends with this process.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.waiting import PATIENCE_S

CLONE_NEWNET = 0x40000000
L2TP_PROTOCOL = 115
ADDRESSES = {4: ("127.0.0.1", "127.0.0.2"), 6: ("fd00::1", "fd00::2")}

ARP_REQUEST = bytes.fromhex("ffffffffffff020000000001080600010800060400010200000000010a0000010000000000000a000002")
EXPERIMENTAL = bytes.fromhex("02000000000202000000000188b5") + bytes(range(46))
VLAN_TAGGED = bytes.fromhex("0200000000020200000000018100000a88b5") + bytes(range(64, 110))
FRAMES = (ARP_REQUEST, EXPERIMENTAL, VLAN_TAGGED)


def run(*command: str) -> None:
    """Run an `ip` or `sysctl` command; raise with its output if it fails."""
    subprocess.run(command, check=True)


def namespace() -> None:
    """Move this process into a fresh network namespace: loopback up, no IPv6 chatter on new netdevs."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    run("ip", "link", "set", "lo", "up")
    for address in ADDRESSES[6]:
        run("ip", "address", "add", f"{address}/128", "dev", "lo", "nodad")
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")


def cases(sequencing: tuple[bool, ...]) -> Iterator[dict[str, object]]:
    """Give one settings dict for each combination; session ids, ports and cookies differ from case to case."""
    combinations = itertools.product(("udp", "ip"), (4, 6), (0, 4, 8), ("default", "none"), sequencing)
    for number, (encap, family, cookie_length, sublayer, sequenced) in enumerate(combinations):
        if sequenced and sublayer == "none":
            continue
        yield {
            "name": f"{encap}{family}-cookie{cookie_length}-{sublayer}" + ("-seq" if sequenced else ""),
            "encap": encap,
            "family": family,
            "session_id": 0xC0DE0100 + number,
            "cookie": bytes(0xA0 + (number * 8 + i) % 0x5F for i in range(cookie_length)).hex(),
            "sublayer": sublayer,
            "sequenced": sequenced,
            "port": 5000 + number,
        }


def listen(case: dict[str, object]) -> socket.socket:
    """Open the socket that receives what the peer sends in this case."""
    family = socket.AF_INET if case["family"] == 4 else socket.AF_INET6
    if case["encap"] == "udp":
        sock = socket.socket(family, socket.SOCK_DGRAM)
    else:
        sock = socket.socket(family, socket.SOCK_RAW, L2TP_PROTOCOL)
    sock.bind((ADDRESSES[int(str(case["family"]))][1], int(str(case["port"])) if case["encap"] == "udp" else 0))
    sock.settimeout(PATIENCE_S)
    return sock


def exchange(case: dict[str, object], netdev: str, shortest: int = 0) -> list[dict[str, str]]:
    """Put each frame into `netdev` and give frame and received payload as hex; the peer pads to `shortest` bytes."""
    packets = []
    with listen(case) as receiver, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as injector:
        injector.bind((netdev, 0))
        for frame in FRAMES:
            injector.send(frame)
            payload = receiver.recv(65535)
            if case["encap"] == "ip" and case["family"] == 4:
                payload = payload[(payload[0] & 15) * 4 :]  # raw IPv4 sockets give the IP header too, IPv6 ones do not
            packets.append({"frame": frame.ljust(shortest, b"\0").hex(), "payload": payload.hex()})
    return packets


def from_kernel() -> Iterator[dict[str, object]]:
    """Let the kernel's l2tp_eth encapsulate each case."""
    for number, case in enumerate(cases((False, True)), start=1):
        local, remote = ADDRESSES[int(str(case["family"]))]
        tunnel = ["ip", "l2tp", "add", "tunnel", "tunnel_id", str(number), "peer_tunnel_id", str(number)]
        tunnel += ["local", local, "remote", remote, "encap", str(case["encap"])]
        if case["encap"] == "udp":
            tunnel += ["udp_sport", str(20000 + number), "udp_dport", str(case["port"])]
        run(*tunnel)
        netdev = f"l2tpgold{number}"
        session = ["ip", "l2tp", "add", "session", "name", netdev, "tunnel_id", str(number)]
        session += ["session_id", str(number), "peer_session_id", str(case["session_id"])]
        session += ["cookie", str(case["cookie"])] if case["cookie"] else []
        session += ["l2spec_type", str(case["sublayer"])]
        session += ["seq", "both"] if case["sequenced"] else []
        run(*session)
        run("ip", "link", "set", netdev, "up")
        yield {**case, "packets": exchange(case, netdev)}


def qemu_command(case: dict[str, object], tap: str) -> list[str]:
    """Give the command line of a QEMU without a guest that joins a TAP to one L2TPv3 session."""
    local, remote = ADDRESSES[int(str(case["family"]))]
    netdev = f"l2tpv3,id=l0,src={local},dst={remote},rxsession=1,txsession={case['session_id']}"
    netdev += (
        f",ipv6={'on' if case['family'] == 6 else 'off'},counter={'on' if case['sublayer'] == 'default' else 'off'}"
    )
    netdev += (
        f",udp=on,srcport={int(str(case['port'])) + 15000},dstport={case['port']}"
        if case["encap"] == "udp"
        else ",udp=off"
    )
    cookie = str(case["cookie"])
    if cookie:
        netdev += f",txcookie=0x{cookie},rxcookie=0x{cookie}" + (",cookie64=on" if len(cookie) == 16 else "")
    command = [
        "qemu-system-x86_64",
        "-M",
        "none",
        "-nodefaults",
        "-display",
        "none",
        "-monitor",
        "none",
        "-serial",
        "none",
    ]
    command += ["-netdev", netdev, "-netdev", f"tap,id=t0,ifname={tap},script=no,downscript=no"]
    return [*command, "-netdev", "hubport,id=h0,hubid=0,netdev=l0", "-netdev", "hubport,id=h1,hubid=0,netdev=t0"]


def from_qemu() -> Iterator[dict[str, object]]:
    """Let QEMU's l2tpv3 netdev encapsulate each case; its `counter` is a 4-byte sublayer without the S bit."""
    for number, case in enumerate(cases((False,)), start=1):
        tap = f"qgold{number}"
        process = subprocess.Popen(qemu_command(case, tap))
        try:
            for _ in range(100):
                # Not /sys/class/net: that mount still shows the namespace this process came from.
                if tap in (name for _, name in socket.if_nameindex()) or process.poll() is not None:
                    break
                time.sleep(0.05)
            run("ip", "link", "set", tap, "up")
            time.sleep(0.3)  # until QEMU polls the TAP
            yield {**case, "packets": exchange(case, tap, shortest=60)}
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    """Capture from the peer named on the command line and write its JSON file beside this script."""
    peer = sys.argv[1]
    namespace()
    if peer == "kernel":
        how, captured = f"Linux {platform.release()} l2tp_eth, ip l2tp", list(from_kernel())
    else:
        version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
        how, captured = f"{version.splitlines()[0]}, -netdev l2tpv3", list(from_qemu())
    target = Path(__file__).parent / f"{peer}.json"
    target.write_text(json.dumps({"made_with": f"capture.py {peer}", "peer": how, "cases": captured}, indent=1) + "\n")


if __name__ == "__main__":
    main()
