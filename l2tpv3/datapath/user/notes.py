"""Puts what a worker heard at a tunnel's socket into sentences."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from typing import Any, Final

from l2tpv3.wire.registry import MessageType

_OURS: Final = (MessageType.WEN, MessageType.SLI)
"""What `--carrier follow` sends."""


def socket_notes(words: Mapping[str, Any]) -> Iterator[str]:
    """words: a tunnel, as its worker reports it (protocol.py)."""
    heard = words["heard"]
    remote, peer = words["remote"], f"`l2tpctl peer {words['name']}`"
    what = f"UDP port {words['remote_port']}" if words["encap"] == "udp" else "IP protocol 115"
    match heard["refused"]:
        case errno.ECONNREFUSED:
            yield (
                f"{remote} answers that nobody there takes these packets at {what} (ICMP port unreachable): no tunnel"
                f" is up there, or it has other addresses or ports, as behind NAT; {peer} prints what it has to have"
            )
        case errno.ENOPROTOOPT:
            yield (
                f"{remote} answers that it does not take {what} (ICMP protocol unreachable); have the tunnel up there"
                f" as {peer} prints it, or use --encap udp at both ends"
            )
        case errno.EHOSTUNREACH:
            yield (
                f"packets to {remote} are refused, there or on their way (ICMP administratively prohibited): let {what}"
                " through in the firewall"
            )
    version, kind = heard["control_version"], heard["control_type"]
    if version and (version != 3 or kind not in _OURS):
        name = MessageType(kind).name if kind in MessageType.__members__.values() else f"message {kind}"
        yield (
            f"the peer sends {name} of L2TPv{version}: it wants to set tunnels up by messages, which static ones don't "
            "answer; set it to a static (unmanaged) tunnel of L2TPv3, without hello"
        )
