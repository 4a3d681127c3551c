"""What is compared: each side joins the field's two hosts by a netdev with an address, and goes when its block ends."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from l2tpv3.datapath.ebpf import EbpfDatapath
from l2tpv3.datapath.user import UserDatapath
from l2tpv3.model.mtu import session_mtu
from l2tpv3.model.spec import Encap, Sequencing, SessionSpec, Sublayer, TunnelSpec, parse_address
from l2tpv3.paths import Paths
from pace.field import INNER, OUTER, Field

_COOKIES = (bytes(range(8)), bytes(range(16, 24)))


@dataclass(frozen=True)
class Joined:
    """The hosts, joined. ifnames: the netdev at each. workers: pids of the processes that carry our frames."""

    hosts: tuple[str, str]
    ifnames: tuple[str, str]
    workers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Side:
    """A kind of tunnel. join makes it between the hosts of a field."""

    name: str
    encap: Encap = Encap.UDP

    def join(self, over: Field) -> contextlib.AbstractContextManager[Joined]:
        """For the length of a block."""
        raise NotImplementedError


@dataclass(frozen=True)
class Ours(Side):
    """This project's user datapath. sessions: how many the tunnel has; the first one carries the load.

    programs: the ebpf datapath instead, which sends no UDP checksums. fragment: frames as long as the underlay takes
    packets, each in two of them (`--fragment on`).
    """

    sessions: int = 1
    cookies: bool = True
    sublayer: Sublayer = Sublayer.DEFAULT
    sequencing: Sequencing = Sequencing.NONE
    programs: bool = False
    fragment: bool = False

    @contextlib.contextmanager
    def join(self, over: Field) -> Iterator[Joined]:
        """See Side.join."""
        with tempfile.TemporaryDirectory(prefix="lt-bench-") as folder, contextlib.ExitStack() as stack:
            workers: list[int] = []
            for number in (0, 1):
                paths = Paths(Path(folder), Path(folder) / f"run{number}")
                datapath = EbpfDatapath(paths) if self.programs else UserDatapath(paths)
                tunnel = self._tunnel(over, number)
                datapath.add_tunnel(tunnel)
                stack.callback(datapath.del_tunnel, tunnel)
                mtu = session_mtu(over.mtu, self.encap, 4, 8 if self.cookies else 0, self.sublayer)
                mtu = over.mtu if self.fragment else mtu
                for index in range(self.sessions):
                    datapath.add_session(tunnel, self._session(index, number, mtu))
                _address(over.hosts[number], "pw0", number, mtu)
                workers += [seen.worker_pid for seen in datapath.tunnels(tunnel.netns) if seen.worker_pid]
            yield Joined(over.hosts, ("pw0", "pw0"), tuple(workers))

    def _tunnel(self, over: Field, number: int) -> TunnelSpec:
        return TunnelSpec(
            name="bench", local=parse_address(OUTER[number], "local"), netns=over.hosts[number],
            remote=parse_address(OUTER[1 - number], "remote"), encap=self.encap,
            udp_checksum=not self.programs,
        )  # fmt: skip

    def _session(self, index: int, number: int, mtu: int) -> SessionSpec:
        tx_cookie, rx_cookie = (_COOKIES[number], _COOKIES[1 - number]) if self.cookies else (b"", b"")
        return SessionSpec(
            name=f"s{index}", ifname=f"pw{index}", session_id=1000 + index, peer_session_id=1000 + index,
            tx_cookie=tx_cookie, rx_cookie=rx_cookie, sublayer=self.sublayer, sequencing=self.sequencing, mtu=mtu,
            fragment=self.fragment,
        )  # fmt: skip


@dataclass(frozen=True)
class Qemu(Side):
    """QEMU's l2tpv3, written in C, with a TAP at its other side and no guest: cookies of 64 bits and a sublayer."""

    _started: list[int] = field(default_factory=list, compare=False)

    @contextlib.contextmanager
    def join(self, over: Field) -> Iterator[Joined]:
        """See Side.join."""
        with contextlib.ExitStack() as stack:
            for number in (0, 1):
                subprocess.run(["ip", "-n", over.hosts[number], "tuntap", "add", "q0", "mode", "tap"], check=True)
                command = ["ip", "netns", "exec", over.hosts[number], "qemu-system-x86_64", *self._words(number)]
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                stack.callback(process.wait)
                stack.callback(process.terminate)
                _address(over.hosts[number], "q0", number, session_mtu(over.mtu, self.encap, 4, 8, Sublayer.DEFAULT))
            for host in over.hosts:
                _await_carrier(host, "q0")
            yield Joined(over.hosts, ("q0", "q0"))

    def _words(self, number: int) -> list[str]:
        udp = "udp=on,srcport=1701,dstport=1701" if self.encap is Encap.UDP else "udp=off"
        words = f"l2tpv3,id=l0,src={OUTER[number]},dst={OUTER[1 - number]},{udp},rxsession=1000,txsession=1000"
        words += f",cookie64=on,rxcookie=0x{_COOKIES[1 - number].hex()},txcookie=0x{_COOKIES[number].hex()}"
        command = ["-M", "none", "-nodefaults", "-display", "none", "-monitor", "none", "-serial", "none"]
        command += ["-netdev", f"{words},counter=on,pincounter=on"]
        command += ["-netdev", "tap,id=t0,ifname=q0,script=no,downscript=no"]
        return [*command, *["-netdev", "hubport,id=h0,hubid=0,netdev=l0", "-netdev", "hubport,id=h1,hubid=0,netdev=t0"]]


@dataclass(frozen=True)
class Vxlan(Side):
    """The kernel's vxlan, for scale: what no process can reach."""

    @contextlib.contextmanager
    def join(self, over: Field) -> Iterator[Joined]:
        """See Side.join."""
        for number, host in enumerate(over.hosts):
            words = f"link add vx0 type vxlan id 5 local {OUTER[number]} remote {OUTER[1 - number]} dstport 4789 dev u0"
            subprocess.run(["ip", "-n", host, *words.split()], check=True)
            _address(host, "vx0", number, over.mtu - 50)
        yield Joined(over.hosts, ("vx0", "vx0"))
        for host in over.hosts:
            subprocess.run(["ip", "-n", host, "link", "del", "vx0"], check=True)


def _address(host: str, ifname: str, number: int, mtu: int) -> None:
    for words in (f"addr add {INNER[number]}/24 dev {ifname}", f"link set {ifname} mtu {mtu} up"):
        subprocess.run(["ip", "-n", host, *words.split()], check=True)


def _await_carrier(host: str, ifname: str) -> None:
    for _ in range(500):
        shown = subprocess.run(["ip", "-n", host, "link", "show", ifname], check=True, capture_output=True, text=True)
        if "LOWER_UP" in shown.stdout:
            return
        time.sleep(0.02)
    raise RuntimeError(f"{ifname} on {host} has no carrier: is qemu-system-x86 installed?")
