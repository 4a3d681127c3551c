"""go-l2tp's ql2tpd configuration, out.

Sources: katalix/go-l2tp, ql2tpd.toml(5), config/config.go (which also knows reorder_timeout) and l2tp/nl_dataplane.go:
seqnum is both directions at once; the sublayer defaults to none; UDP checksums are the kernel's default, off over IPv4
and on over IPv6. Addresses have a port also over IP, where it is not used. Cookies don't work: 0.1.8 sends
`peer_cookie` as its own (seen: no ping of four passed with cookies, all without).
"""

from __future__ import annotations

from l2tpv3.formats.mirror import (
    MirroredSession,
    MirroredTunnel,
    Told,
    refuse_cookies,
    refuse_link_local,
    refuse_no_checksums_over_ipv6,
)
from l2tpv3.model.source import format_key, format_text
from l2tpv3.model.spec import IPAddress, Sequencing

TOOL = "ql2tpd"


def tell(far: MirroredTunnel) -> Told:
    """The other end as ql2tpd.toml. Raises InvalidValueError."""
    refuse_link_local(far, TOOL)
    refuse_no_checksums_over_ipv6(far, TOOL)
    refuse_cookies(far, TOOL)
    for session in far.sessions:
        if session.spec.sequencing is Sequencing.SEND:
            problem = "it takes numbers and sends none, and ql2tpd has sequencing in both directions or none"
            raise far.refuse_session(session, problem, "--sequencing both")
    spec = far.spec
    table = f"tunnel.{format_key(spec.name)}"
    lines = [
        f"[{table}]",
        'version = "l2tpv3"',
        f'encap = "{spec.encap.value}"',
        f"local = {format_text(_endpoint(far.local, spec.local_port))}",
        f"peer = {format_text(_endpoint(spec.remote, spec.remote_port))}",
        f"tid = {spec.tunnel_id}",
        f"ptid = {spec.peer_tunnel_id}",
    ]
    notes = ["ql2tpd leaves the netdevs down: `ip link set dev IF up` once it runs"] if far.sessions else []
    for session in far.sessions:
        lines += ["", *_session(table, session)]
        if session.spec.mtu is not None:
            ifname, mtu = session.spec.ifname, session.spec.mtu
            notes.append(f"ql2tpd can't set an MTU: `ip link set dev {ifname} mtu {mtu}` once it runs")
    return Told(tuple(lines), tuple(notes))


def _session(table: str, session: MirroredSession) -> list[str]:
    spec = session.spec
    lines = [
        f"[{table}.session.{format_key(spec.name)}]",
        'pseudowire = "eth"',
        f"sid = {spec.session_id}",
        f"psid = {spec.peer_session_id}",
        f"interface_name = {format_text(spec.ifname)}",
        f'l2spec_type = "{spec.sublayer.value}"',
        f"seqnum = {'false' if spec.sequencing is Sequencing.NONE else 'true'}",
    ]
    lines += [f"reorder_timeout = {spec.reorder_timeout_ms} # milliseconds"] if session.waits else []
    return lines


def _endpoint(address: IPAddress, port: int) -> str:
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"
