"""Notes about what a worker heard at a tunnel's socket besides data: ICMP errors, and control messages of the peer."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Final

from l2tpv3.model.observed import Tunnel
from l2tpv3.model.spec import Encap
from l2tpv3.wire.registry import MessageType

_OURS: Final = (MessageType.WEN, MessageType.SLI)
"""What `--carrier follow` sends."""
_COMES_S: Final = 10.0
"""Where packets came within this time, the errors are from before: `l2tpctl watch` looks every third second."""


def refusal_notes(name: str, seen: Tunnel, received_ago_s: float | None = None) -> Iterator[str]:
    """Why the peer, or something on the way, refuses what a tunnel sends. name: the tunnel's, for remedies.

    received_ago_s: how long ago something good came of which the worker that heard the errors does not know.
    """
    if received_ago_s is not None and received_ago_s < _COMES_S:
        return
    what = f"UDP port {seen.remote_port}" if seen.encap is Encap.UDP else "IP protocol 115"
    match seen.refused:
        case errno.ECONNREFUSED:
            yield port_unreachable(name, str(seen.remote), what)
        case errno.ENOPROTOOPT:
            yield protocol_unreachable(name, str(seen.remote), what)
        case errno.EHOSTUNREACH:
            yield prohibited(str(seen.remote), what)


def port_unreachable(name: str, remote: str, what: str) -> str:
    """The note for ICMP port unreachable. name: of the tunnel. what: `UDP port 1701`."""
    return (
        f"{remote} answers that nobody there takes these packets at {what} (ICMP port unreachable): no tunnel"
        f" is up there, or it has other addresses or ports, as behind NAT; `l2tpctl peer {name}` prints what it has to"
        " have"
    )


def protocol_unreachable(name: str, remote: str, what: str) -> str:
    """The note for ICMP protocol unreachable; see port_unreachable."""
    return (
        f"{remote} answers that it does not take {what} (ICMP protocol unreachable); have the tunnel up there"
        f" as `l2tpctl peer {name}` prints it, or use --encap udp at both ends"
    )


def prohibited(remote: str, what: str) -> str:
    """The note for ICMP host unreachable, and administratively prohibited; see port_unreachable."""
    return (
        f"packets to {remote} come back, from there or from their way (ICMP administratively prohibited, or host"
        f" unreachable): let {what} through in the firewall, and look whether {remote} is on"
    )


def control_notes(seen: Tunnel) -> Iterator[str]:
    """The note about a peer that wants to set the tunnel up by messages."""
    version, kind = seen.control
    if is_unwanted(version, kind):
        yield wants_control(version, kind)


def is_unwanted(version: int, kind: int) -> bool:
    """Whether a control message of that version and type is none that static tunnels use. version 0: there was none."""
    return bool(version) and (version != 3 or kind not in _OURS)


def wants_control(version: int, kind: int) -> str:
    """The note for a control message of that version and type."""
    name = MessageType(kind).name if kind in MessageType.__members__.values() else f"message {kind}"
    return (
        f"the peer sends {name} of L2TPv{version}: it wants to set tunnels up by messages, which static ones don't "
        "answer; set it to a static (unmanaged) tunnel of L2TPv3, without hello"
    )
