"""VyOS's `set interfaces l2tpv3` commands, out.

Sources: VyOS documentation, configuration/interfaces/l2tpv3; vyos-1x interface-definitions/interfaces_l2tpv3.xml.in
(ranges, defaults) and python/vyos/ifconfig/l2tpv3.py, which runs `ip l2tp add tunnel` and `add session` for each
interface. So an interface is one tunnel with one session, always with the 4-byte sublayer, without cookies or
sequencing, and UDP checksums are ip's default: off over IPv4, on over IPv6.
"""

from __future__ import annotations

import re
import shlex

from l2tpv3.formats.mirror import (
    MirroredTunnel,
    Told,
    refuse_cookies,
    refuse_link_local,
    refuse_many_sessions,
    refuse_no_checksums_over_ipv6,
    refuse_numbers_required,
    words_elsewhere,
)
from l2tpv3.model.fields import SESSION, TUNNEL
from l2tpv3.model.spec import Sublayer

TOOL = "VyOS"
IFNAME = re.compile(r"l2tpeth[0-9]+")
_ID_MAX = 429_496_729  # the interface definition's, a digit short of 32 bits
_MTU_MIN, _MTU_MAX = 68, 16_000


def tell(far: MirroredTunnel) -> Told:
    """The other end as commands for configuration mode. Raises InvalidValueError."""
    _check(far)
    notes = ["type these in configuration mode (`configure`), then `commit` and `save`"]
    lines = ["# VyOS has the 4-byte sublayer, no cookies and no sequencing"]
    for session in far.sessions:
        spec = session.spec
        ifname = spec.ifname if IFNAME.fullmatch(spec.ifname) else f"l2tpeth{far.spec.tunnel_id}"
        if ifname != spec.ifname:
            notes.append(f"VyOS demands names like l2tpeth0: {spec.ifname} is {ifname} there")
        words = {
            "encapsulation": far.spec.encap.value,
            "source-address": far.local,
            "remote": far.spec.remote,
            "tunnel-id": far.spec.tunnel_id,
            "peer-tunnel-id": far.spec.peer_tunnel_id,
            "session-id": spec.session_id,
            "peer-session-id": spec.peer_session_id,
        }
        if far.udp:
            words |= {"source-port": far.spec.local_port, "destination-port": far.spec.remote_port}
        if session.mtu is not None:
            words["mtu"] = session.mtu
        more = words_elsewhere(TUNNEL, far.spec, "vyos") | words_elsewhere(SESSION, spec, "vyos")
        for word, value in more.items():
            lines.append(f"set interfaces l2tpv3 {ifname} {word} {shlex.quote(value)}")
        lines += [f"set interfaces l2tpv3 {ifname} {word} '{value}'" for word, value in words.items()]
    if any(session.spec.sequencing.recv for session in far.sessions):
        notes.append("VyOS can't set sequencing: the kernel there numbers what it sends once it gets numbers")
    return Told(tuple(lines), tuple(notes))


def _check(far: MirroredTunnel) -> None:
    refuse_link_local(far, TOOL)
    if not far.sessions:
        raise far.refuse("it has no sessions, and to VyOS a tunnel is its session's interface", "add a session first")
    refuse_many_sessions(far, TOOL, "its interface is both")
    refuse_no_checksums_over_ipv6(far, TOOL)
    refuse_cookies(far, TOOL)
    refuse_numbers_required(far, TOOL)
    for word, value in (("--peer-id", far.spec.tunnel_id), ("--id", far.spec.peer_tunnel_id)):
        if value > _ID_MAX:
            raise far.refuse(f"{word} {value} is more than VyOS takes, {_ID_MAX}", f"{word} ID")
    for session in far.sessions:
        spec = session.spec
        if spec.sublayer is Sublayer.NONE:
            raise far.refuse_session(session, "it has no sublayer, and VyOS always has one", "--sublayer default")
        for word, value in (("--peer-id", spec.session_id), ("--id", spec.peer_session_id)):
            if value > _ID_MAX:
                raise far.refuse_session(session, f"{word} {value} is more than VyOS takes, {_ID_MAX}", f"{word} ID")
        if session.mtu is not None and not _MTU_MIN <= session.mtu <= _MTU_MAX:
            problem = f"its MTU of {session.mtu} is out of VyOS's range, {_MTU_MIN} to {_MTU_MAX}"
            raise far.refuse_session(session, problem, f"--mtu {_MTU_MAX}")
