"""Two hosts with a pseudowire between them, to make faults on."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Mapping
from typing import Any

from l2tpv3.doctor.report import Report
from l2tpv3.model.finding import Finding, Harm
from tests.here import Here
from tests.hosts import Hosts
from tests.waiting import eventually

COOKIES = ("0011223344556677", "8899aabbccddeeff")


@dataclasses.dataclass
class Wire:
    """a and b: both ends. The session `t/s` has 10.9.0.1/24 at a, .2 at b."""

    a: Here
    b: Here

    def shout(self, end: Here) -> subprocess.Popen[str]:
        """Have an end send frames by the session until the test ends, whatever comes back. It has begun then."""
        number = 2 if end is self.a else 1
        shouting = end.host.start(["ping", "-q", "-n", "-i", "0.05", f"10.9.0.{number}"])
        before = end.session("t", "s").counters.tx_packets
        eventually(lambda: end.session("t", "s").counters.tx_packets > before)
        return shouting

    def asked(self, end: Here, *, listen_s: float = 0.6, drops: bool = False) -> Report:
        """What the doctor says at an end while the other one sends."""
        shouting = self.shout(self.b if end is self.a else self.a)
        report: Report = end.doctor(("t",), listen_s=listen_s, probe=False, drops=drops)
        shouting.kill()
        shouting.wait()
        return report


def wire(
    hosts: Hosts,
    *,
    here: Mapping[str, Any] | None = None,
    there: Mapping[str, Any] | None = None,
    tunnel: Mapping[str, Any] | None = None,
    tunnel_there: Mapping[str, Any] | None = None,
    family: int = 4,
    cookies: bool = True,
) -> Wire:
    """A pair of ends with a session between them. here, there: words of the session; tunnel_there: beside tunnel."""
    a, b = hosts.pair()
    ends = []
    for number, (host, other, words, more) in enumerate(((a, b, here, {}), (b, a, there, tunnel_there or {})), start=1):
        end = Here(host)
        end.add_tunnel("t", {"remote": other.address(family), "datapath": "user", **(tunnel or {}), **more})
        one, two = COOKIES if number == 1 else COOKIES[::-1]
        both = {"tx-cookie": one, "rx-cookie": two} if cookies else {"tx-cookie": "none", "rx-cookie": "none"}
        end.add_session("t", "s", {"address": [f"10.9.0.{number}/24"], **both, **(words or {})})
        ends.append(end)
    # What is sent needs no answer to who has the other address.
    macs = [end.session("t", "s").netdev.mac for end in ends]
    for end, number, mac in ((ends[0], 2, macs[1]), (ends[1], 1, macs[0])):
        end.host.ip("neigh", "replace", f"10.9.0.{number}", "lladdr", mac, "dev", "l2tpeth0", "nud", "permanent")
    return Wire(*ends)


def bridged(hosts: Hosts) -> Wire:
    """A wire whose session is, at a, a port of br0, beside `lan`, which leads to netdev `host`."""
    pair = wire(hosts)
    lines = ["link add br0 type bridge", "link set br0 up", "link add lan type veth peer name host"]
    pair.a.host.ip_batch([*lines, "link set lan master br0 up", "link set host up"])
    pair.a.set_session("t", "s", {"address": [], "bridge": "br0", "mtu": 1500})
    return pair


def the(report: Report, cause: str) -> Finding:
    """The one finding with that cause."""
    found = [one for one in report.findings if one.cause == cause]
    assert len(found) == 1, report
    return found[0]


def harmful(report: Report) -> list[Finding]:
    """The findings that say that something is wrong."""
    return [one for one in report.findings if one.harm is not Harm.NONE]
