"""Small programs beside those that move frames: for what the worker does, and against what nobody sent."""

from __future__ import annotations

from l2tpv3.linux.bpf.assembler import R1, Skb
from l2tpv3.linux.bpf.packet_program import SHOT, UNSPEC, PacketProgram


def backhaul(target: int, sessions: int) -> bytes:
    """Have all frames go out at another netdev, by its index. sessions: a map's file, which lives as long as this."""
    program = PacketProgram()
    program.map(R1, sessions)
    program.redirect(target)
    return program.code()


def guard() -> bytes:
    """At egress: drop what did not come in by a netdev before, but is the kernel's own (MLD reports, for instance)."""
    program = PacketProgram()
    program.load(4, R1, R1, Skb.INGRESS_IFINDEX)
    program.jump_if(R1, "==", 0, "own")
    program.exit(UNSPEC)
    program.label("own")
    program.exit(SHOT)
    return program.code()
