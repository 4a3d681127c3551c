"""Puts the program that clamps TCP's MSS on a netdev, finds it again, and takes it off.

It is a filter of tc(8) at each side, before all others where the first priority is free. What others have there stays
as it is. It is known by its name, which says for which MTU it is.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Final

from l2tpv3.linux.bpf import syscall
from l2tpv3.linux.netlink.message import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netlink.tc import ANY, NEW_FILTER, NEW_QDISC, Side, clsact
from l2tpv3.linux.netlink.tc_bpf import DEL_FILTER, GET_FILTER, names, of_side, run, stop
from l2tpv3.netdev.clamp_program import clamp

_NAME: Final = "l2tpv3 clamp-mss "
_SIDES: Final = (Side.INGRESS, Side.EGRESS)
_NO_SCHEDULER: Final = (errno.EINVAL, errno.ENOENT)
"""What is said of a netdev that no filters can hang on, since there is no scheduler for them."""


def clamped_to(route: RouteSocket, ifindex: int) -> int | None:
    """The MTU in bytes to which TCP's MSS is clamped on a netdev, both ways; 0 where that is not whole; None where it
    is not at all. Raises OSError."""
    inwards, outwards = (_mtu(_ours(route, ifindex, side)[1]) for side in _SIDES)
    return inwards if inwards == outwards else 0


def put(route: RouteSocket, ifindex: int, mtu: int) -> None:
    """Clamp TCP's MSS on a netdev to what fits that MTU, in bytes, both ways. Raises OSError, UnavailableError."""
    with contextlib.suppress(FileExistsError):
        route.make(NEW_QDISC, clsact(ifindex))
    program = syscall.load("l2tpv3", clamp(mtu))
    try:
        for side in _SIDES:
            priority, name = _ours(route, ifindex, side)
            body = run(ifindex, side, priority, ANY, program, f"{_NAME}{mtu}")
            route.request(NEW_FILTER, body, NLM_F_CREATE | (NLM_F_REPLACE if name else NLM_F_EXCL))
    finally:
        os.close(program)


def take_off(route: RouteSocket, ifindex: int) -> None:
    """Clamp it no more. The scheduler `clsact` stays: it may be somebody else's by now. Raises OSError."""
    for side in _SIDES:
        priority, name = _ours(route, ifindex, side)
        if name:
            route.request(DEL_FILTER, stop(ifindex, side, priority, ANY))


def _ours(route: RouteSocket, ifindex: int, side: Side) -> tuple[int, str]:
    """The priority and the name of our filter; without one the first priority that is free, and ""."""
    try:
        there = names(route.dump(GET_FILTER, of_side(ifindex, side)))
    except OSError as error:
        if error.errno not in _NO_SCHEDULER:
            raise
        there = {}
    mine = next((priority for priority, name in there.items() if name.startswith(_NAME)), 0)
    return mine or next(one for one in range(1, 1 << 16) if one not in there), there.get(mine, "")


def _mtu(name: str) -> int | None:
    """What the filter of that name clamps to; None where it is not ours."""
    number = name.removeprefix(_NAME)
    return int(number) if name and number.isdigit() else None
