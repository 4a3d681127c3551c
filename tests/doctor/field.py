"""A pseudowire between two hosts on which faults are made by hand, and what users would run meanwhile: a ping.

The faults are in field_faults.py, healthy set-ups that look odd in field_healthy.py. They were written from what
breaks in the field, without a look at the doctor's checks.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any, Final

from tests.hosts import Host, Hosts

_COOKIES: Final = ("1111111111111111", "2222222222222222")
_EVERY_S: Final = "0.1"  # so that some come while the doctor listens, on a busy machine too


@dataclass
class Wire:
    """Two hosts, and the pseudowire `t/s` between them once `join` has made it: 10.9.0.1 at `a`, 10.9.0.2 at `b`."""

    hosts: Hosts
    datapath: str
    a: Host
    b: Host

    @classmethod
    def between(cls, hosts: Hosts, datapath: str) -> Wire:
        """New hosts `a` and `b`, and no tunnel yet."""
        a, b = hosts.pair()
        return cls(hosts, datapath, a, b)

    def join(
        self,
        *,
        tunnel: tuple[str, ...] = (),
        a: tuple[str, ...] = (),
        b: tuple[str, ...] = (),
        a_tunnel: tuple[str, ...] = (),
        b_tunnel: tuple[str, ...] = (),
        family: int = 4,
    ) -> None:
        """Make tunnel and session at both ends, each with further options: `a` and `b` are of the session."""
        for number, (host, peer, own, at_tunnel) in enumerate(
            ((self.a, self.b, a, a_tunnel), (self.b, self.a, b, b_tunnel)), start=1
        ):
            ends = ("--remote", peer.address(family), "--local", host.address(family))
            host.ctl("tunnel", "add", "t", *ends, "--datapath", self.datapath, *tunnel, *at_tunnel)
            tx, rx = _COOKIES if number == 1 else reversed(_COOKIES)
            usual = {"--tx-cookie": tx, "--rx-cookie": rx}
            if "--bridge" not in own:
                usual["--address"] = f"10.9.0.{number}/24"
            words = [word for option, value in usual.items() if option not in own for word in (option, value)]
            host.ctl("session", "add", "t", "s", *words, *own)

    def routed(self, mtu: int = 1500) -> Host:
        """Put a router in the middle: the hosts are 10.98.1.1 and 10.98.2.2 then. Gives the router."""
        router = self.hosts.add("r")[0]
        self.a.ip("link", "del", "u0")
        for number, host in enumerate((self.a, self.b), start=1):
            host.v4 = f"10.98.{number}.{number}"
            router.ip_batch(
                [
                    f"link add r{number} mtu {mtu} type veth peer name u0 mtu {mtu} netns {host.netns}",
                    f"addr add 10.98.{number}.254/24 dev r{number}",
                    f"link set r{number} up",
                ]
            )
            host.ip_batch(
                [f"addr add {host.v4}/24 dev u0", "link set u0 up", f"route add default via 10.98.{number}.254"]
            )
        set_sysctl(router, "ipv4/ip_forward", "1")
        return router

    def lans(self, *, mtu: int = 1500, options: tuple[str, ...] = ()) -> tuple[Host, Host]:
        """A bridge br0 at each end, with the session and one more host in it: 10.5.0.1 and 10.5.0.2, which it gives."""
        for end in (self.a, self.b):
            end.ip_batch(["link add br0 type bridge", "link set br0 up"])
        self.join(a=("--bridge", "br0", *options), b=("--bridge", "br0", *options))
        return self.lan(self.a, "c", 1, mtu), self.lan(self.b, "d", 2, mtu)

    def lan(self, end: Host, name: str, number: int, mtu: int = 1500) -> Host:
        """One more host, 10.5.0.`number`, behind a port of br0 of this end that is called lan`number`."""
        host = self.hosts.add(name)[0]
        end.ip_batch(
            [
                f"link add lan{number} mtu {mtu} type veth peer name e0 mtu {mtu} netns {host.netns}",
                f"link set lan{number} master br0 up",
            ]
        )
        host.ip_batch([f"addr add 10.5.0.{number}/24 dev e0", "link set e0 up"])
        return host

    def use(self, host: Host | None = None, address: str = "10.9.0.2", *options: str) -> None:
        """Ping on and on, as somebody does who wonders why nothing passes: from `a` unless told otherwise."""
        (host or self.a).start(["ping", "-q", "-n", "-i", _EVERY_S, *options, address])


def examine(host: Host, *words: str) -> dict[str, Any]:
    """What `l2tpctl doctor --json` says on this host, and under `exit` its status."""
    done = host.ctl("doctor", *words, "--json", check=False)
    assert done.stdout, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document | {"exit": done.returncode}


def nft(host: Host, *commands: str) -> None:
    """Give `nft` these commands on a host."""
    host.run(["nft", "; ".join(commands)])


def filter_chain(host: Host, hook: str, *rules: str, policy: str = "accept") -> None:
    """A chain `c` in a table `f` of nftables at a hook, with these rules."""
    chain = f"add chain inet f c {{ type filter hook {hook} priority 0; policy {policy}; }}"
    nft(host, "add table inet f", chain, *(f"add rule inet f c {rule}" for rule in rules))


def set_sysctl(host: Host, name: str, value: str) -> None:
    """Write a file below /proc/sys/net on a host."""
    host.run(["sh", "-c", f"echo {value} > /proc/sys/net/{name}"])


def send_forever(host: Host, source: str, target: str, packet: str) -> None:
    """Have a host send a UDP packet, in hex digits, by a raw socket: from and to ports 1701, five times a second."""
    host.start([sys.executable, "-c", _SENDER, source, target, packet])


_SENDER = """
import socket, struct, sys, time
source, target, content = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.bind((source, 0))
while True:
    raw.sendto(struct.pack("!HHHH", 1701, 1701, 8 + len(content), 0) + content, (target, 0))
    time.sleep(0.2)
"""
