"""Tunnels to tell the other end of: a plain one, changes to it, and any that there can be."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import strategies as st

from l2tpv3.model.spec import Encap, Sequencing, SessionSpec, Sublayer, TunnelSpec, parse_address
from l2tpv3.model.status import Condition, SessionStatus, TunnelStatus

TX, RX = bytes.fromhex("0011223344556677"), bytes.fromhex("8899aabbccddeeff")
NO_COOKIES: dict[str, Any] = {"tx_cookie": b"", "rx_cookie": b""}
V6: dict[str, Any] = {"remote": parse_address("2001:db8::2", ""), "local": parse_address("2001:db8::1", "")}


def tunnel(**changes: Any) -> TunnelSpec:
    """Over UDP from 192.0.2.1:5000, id 10, to 192.0.2.2:5001, id 20."""
    values: dict[str, Any] = {
        "name": "siteb",
        "local": parse_address("192.0.2.1", ""),
        "remote": parse_address("192.0.2.2", ""),
        "tunnel_id": 10,
        "peer_tunnel_id": 20,
        "local_port": 5000,
        "remote_port": 5001,
    }
    return TunnelSpec(**values | changes)


def session(**changes: Any) -> SessionSpec:
    """Id 1 here and 2 there, with 8-byte cookies and an MTU of 1400."""
    values: dict[str, Any] = {
        "name": "lan",
        "ifname": "l2tpeth0",
        "session_id": 1,
        "peer_session_id": 2,
        "tx_cookie": TX,
        "rx_cookie": RX,
        "mtu": 1400,
    }
    return SessionSpec(**values | changes)


def status(spec: TunnelSpec, *sessions: SessionSpec, mtu: int = 1446) -> TunnelStatus:
    """As the manager tells it. mtu: what `auto` came to."""
    seen = [SessionStatus(name=one.name, spec=one, condition=Condition.UP, mtu=one.mtu or mtu) for one in sessions]
    return TunnelStatus(
        name=spec.name, spec=spec, condition=Condition.UP, datapath="user", local=spec.local, sessions=tuple(seen)
    )


def mirrored(spec: TunnelSpec) -> TunnelSpec:
    """The other end, by hand."""
    return dataclasses.replace(
        spec, local=spec.remote, remote=spec.endpoint, tunnel_id=spec.peer_tunnel_id, peer_tunnel_id=spec.tunnel_id,
        local_port=spec.remote_port, remote_port=spec.local_port,
    )  # fmt: skip


def mirrored_session(one: SessionSpec) -> SessionSpec:
    """The other end of a session with sequencing in both directions or none; without, it has nothing to wait for."""
    return dataclasses.replace(
        one, session_id=one.peer_session_id, peer_session_id=one.session_id, tx_cookie=one.rx_cookie,
        rx_cookie=one.tx_cookie, reorder_timeout_ms=one.reorder_timeout_ms if one.sequencing.recv else 0,
    )  # fmt: skip


_ports = st.integers(1, 65535)
_cookies = st.one_of(st.just(b""), st.binary(min_size=4, max_size=4), st.binary(min_size=8, max_size=8))


@st.composite
def tunnels(
    draw: st.DrawFn, *, cookies: bool = True, sequencing: bool = True, one_way: bool = True, plain: bool = False
) -> TunnelStatus:
    """Any tunnel of up to three sessions, over IPv4 or IPv6.

    cookies, sequencing: False is without. one_way: with sequencing in one direction. plain: one session, with the
    sublayer, ids that VyOS takes too, and nothing else.
    """
    ids = st.integers(1, 429_496_729 if plain else 2**32 - 1)
    ends: dict[str, Any] = draw(st.sampled_from([{}, V6]))
    spec = tunnel(
        **ends, encap=draw(st.sampled_from(Encap)), tunnel_id=draw(ids), peer_tunnel_id=draw(ids),
        local_port=draw(_ports), remote_port=draw(_ports), udp_checksum=plain or draw(st.booleans()),
    )  # fmt: skip
    count = 1 if plain else draw(st.integers(0, 3))
    pairs = st.lists(st.tuples(ids, ids), min_size=count, max_size=count, unique_by=(lambda x: x[0], lambda x: x[1]))
    directions = [Sequencing.NONE, Sequencing.BOTH, *([Sequencing.SEND, Sequencing.RECV] if one_way else [])]
    sessions = []
    for number, (session_id, peer_id) in enumerate(draw(pairs)):
        sublayer = Sublayer.DEFAULT if plain else draw(st.sampled_from(Sublayer))
        numbered = sequencing and not plain and sublayer is Sublayer.DEFAULT
        sessions.append(
            session(
                name=f"s{number}", ifname=f"l2tpeth{number}", session_id=session_id, peer_session_id=peer_id,
                tx_cookie=draw(_cookies) if cookies else b"", rx_cookie=draw(_cookies) if cookies else b"",
                sublayer=sublayer, sequencing=draw(st.sampled_from(directions)) if numbered else Sequencing.NONE,
                mtu=draw(st.sampled_from([None, 576, 1400, 9000])), reorder_timeout_ms=draw(st.sampled_from([0, 50])),
            )
        )  # fmt: skip
    return status(spec, *sessions)
