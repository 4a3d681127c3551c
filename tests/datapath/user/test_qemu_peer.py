"""Against QEMU's own L2TPv3 (net/l2tpv3.c), which needs no guest: its other side is a TAP."""

from __future__ import annotations

import itertools
import subprocess

import pytest

from l2tpv3.model.observed import Counters
from l2tpv3.model.spec import Encap, Sublayer
from tests.datapath.user.ends import End, passes, session
from tests.waiting import eventually

pytestmark = pytest.mark.root

PORT = 5001


def qemu(a: End, b: End, *, encap: Encap, family: int, cookie: int, sublayer: Sublayer) -> subprocess.Popen[str]:
    """QEMU on b's host with the other end of `session(cookie=..., sublayer=...)`, and a TAP qtap0."""
    one = session(cookie=cookie, sublayer=sublayer)
    words = [f"l2tpv3,id=l0,src={b.host.address(family)},dst={a.host.address(family)}"]
    words.append(f"rxsession={one.peer_session_id},txsession={one.session_id}")
    if family == 6:
        words.append("ipv6=on")
    if encap is Encap.UDP:
        words.append(f"udp=on,srcport={PORT},dstport=1701")
    if cookie:
        words.append(f"rxcookie=0x{one.tx_cookie.hex()},txcookie=0x{one.rx_cookie.hex()}")
        words += ["cookie64=on"] if cookie == 8 else []
    if sublayer is Sublayer.DEFAULT:
        words.append("counter=on,pincounter=on")
    b.host.ip_batch(["tuntap add dev qtap0 mode tap", "link set qtap0 up"])
    command = ["qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none", "-monitor", "none"]
    command += ["-serial", "none", "-netdev", ",".join(words)]
    command += ["-netdev", "tap,id=t0,ifname=qtap0,script=no,downscript=no"]
    command += ["-netdev", "hubport,id=h0,hubid=0,netdev=l0", "-netdev", "hubport,id=h1,hubid=0,netdev=t0"]
    process = b.host.start(command)
    eventually(lambda: "NO-CARRIER" not in b.host.ip("link", "show", "qtap0"), "QEMU has its TAP")
    return process


@pytest.mark.parametrize(
    ("encap", "family", "cookie", "sublayer"), list(itertools.product(Encap, (4, 6), (0, 4, 8), Sublayer))
)
def test_frames_both_ways_with_exact_counters(
    ends: tuple[End, End], encap: Encap, family: int, cookie: int, sublayer: Sublayer
) -> None:
    a, b = ends
    one = session(cookie=cookie, sublayer=sublayer)
    tunnel = a.tunnel(b.host, encap=encap, family=family, remote_port=PORT)
    a.add(tunnel, one)
    process = qemu(a, b, encap=encap, family=family, cookie=cookie, sublayer=sublayer)
    sizes = [60, 61, 590, 1414]
    passes(a.place(one), (b.host.netns, "qtap0"), sizes)
    passes((b.host.netns, "qtap0"), a.place(one), sizes)
    header = (8 if encap is Encap.UDP else 4) + cookie + (4 if sublayer is Sublayer.DEFAULT else 0)
    total = sum(sizes) + len(sizes) * header
    assert a.counters(tunnel, one) == Counters(
        tx_packets=len(sizes), tx_bytes=total, rx_packets=len(sizes), rx_bytes=total
    )
    assert process.poll() is None
