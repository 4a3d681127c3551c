"""Any status that a manager can tell: as wanted and seen, on record or foreign."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_address, ip_interface
from typing import Any

from hypothesis import strategies as st

from l2tpv3.model.hearing import Hearing
from l2tpv3.model.observed import Counters, TunnelCounters
from l2tpv3.model.probe import FailoverRole, ProbeReport, ProbeState
from l2tpv3.model.spec import Egress, Encap, Sequencing, SessionSpec, Sublayer, TunnelSpec, unchecked
from l2tpv3.model.status import Condition, NetdevState, SessionStatus, TunnelStatus

IDS = st.integers(1, 2**32 - 1)
PORTS = st.integers(1, 65535)
COUNTS = st.integers(0, 2**64 - 1)
NAMES = st.sampled_from(["siteb", "7", "with.dots-and_more", "n" * 63])
COOKIES = st.sampled_from([b"", b"abcd", b"\0\0\0\0\0\0\0\1"])
HEARINGS = st.none() | st.sampled_from(Hearing)
AGES = st.none() | st.floats(0, 1e9)
TEXTS = st.text(max_size=40)
PROBINGS = st.none() | st.builds(
    ProbeReport,
    state=st.sampled_from(ProbeState),
    since_s=st.floats(0, 1e9),
    reason=TEXTS,
    round_trip_s=AGES,
)
V4 = (ip_address("192.0.2.1"), ip_address("192.0.2.2"))
V6 = (ip_address("2001:db8::1"), ip_address("fe80::2%eth0"))

_tunnel_counters = st.builds(
    TunnelCounters,
    rx_unknown_session=st.none() | COUNTS,
    rx_control=st.none() | COUNTS,
    rx_invalid=st.none() | COUNTS,
    tx_too_long=st.none() | COUNTS,
)
_counters = st.builds(Counters, **dict.fromkeys(Counters.__dataclass_fields__, COUNTS))
NETDEVS = st.builds(
    NetdevState,
    ifname=st.just("lan0"),
    ifindex=st.integers(1, 2**31 - 1),
    mac=st.just("02:00:5e:00:53:01"),
    mtu=st.integers(68, 65535),
    up=st.booleans(),
    carrier=st.booleans(),
    kind=st.sampled_from(["", "tun", "l2tp"]),
    alias=TEXTS,
    bridge=st.none() | st.just("br0"),
    netns=st.none() | st.just("blue"),
    addresses=st.sampled_from([(), (ip_interface("192.0.2.1/24"), ip_interface("fe80::1/64"))]),
)
_specs = st.builds(
    SessionSpec,
    name=NAMES,
    ifname=st.just("lan0"),
    session_id=IDS,
    peer_session_id=IDS,
    tx_cookie=COOKIES,
    rx_cookie=COOKIES,
    sublayer=st.just(Sublayer.DEFAULT),
    sequencing=st.sampled_from(Sequencing),
    reorder_timeout_ms=st.integers(0, 60_000),
    vlan=st.integers(1, 4094),
    egress=st.sampled_from(Egress),
    mtu=st.none() | st.integers(68, 65535),
    mac=st.none() | st.just("02:00:5e:00:53:01"),
    netns=st.none() | st.just("blue"),
    addresses=st.sampled_from([(), (ip_interface("192.0.2.1/24"), ip_interface("2001:db8::1/64"))]),
    up=st.booleans(),
)


@st.composite
def sessions(draw: st.DrawFn, *, foreign: bool = False) -> SessionStatus:
    """A session as the manager tells it. Of a foreign one nothing is known but what is seen, which may be id 0."""
    send, recv = draw(st.booleans()), draw(st.booleans())
    seen: dict[str, Any] = {
        "condition": draw(st.sampled_from(Condition)),
        "mtu": draw(st.none() | st.integers(68, 65535)),
        "netdev": draw(st.none() | NETDEVS),
        "send_seq": send,
        "recv_seq": recv,
        "counters": draw(_counters),
        "hearing": draw(HEARINGS),
        "last_received_s": draw(AGES),
        "probing": draw(PROBINGS),
        "failover": draw(st.none() | st.sampled_from(FailoverRole)),
        "notes": tuple(draw(st.lists(TEXTS, max_size=2))),
    }
    if not foreign:
        spec = draw(_specs)
        if draw(st.booleans()):
            spec = dataclasses.replace(spec, vlan=None, egress=Egress.REMOVE)
        return SessionStatus(name=spec.name, spec=spec, **seen)
    number = draw(st.integers(0, 2**32 - 1))
    spec = unchecked(
        SessionSpec,
        name=str(number),
        ifname="l2tpeth7",
        session_id=number,
        peer_session_id=draw(st.integers(0, 2**32 - 1)),
        tx_cookie=draw(st.binary(max_size=8)),
        rx_cookie=draw(st.binary(max_size=8)),
        sequencing={(0, 0): Sequencing.NONE, (1, 0): Sequencing.SEND, (0, 1): Sequencing.RECV}.get(
            (send, recv), Sequencing.BOTH
        ),
        reorder_timeout_ms=draw(st.integers(0, 2**31)),
    )
    return SessionStatus(name=spec.name, spec=spec, foreign=True, **seen)


@st.composite
def tunnels(draw: st.DrawFn) -> TunnelStatus:
    """A tunnel with up to three sessions."""
    foreign = draw(st.booleans())
    here, there = draw(st.sampled_from([V4, V6]))
    encap = draw(st.sampled_from(Encap))
    udp = encap is Encap.UDP
    ends: dict[str, Any] = {"remote": there, "encap": encap, "netns": draw(st.none() | st.just("blue"))}
    ids: dict[str, Any] = {"tunnel_id": draw(IDS), "peer_tunnel_id": draw(IDS)}
    if foreign:
        spec = unchecked(
            TunnelSpec,
            **ends,
            **ids,
            name=f"id{ids['tunnel_id']}",
            local=here,
            local_port=draw(PORTS) if udp else 1701,
            remote_port=draw(PORTS) if udp else 1701,
            udp_checksum=draw(st.booleans()) if udp else True,
            datapath="kernel",
        )
    else:
        spec = TunnelSpec(
            **ends,
            **ids,
            name=draw(NAMES),
            local=draw(st.none() | st.just(here)),
            local_port=draw(PORTS),
            remote_port=draw(PORTS),
            udp_checksum=draw(st.booleans()),
            datapath=draw(st.sampled_from(["auto", "user"])),
        )
    return TunnelStatus(
        name=f"kernel:{spec.tunnel_id}" if foreign else spec.name,
        spec=spec,
        condition=draw(st.sampled_from(Condition)),
        datapath="kernel" if foreign else draw(st.sampled_from(["kernel", "user"])),
        reason=draw(TEXTS),
        foreign=foreign,
        transient=draw(st.booleans()),
        local=here,
        counters=draw(_tunnel_counters),
        hearing=draw(HEARINGS),
        last_received_s=draw(AGES),
        worker_pid=draw(st.none() | st.integers(1, 2**22)),
        notes=tuple(draw(st.lists(TEXTS, max_size=2))),
        sessions=tuple(draw(st.lists(sessions(foreign=foreign), max_size=3))),
    )
