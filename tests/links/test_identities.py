"""Many cards on one NIC, each with an identity of its own: a DHCP lease each from dnsmasq, a PPPoE session each."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from l2tpv3.links.backends.base import LinkBackends
from l2tpv3.model.links.spec import LinkSpec, derived_mac
from tests.hosts import Host
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

CARDS = 10


class Bench:
    """A host with a NIC, and the provider at the other end of its wire. Cards live in a namespace each."""

    def __init__(self, netns: Callable[[str], Host]) -> None:
        self.netns = netns
        self.host, self.provider = netns("h"), netns("p")
        self.makers = LinkBackends(self.host.runtime_dir)
        self.host.ip_batch([f"link add n0 type veth peer name w0 netns {self.provider.netns}", "link set n0 up"])
        self.provider.ip_batch(["addr add 10.9.0.1/24 dev w0", "link set w0 up"])

    def card(self, number: int, type_: str) -> tuple[str, Host]:
        """The card's MAC address, and where it is."""
        guest, name = self.netns(f"g{number}"), f"card{number}"
        spec = LinkSpec.from_words(
            {"name": name, "type": type_, "over": "n0", "over-netns": self.host.netns, "netns": guest.netns}
        )
        mac, mark = derived_mac("test", name), f"l2tpv3 link/{name} /run/test"
        maker = self.makers(spec)
        maker.check(spec, {"n0": "n0"}, mark)
        maker.make(spec, {"n0": "n0"}, mark, mac)
        return mac, guest


@pytest.fixture
def bench(netns: Callable[[str], Host]) -> Bench:
    return Bench(netns)


def lease(host: Host, netdev: str) -> str:
    """The address that a DHCP server offers to a client on that netdev."""
    command = ["busybox", "udhcpc", "-f", "-n", "-q", "-t", "8", "-T", "1", "-i", netdev, "-s", "/bin/true"]
    done = host.run(command, timeout_s=30)
    (address,) = re.findall(r"lease of (\S+) obtained", done.stdout + done.stderr)
    return str(address)


@pytest.mark.parametrize("type_", ["macvlan", "vnic"])
def test_each_card_and_the_nic_get_a_dhcp_lease_of_their_own(bench: Bench, tmp_path: Path, type_: str) -> None:
    leases = tmp_path / "leases"
    bench.provider.start(
        ["dnsmasq", "--keep-in-foreground", "--port=0", "--interface=w0", "--conf-file=/dev/null", "--no-ping",
         "--dhcp-range=10.9.0.50,10.9.0.150,1h", f"--dhcp-leasefile={leases}", "--user=root"]
    )  # fmt: skip
    cards = [bench.card(number, type_) for number in range(CARDS)]
    got = {mac: lease(guest, f"card{number}") for number, (mac, guest) in enumerate(cards)}
    nic = bench.host.ip("-o", "link", "show", "n0").split("link/ether ")[1].split()[0]
    got[nic] = lease(bench.host, "n0")
    assert len({*got.values()}) == CARDS + 1
    kept = {line.split()[1]: line.split()[2] for line in leases.read_text().splitlines()}
    assert kept == got


@pytest.mark.kernel_l2tp
def test_each_card_gets_a_pppoe_session_of_its_own_at_once(bench: Bench, tmp_path: Path) -> None:
    """Debian's pppoe-server and pppd; PPP is not in every kernel."""
    bench.host.run(["modprobe", "ppp_generic"])
    (tmp_path / "server").write_text("noauth\nnodefaultroute\nlcp-echo-interval 0\n")
    bench.provider.start(
        [
            "pppoe-server",
            "-F",
            "-I",
            "w0",
            "-L",
            "10.8.0.1",
            "-R",
            "10.8.0.10",
            "-N",
            "64",
            "-O",
            str(tmp_path / "server"),
        ]
    )
    clients = []
    for number in range(CARDS):
        _, guest = bench.card(number, "macvlan")
        link = [
            "pty",
            f"pppoe -I card{number} -T 80",
            "noauth",
            "nodetach",
            "noipdefault",
            "nodefaultroute",
            "noaccomp",
        ]
        guest.start(["pppd", *link, "nopcomp", "novj", "noccp", "lcp-echo-interval", "0"])
        clients.append(guest)
    give_up = time.monotonic() + PATIENCE_S
    addresses: dict[str, str] = {}
    while len(addresses) < CARDS:
        assert time.monotonic() < give_up, addresses
        for guest in clients:
            if found := re.search(r"inet (\S+) peer 10\.8\.0\.1", guest.ip("-4", "-o", "addr")):
                addresses[guest.netns] = found[1]
        time.sleep(0.2)
    assert len({*addresses.values()}) == CARDS
    assert all(guest.ping("10.8.0.1") for guest in clients)
