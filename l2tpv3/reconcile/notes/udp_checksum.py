"""UDP packets over IPv6 that the kernel drops since they have no checksum, before any socket of ours sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from l2tpv3.linux.netns import inside
from l2tpv3.model.observed import Tunnel
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.spec import Encap

_COUNTER: Final = "Udp6InCsumErrors"  # of packets without a checksum as well: __udp6_lib_rcv() in net/ipv6/udp.c


def drops_for_checksums(netns: str | None) -> bool:
    """Whether UDP packets over IPv6 without a checksum, or with a wrong one, have been dropped in a namespace.

    Raises MissingError where that is not there.
    """
    try:
        with inside(netns):
            lines = Path("/proc/thread-self/net/snmp6").read_text("ascii").splitlines()
    except OSError:  # there is no IPv6
        return False
    return any(line.split() != [_COUNTER, "0"] for line in lines if line.startswith(_COUNTER))


def may_miss_them(record: TunnelRecord, seen: Tunnel) -> bool:
    """Whether a tunnel refuses packets without a checksum, and has heard nothing since it was made."""
    spec, counters = record.spec, seen.counters
    if spec.encap is not Encap.UDP or spec.remote.version != 6 or not spec.udp_checksum or not seen.sessions:
        return False
    heard = [counters.rx_unknown_session, counters.rx_control, counters.rx_invalid]
    for session in seen.sessions:
        own = session.counters
        heard += [own.rx_packets, own.rx_errors, own.rx_seq_discards, own.rx_cookie_discards, own.rx_invalid]
    return not any(heard)
