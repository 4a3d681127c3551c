"""What a sublayer that only one end has looks like: frames are shifted by four bytes, and no counter shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import Host

CASES = [
    pytest.param("user", True, id="user, cookies"),
    pytest.param("user", False, id="user, no cookies"),
    pytest.param("kernel", True, id="kernel, cookies", marks=pytest.mark.kernel_l2tp),
]
_DROPS = ("tx_errors", "rx_errors", "rx_seq_discards", "rx_oos_packets", "rx_cookie_discards", "rx_invalid")


def _session(host: Host) -> dict[str, Any]:
    session: dict[str, Any] = json.loads(host.ctl("session", "show", "t", "lan", "--json").stdout)["sessions"][0]
    return session


@pytest.mark.root
@pytest.mark.parametrize(("datapath", "cookies"), CASES)
def test_no_counter_shows_a_wrong_sublayer(underlay: tuple[Host, Host], datapath: str, *, cookies: bool) -> None:
    sent, expected = ("0011223344556677", "8899aabbccddeeff") if cookies else ("none", "none")
    ends = zip(underlay, reversed(underlay), ("default", "none"), (sent, expected), (expected, sent), strict=True)
    for number, (host, peer, sublayer, tx, rx) in enumerate(ends, start=1):
        host.ctl("tunnel", "add", "t", "--remote", peer.v4, "--datapath", datapath)
        options = ["--sublayer", sublayer, "--tx-cookie", tx, "--rx-cookie", rx, "--mac", f"02:00:00:00:00:0{number}"]
        host.ctl("session", "add", "t", "lan", "--address", f"10.9.0.{number}/24", "--ifname", "lan", *options)
    here, there = underlay
    here.ip("neigh", "replace", "10.9.0.2", "lladdr", "02:00:00:00:00:02", "dev", "lan")  # ARP has its own time limits
    assert not here.ping("10.9.0.2", "-W", "0.5", check=False)
    for host in (here, there):
        counters = _session(host)["counters"]
        assert {name: counters[name] for name in _DROPS} == dict.fromkeys(_DROPS, 0)
    assert _session(there)["counters"]["rx_packets"] > 0, "it arrived, as nonsense"
    there.ctl("session", "set", "t", "lan", "--sublayer", "default")
    assert here.ping("10.9.0.2")


def test_no_document_says_that_a_counter_shows_it() -> None:
    root = Path(__file__).resolve().parents[2]
    for path in (root / "docs" / "interop.md", root / "docs" / "l2tpctl.md"):
        assert "with cookies or without" in " ".join(path.read_text().split()), path.name
