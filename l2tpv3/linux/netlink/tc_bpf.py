"""tc(8)'s filters that run eBPF programs: requests to rtnetlink and answers, no I/O. Numbers from linux/pkt_cls.h."""

from __future__ import annotations

from struct import Struct
from typing import Final

from l2tpv3.linux.netlink.message import Answer, attribute, attributes, text_of, u32, unsigned, zero_terminated
from l2tpv3.linux.netlink.rtnetlink import LINK_HEADER
from l2tpv3.linux.netlink.tc import Side, network_order, new_filter, tcmsg

DEL_FILTER, GET_FILTER = 45, 46  # RTM_DELTFILTER, RTM_GETTFILTER
IPV4, IPV6 = 0x0800, 0x86DD  # ETH_P_IP, ETH_P_IPV6

_FD, _NAME, _FLAGS, _ID = 6, 7, 8, 11  # TCA_BPF_*
_DIRECT_ACTION: Final = 1  # TCA_BPF_FLAG_ACT_DIRECT
_KIND, _OPTIONS = 1, 2  # TCA_KIND, TCA_OPTIONS
_OURS: Final = "l2tpv3"
_TCMSG: Final = Struct("=BxHiIII")


def run(ifindex: int, side: Side, priority: int, protocol: int, program: int, name: str = _OURS) -> bytes:
    """NEW_FILTER: frames of that kind are given to an eBPF program, by its file, whose verdict counts. name: what the
    filter is called.

    It is the only one of that priority: made with NLM_F_REPLACE it takes the place of an earlier one at once.
    """
    options = (
        attribute(_FD, u32(program)) + attribute(_NAME, zero_terminated(name)) + attribute(_FLAGS, u32(_DIRECT_ACTION))
    )
    return new_filter(ifindex, side, priority, protocol, "bpf", options, handle=1)


def stop(ifindex: int, side: Side, priority: int, protocol: int) -> bytes:
    """DEL_FILTER: the filters of that priority and kind of frames go."""
    return tcmsg(ifindex, side, priority, protocol)


def of_side(ifindex: int, side: Side) -> bytes:
    """GET_FILTER: a dump of the filters on that side of a netdev, which `read` takes."""
    return tcmsg(ifindex, side)


def read(answer: Answer, priority: int) -> dict[int, int]:
    """The programs that our filters of a priority run: the kind of frames, and the program's id."""
    found: dict[int, int] = {}
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            # The answer's offsets are for ifinfomsg, which is shorter than tcmsg.
            start = begin - LINK_HEADER
            info = _TCMSG.unpack_from(datagram, start)[5]
            outer = attributes(datagram, start + _TCMSG.size, end)
            if info >> 16 != priority or _OPTIONS not in outer:
                continue
            options = attributes(datagram, *outer[_OPTIONS])
            number = unsigned(datagram, options.get(_ID))
            if number and _NAME in options and text_of(datagram, options[_NAME]) == _OURS:
                found[network_order(info & 0xFFFF)] = number
    return found


def names(answer: Answer) -> dict[int, str]:
    """The filters of a side by their priorities: what those that run an eBPF program are called, "" for all others."""
    found: dict[int, str] = {}
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            start = begin - LINK_HEADER
            priority = _TCMSG.unpack_from(datagram, start)[5] >> 16
            outer = attributes(datagram, start + _TCMSG.size, end)
            runs = _KIND in outer and text_of(datagram, outer[_KIND]) == "bpf"
            options = attributes(datagram, *outer[_OPTIONS]) if runs and _OPTIONS in outer else {}
            name = text_of(datagram, options[_NAME]) if _ID in options and _NAME in options else ""
            found[priority] = found.get(priority) or name
    return found
