"""Has the kernel count for a while which packets of some netdevs and peers it drops."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from l2tpv3.doctor.drops.program import (
    COUNT,
    KEY,
    LOOKED,
    LOOKED_MOST,
    NETDEV,
    PEER_BYTES,
    Maps,
    drop_program,
    layout,
)
from l2tpv3.errors import L2tpError, NotPermittedError, UnavailableError, from_errno
from l2tpv3.linux.bpf import syscall
from l2tpv3.linux.bpf.btf import KernelTypes, kernel_types
from l2tpv3.linux.bpf.packet_program import ETH_P_IP, ETH_P_IPV6, be16
from l2tpv3.linux.kernel_symbols import functions_at
from l2tpv3.value_class import value_class

IPAddress = IPv4Address | IPv6Address

KINDS: Final = 2048
"""So many drops that differ are told apart; further ones are not counted."""
_SUBJECT: Final = "what the kernel drops"
_PREFIX: Final = "SKB_DROP_REASON_"


@value_class(frozen=True, slots=True, kw_only=True)
class Drop:
    """Packets that the kernel dropped at one place for one reason.

    netns, ifindex: the network namespace's inode and the netdev where they were; 0 where they were at none. reason: the
    kernel's own word, as `NETFILTER_DROP`. function: where in the kernel; None where that is hidden. protocol: that of
    IP. source, destination: None where it is not IP. Ports are 0 where there are none.
    """

    netns: int
    ifindex: int
    reason: str
    function: str | None
    protocol: int
    source: IPAddress | None
    destination: IPAddress | None
    source_port: int
    destination_port: int
    packets: int


@value_class(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for: netdevs by the inode of their network namespace and their index, and addresses of peers."""

    netdevs: Collection[tuple[int, int]]
    peers: Collection[IPAddress]


class DropWatch:
    """Counts while it is open. `drops` gives what was counted."""

    def __init__(self, counts: int, types: KernelTypes) -> None:
        self._counts = counts
        self._reasons = types.enum("skb_drop_reason")

    def drops(self) -> tuple[Drop, ...]:
        """What was dropped so far, the most frequent first. Raises OSError."""
        keys, values = syscall.entries(self._counts, KEY.size, COUNT.size, KINDS)
        pairs = zip(KEY.iter_unpack(keys), COUNT.iter_unpack(values), strict=True)
        found = [(key, count) for key, (count,) in pairs if any(key[:4])]
        functions = functions_at({key[0] for key, _ in found})
        found.sort(key=lambda one: -one[1])
        return tuple(self._drop(key, count, functions) for key, count in found)

    def is_over(self) -> bool:
        """Whether so much is dropped that the rest was not looked at. Raises OSError."""
        looked = syscall.get(self._counts, LOOKED, COUNT.size)
        return looked is not None and COUNT.unpack(looked)[0] >= LOOKED_MOST

    def _drop(self, key: tuple[int, ...], count: int, functions: dict[int, str]) -> Drop:
        location, netns, ifindex, reason, protocol, ethertype, source, target, *ports = key
        return Drop(
            netns=netns,
            ifindex=ifindex,
            reason=self._reasons.get(reason, str(reason)).removeprefix(_PREFIX),
            function=functions.get(location),
            protocol=protocol,
            source=_address(ethertype, source),
            destination=_address(ethertype, target),
            source_port=int.from_bytes(ports[0], "big"),  # type: ignore[arg-type]  # of bytes, as the destination's
            destination_port=int.from_bytes(ports[1], "big"),  # type: ignore[arg-type]
            packets=count,
        )


def _address(ethertype: int, packed: object) -> IPAddress | None:
    assert isinstance(packed, bytes)
    kind = be16(ethertype)
    if not any(packed) or kind not in (ETH_P_IP, ETH_P_IPV6):
        return None
    return ip_address(packed[:4] if kind == ETH_P_IP else packed)


@contextlib.contextmanager
def watching(wanted: Wanted) -> Iterator[DropWatch]:
    """Count for the length of the block.

    Raises UnavailableError where the kernel has no eBPF for that, NotPermittedError.
    """
    if not syscall.available():
        raise UnavailableError(_SUBJECT, "can't be asked: bpf(2) has no number that is known for this machine")
    types = kernel_types()
    if not types.enum("skb_drop_reason"):
        raise UnavailableError(_SUBJECT, "can't be asked: this kernel gives no reasons (Linux 5.17 does)")
    with contextlib.ExitStack() as stack:
        try:
            counts = _attached(stack, wanted, types)
        except OSError as error:
            raise _refused(error) from error
        yield DropWatch(counts, types)


def _attached(stack: contextlib.ExitStack, wanted: Wanted, types: KernelTypes) -> int:
    """The map in which is counted. All is closed with the stack."""

    def kept(file: int) -> int:
        stack.callback(os.close, file)
        return file

    maps = Maps(
        counts=kept(syscall.create_map("l2tpv3_drops", KEY.size, COUNT.size, KINDS)),
        netdevs=kept(syscall.create_map("l2tpv3_netdevs", NETDEV.size, 1, len(wanted.netdevs) + 1)),
        peers=kept(syscall.create_map("l2tpv3_peers", PEER_BYTES, 1, len(wanted.peers) + 1)),
    )
    syscall.put(maps.counts, LOOKED, bytes(COUNT.size))
    for netdev in wanted.netdevs:
        syscall.put(maps.netdevs, NETDEV.pack(*netdev), b"\1")
    for peer in wanted.peers:
        syscall.put(maps.peers, peer.packed.ljust(PEER_BYTES, b"\0"), b"\1")
    program = kept(syscall.load("l2tpv3_drops", drop_program(maps, layout(types)), syscall.RAW_TRACEPOINT))
    kept(syscall.attach_to_tracepoint("kfree_skb", program))
    return maps.counts


def _refused(error: OSError) -> L2tpError:
    """Why the kernel can't be asked, in a sentence."""
    if error.errno in (errno.EPERM, errno.EACCES):
        remedy = "run as root, or with CAP_BPF and CAP_PERFMON"
        return NotPermittedError(_SUBJECT, "can't be asked: eBPF is not allowed to this process", remedy)
    if error.errno in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOENT):
        problem = "can't be asked: this kernel has no eBPF for tracepoints (CONFIG_BPF_EVENTS), or gives no reasons"
        return UnavailableError(_SUBJECT, problem)
    return from_errno(_SUBJECT, "ask the kernel for it", error.errno or 0)
