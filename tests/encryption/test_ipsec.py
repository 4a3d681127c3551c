"""Tunnels encrypted by IPsec: what passes, and that nothing is ever in the clear, by captures on the underlay."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.encryption import charon
from tests.encryption.underlay import Wire
from tests.hosts import UNDERLAY, Host, Hosts
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.root, pytest.mark.kernel_l2tp, pytest.mark.timeout(900)]

CASES = [
    pytest.param("kernel", 4, "udp", "off", 1404, id="kernel-4-udp"),
    pytest.param("user", 4, "ip", "on", 1408, id="user-4-ip-in-udp"),
    pytest.param("ebpf", 4, "udp", "on", 1396, id="ebpf-4-udp-in-udp"),
    pytest.param("kernel", 6, "ip", "off", 1396, id="kernel-6-ip"),
    pytest.param("user", 6, "udp", "off", 1384, id="user-6-udp"),
]
"""With the MTU of a session with 8-byte cookies over a path of 1500 bytes."""


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    made = Hosts()
    yield made
    made.close()


def shown(host: Host) -> dict[str, Any]:
    (tunnel,) = json.loads(host.ctl("tunnel", "show", "t", "--json").stdout)["tunnels"]
    found: dict[str, Any] = tunnel["encryption"]
    return found | {"condition": tunnel["condition"], "notes": tunnel["notes"]}


def joined(hosts: Hosts, datapath: str, family: int, encap: str, in_udp: str) -> tuple[Host, Host]:
    a, b = hosts.pair()
    for host in (a, b):
        charon.start(host)
    a.ctl(
        *("tunnel", "add", "t", "--remote", b.address(family), "--encrypt", "ipsec", "--esp-in-udp", in_udp),
        *("--datapath", datapath, "--encap", encap),
    )
    a.ctl("session", "add", "t", "s", "--ifname", "l2s", "--address", "10.9.0.1/24")
    tunnel, session = a.ctl("peer", "t").stdout.splitlines()
    b.ctl(*tunnel.split()[1:], "--datapath", datapath)
    b.ctl(*session.split()[1:], "--ifname", "l2s", "--address", "10.9.0.2/24")
    return a, b


def reaches(host: Host, address: str = "10.9.0.2") -> bool:
    """Whether a ping is answered before long: keys are being agreed on."""
    deadline = time.monotonic() + 240  # in which also an SA that one end alone has is found out by that end
    while time.monotonic() < deadline:
        if host.ping(address, check=False):
            return True
    return False


def in_the_clear(packet: bytes) -> bool:
    """Whether it is L2TPv3 over UDP or IP, by the ports that tunnels have here."""
    version = packet[0] >> 4
    protocol, header = (packet[9], (packet[0] & 15) * 4) if version == 4 else (packet[6], 40)
    return protocol == 115 or (protocol == 17 and 1701 in (port(packet, header), port(packet, header + 2)))


def port(packet: bytes, at: int) -> int:
    return int.from_bytes(packet[at : at + 2], "big")


def assert_nothing_clear(wire: Wire) -> list[bytes]:
    packets = [packet for kind, packet in wire.packets() if kind in (0x0800, 0x86DD)]
    assert not [packet for packet in packets if in_the_clear(packet)]
    return packets


@pytest.mark.parametrize(("datapath", "family", "encap", "in_udp", "mtu"), CASES)
def test_frames_pass_and_nothing_is_in_the_clear_when_strongswan_dies(
    hosts: Hosts, datapath: str, family: int, encap: str, in_udp: str, mtu: int
) -> None:
    a, b = joined(hosts, datapath, family, encap, in_udp)
    with Wire(a.netns, UNDERLAY) as wire:
        assert f"mtu {mtu} " in a.ip("link", "show", "l2s")
        assert reaches(a), charon.log(a)
        assert a.ping("10.9.0.2", "-s", str(mtu - 28), "-M", "do", "-W", "30", count=2)
        longest = max(len(packet) for packet in assert_nothing_clear(wire))
        assert 1496 < longest <= 1500  # one more frame byte has no room: padding is of 4 bytes
        seen = shown(a)
        assert (seen["condition"], seen["by"], seen["algorithm"]) == ("up", "strongswan", "AES_GCM_16_256")
        assert seen["rx_bytes"] and seen["tx_bytes"] and seen["in_udp"] == (in_udp == "on") and not seen["notes"]
        if family == 4:  # one of each datapath
            a.ip("xfrm", "policy", "flush")
            assert not a.ping("10.9.0.2", count=2, check=False)
            assert_nothing_clear(wire)
            assert any("the policies that keep packets from leaving" in note for note in shown(a)["notes"])
            a.ctl("restore")
            assert reaches(a), charon.log(a)
        for host in (a, b):
            os.kill(shown(host)["pid"], signal.SIGKILL)
            host.ip("xfrm", "state", "flush")  # as when their lifetime is over
        assert not a.ping("10.9.0.2", count=2, check=False)
        assert not b.ping("10.9.0.1", count=2, check=False)
        assert_nothing_clear(wire)
        seen = shown(a)
        assert seen["condition"] == "missing" and seen["by"] is None
        assert any("strongSwan, which does not run" in note for note in seen["notes"])
        for host in (a, b):
            charon.start(host)
            host.ctl("restore")
        assert reaches(a), charon.log(a)
        for host in (a, b):
            host.ctl("tunnel", "del", "t")
            assert "esp" not in host.ip("xfrm", "policy")
        assert_nothing_clear(wire)


def test_another_key_passes_nothing_and_the_note_says_so(hosts: Hosts) -> None:
    a, b = joined(hosts, "user", 4, "udp", "off")
    with Wire(a.netns, UNDERLAY) as wire:
        assert reaches(a), charon.log(a)
        b.ctl("tunnel", "set", "t", "--pre-shared-key", "another-key")
        assert not a.ping("10.9.0.2", count=2, check=False)
        assert not b.ping("10.9.0.1", count=2, check=False)
        wait_for(a, lambda seen: seen["negotiation"] is None)
        seen = shown(a)
        assert seen["condition"] == "down" and seen["by"] is None and not seen["lacks"]
        assert any("another --pre-shared-key" in note for note in seen["notes"])
        assert_nothing_clear(wire)
        secret = json.loads(a.ctl("tunnel", "show", "t", "--json", "--show-secrets").stdout)
        key = secret["tunnels"][0]["wanted"]["pre-shared-key"]
        assert key not in charon.log(a) + a.ctl("tunnel", "show", "t", "--json").stdout
        b.ctl("tunnel", "set", "t", "--pre-shared-key", key)
        assert reaches(a), charon.log(a)
        logged = len(charon.log(a))
        a.ctl("tunnel", "rename", "t", "u")
        a.ctl("tunnel", "rename", "u", "t")
        assert a.ping("10.9.0.2") and "deleting IKE_SA" not in charon.log(a)[logged:]
        a.ctl("tunnel", "set", "t", "--esp-in-udp", "on")  # both ends begin anew at once, and one again
        a.ctl("tunnel", "set", "t", "--esp-in-udp", "off")
        assert reaches(a), charon.log(a)
        assert_nothing_clear(wire)


def wait_for(host: Host, holds: Callable[[dict[str, Any]], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds(shown(host)) and time.monotonic() < deadline:
        time.sleep(0.5)


def test_without_strongswan_it_is_refused_and_nothing_is_left(hosts: Hosts) -> None:
    a, b = hosts.pair()
    refused = a.ctl("tunnel", "add", "t", "--remote", b.v4, "--encrypt", "ipsec", check=False)
    assert refused.returncode == 2 and "strongSwan does not run; `apt install charon-systemd" in refused.stderr
    assert not json.loads(a.ctl("tunnel", "show", "--json").stdout)["tunnels"]
    assert "esp" not in a.ip("xfrm", "policy")


def test_frames_pass_to_an_end_that_was_typed(hosts: Hosts) -> None:
    """What `peer --as iproute2` prints is run by a shell; strongSwan has its usual socket there."""
    a, b = hosts.pair()
    charon.start(a)
    charon.start(b, path=Path("/run/charon.vici"))
    a.ctl("tunnel", "add", "t", "--remote", b.v4, "--encrypt", "ipsec", "--encap", "ip", "--ike-id", "site a")
    a.ctl("session", "add", "t", "s", "--ifname", "l2s", "--address", "10.9.0.1/24")
    file = Path("/etc/swanctl/conf.d/l2tpv3-1.conf")
    assert not file.exists()
    b.run(["sh", "-e"], stdin=a.ctl("peer", "t", "--as", "iproute2").stdout)
    b.ip("address", "add", "10.9.0.2/24", "dev", "l2s")
    file.unlink()
    with Wire(a.netns, UNDERLAY) as wire:
        assert reaches(a), charon.log(b)
        assert a.ping("10.9.0.2", "-s", str(1416 - 28), "-M", "do", "-W", "30", count=2)
        assert_nothing_clear(wire)


def test_certificates_let_in_whom_they_name(hosts: Hosts) -> None:
    a, b = hosts.pair()
    authority = charon.Authority()
    for host, other in ((a, b), (b, a)):
        charon.start(host)
        charon.load_certificate(host, host.name, authority)
        host.ctl(
            *("tunnel", "add", "t", "--remote", other.v4, "--encrypt", "ipsec", "--ike-auth", "certificate"),
            *("--ike-id", f"CN={host.name}", "--peer-ike-id", f"CN={other.name}"),
        )
        host.ctl("session", "add", "t", "s", "--ifname", "l2s", "--tx-cookie", "none", "--rx-cookie", "none")
    a.ctl("session", "set", "t", "s", "--address", "10.9.0.1/24")
    b.ctl("session", "set", "t", "s", "--address", "10.9.0.2/24")
    with Wire(a.netns, UNDERLAY) as wire:
        assert reaches(a), charon.log(b)
        a.ctl("tunnel", "set", "t", "--peer-ike-id", "CN=somebody else")
        assert not a.ping("10.9.0.2", count=2, check=False)
        assert any("another certificate" in note for note in shown(a)["notes"]), shown(a)
        assert_nothing_clear(wire)


def test_watch_tells_strongswan_again_when_it_was_restarted(hosts: Hosts) -> None:
    a, _ = joined(hosts, "user", 4, "udp", "off")
    assert reaches(a), charon.log(a)
    a.start([Path(sys.executable).with_name("l2tpctl"), "watch"])
    os.kill(shown(a)["pid"], signal.SIGTERM)
    wait_for(a, lambda seen: seen["pid"] is None)
    charon.start(a)
    assert reaches(a), charon.log(a)
