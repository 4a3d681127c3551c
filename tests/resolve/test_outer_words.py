"""What a tunnel says of its outer packets: which datapath can do it, what two tunnels can't have, and what changes."""

from __future__ import annotations

from typing import Any

import pytest

from l2tpv3.datapath.base import Datapath
from l2tpv3.datapath.user import UserDatapath
from l2tpv3.errors import ConflictError, InvalidValueError, UnavailableError
from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import TunnelSpec
from l2tpv3.resolve import allocate
from tests.here import Here
from tests.hosts import Host, Hosts
from tests.resolve.test_allocate import Named, no_lookup

GIVEN: list[dict[str, Any]] = [{"ttl": 5}, {"dscp": "inherit"}, {"dscp": 1}, {"df": "on"}, {"fwmark": "0x10"}]
GIVEN += [{"bind-device": "eth9"}]


def _spec(words: dict[str, Any]) -> TunnelSpec:
    return allocate.resolve_tunnel("t", {"remote": "192.0.2.1", **words}, None, lambda _: 1, lambda _: 51820, no_lookup)


@pytest.mark.parametrize("words", GIVEN)
def test_auto_takes_the_datapath_that_can(words: dict[str, Any]) -> None:
    datapaths: dict[str, Datapath] = {name: Named(name, works=True) for name in ("kernel", "user", "ebpf")}
    (word,) = words
    chosen, why = allocate.choose_datapath(_spec(words), datapaths, "kernel")
    assert (chosen.name, why) == ("user", f"the kernel datapath has no --{word}")
    for name in ("kernel", "ebpf") if word in ("fwmark", "bind-device") else ("kernel",):
        with pytest.raises(UnavailableError, match=f"the {name} datapath can't do --{word}; use --datapath user"):
            allocate.choose_datapath(_spec({**words, "datapath": name}), datapaths)
    assert allocate.choose_datapath(_spec({}), datapaths)[0].name == "kernel"


@pytest.mark.parametrize("words", GIVEN)
def test_words_come_back_as_they_were_given(words: dict[str, Any]) -> None:
    spec = _spec(words)
    assert TunnelSpec.from_words(spec.to_words()) == spec


BAD: list[dict[str, Any]] = [{"ttl": 0}, {"ttl": 256}, {"dscp": 64}, {"dscp": "EF"}, {"df": "maybe"}]
BAD += [{"fwmark": 1 << 32}, {"fwmark": -1}, {"bind-device": "a/b"}]


@pytest.mark.parametrize("words", BAD)
def test_what_can_not_be_meant_is_refused(words: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        _spec(words)


@pytest.fixture
def hub(hosts: Hosts) -> Here:
    return Here(hosts.pair()[0])


@pytest.mark.root
def test_tunnels_over_ip_that_share_a_socket_have_the_same(hub: Here) -> None:
    over_ip = {"remote": "10.99.0.2", "encap": "ip", "datapath": "user"}
    hub.add_tunnel("first", over_ip)
    with pytest.raises(ConflictError, match="tunnel first goes over IP between the same addresses, with another --ttl"):
        hub.add_tunnel("second", {**over_ip, "ttl": 5})
    hub.add_tunnel("second", over_ip)
    hub.add_tunnel("third", {"remote": "10.99.0.2", "datapath": "user", "ttl": 5})
    with pytest.raises(ConflictError, match="with another --dscp"):
        hub.set_tunnel("first", {"dscp": 4})


@pytest.mark.root
def test_a_netdev_that_comes_again_is_bound_to_anew(hub: Here) -> None:
    host: Host = hub.host
    d0 = ["link add d0 type veth peer d1", "link set d0 up arp off", "link set d1 up"]
    host.ip_batch(d0)
    hub.add_tunnel("t", {"remote": "10.99.0.2", "bind-device": "d0"})
    hub.add_session("t", "s", {"tx-cookie": "none", "rx-cookie": "none"})
    host.ip_batch(["link del d0"])
    (note,) = hub.tunnel("t").notes
    assert note.startswith("netdev d0, which it is bound to, is not there, so nothing is sent: make it and `l2tpctl re")
    host.ip_batch(d0)
    assert _bound(hub) == ""
    hub.restore()
    assert (_bound(hub), hub.tunnel("t").notes) == ("d0", ())


def _bound(hub: Here) -> str | None:
    with inside(hub.host.netns):
        return UserDatapath(hub.paths).tunnels(None)[0].bound_device
