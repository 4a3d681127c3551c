"""Small programs beside those that move frames: for what the worker does, and against what nobody sent."""

from __future__ import annotations

from l2tpv3.datapath.ebpf.instructions import R1, R2, Helper, Program, Skb

_UNSPEC, _SHOT = -1, 2  # TC_ACT_*


def backhaul(target: int, sessions: int) -> bytes:
    """Have all frames go out at another netdev, by its index. sessions: a map's file, which lives as long as this."""
    program = Program()
    program.map(R1, sessions)
    program.move(R1, target)
    program.move(R2, 0)
    program.call(Helper.REDIRECT)
    program.exit()
    return program.code()


def guard() -> bytes:
    """At egress: drop what did not come in by a netdev before, but is the kernel's own (MLD reports, for instance)."""
    program = Program()
    program.load(4, R1, R1, Skb.INGRESS_IFINDEX)
    program.jump_if(R1, "==", 0, "own")
    program.exit(_UNSPEC)
    program.label("own")
    program.exit(_SHOT)
    return program.code()
