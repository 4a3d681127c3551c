"""MikroTik RouterOS's `/interface l2tp-ether` in unmanaged mode, out.

Source: RouterOS manual, "L2TP", "L2TP Ether" (help.mikrotik.com/docs/spaces/ROS/pages/2031631/L2TP): properties,
defaults (no sublayer, MTU 1420, l2tpv3-udp); a report to systemd (32771) shows an unmanaged interface that works with
the Linux kernel. There are no properties for UDP ports, checksums or sequencing: it is port 1701 at both ends.
"""

from __future__ import annotations

import re

from l2tpv3.formats.mirror import (
    MirroredSession,
    MirroredTunnel,
    Told,
    refuse_link_local,
    refuse_many_sessions,
    refuse_no_checksums_over_ipv6,
    words_elsewhere,
)
from l2tpv3.model.fields import SESSION, TUNNEL
from l2tpv3.model.spec import UDP_PORT, Sequencing, Sublayer

TOOL = "RouterOS"
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")  # anything else would need the quoting of RouterOS's scripts


def tell(far: MirroredTunnel) -> Told:
    """The other end as one command. Raises InvalidValueError."""
    _check(far)
    notes = ("this takes RouterOS 7.1 or later, and unmanaged-mode, which came after it",)
    return Told(tuple(_line(far, session) for session in far.sessions), notes)


def _check(far: MirroredTunnel) -> None:
    refuse_link_local(far, TOOL)
    if not far.sessions:
        raise far.refuse("it has no sessions, and to RouterOS a tunnel is its session's interface", "add one first")
    refuse_many_sessions(far, TOOL, "its interface is both")
    if far.udp and not far.spec.local_port == far.spec.remote_port == UDP_PORT:
        ports = f"{far.spec.local_port} there and {far.spec.remote_port} here"
        problem = f"its ports are {ports}, and RouterOS has no others than {UDP_PORT}"
        raise far.refuse(problem, f"--local-port {UDP_PORT} --remote-port {UDP_PORT}")
    refuse_no_checksums_over_ipv6(far, TOOL)
    for session in far.sessions:
        if session.spec.sequencing is not Sequencing.NONE:
            raise far.refuse_session(session, "it has sequencing, and RouterOS has none", "--sequencing none")


def _line(far: MirroredTunnel, session: MirroredSession) -> str:
    spec = session.spec
    words = {
        "name": spec.ifname if _PLAIN.fullmatch(spec.ifname) else f"l2tp-ether{far.spec.tunnel_id}",
        "connect-to": far.spec.remote,
        "local-address": far.local,
        "l2tp-proto-version": f"l2tpv3-{far.spec.encap.value}",
        "unmanaged-mode": "yes",
        "local-tunnel-id": far.spec.tunnel_id,
        "remote-tunnel-id": far.spec.peer_tunnel_id,
        "local-session-id": spec.session_id,
        "remote-session-id": spec.peer_session_id,
        "send-cookie": spec.tx_cookie.hex() or '""',
        "peer-cookie": spec.rx_cookie.hex() or '""',
        "use-l2-specific-sublayer": "yes" if spec.sublayer is Sublayer.DEFAULT else "no",
    }
    if session.mtu is not None:
        words["mtu"] = session.mtu
    more = words_elsewhere(TUNNEL, far.spec, "routeros") | words_elsewhere(SESSION, spec, "routeros")
    words |= {word: _quoted(value) for word, value in more.items()}
    return " ".join(["/interface l2tp-ether add", *(f"{word}={value}" for word, value in words.items()), "disabled=no"])


def _quoted(text: str) -> str:
    """A text between quotes, as RouterOS's scripts have it: manual, "Scripting", "Constant Escape Sequences"."""
    return '"' + re.sub(r'["\\$?]', r"\\\g<0>", text) + '"'
