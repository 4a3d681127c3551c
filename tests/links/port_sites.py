"""Two sites, each with a NIC that a port wires to a session, and equipment of its own at the NIC's other end."""

from __future__ import annotations

from typing import Any

from l2tpv3.linux.netns import inside
from tests.here import Here
from tests.hosts import Host, Hosts
from tests.waiting import eventually

COOKIES = {"tx-cookie": "0011223344556677", "rx-cookie": "0011223344556677"}


class Site:
    """A host with NIC n0, which `gear` has the other end of, as w0: its cable is pulled by setting w0 down."""

    def __init__(self, host: Host, gear: Host) -> None:
        self.here, self.host, self.gear = Here(host), host, gear
        host.ip_batch([f"link add n0 type veth peer name w0 netns {gear.netns}", "link set n0 up"])
        gear.ip_batch(["link set w0 up"])

    def join(self, other: Host, *, datapath: str = "user", **words: Any) -> None:
        """A tunnel with a session, and the port."""
        self.here.add_tunnel("peer", {"remote": other.v4, "datapath": datapath})
        self.here.add_session("peer", "cable", COOKIES)
        self.link("add", {"type": "port", "over": "n0,peer/cable"} | words)

    def link(self, what: str, *words: Any) -> Any:
        """A method of ManagedLinks about the port."""
        with inside(self.host.netns):
            return getattr(self.here.manager.links, what)("port", *words)

    def pull(self) -> None:
        """The cable."""
        self.gear.ip_batch(["link set w0 down"])

    def plug(self) -> None:
        """It back."""
        self.gear.ip_batch(["link set w0 up"])

    def has_link(self) -> bool:
        """Whether the equipment sees one."""
        return "LOWER_UP" in self.gear.ip("link", "show", "w0")

    def flags(self, ifname: str) -> str:
        """Of a netdev of the host."""
        return self.host.ip("-o", "link", "show", ifname)


def two(hosts: Hosts, **words: Any) -> tuple[Site, Site]:
    """Joined, with `words` for both ports."""
    (a, b), gears = hosts.pair(), hosts.add("geara", "gearb")
    sites = Site(a, gears[0]), Site(b, gears[1])
    for one, other in (sites, sites[::-1]):
        one.join(other.host, **words)
    for one in sites:
        eventually(one.has_link)
    return sites
