"""Tunnels inside WireGuard: what passes, and that nothing of them is ever in the clear, by captures on the underlay.

Here by wireguard-go, in the guest by the kernel's WireGuard.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.encryption.underlay import Wire, in_the_clear, is_fragment, is_wireguard
from tests.hosts import UNDERLAY, Host, Hosts
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]  # the guest is slow beside other tests

DATAPATHS = [
    pytest.param("user", 4, "udp", id="user-4-udp"),
    pytest.param("user", 6, "ip", id="user-6-ip"),
    pytest.param("ebpf", 4, "ip", id="ebpf-4-ip"),
    pytest.param("ebpf", 6, "udp", id="ebpf-6-udp"),
    pytest.param("kernel", 4, "udp", id="kernel-4-udp", marks=pytest.mark.kernel_l2tp),
    pytest.param("kernel", 6, "ip", id="kernel-6-ip", marks=pytest.mark.kernel_l2tp),
]
MTU = {(4, "udp"): 1358, (4, "ip"): 1370, (6, "udp"): 1338, (6, "ip"): 1350}
"""Of a session with 8-byte cookies over a path of 1500 bytes: less 60 or 80 of WireGuard, and IPv6 inside."""


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    made = Hosts()
    yield made
    made.close()


def encryption(host: Host) -> dict[str, Any]:
    """What the host says of the encryption of its tunnel t."""
    (tunnel,) = json.loads(host.ctl("tunnel", "show", "t", "--json").stdout)["tunnels"]
    found: dict[str, Any] = tunnel["encryption"]
    return found | {"condition": tunnel["condition"], "notes": tunnel["notes"]}


@pytest.fixture
def joined(hosts: Hosts) -> Callable[..., tuple[Host, Host]]:
    def make(datapath: str = "user", family: int = 4, encap: str = "udp") -> tuple[Host, Host]:
        a, b = hosts.pair()
        for host, other in ((a, b), (b, a)):  # where packets would go if nothing kept them
            host.ip("-6", "route", "add", "default", "via", other.v6)
        a.ctl(
            *("tunnel", "add", "t", "--remote", b.address(family), "--encrypt", "wireguard"),
            *("--datapath", datapath, "--encap", encap),
        )
        a.ctl("session", "add", "t", "s", "--ifname", "l2s", "--address", "10.9.0.1/24")
        tunnel, session = a.ctl("peer", "t").stdout.splitlines()
        b.ctl(*tunnel.split()[1:], "--datapath", datapath)
        b.ctl(*session.split()[1:], "--ifname", "l2s", "--address", "10.9.0.2/24")
        a.ctl("tunnel", "set", "t", "--peer-public-key", encryption(b)["public_key"])
        return a, b

    return make


def reaches(host: Host, address: str = "10.9.0.2") -> bool:
    """Whether a ping is answered before long: a packet may be lost where both ends begin a handshake at once."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if host.ping(address, check=False):
            return True
    return False


def assert_nothing_clear(wire: Wire) -> int:
    """Nothing of a tunnel was in the clear. Gives how many packets there were."""
    packets = wire.packets()
    shown = [said for kind, packet in packets if (said := in_the_clear(kind, packet))]
    assert not shown
    return len(packets)


@pytest.mark.parametrize(("datapath", "family", "encap"), DATAPATHS)
def test_frames_pass_and_nothing_is_in_the_clear_when_the_netdev_goes(
    joined: Callable[..., tuple[Host, Host]], datapath: str, family: int, encap: str
) -> None:
    a, b = joined(datapath, family, encap)
    with Wire(a.netns, UNDERLAY) as wire:
        mtu = MTU[family, encap]
        assert f"mtu {mtu} " in a.ip("link", "show", "l2s")
        assert reaches(a)
        assert a.ping("10.9.0.2", "-s", str(mtu - 28), "-M", "do", count=2)
        sizes = [len(packet) for kind, packet in wire.packets() if not in_the_clear(kind, packet)]
        assert max(sizes) == 1500  # a full frame fills the path, and no more
        seen = encryption(a)
        assert seen["condition"] == "up" and seen["handshake"] and seen["rx_bytes"]
        a.ip("link", "del", seen["ifname"])
        assert not a.ping("10.9.0.2", count=2, check=False)
        b.ping("10.9.0.1", count=2, check=False)
        assert_nothing_clear(wire)
        seen = encryption(a)
        assert seen["condition"] == "missing" and seen["by"] is None
        assert any("its netdev" in note and "l2tpctl restore t" in note for note in seen["notes"])
        a.ctl("restore")
        assert reaches(a)
        assert encryption(a)["condition"] == "up"
        for host in (a, b):
            host.ctl("tunnel", "del", "t")
            assert "proto 215" not in host.ip("-6", "route", "show", "table", "all")
            assert "l2tpwg" not in host.ip("link")
        assert_nothing_clear(wire)


@pytest.mark.parametrize(
    ("datapath", "family"),
    [
        pytest.param("user", 4, id="user-4"),
        pytest.param("user", 6, id="user-6"),
        pytest.param("kernel", 4, id="kernel-4", marks=pytest.mark.kernel_l2tp),
    ],
)
def test_frames_of_full_size_are_cut_under_the_encryption_and_no_fragment_is_on_the_wire(
    joined: Callable[..., tuple[Host, Host]], datapath: str, family: int
) -> None:
    a, b = joined(datapath, family)
    for host in (a, b):
        host.ctl("session", "set", "t", "s", "--mtu", "1500")
    assert reaches(a)
    with Wire(a.netns, UNDERLAY) as wire:
        assert a.ping("10.9.0.2", "-s", "1472", "-M", "do", count=5)
        packets = [(kind, packet) for kind, packet in wire.packets() if kind in (0x0800, 0x86DD)]
    sent = [packet for _, packet in packets if is_wireguard(packet)]
    assert len(sent) >= 20 and max(map(len, sent)) <= 1500  # each frame, and each answer, in two packets
    assert not [packet for _, packet in packets if is_fragment(packet)]


def test_a_wrong_key_passes_nothing_and_the_note_says_which_key_has_to_be_where(
    joined: Callable[..., tuple[Host, Host]],
) -> None:
    a, b = joined()
    right = encryption(a)["public_key"]
    with Wire(a.netns, UNDERLAY) as wire:
        b.ctl("tunnel", "set", "t", "--peer-public-key", "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I=")
        a.ctl("tunnel", "set", "t", "--persistent-keepalive", "1")
        assert not a.ping("10.9.0.2", count=2, check=False)
        assert not b.ping("10.9.0.1", count=2, check=False)
        assert_nothing_clear(wire)
        b.ctl("tunnel", "set", "t", "--peer-public-key", right)
        assert reaches(a)


def test_without_the_peer_s_key_it_waits_and_says_so(hosts: Hosts) -> None:
    a, b = hosts.pair()
    with Wire(a.netns, UNDERLAY) as wire:
        made = a.ctl("tunnel", "add", "t", "--remote", b.v4, "--encrypt", "wireguard")
        assert "it waits for the peer's public key" in made.stderr
        a.ctl("session", "add", "t", "s", "--address", "10.9.0.1/24")
        assert not a.ping("10.9.0.2", count=1, check=False)
        assert_nothing_clear(wire)
        assert encryption(a)["condition"] == "up"


def test_the_private_key_is_shown_to_nobody_who_does_not_ask_for_secrets(hosts: Hosts) -> None:
    a, b = hosts.pair()
    key = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
    (a.folder / "key").write_text(key)
    a.ctl("tunnel", "add", "t", "--remote", b.v4, "--encrypt", "wireguard", "--private-key", f"@{a.folder / 'key'}")
    said = [a.ctl(*words) for words in (["tunnel", "show", "t"], ["tunnel", "show", "--json"], ["log"], ["peer", "t"])]
    assert not any(key in one.stdout + one.stderr for one in said)
    assert key in a.ctl("tunnel", "show", "--json", "--show-secrets").stdout
    assert (a.state_dir / "l2tpv3.db").stat().st_mode & 0o777 == 0o600


def test_the_record_goes_from_clear_to_encrypted_and_back(hosts: Hosts) -> None:
    a, b = hosts.pair()
    a.ctl("tunnel", "add", "t", "--remote", b.v4)
    a.ctl("session", "add", "t", "s", "--ifname", "l2s", "--address", "10.9.0.1/24")
    a.ctl("tunnel", "set", "t", "--encrypt", "wireguard")
    assert encryption(a)["condition"] == "up" and "mtu 1358 " in a.ip("link", "show", "l2s")
    a.ctl("tunnel", "rename", "t", "u")
    a.ctl("tunnel", "rename", "u", "t")
    assert encryption(a)["lacks"] == []
    a.ctl("down")
    assert "l2tpwg" not in a.ip("link")
    a.ctl("restore")
    assert encryption(a)["condition"] == "up"
    a.ctl("tunnel", "set", "t", "--encrypt", "none")
    assert "l2tpwg" not in a.ip("link") and "mtu 1438 " in a.ip("link", "show", "l2s")


def test_wireguard_go_is_made_again_when_it_was_killed(joined: Callable[..., tuple[Host, Host]]) -> None:
    a, _ = joined()
    seen = encryption(a)
    if seen["by"] != "wireguard-go":
        pytest.skip("the kernel has WireGuard")
    with Wire(a.netns, UNDERLAY) as wire:
        os.kill(seen["pid"], signal.SIGKILL)
        assert not a.ping("10.9.0.2", count=1, check=False)
        time.sleep(0.1)
        a.ctl("restore")
        assert reaches(a)
        assert_nothing_clear(wire)
    assert encryption(a)["pid"] != seen["pid"]


def test_new_keys_in_two_steps(joined: Callable[..., tuple[Host, Host]]) -> None:
    a, b = joined()
    before = encryption(a)["public_key"]
    first = a.ctl("tunnel", "rekey", "t")
    assert a.ctl("tunnel", "rekey", "t").stdout == first.stdout
    assert encryption(a)["public_key"] == before and reaches(a)
    second = b.ctl(*first.stdout.split()[1:])
    assert "nothing passes until" in second.stderr
    third = a.ctl(*second.stdout.split()[1:])
    assert third.stdout == "" and encryption(a)["public_key"] not in (before, "")
    for again, says in ((second.stdout, "already"), (first.stdout, "of this end")):
        refused = a.ctl(*again.split()[1:], check=False)
        assert refused.returncode == 1 and says in refused.stderr
    assert reaches(a)


def test_a_tunnel_in_the_clear_has_no_keys(hosts: Hosts) -> None:
    a, b = hosts.pair()
    a.ctl("tunnel", "add", "t", "--remote", b.v4)
    refused = a.ctl("tunnel", "rekey", "t", check=False)
    assert refused.returncode == 1 and "--encrypt wireguard" in refused.stderr
    refused = a.ctl("tunnel", "set", "t", "--listen-port", "5000", check=False)
    assert refused.returncode == 1 and "give --encrypt wireguard" in refused.stderr
    refused = a.ctl("tunnel", "set", "t", "--encrypt", "wireguard", "--bind-device", "u0", check=False)
    assert refused.returncode == 1 and "WireGuard sends" in refused.stderr
