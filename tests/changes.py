"""Changes of a host to interrupt and to fail: what was, what is made of it, and the way back."""

from __future__ import annotations

import base64
import contextlib
import difflib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from l2tpv3 import Manager, Paths
from l2tpv3.errors import ConflictError, ExistsError, NotFoundError
from l2tpv3.linux.netns import inside
from l2tpv3.model.desired import Desired, DesiredLink, DesiredSession, DesiredTunnel
from tests.here import Here
from tests.hosts import Host, Hosts
from tests.picture import picture
from tests.traced import Call
from tests.waiting import PATIENCE_S

OPERATIONS = frozenset(
    [
        *("bind", "connect", "listen", "socket", "setsockopt", "sendto", "sendmsg", "recvfrom", "recvmsg", "ioctl"),
        *("write", "pwrite64", "fdatasync", "fsync", "ftruncate", "rename", "unlink", "unlinkat", "mkdir", "flock"),
        *("fork", "vfork", "clone", "clone3", "bpf"),
    ]
)


_KEYS = [base64.b64encode(bytes([number]) * 32).decode("ascii") for number in (8, 1, 16, 2)]
"""WireGuard's."""
NICS = ("nic0", "nic1", "nic2")
"""What there is for links to be over."""


def is_operation(call: Call) -> bool:
    """Whether a call can change or ask something outside of the process."""
    return call.name in OPERATIONS or (call.name == "openat" and bool(call.arguments[2] & os.O_CREAT))


@dataclass(frozen=True)
class Bench:
    """Where it happens: a host with a neighbour's tunnel in the same namespace, and another namespace for netdevs."""

    host: Host
    inner: Host
    neighbour: Here
    peer: str
    datapath: str

    def call(self, work: Callable[[Manager], object]) -> None:
        """With a fresh manager, as a command has it."""
        with inside(self.host.netns):
            work(Manager(Paths(self.host.state_dir, self.host.runtime_dir)))

    def picture(self) -> str:
        """Of the host; an idle worker has its time to end."""
        return picture(self.host, [self.inner.netns])

    def things(self) -> str:
        """What of the picture is no file and no record: netdevs, sockets, processes."""
        kinds = ("netdev", "wiring", "socket", "orphan")
        return "\n".join(line for line in self.picture().splitlines() if line.startswith(kinds))

    def strangers(self) -> Any:
        """What is not ours."""
        with inside(self.host.netns):
            return [
                (one.netdev, status.worker_pid)
                for status in self.neighbour.manager.tunnels()
                if status.name == "other"
                for one in status.sessions
            ]

    def tunnel(self, name: str, number: int, *sessions: DesiredSession, **words: Any) -> DesiredTunnel:
        """A wanted tunnel whose words are all given."""
        own: dict[str, Any] = {"remote": self.peer, "id": number, "local-port": 1700 + number}
        return DesiredTunnel(name=name, words={**own, "datapath": self.datapath, **words}, sessions=sessions)


def session(name: str, number: int, **words: Any) -> DesiredSession:
    """A wanted session whose words are all given."""
    own = {
        "id": number,
        "ifname": name,
        "tx-cookie": b"12345678",
        "rx-cookie": b"abcdefgh",
        "mac": f"02:00:5e:00:53:{number:02x}",
    }
    return DesiredSession(name=name, words={**own, **{key.replace("_", "-"): value for key, value in words.items()}})


Change = Callable[[Manager], object]


@dataclass(frozen=True)
class Scenario:
    """A change and the way back."""

    start: Change
    change: Change
    back: Change


def link(name: str, **words: Any) -> DesiredLink:
    """A wanted link."""
    return DesiredLink(name=name, words=words)


def to(*wanted: Desired) -> Change:
    """Apply with prune."""
    return lambda manager: manager.apply(wanted, prune=True)


def between(one: Change, other: Change) -> Scenario:
    """From one to the other, and back to the one."""
    return Scenario(one, other, one)


def _from_nothing(bench: Bench) -> Scenario:
    lan = session("lan", 1, address=["10.9.0.1/24"], bridge=None)
    return between(to(), to(bench.tunnel("siteb", 1, lan, session("two", 2, netns=bench.inner.netns))))


def _to_nothing(bench: Bench) -> Scenario:
    there = _from_nothing(bench)
    return between(there.change, there.start)


def _in_place(bench: Bench) -> Scenario:
    one = session("lan", 1, address=["10.9.0.1/24"], sequencing="none")
    two = session("lan", 1, ifname="lan9", bridge="br0", mtu=1300, sequencing="both")
    other = session("two", 2)
    return between(to(bench.tunnel("siteb", 1, one, other)), to(bench.tunnel("siteb", 1, two, other)))


def _anew(bench: Bench) -> Scenario:
    one = session("lan", 1, address=["10.9.0.1/24"])
    two = session("lan", 5, address=["10.9.0.1/24"], mac="02:00:5e:00:53:01", tx_cookie=b"", sublayer="none")
    return between(to(bench.tunnel("siteb", 1, one)), to(bench.tunnel("siteb", 1, two)))


def _same_id_anew(bench: Bench) -> Scenario:
    one, two = session("lan", 1), session("lan", 1, rx_cookie=b"87654321", sublayer="none")
    return between(to(bench.tunnel("siteb", 1, one)), to(bench.tunnel("siteb", 1, two)))


def _one_vlan(bench: Bench) -> Scenario:
    """A VLAN's number and egress, and a session that comes to be of a VLAN with its netdev elsewhere."""
    one = session("lan", 1, address=["10.9.0.1/24"], vlan=100), session("two", 2, netns=bench.inner.netns)
    two = (
        session("lan", 1, address=["10.9.0.1/24"], vlan=200, egress="rewrite"),
        session("two", 2, netns=bench.inner.netns, vlan=7),
    )
    return between(to(bench.tunnel("siteb", 1, *one)), to(bench.tunnel("siteb", 1, *two)))


def _moves(bench: Bench) -> Scenario:
    one = session("lan", 1, address=["10.9.0.1/24"])
    two = session("lan", 1, address=["10.9.0.1/24"], netns=bench.inner.netns)
    return between(to(bench.tunnel("siteb", 1, one)), to(bench.tunnel("siteb", 1, two)))


def _other_tunnel(bench: Bench) -> Scenario:
    lan = session("lan", 1, address=["10.9.0.1/24"])
    one = bench.tunnel("siteb", 1, lan, **{"peer-id": 7})
    return between(to(one), to(bench.tunnel("siteb", 2, lan, **{"peer-id": 7})))


def _port(bench: Bench) -> Scenario:
    lan = session("lan", 1)
    return between(to(bench.tunnel("siteb", 1, lan)), to(bench.tunnel("siteb", 1, lan, **{"local-port": 1755})))


def _elsewhere(bench: Bench) -> Scenario:
    """All that a datapath may change of a tunnel in place, with what that makes of its sessions."""
    lan = session("lan", 1, address=["10.9.0.1/24"]), session("two", 2, netns=bench.inner.netns)
    there = {"remote": "10.99.0.77", "local-port": 1755, "remote-port": 1756, "udp-checksum": "off", "peer-id": 9}
    return between(to(bench.tunnel("siteb", 1, *lan)), to(bench.tunnel("siteb", 1, *lan, **there)))


def _over_ip(bench: Bench) -> Scenario:
    lan = session("lan", 1, address=["10.9.0.1/24"])
    return between(to(bench.tunnel("siteb", 1, lan)), to(bench.tunnel("siteb", 1, lan, encap="ip")))


def _encrypted(bench: Bench) -> Scenario:
    lan = session("lan", 1, address=["10.9.0.1/24"])
    keys = {"private-key": _KEYS[0], "peer-public-key": _KEYS[1], "listen-port": 51830, "peer-listen-port": 51831}
    return between(to(), to(bench.tunnel("siteb", 1, lan, encrypt="wireguard", **keys)))


def _other_keys(bench: Bench) -> Scenario:
    lan = session("lan", 1, address=["10.9.0.1/24"])
    one = {"private-key": _KEYS[0], "peer-public-key": _KEYS[1], "listen-port": 51830, "peer-listen-port": 51831}
    two = {"private-key": _KEYS[2], "peer-public-key": _KEYS[3], "listen-port": 51832, "peer-listen-port": 51831}
    tunnels = (bench.tunnel("siteb", 1, lan, encrypt="wireguard", **keys) for keys in (one, two))
    return between(*map(to, tunnels))


def _ends_of_wireguard(bench: Bench) -> Scenario:
    """Two encrypted tunnels get each other's port and peer."""
    one = {"listen-port": 51830, "peer-public-key": _KEYS[1]}
    two = {"listen-port": 51832, "peer-public-key": _KEYS[3]}

    def wanted(siteb: dict[str, Any], sitec: dict[str, Any]) -> Change:
        words = {"encrypt": "wireguard", "peer-listen-port": 51831}
        return to(
            bench.tunnel("siteb", 1, session("lan", 1), **words, **siteb, **{"private-key": _KEYS[0]}),
            bench.tunnel("sitec", 2, session("two", 2), **words, **sitec, **{"private-key": _KEYS[2]}),
        )

    return between(wanted(one, two), wanted(two, one))


def _swap(bench: Bench) -> Scenario:
    x, y = session("x", 1, ifname="lan0"), session("y", 2, ifname="lan1")
    changed = session("x", 1, ifname="lan1"), session("y", 2, ifname="lan0")
    return between(to(bench.tunnel("siteb", 1, x, y)), to(bench.tunnel("siteb", 1, *changed)))


def _links(bench: Bench) -> Scenario:
    """A bridge gets another member from a link that goes, and one link comes; a session beneath is made anew."""
    one = session("lan", 1), session("two", 2)
    two = session("lan", 5, mac="02:00:5e:00:53:01"), session("two", 2)
    before = link("hub", type="bridge", over=["siteb/lan"]), link("old", type="alias", over=["siteb/two"])
    after = link("hub", type="bridge", over=["siteb/lan", "siteb/two"], stp="off"), link("new", type="bridge")
    return between(to(bench.tunnel("siteb", 1, *one), *before), to(bench.tunnel("siteb", 1, *two), *after))


def _prune(bench: Bench) -> Scenario:
    one = bench.tunnel("siteb", 1, session("lan", 1), session("two", 2))
    two = bench.tunnel("sitec", 2, session("three", 3))
    return between(to(one, two), to(bench.tunnel("siteb", 1, session("two", 2))))


def _restore(bench: Bench) -> Scenario:
    def back(manager: Manager) -> None:
        manager.down()

    def start(manager: Manager) -> None:
        _from_nothing(bench).change(manager)
        back(manager)

    return Scenario(start, lambda manager: manager.restore(), back)


def _down(bench: Bench) -> Scenario:
    return Scenario(_from_nothing(bench).change, lambda manager: manager.down(), lambda manager: manager.restore())


def _commands(bench: Bench) -> Scenario:
    """What is left open is chosen, the same each time; but for cookies and MAC addresses, which are random."""
    no_cookies = {"tx-cookie": "none", "rx-cookie": "none"}

    def change(manager: Manager) -> None:
        with contextlib.suppress(ExistsError):
            manager.add_tunnel("siteb", {"remote": bench.peer, "local-port": 1755, "datapath": bench.datapath})
        with contextlib.suppress(ExistsError):
            manager.add_session("siteb", "lan", no_cookies)
        manager.set_session("siteb", "lan", {"mtu": 1300})

    def back(manager: Manager) -> None:
        with contextlib.suppress(NotFoundError):
            manager.del_session("siteb", "lan")
        with contextlib.suppress(NotFoundError):
            manager.del_tunnel("siteb")

    return Scenario(back, change, back)


def _deletions(bench: Bench) -> Scenario:
    there = _commands(bench)
    return Scenario(there.change, there.back, there.change)


def _unconfirmed(bench: Bench) -> tuple[Change, Change]:
    """What is there before, and a change of it that waits for its confirmation."""
    one, two = session("lan", 1, address=["10.9.0.1/24"]), session("two", 2)
    new = bench.tunnel("siteb", 1, session("lan", 1, mtu=1300), two), bench.tunnel("sitec", 2, session("three", 3))

    def unconfirmed(manager: Manager) -> None:
        with contextlib.suppress(ConflictError):  # it was killed when it was done
            manager.apply(new, prune=True, confirm_s=3600)

    return to(bench.tunnel("siteb", 1, one, two)), unconfirmed


def then(*changes: Change) -> Change:
    """One after another."""

    def all_of_them(manager: Manager) -> None:
        for one in changes:
            one(manager)

    return all_of_them


def to_be_confirmed(before: Change, unconfirmed: Change) -> Scenario:
    """A change that waits for its confirmation, and the way back from it."""
    return Scenario(before, unconfirmed, then(lambda manager: manager.rollback(), lambda manager: manager.restore()))


def rolled_back(before: Change, unconfirmed: Change) -> Scenario:
    """The way back from a change that waits for its confirmation, as what is tried."""
    there = to_be_confirmed(before, unconfirmed)
    return Scenario(then(there.start, there.change), there.back, there.change)


def _to_be_confirmed(bench: Bench) -> Scenario:
    return to_be_confirmed(*_unconfirmed(bench))


def _rollback(bench: Bench) -> Scenario:
    return rolled_back(*_unconfirmed(bench))


def _confirm(bench: Bench) -> Scenario:
    start = then(*_unconfirmed(bench))
    return Scenario(start, lambda manager: manager.confirm(), start)


SCENARIOS: dict[str, Callable[[Bench], Scenario]] = {
    "tunnel and sessions from nothing": _from_nothing,
    "all goes": _to_nothing,
    "a session in place": _in_place,
    "a session anew": _anew,
    "a session anew with the same id": _same_id_anew,
    "sessions of one VLAN": _one_vlan,
    "a netdev moves": _moves,
    "a tunnel with another id and port": _other_tunnel,
    "a tunnel with another port": _port,
    "a tunnel to elsewhere": _elsewhere,
    "a tunnel over IP": _over_ip,
    "an encrypted tunnel": _encrypted,
    "an encrypted tunnel with other keys": _other_keys,
    "ports and peers of WireGuard are swapped": _ends_of_wireguard,
    "names are swapped": _swap,
    "links": _links,
    "prune": _prune,
    "restore": _restore,
    "down": _down,
    "add and set": _commands,
    "del": _deletions,
    "apply to be confirmed": _to_be_confirmed,
    "rollback": _rollback,
    "confirm": _confirm,
}


def make_bench(hosts: Hosts, datapath: str) -> Bench:
    """A host to change, with strangers on it."""
    a, b = hosts.pair()
    (inner,) = hosts.add("inner")
    a.ip_batch(["link add br0 type bridge", "link add foreign0 type bridge"])
    a.ip_batch(["link set foreign0 alias l2tpv3-siteb/lan"])
    a.ip_batch([f"link add {nic} type veth peer name far-{nic} netns {inner.netns}" for nic in NICS])
    a.ip_batch([f"link set {nic} up" for nic in NICS])
    there = Host("n", a.netns, a.folder / "n")
    there.folder.mkdir()
    neighbour = Here(there)
    neighbour.add_tunnel("other", {"remote": b.v4, "id": 99, "local-port": 1799, "datapath": datapath})
    neighbour.add_session("other", "lan", {"ifname": "other0", "id": 99})  # over IP, ids are the host's
    return Bench(a, inner, neighbour, b.v4, datapath)


def assert_same(look: Callable[[], str], wanted: str, where: str, patience_s: float = PATIENCE_S) -> None:
    """A worker that was started and never given anything ends by itself, after 5 s."""
    deadline = time.monotonic() + patience_s
    while (seen := look()) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    lines = difflib.unified_diff(wanted.splitlines(), seen.splitlines(), "undisturbed", "seen", lineterm="", n=0)
    assert seen == wanted, "\n".join([where, *lines])
