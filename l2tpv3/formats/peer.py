"""Writes the commands for the other end of a tunnel, its mirror image, for l2tpctl, iproute2 or another tool."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from importlib import import_module

from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.encrypted import encryption_notes, encryption_options, inner_addresses, wireguard_commands
from l2tpv3.formats.ipsec import cisco_lines, linux_lines, routeros_lines, vyos_lines
from l2tpv3.formats.mirror import Told, far_end, mirrored, waits
from l2tpv3.formats.names import PEER_FORMATS
from l2tpv3.model.fields import SESSION, TUNNEL, Field
from l2tpv3.model.ids import IFNAME_MAX, format_cookie, parse_name
from l2tpv3.model.spec import Egress, Encap, Encrypt, IPAddress
from l2tpv3.model.status import SessionStatus, TunnelStatus

_MODULES = {
    "networkd": "networkd.export",
    "vyos": "vyos.export",
    "cisco": "cisco",
    "routeros": "routeros.export",
    "qemu": "qemu",
    "ql2tpd": "ql2tpd.export",
}


def commands(tunnel: TunnelStatus, dialect: str = "l2tpctl", name: str | None = None) -> Told:
    """The other end of a tunnel with its sessions, cookies in clear. dialect: one of PEER_FORMATS.

    name: what the tunnel is called there; None is what it is called here.
    Raises InvalidValueError, also for what the dialect has no words for, when without them nothing would pass.
    """
    if dialect not in PEER_FORMATS:
        raise InvalidValueError("--as", f"{dialect!r} is unknown", f"give one of {', '.join(PEER_FORMATS)}")
    if name is not None:
        parse_name(name, "--name")
    if dialect != "l2tpctl":
        _refuse_fragments(tunnel)
    notes = [*_notes(tunnel, dialect), *encryption_notes(tunnel, dialect)]
    if dialect in ("l2tpctl", "iproute2"):
        lines = _as_l2tpctl(tunnel, name or tunnel.spec.name) if dialect == "l2tpctl" else _as_iproute2(tunnel)
        before = linux_lines(far_end(tunnel, name)) if dialect == "iproute2" and _has_ipsec(tunnel) else []
        return Told((*before, *map(shlex.join, lines)), tuple(notes))
    far = far_end(tunnel, name)
    told: Told = import_module(f"l2tpv3.formats.{_MODULES[dialect]}").tell(far)
    before = _IPSEC[dialect](far) if _has_ipsec(tunnel) else []
    return Told((*before, *told.lines), (*notes, *told.notes))


_IPSEC = {"vyos": vyos_lines, "cisco": cisco_lines, "routeros": routeros_lines}


def _has_ipsec(tunnel: TunnelStatus) -> bool:
    return tunnel.spec.encrypt is Encrypt.IPSEC


def _refuse_fragments(tunnel: TunnelStatus) -> None:
    """No other tool puts the parts of a frame together: each would come out as a frame of its own."""
    for session in tunnel.sessions:
        if session.spec.fragment:
            raise InvalidValueError(
                f"tunnel {tunnel.name}: session {session.name}",
                "its long frames go in parts (--fragment on), which only l2tpctl puts together",
                f"use --as l2tpctl, or `l2tpctl session set {tunnel.name} {session.name} --fragment off` first",
            )


def _notes(tunnel: TunnelStatus, dialect: str) -> list[str]:
    notes = []
    vlans = [session for session in tunnel.sessions if session.spec.vlan is not None]
    if any(map(_has_cookie, tunnel.sessions)):
        notes.append("these commands hold the cookies in clear; they are as secret as the cookies")
    if tunnel.foreign and tunnel.sessions:
        notes.append("something else made this tunnel: whether its sessions have a sublayer is a guess (default)")
    if dialect == "l2tpctl" and _scope(tunnel.spec.remote):
        notes.append("link-local addresses: put the other end's netdev in place of NETDEV")
    if dialect == "iproute2" and any(map(waits, tunnel.sessions)):
        notes.append("`ip l2tp` can't set a reorder timeout: packets out of order are dropped at the other end")
    if vlans and dialect in ("l2tpctl", "cisco"):
        notes.append("a VLAN may have another number at the other end: put that there in place of ours")
    else:
        notes += [_tagged(session, dialect) for session in vlans]
    return notes


def _has_cookie(session: SessionStatus) -> bool:
    return bool(session.spec.tx_cookie or session.spec.rx_cookie)


def _tagged(session: SessionStatus, dialect: str) -> str:
    """What a tool that knows no VLAN pseudowires makes of one."""
    spec = session.spec
    made = dialect == "iproute2" and spec.egress is Egress.REMOVE
    over = f"and {_vlan_netdev(session)[0]} them untagged" if made else "for a VLAN netdev of that number over it"
    return (
        f"session {spec.name}: tags are left as they are there: {spec.ifname} has those of VLAN {spec.vlan}, {over};"
        " what has no tag is dropped here"
    )


def _vlan_netdev(session: SessionStatus) -> tuple[str, list[str]]:
    """A VLAN netdev over the session's at the other end: its name, and the command that makes it."""
    spec = session.spec
    name = f"{spec.ifname[: IFNAME_MAX - 5]}.{spec.vlan}"
    maps = [f"{number}:{number}" for number in range(8)]
    line = ["ip", "link", "add", "link", spec.ifname, "name", name, "type", "vlan", "id", str(spec.vlan)]
    return name, [*line, "egress-qos-map", *maps, "ingress-qos-map", *maps]


def _as_l2tpctl(tunnel: TunnelStatus, name: str) -> list[list[str]]:
    spec = tunnel.spec
    line = ["l2tpctl", "tunnel", "add", name, "--remote", _there(_local(tunnel)), "--local", _there(spec.remote)]
    line += ["--encap", spec.encap.value, "--id", str(spec.peer_tunnel_id), "--peer-id", str(spec.tunnel_id)]
    if spec.encap is Encap.UDP:
        line += ["--local-port", str(spec.remote_port), "--remote-port", str(spec.local_port)]
        line += ["--udp-checksum", "on" if spec.udp_checksum else "off"]
    line += encryption_options(tunnel)
    line += _shared(TUNNEL, spec)
    return [line, *(_l2tpctl_session(name, session) for session in tunnel.sessions)]


def _shared(fields: Iterable[Field], spec: object) -> list[str]:
    """Options of what only the record has, which is the same at both ends."""
    words: list[str] = []
    for field in fields:
        value = getattr(spec, field.attribute)
        if field.applied_by == "record" and value is not None:
            words += [f"--{field.word}", str(value)]
    return words


def _l2tpctl_session(tunnel: str, session: SessionStatus) -> list[str]:
    spec = session.spec
    line = ["l2tpctl", "session", "add", tunnel, spec.name]
    line += ["--id", str(spec.peer_session_id), "--peer-id", str(spec.session_id)]
    line += ["--tx-cookie", format_cookie(spec.rx_cookie), "--rx-cookie", format_cookie(spec.tx_cookie)]
    line += ["--sublayer", spec.sublayer.value, "--sequencing", mirrored(session).value]
    if waits(session):
        line += ["--reorder-timeout-ms", str(spec.reorder_timeout_ms)]
    if spec.vlan is not None:
        line += ["--vlan", str(spec.vlan), "--egress", spec.egress.value]
    if spec.fragment:
        line += ["--fragment", "on"]
    if spec.mtu is not None:
        line += ["--mtu", str(spec.mtu)]
    if (probe := spec.channel_probe) is not None:
        line += ["--probe", spec.probe, "--probe-interval-ms", str(probe.interval_ms)]
        line += ["--probe-multiplier", str(probe.multiplier)]
    return line + _shared(SESSION, spec)


def _as_iproute2(tunnel: TunnelStatus) -> list[list[str]]:
    spec = tunnel.spec
    local = _local(tunnel)
    if _scope(spec.remote):
        problem = "its addresses are link-local, which `ip l2tp` has no words for"
        raise InvalidValueError(f"tunnel {tunnel.name}", problem, "use --as l2tpctl")
    lines = wireguard_commands(tunnel) if spec.is_inside else []
    there, here = inner_addresses(tunnel) if spec.is_inside else (spec.remote, local)
    line = ["ip", "l2tp", "add", "tunnel", "tunnel_id", str(spec.peer_tunnel_id), "peer_tunnel_id", str(spec.tunnel_id)]
    line += ["encap", spec.encap.value, "local", str(there), "remote", str(here)]
    if spec.encap is Encap.UDP:
        line += ["udp_sport", str(spec.remote_port), "udp_dport", str(spec.local_port)]
        # ip's own default is off over IPv4 and on over IPv6 (ip/ipl2tp.c): say which.
        switch = "on" if spec.udp_checksum else "off"
        v6 = here.version == 6
        line += ["udp6_csum_tx", switch, "udp6_csum_rx", switch] if v6 else ["udp_csum", switch]
    lines.append(line)
    for session in tunnel.sessions:
        # While a policy waits for its SA, the kernel has a stand-in for a route, of the loopback device's MTU.
        mtu = session.mtu if _has_ipsec(tunnel) else session.spec.mtu
        lines += _iproute2_session(str(spec.peer_tunnel_id), session, mtu)
    return lines


def _iproute2_session(tunnel_id: str, session: SessionStatus, mtu_bytes: int | None) -> list[list[str]]:
    spec = session.spec
    line = ["ip", "l2tp", "add", "session", "name", spec.ifname, "tunnel_id", tunnel_id]
    line += ["session_id", str(spec.peer_session_id), "peer_session_id", str(spec.session_id)]
    # `cookie` is what that end sends, `peer_cookie` what it expects.
    line += ["cookie", spec.rx_cookie.hex()] if spec.rx_cookie else []
    line += ["peer_cookie", spec.tx_cookie.hex()] if spec.tx_cookie else []
    line += ["l2spec_type", spec.sublayer.value, "seq", mirrored(session).value]
    mtu = ["mtu", str(mtu_bytes)] if mtu_bytes is not None else []
    if spec.vlan is None:
        return [line, ["ip", "link", "set", "dev", spec.ifname, "up", *mtu]]
    # Of itself the kernel leaves no room for the tag.
    number = session.netdev.mtu if session.netdev else session.mtu
    mtu = ["mtu", str(number)] if number else mtu
    lines = [line, ["ip", "link", "set", "dev", spec.ifname, "up", *mtu]]
    if spec.egress is Egress.REMOVE:
        name, made = _vlan_netdev(session)
        lines += [made, ["ip", "link", "set", "dev", name, "up"]]
    return lines


def _local(tunnel: TunnelStatus) -> IPAddress:
    return tunnel.local or tunnel.spec.endpoint


def _scope(address: IPAddress) -> bool:
    return "%" in str(address)


def _there(address: IPAddress) -> str:
    """The address as the other end says it: the scope of a link-local one is that end's own netdev."""
    plain, percent, _ = str(address).partition("%")
    return f"{plain}%NETDEV" if percent else plain
