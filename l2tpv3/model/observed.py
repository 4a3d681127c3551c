"""Tunnels, sessions and counters as a datapath reports them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from l2tpv3.model.hearing import Reception
from l2tpv3.model.probe import ChannelProbe, FailoverRole, ProbeReport
from l2tpv3.model.spec import Egress, Encap, IPAddress, Sublayer
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class Counters:
    """A session's counters; the names are those of L2TP_ATTR_STATS (include/uapi/linux/l2tp.h).

    rx_errors: frames that could not be delivered (too short, over the MTU, expired in the reorder queue).
    rx_seq_discards: dropped for their sequence number, or for having none. rx_oos_packets: arrived out of order.
    rx_cookie_discards: wrong cookie. rx_invalid: not a data packet of this session's shape.
    tx_errors: frames that could not be sent; those that a netdev's queue dropped are added where statuses are made.

    With fragments, packets are counted, not frames. tx_fragments, rx_fragments: packets with a part of a frame.
    rx_reassembled: frames put together. rx_incomplete: frames of which a part was missing. rx_too_long: frames that
    became longer than the MTU allows. The parts of frames that were dropped are among rx_errors.
    """

    tx_packets: int = 0
    tx_bytes: int = 0
    tx_errors: int = 0
    rx_packets: int = 0
    rx_bytes: int = 0
    rx_errors: int = 0
    rx_seq_discards: int = 0
    rx_oos_packets: int = 0
    rx_cookie_discards: int = 0
    rx_invalid: int = 0
    tx_fragments: int = 0
    rx_fragments: int = 0
    rx_reassembled: int = 0
    rx_incomplete: int = 0
    rx_too_long: int = 0


@value_class(frozen=True, slots=True, kw_only=True)
class TunnelCounters:
    """Packets that arrived on a tunnel's socket and belonged to no session. None where the datapath can't tell.

    rx_unknown_session: no such session id. rx_control: control packets, which a static tunnel has no use for.
    rx_invalid: too short, or another version than 3.
    tx_too_long: packets that were not sent, as the first netdev takes none so long and they may not be cut; each is one
    of its session's tx_errors too.
    """

    rx_unknown_session: int | None = None
    rx_control: int | None = None
    rx_invalid: int | None = None
    tx_too_long: int | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class Session:
    """A session as its datapath reports it.

    ifname: its netdev's present name as far as the datapath knows (the kernel's dumps keep the first name).
    attached: its netdev's present name for sure, as whoever has it open tells; "" when it is gone; None where nobody
    can tell. sublayer: None where the datapath can't tell (the kernel never does). vlan, egress: as in SessionSpec; a
    datapath that can't tell says None and the default. fragment: whether it cuts frames and puts them together.
    reception: when it received something; None where its datapath takes note of no times. channel_probe, probing: how
    its worker probes the other end, and what that came to; None where it does not. failover: what it does where one
    session is the backup of another; None where it is neither of the two.
    """

    session_id: int
    peer_session_id: int
    ifname: str
    attached: str | None = None
    tx_cookie: bytes = field(default=b"", repr=False)
    rx_cookie: bytes = field(default=b"", repr=False)
    send_seq: bool = False
    recv_seq: bool = False
    reorder_timeout_ms: int = 0
    sublayer: Sublayer | None = None
    vlan: int | None = None
    egress: Egress = Egress.REMOVE
    fragment: bool = False
    counters: Counters = Counters()
    reception: Reception | None = None
    channel_probe: ChannelProbe | None = None
    probing: ProbeReport | None = None
    failover: FailoverRole | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """A tunnel as its datapath reports it, with its sessions. Ports are 0 over IP.

    bound_device: the netdev that its socket is bound to, "" for none, or one that is gone; None where nobody can tell.
    inherits: whether its packets inherit a DSCP or the DF bit from the frames in them.
    worker_pid: the process that moves its frames, None in the kernel. notes: what the user should know
    about how it is carried (an offload that is missing here, for instance). refused: the errno of ICMP errors that come
    back again and again, else 0. control: version and type of the control message that came last, a short while ago.
    Both are 0 where nobody can tell, as in the kernel.
    """

    tunnel_id: int
    peer_tunnel_id: int
    encap: Encap
    local: IPAddress
    remote: IPAddress
    local_port: int = 0
    remote_port: int = 0
    udp_checksum: bool | None = None
    bound_device: str | None = None
    inherits: bool = False
    sessions: tuple[Session, ...] = ()
    counters: TunnelCounters = TunnelCounters()
    worker_pid: int | None = None
    notes: tuple[str, ...] = ()
    refused: int = 0
    control: tuple[int, int] = (0, 0)


def by_tunnel_id(tunnels: Iterable[Tunnel]) -> dict[int, list[Tunnel]]:
    """Tunnels of one datapath and network namespace by their ids, so that each need not be looked for among all."""
    found: dict[int, list[Tunnel]] = {}
    for one in tunnels:
        found.setdefault(one.tunnel_id, []).append(one)
    return found
