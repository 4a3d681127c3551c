"""Whether this kernel takes the programs: they are loaded, and put on a netdev of a namespace that goes then."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from l2tpv3.datapath.base import Support
from l2tpv3.datapath.ebpf import session_map
from l2tpv3.datapath.ebpf.programs.decapsulate import receive
from l2tpv3.datapath.ebpf.programs.encapsulate import Outgoing, transmit
from l2tpv3.datapath.ebpf.programs.redirect import backhaul, guard
from l2tpv3.datapath.ebpf.session_map import PRIORITY
from l2tpv3.errors import L2tpError, from_errno
from l2tpv3.linux.bpf import syscall
from l2tpv3.linux.capabilities import remedy
from l2tpv3.linux.netlink import veth
from l2tpv3.linux.netlink.message import NLM_F_CREATE
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netlink.tc import ANY, NEW_FILTER, NEW_QDISC, Side, clsact
from l2tpv3.linux.netlink.tc_bpf import run
from l2tpv3.linux.netns import aside
from l2tpv3.model.spec import Encap, IPAddress, SessionSpec, TunnelSpec

_PARTS: Final = {
    "program": "eBPF programs (CONFIG_BPF_SYSCALL, Linux 5.12)",
    "veth": "veth (CONFIG_VETH)",
    "scheduler": "the scheduler clsact (CONFIG_NET_SCH_INGRESS)",
    "filter": "filters that run programs (CONFIG_NET_CLS_BPF)",
}
_NOT_PERMITTED: Final = (errno.EPERM, errno.EACCES)
_ADDRESSES: Final[dict[int, tuple[IPAddress, IPAddress]]] = {
    4: (IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")),
    6: (IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")),
}


def run_all() -> Support:
    """Try all parts. What is made is gone afterwards. Raises L2tpError when nothing can be asked, not even netlink."""
    if not syscall.available():
        return Support(works=False, reason=f"bpf(2) has no number that is known for {os.uname().machine}")
    try:
        with aside():
            _try()
    except L2tpError as error:
        return Support(works=False, reason=str(error))
    except _Missing as missing:
        return Support(works=False, reason=str(missing))
    except OSError as error:
        raise from_errno("ebpf datapath", "see whether it works here", error.errno or 0) from error
    return Support(works=True, reason="programs in the kernel, and a Python worker for what they leave")


class _Missing(Exception):
    """Raised for what the kernel lacks or does not permit."""


@contextlib.contextmanager
def _needing(part: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NOT_PERMITTED:
            needed = remedy("CAP_BPF", "CAP_SYS_ADMIN", "CAP_NET_ADMIN")
            problem = f"not permitted ({error.strerror}): {needed}"
            raise _Missing(problem) from error
        raise _Missing(f"this kernel lacks {_PARTS[part]}: {error.strerror}") from error


def _try() -> None:
    with RouteSocket() as route, contextlib.ExitStack() as stack:
        programs = []
        with _needing("program"):
            for version, (local, remote) in _ADDRESSES.items():
                known = stack.enter_context(session_map.create(version))
                programs += [backhaul(1, known.fd), receive(version, known.fd)]
                for encap in Encap:
                    tunnel = TunnelSpec(name="trial", local=local, remote=remote, encap=encap, udp_checksum=False)
                    session = SessionSpec(name="trial", ifname="trial", tx_cookie=bytes(8))
                    programs.append(transmit(Outgoing(tunnel, session, lower=1, slow=1, sessions=known.fd)))
            loaded = [_load(stack, code) for code in (guard(), *programs)]
        with _needing("veth"):
            route.make(veth.NEW_LINK, veth.make("trial", "other", None))
            ifindex = route.link("trial").ifindex
        with _needing("scheduler"):
            route.make(NEW_QDISC, clsact(ifindex))
        with _needing("filter"):
            route.request(NEW_FILTER, run(ifindex, Side.INGRESS, PRIORITY, ANY, loaded[0]), NLM_F_CREATE)


def _load(stack: contextlib.ExitStack, code: bytes) -> int:
    program = syscall.load("l2tpv3", code)
    stack.callback(os.close, program)
    return program
