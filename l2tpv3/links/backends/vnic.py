"""Virtual cards in user space: the privileged side. A worker (l2tpv3/links/relay/card.py) moves their frames.

For kernels and containers without macvlan. What takes privilege is done here: the TAP, and a packet socket on the NIC
to which the kernel gives only the frames that are for the card. All cards of a host share one worker.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from l2tpv3.datapath.user.tap import open_tun
from l2tpv3.errors import L2tpError, NotFoundError, RefusedError, from_errno
from l2tpv3.links.backends.netdev import find_netdev, spare_name
from l2tpv3.links.inventory import NetdevInventory
from l2tpv3.links.kinds.base import Attributes
from l2tpv3.links.preflight import check_name, check_over
from l2tpv3.links.relay.card import PACKET_AUXDATA, SOL_PACKET, VNET_HEADER
from l2tpv3.links.rtnetlink import LinkSocket
from l2tpv3.linux.bpf.classic import VLAN_TAG_PRESENT, Program, attach_filter
from l2tpv3.linux.netns import inside, netns_identity, same_netns
from l2tpv3.model.links.observed import LinkState, counters_of
from l2tpv3.model.links.spec import Below, LinkSpec
from l2tpv3.netdev.netdevs import Netdevs
from l2tpv3.paths import CARDS
from l2tpv3.worker.client import bad_answer
from l2tpv3.worker.pool import WorkerPool

# linux/if_tun.h
_TUNSETIFF, _TUNSETPERSIST, _TUNSETOFFLOAD, _TUNSETVNETHDRSZ = 0x400454CA, 0x400454CB, 0x400454D0, 0x400454D8
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR, _IFF_TUN_EXCL = 0x0002, 0x1000, 0x4000, 0x8000
_CSUM, _TSO4, _TSO6, _TSO_ECN, _USO4, _USO6 = 1, 2, 4, 8, 0x20, 0x40
_OFFLOADS: Final = (_CSUM | _TSO4 | _TSO6 | _TSO_ECN | _USO4 | _USO6, _CSUM | _TSO4 | _TSO6 | _TSO_ECN, _CSUM, 0)
"""What a card's owner may leave unfinished, the most first: older kernels don't know the later ones."""

# linux/if_packet.h, asm/socket.h
_ADD_MEMBERSHIP, _VNET_HDR, _IGNORE_OUTGOING = 1, 15, 23
_MR_UNICAST, _MR_ALLMULTI, _SO_RCVBUFFORCE, _ETH_P_ALL = 3, 2, 33, 3
_WHOLE_FRAME: Final = 0x40000
_BUFFER_BYTES: Final = 8 << 20


class VnicBackend:
    """The LinkBackend of virtual cards. runtime: where their worker's socket is."""

    def __init__(self, runtime: Path) -> None:
        self._workers = WorkerPool(runtime / CARDS)

    def check(self, spec: LinkSpec, below: Below, mark: str, *, ours: Iterable[str] = ()) -> None:
        """See LinkBackend.check."""
        ours = set(ours)
        check_name(spec, mark, ours=ours)
        check_over(spec, below, mark, ours=ours)

    def make(self, spec: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """See LinkBackend.make."""
        assert mac is not None  # VnicOptions.own_mac
        subject = f"link {spec.name}"
        try:
            with inside(spec.over_netns):
                tap = _new_tap(subject, spare_name(mark))
            try:
                self._settle(spec, below, mark, mac)
                self._carry(spec, below, mark, mac, tap)
            finally:
                os.close(tap)
        except BaseException:
            with contextlib.suppress(L2tpError):
                self.remove(spec, mark)
            raise

    def _settle(self, spec: LinkSpec, below: Below, mark: str, mac: str) -> None:
        """Name, mark, place and configure the TAP that has just been made."""
        subject = f"link {spec.name}"
        with LinkSocket(spec.over_netns) as beneath:
            index = beneath.named(spare_name(mark))["index"]
            nic = beneath.named(below[spec.over[0]])
            mtu = spec.mtu if spec.mtu is not None else nic["mtu"]
            beneath.set(index, subject, ifalias=mark, ifname=spec.ifname, address=mac, mtu=mtu)
        if not same_netns(spec.home, spec.over_netns) and spec.home is not None:
            with Netdevs(spec.over_netns) as netdevs:
                netdevs.move(index, spec.home, subject)
        with Netdevs(spec.home) as netdevs:
            index = netdevs.index(spec.ifname)
            netdevs.set_addresses(index, subject, spec.addresses, ())
            netdevs.change(index, subject, up=spec.up)

    def _carry(self, spec: LinkSpec, below: Below, mark: str, mac: str, tap: int) -> None:
        """Have the worker carry it; start one if there is none."""
        subject, nic = f"link {spec.name}", below[spec.over[0]]
        with contextlib.ExitStack() as stack:
            with LinkSocket(spec.over_netns) as beneath:
                beneath.set(beneath.named(nic)["index"], subject, state="up")
            packets, index = stack.enter_context(_packets(spec, nic, mac))
            stack.enter_context(self._workers.locked())
            crew = stack.enter_context(self._workers.live(clear=True))
            # Not beside one that can't be worked with: cards on one NIC reach each other in their worker.
            clients = crew.clients or crew.require_all()
            client = clients[0] if clients else stack.enter_context(self._workers.start())
            place = [*(netns_identity(spec.over_netns) or (0, 0)), index]
            words = {"mark": mark, "mac": mac, "nic": place}
            client.request(subject, "add_card", [tap, *packets], **words)

    def change(self, old: LinkSpec, new: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """See LinkBackend.change. Its netdev stays, whatever it is over."""
        assert mac is not None
        subject = f"link {new.name}"
        place = find_netdev(new, mark)
        if place is None:
            raise NotFoundError(subject, f"its netdev {old.ifname} is gone", "`l2tpctl restore` makes it again")
        netns, netdev = place
        with LinkSocket(netns) as home:
            if netdev["ifname"] != new.ifname:
                home.set(netdev["index"], subject, state="down")
                home.set(netdev["index"], subject, ifalias=mark, ifname=new.ifname)
            words: Attributes = {"address": mac} if netdev.get("address") != mac else {}
            mtu = new.mtu if new.mtu is not None else _mtu_of(new, below)
            if netdev.get("mtu") != mtu:
                words["mtu"] = mtu
            if words:
                home.set(netdev["index"], subject, **words)
            home.set(netdev["index"], subject, state="up" if new.up else "down")
        with Netdevs(netns) as netdevs:
            netdevs.set_addresses(netdev["index"], subject, new.addresses, old.addresses)
        tap = self._let_go(mark, subject, keep=True)
        if tap is None:
            with inside(netns):
                tap = _attach(subject, new.ifname, netdev["index"])
        try:
            self._carry(new, below, mark, mac, tap)
        finally:
            os.close(tap)

    def find(self, spec: LinkSpec, mark: str, sight: NetdevInventory | None = None) -> LinkState | None:
        """See LinkBackend.find. over: () while no worker carries it."""
        sight = sight or NetdevInventory()
        found = find_netdev(spec, mark, sight)
        state = sight.states(found[0]).get(found[1]["index"]) if found is not None else None
        if found is None or state is None:
            with self._workers.live():  # clears away after one that ended when whoever ended it was killed
                return None
        counters = counters_of(found[1].get("stats64"))
        nic: Attributes | None = None
        pid = None
        with self._workers.live() as crew:
            for client, answer in crew.ask_all("cards"):
                for card in answer["cards"]:
                    if card["mark"] == mark:
                        counters |= {f"relay_{key}": value for key, value in card.items() if key not in ("mark", "nic")}
                        nic = _nic(spec.over_netns, card["nic"], sight)
                        pid = client.pid
        over = {} if nic is None else {nic["ifname"]: nic["mtu"]}
        return LinkState(netdev=state, over=tuple(over), mtus=over, counters=counters, worker_pid=pid)

    def lacking(self, spec: LinkSpec, ifnames: Iterable[str], sight: NetdevInventory) -> frozenset[str]:
        """See LinkBackend.lacking."""
        return sight.lacking(spec.over_netns, ifnames)

    def remove(self, spec: LinkSpec, mark: str) -> None:
        """See LinkBackend.remove."""
        subject = f"link {spec.name}"
        tap = self._let_go(mark, subject, keep=False)
        if tap is not None:
            os.close(tap)  # the last file of it: the netdev goes
        found = find_netdev(spec, mark)
        if found is not None:
            netns, one = found
            with LinkSocket(netns) as home:
                home.delete(one["index"], subject)

    def _let_go(self, mark: str, subject: str, *, keep: bool) -> int | None:
        """Have the worker that carries it give its TAP back; None where nobody does."""
        with self._workers.locked(), self._workers.live(clear=True) as crew:
            for client, answer in crew.ask_all("cards"):
                carried: Sequence[dict[str, Any]] = answer["cards"]
                if any(card["mark"] == mark for card in carried):
                    _, files = client.exchange(subject, "del_card", mark=mark, keep=keep)
                    if len(carried) == 1:
                        self._workers.ended(client)
                    return _only(files, client.pid)
            crew.require_all()  # one that can't be asked may have it
        return None

    def workers(self) -> dict[int, bool]:
        """See Relays.workers."""
        return self._workers.answering()

    def replace_old(self, marks: Collection[str]) -> list[L2tpError]:
        """See Relays.replace_old."""
        return self._workers.replace_old(marks, lambda: None)

    def ask_all_again(self) -> None:
        """See Relays.ask_all_again."""
        self._workers.ask_all_again()


def _only(files: list[int], pid: int) -> int:
    """The one open file that a worker gave back. Raises WorkerError when there is not exactly one."""
    if len(files) == 1:
        return files[0]
    for fd in files:
        os.close(fd)
    raise bad_answer(pid, f"{len(files)} files for a card")


def _new_tap(subject: str, ifname: str) -> int:
    tap = open_tun(subject)
    try:
        _set_up(tap, ifname, _IFF_TUN_EXCL)
    except OSError as error:
        os.close(tap)
        raise from_errno(subject, "make a TAP", error.errno or 0) from error
    return tap


def _attach(subject: str, ifname: str, index: int) -> int:
    """An open file of a TAP that outlived its worker."""
    tap = open_tun(subject)
    try:
        _set_up(tap, ifname, 0)
        if socket.if_nametoindex(ifname) != index:  # a new one, which goes with its file
            raise RefusedError(subject, f"netdev {ifname} went just now", "try again")
    except OSError as error:
        os.close(tap)
        raise from_errno(subject, f"attach to netdev {ifname}", error.errno or 0) from error
    except BaseException:
        os.close(tap)
        raise
    return tap


def _set_up(tap: int, ifname: str, flags: int) -> None:
    mode = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR | flags
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", ifname.encode(), mode))
    fcntl.ioctl(tap, _TUNSETVNETHDRSZ, VNET_HEADER.size.to_bytes(4, sys.byteorder))
    for offloads in _OFFLOADS:
        with contextlib.suppress(OSError):
            fcntl.ioctl(tap, _TUNSETOFFLOAD, offloads)
            return


@contextlib.contextmanager
def _packets(spec: LinkSpec, nic: str, mac: str) -> Iterator[tuple[list[int], int]]:
    """Packet sockets on the NIC for what is for the card, without a tag and with one, and the NIC's index.

    The NIC listens to the card's address while they are open (PACKET_MR_UNICAST): one that can filter few addresses
    goes promiscuous for so long by itself.
    """
    octets = bytes.fromhex(mac.replace(":", ""))
    try:
        with inside(spec.over_netns), contextlib.ExitStack() as stack:
            index = socket.if_nametoindex(nic)
            both = []
            for tagged in (False, True):
                packets = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
                packets.setsockopt(SOL_PACKET, _VNET_HDR, 1)
                packets.setsockopt(SOL_PACKET, _IGNORE_OUTGOING, 1)  # what the host itself sends is not for the card
                packets.setsockopt(SOL_PACKET, PACKET_AUXDATA, tagged)
                with contextlib.suppress(PermissionError):
                    packets.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
                _attach_filter(packets, octets, tagged=tagged)
                packets.bind((nic, _ETH_P_ALL))
                both.append(packets)
            for kind, address in ((_MR_UNICAST, octets), (_MR_ALLMULTI, bytes(6))):
                request = struct.pack("iHH8s", index, kind, len(address), address)
                both[0].setsockopt(SOL_PACKET, _ADD_MEMBERSHIP, request)
            yield [packets.fileno() for packets in both], index
    except OSError as error:
        raise from_errno(f"link {spec.name}", f"listen on {nic}", error.errno or 0) from error


def _attach_filter(packets: socket.socket, mac: bytes, *, tagged: bool) -> None:
    """Classic BPF: with a tag or without, and to the card's address or to a group (broadcast is one)."""
    high, low = struct.unpack("!IH", mac)
    program = Program()
    program.load(1, VLAN_TAG_PRESENT)
    program.jump("==", int(tagged), otherwise="drop")
    program.load(1, 0)
    program.jump("&", 1, then="accept")
    program.load(4, 0)
    program.jump("==", high, otherwise="drop")
    program.load(2, 4)
    program.jump("==", low, then="accept")
    program.label("drop")
    program.give(0)
    program.label("accept")
    program.give(_WHOLE_FRAME)
    attach_filter(packets, program.assemble())


def _nic(netns: str | None, nic: Sequence[int], sight: NetdevInventory) -> Attributes | None:
    """The NIC, if it is still there."""
    *place, index = nic
    return sight.links(netns).get(index) if tuple(place) == (netns_identity(netns) or (0, 0)) else None


def _mtu_of(spec: LinkSpec, below: Below) -> int:
    """The MTU that the NIC allows."""
    with LinkSocket(spec.over_netns) as beneath:
        return int(beneath.named(below[spec.over[0]])["mtu"])
