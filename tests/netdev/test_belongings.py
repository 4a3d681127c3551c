"""What others have configured on a netdev that has to be made anew: it is there again, or named as lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.linux.netns import inside
from l2tpv3.model.desired import DesiredLink, DesiredSession, DesiredTunnel
from l2tpv3.netdev.configurator import RtnetlinkConfigurator
from l2tpv3.netdev.safekeeping import FOLDER, ForeignSettingsStore
from tests.here import Here
from tests.hosts import Host

pytestmark = pytest.mark.root

DATAPATHS = ["user", pytest.param("kernel", marks=pytest.mark.kernel_l2tp)]
ANEW = {"user": {"id": 7}, "kernel": {"remote": "10.99.0.77"}}
"""What a tunnel is made anew for."""


def _made(host: Host, datapath: str, **words: Any) -> Here:
    here = Here(host)
    here.add_tunnel("t", {"remote": "10.99.0.2", "datapath": datapath})
    here.add_session("t", "lan", {"ifname": "lan0", **words})
    return here


def _configure(host: Host) -> None:
    host.ip_batch(
        [
            "addr add 10.9.1.1/24 dev lan0",
            "addr add 10.9.2.1/24 dev lan0 valid_lft 9000 preferred_lft 8000",
            "addr add fd09::1/64 dev lan0 nodad",
            "route add 10.51.0.0/16 via 10.50.0.1 dev lan0 onlink metric 7",
            "route add 10.50.0.0/16 via 10.9.0.2",
            "route add 10.52.0.0/16 via 10.50.0.9 dev lan0 onlink table 77",
            "route add 10.53.0.0/16 nexthop via 10.9.0.3 dev lan0 weight 2 nexthop via 10.99.0.9 dev u0",
            "route add fd50::/32 via fd09::2 dev lan0",
            "neigh add 10.9.0.77 lladdr 02:00:00:00:00:77 dev lan0 nud permanent",
            "neigh add proxy 10.9.0.78 dev lan0",
        ]
    )
    for key, value in (("ipv4/conf/lan0/rp_filter", "2"), ("ipv6/conf/lan0/accept_ra", "0")):
        with inside(host.netns):
            Path("/proc/sys/net", key).write_text(value)


def _configuration(host: Host) -> dict[str, Any]:
    told = {
        "addresses": json.loads(host.ip("-j", "addr", "show", "dev", "lan0")),
        "routes": host.ip("route", "show", "table", "all"),
        "routes6": host.ip("-6", "route", "show", "table", "all"),
        "neighbours": host.ip("neigh", "show", "dev", "lan0", "nud", "permanent"),
        "proxies": host.ip("neigh", "show", "proxy"),
    }
    told["addresses"] = [
        {key: one[key] for key in ("local", "prefixlen", "scope", "noprefixroute") if key in one}
        for one in told["addresses"][0]["addr_info"]
        if one["scope"] != "link"
    ]
    with inside(host.netns):
        told["sysctls"] = [
            Path("/proc/sys/net", key).read_text() for key in ("ipv4/conf/lan0/rp_filter", "ipv6/conf/lan0/accept_ra")
        ]
    for key in ("routes", "routes6"):  # the kernel's own come a moment later
        told[key] = sorted(line for line in told[key].splitlines() if "proto kernel" not in line)
    return told


@pytest.mark.parametrize("datapath", DATAPATHS)
def test_all_that_can_be_is_there_again(underlay: tuple[Host, Host], datapath: str) -> None:
    host, _ = underlay
    here = _made(host, datapath, address=["10.9.0.1/24"])
    _configure(host)
    before, ifindex = _configuration(host), here.session("t", "lan").netdev.ifindex
    change = here.set_tunnel("t", ANEW[datapath])
    assert change.recreated and change.lost == ()
    assert here.session("t", "lan").netdev.ifindex != ifindex
    assert _configuration(host) == before
    here.set_session("t", "lan", {"id": 12})
    assert _configuration(host) == before
    assert not (host.runtime_dir / FOLDER).exists()
    here.del_session("t", "lan")


@pytest.mark.parametrize("datapath", DATAPATHS)
def test_a_port_of_a_bridge_has_its_settings_again(underlay: tuple[Host, Host], datapath: str) -> None:
    host, _ = underlay
    host.ip_batch(["link add br7 type bridge", "link set br7 up"])
    here = _made(host, datapath)
    settings = ["cost", "42", "hairpin", "on", "isolated", "on", "learning", "off", "mcast_flood", "off"]
    host.ip("link", "set", "lan0", "master", "br7")  # nobody told us
    host.ip("link", "set", "lan0", "type", "bridge_slave", *settings)
    host.run(["bridge", "fdb", "add", "02:00:00:00:00:55", "dev", "lan0", "master", "static"])
    here.set_tunnel("t", ANEW[datapath])
    (link,) = json.loads(host.ip("-d", "-j", "link", "show", "lan0"))
    data = link["linkinfo"]["info_slave_data"]
    assert link["master"] == "br7"
    found = [data[key] for key in ("cost", "hairpin", "isolated", "learning", "mcast_flood")]
    assert found == [42, True, True, False, False]
    assert "02:00:00:00:00:55" in host.run(["bridge", "fdb", "show", "dev", "lan0"]).stdout


def test_what_can_not_be_put_back_is_named(underlay: tuple[Host, Host]) -> None:
    host, _ = underlay
    here = _made(host, "user", address=["10.9.0.1/24"])
    host.ip("link", "add", "over0", "link", "lan0", "type", "macvlan")
    done = host.ctl("tunnel", "set", "t", "--id", "7")
    assert done.stderr.splitlines() == [
        "tunnel t: made anew, traffic was interrupted: id can't change in place",
        "session t/lan: lost with its netdev: netdev over0 over it",
    ]
    assert "lost with its netdev: netdev over0" in here.audit(1)[0].what


class FailingOnce(RtnetlinkConfigurator):
    """A placer that fails to put back, as if it were killed there, the first time."""

    failed = False

    def put_back(self, *args: Any) -> list[str]:
        if not self.failed:
            self.failed = True
            raise KeyboardInterrupt
        return super().put_back(*args)


def test_an_interrupted_change_and_the_way_back_lose_nothing(underlay: tuple[Host, Host]) -> None:
    host, _ = underlay
    here = _made(host, "user", address=["10.9.0.1/24"])
    _configure(host)
    before = _configuration(host)
    failing = Here(host, Manager(Paths(host.state_dir, host.runtime_dir), placer=FailingOnce()))
    with pytest.raises(KeyboardInterrupt):
        failing.set_tunnel("t", {"id": 7})
    assert here.tunnel("t").spec.tunnel_id == 1
    assert _configuration(host) == before


def test_files_that_are_not_ours_are_nothing(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    for name, content in (("a@b", b"[{}]"), ("c@d", b"\xff"), ("e@f", b'{"x": 1}'), ("g", b"")):
        (tmp_path / FOLDER / name).write_bytes(content)
    kept = ForeignSettingsStore(tmp_path)
    assert kept.names() == {("a", "b"), ("c", "d"), ("e", "f")}
    assert [kept.get(*name) for name in sorted(kept.names())] == [[], [], []]


def test_what_a_port_had_set_goes_with_the_port(underlay: tuple[Host, Host]) -> None:
    host, _ = underlay
    here = Here(host)
    host.ip("link", "add", "nic8", "type", "veth", "peer", "nic9")
    lan = DesiredSession(name="lan", words={"ifname": "lan0"})
    one, two = (
        DesiredTunnel(name="t", words={"remote": "10.99.0.2", "datapath": "user", "id": number}, sessions=(lan,))
        for number in (1, 2)
    )
    here.apply([one, DesiredLink(name="wire", words={"type": "port", "over": ["nic8", "t/lan"]})])
    assert _has_ipv6(host) is False
    here.apply([two], prune=True)
    assert _has_ipv6(host) is True


def _has_ipv6(host: Host) -> bool:
    with inside(host.netns):
        return Path("/proc/sys/net/ipv6/conf/lan0/disable_ipv6").read_text() == "0\n"
