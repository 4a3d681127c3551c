"""tc(8)'s filters on a netdev, as far as one VLAN of it or a port takes them: requests to rtnetlink, packed. No I/O.

Numbers from linux/pkt_sched.h, pkt_cls.h, tc_act/tc_vlan.h, tc_act/tc_mirred.h and if_ether.h.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

from l2tpv3.linux.bpf.classic import INSTRUCTION_BYTES, VLAN_TAG, VLAN_TAG_PRESENT, Program
from l2tpv3.linux.netlink.message import NLA_F_NESTED, attribute, u16, zero_terminated

NEW_QDISC, NEW_FILTER = 36, 44  # RTM_NEWQDISC, RTM_NEWTFILTER
DOT1Q, ANY = 0x8100, 0x0003  # ETH_P_8021Q, ETH_P_ALL

_CLSACT: Final = 0xFFFFFFF1
_HANDLE: Final = 0xFFFF0000
_TCMSG = Struct("=BxHiIII")
_ACTION = Struct("=IIiii")  # tc_gen: index, capab, action, refcnt, bindcnt
_VLAN_ACTION = Struct("=IIiiii")
_MODIFY: Final = 3  # TCA_VLAN_ACT_MODIFY
_OK, _SHOT, _STOLEN = 0, 2, 4  # TC_ACT_*
_MIRRED = Struct("=IIiiiiI")
_REDIRECT: Final = 1  # TCA_EGRESS_REDIR
_EVERYTHING: Final = Struct("=BBBx12x16x").pack(1, 0, 1)  # tc_u32_sel: terminal, and one key that asks for nothing


class Side(IntEnum):
    """Frames that come in at a netdev, or that go out of it: the filters' parents."""

    INGRESS = 0xFFFFFFF2
    EGRESS = 0xFFFFFFF3


def clsact(ifindex: int) -> bytes:
    """NEW_QDISC: what filters of both sides hang on."""
    return _TCMSG.pack(0, 0, ifindex, _HANDLE, _CLSACT, 0) + attribute(1, zero_terminated("clsact"))


def renumber(ifindex: int, side: Side, priority: int, vlan: int) -> bytes:
    """NEW_FILTER: 802.1Q frames get the number of a VLAN into their tag, and pass. 802.1p bits stay as they are."""
    parms = attribute(2, _VLAN_ACTION.pack(0, 0, _OK, 0, 0, _MODIFY)) + attribute(3, u16(vlan))
    return new_filter(ifindex, side, priority, DOT1Q, "matchall", _nested(2, _action("vlan", parms)))


def let_pass(ifindex: int, side: Side, priority: int, vlan: int) -> bytes:
    """NEW_FILTER: frames of that VLAN pass.

    flower, which has a word for it, looks for the tag at the wrong place in frames from packet sockets, whose network
    header lies behind it (net/packet/af_packet.c packet_parse_headers).
    """
    program = Program()
    program.load(1, VLAN_TAG_PRESENT)
    program.jump("==", 0, then="tag in the frame")
    program.load(1, VLAN_TAG)  # told beside the frame
    program.go("compare")
    program.label("tag in the frame")
    program.load(2, 12)
    program.jump("==", DOT1Q, otherwise="no")
    program.load(2, 14)
    program.label("compare")
    program.mask(0x0FFF)
    program.jump("==", vlan, otherwise="no")
    program.give(0xFFFFFFFF)
    program.label("no")
    program.give(0)
    code = program.assemble()
    passing = _action("gact", attribute(2, _ACTION.pack(0, 0, _OK, 0, 0)))
    options = _nested(1, passing) + attribute(4, u16(len(code) // INSTRUCTION_BYTES)) + attribute(5, code)
    return new_filter(ifindex, side, priority, DOT1Q, "bpf", options)


def drop(ifindex: int, side: Side, priority: int) -> bytes:
    """NEW_FILTER: frames of any kind are dropped."""
    dropping = _action("gact", attribute(2, _ACTION.pack(0, 0, _SHOT, 0, 0)))
    return new_filter(ifindex, side, priority, ANY, "matchall", _nested(2, dropping))


def redirect(ifindex: int, side: Side, priority: int, target: int) -> bytes:
    """NEW_FILTER: frames of any kind go out at another netdev instead. u32, for matchall is in fewer kernels."""
    leaving = _action("mirred", attribute(2, _MIRRED.pack(0, 0, _STOLEN, 0, 0, _REDIRECT, target)))
    return new_filter(ifindex, side, priority, ANY, "u32", attribute(5, _EVERYTHING) + _nested(7, leaving))


def new_filter(
    ifindex: int, side: Side, priority: int, protocol: int, kind: str, options: bytes, *, handle: int = 0
) -> bytes:
    """NEW_FILTER: one of a kind, with its options packed. handle: 0 is one that the kernel chooses."""
    return tcmsg(ifindex, side, priority, protocol, handle) + attribute(1, zero_terminated(kind)) + _nested(2, options)


def tcmsg(ifindex: int, side: Side, priority: int = 0, protocol: int = 0, handle: int = 0) -> bytes:
    """The header of a request about filters on a side of a netdev (struct tcmsg)."""
    return _TCMSG.pack(0, 0, ifindex, handle, side, priority << 16 | network_order(protocol))


def network_order(protocol: int) -> int:
    """Swap the bytes of a 16-bit number from the host's order to the network's, or back."""
    return int.from_bytes(protocol.to_bytes(2, "big"), _ORDER)


def _action(kind: str, options: bytes) -> bytes:
    return _nested(1, attribute(1, zero_terminated(kind)) + _nested(2, options))


def _nested(kind: int, value: bytes) -> bytes:
    return attribute(kind | NLA_F_NESTED, value)


_ORDER: Final = "little" if u16(1)[0] else "big"
