"""What encrypts one tunnel is not taken for another's, whatever its netdev and processes are called."""

from __future__ import annotations

import json
from typing import Any

import pytest

from l2tpv3.encryption import wireguard_go
from tests.hosts import Host

pytestmark = pytest.mark.root

PEER = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="


def _encryption(host: Host, tunnel: str) -> dict[str, Any]:
    (shown,) = json.loads(host.ctl("tunnel", "show", tunnel, "--json").stdout)["tunnels"]
    assert shown["condition"] == "up"
    found: dict[str, Any] = shown["encryption"]
    return found


def test_a_tunnel_gets_the_name_that_another_one_had(underlay: tuple[Host, Host]) -> None:
    a, b = underlay
    a.ctl("tunnel", "add", "t", "--remote", b.v4, "--encrypt", "wireguard")
    a.ctl("tunnel", "rename", "t", "u")
    a.ctl("tunnel", "add", "t", "--remote", b.v4, "--encrypt", "wireguard")
    t, u = _encryption(a, "t"), _encryption(a, "u")
    assert t["ifname"] != u["ifname"] and t["local"] != u["local"]


def test_a_netdev_that_can_not_encrypt_is_nobody_s_whatever_its_alias_says(underlay: tuple[Host, Host]) -> None:
    a, b = underlay
    a.ctl("tunnel", "add", "t", "--remote", b.v4, "--encrypt", "wireguard")
    alias = json.loads(a.ip("-j", "link", "show", _encryption(a, "t")["ifname"]))[0]["ifalias"]
    a.ip("link", "set", "u0", "alias", alias)  # the one with the lower index
    assert _encryption(a, "t")["ifname"].startswith("l2tpwg")
    a.ctl("tunnel", "del", "t")
    assert "u0" in a.ip("link") and "l2tpwg" not in a.ip("link")


def test_wireguard_go_of_another_namespace_is_left_alone(underlay: tuple[Host, Host]) -> None:
    """Root in a namespace can call a netdev as one in another is called; the sockets are in one folder for all."""
    a, b = underlay
    a.ctl("tunnel", "add", "t", "--remote", b.v4, "--encrypt", "wireguard")
    seen = _encryption(a, "t")
    if seen["by"] != "wireguard-go":
        pytest.skip("the kernel has WireGuard")
    assert wireguard_go.pid_of(seen["ifname"], b.netns) is None
    with pytest.raises(ConnectionRefusedError):
        wireguard_go.device(seen["ifname"], b.netns)
    wireguard_go.end(seen["ifname"], b.netns)
    assert _encryption(a, "t")["pid"] == seen["pid"]


def test_a_peer_has_one_tunnel_in_a_namespace(underlay: tuple[Host, Host]) -> None:
    """Its address inside follows from its key, so both tunnels would have one route and one guard."""
    a, b = underlay
    words = ("--remote", b.v4, "--encrypt", "wireguard", "--peer-public-key", PEER)
    a.ctl("tunnel", "add", "t", *words)
    refused = a.ctl("tunnel", "add", "u", *words, check=False)
    assert refused.returncode == 4 and "tunnel t's peer" in refused.stderr
    assert not _encryption(a, "t")["lacks"]
