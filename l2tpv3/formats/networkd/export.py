"""systemd-networkd's files, out: a .netdev for the tunnel with its sessions, a .network for each session's netdev.

Sources: systemd.netdev(5) "[L2TP]" and "[L2TPSession]", systemd.network(5); src/network/netdev/l2tp-tunnel.c. What
they say that is easily missed:

- There are no cookies and no sequencing.
- A netdev that no .network file matches is left down.
- The tunnel is made once Local= is an address of a link that networkd itself configures (seen with 252): an address
  that something else set is not enough.
- The manual writes UDPChecksum= and UDP6ZeroChecksumTx=, Rx=, but up to version 257 the program knows only
  UDPCheckSum=, UDP6CheckSumTx= and UDP6CheckSumRx= (seen with 252; renamed by systemd's pull request 36422, which kept
  the old ones). The latter two mean what their longer names say: yes is *no* checksums, and that is the default.
"""

from __future__ import annotations

from l2tpv3.formats.mirror import (
    MirroredSession,
    MirroredTunnel,
    Told,
    refuse_cookies,
    refuse_link_local,
    refuse_numbers_required,
    words_elsewhere,
)
from l2tpv3.model.fields import SESSION, TUNNEL
from l2tpv3.model.ids import IFNAME_MAX

TOOL = "systemd-networkd"
FOLDER = "/etc/systemd/network"


def tell(far: MirroredTunnel) -> Told:
    """The other end as files, each headed by a comment with its path. Raises InvalidValueError."""
    refuse_link_local(far, TOOL)
    refuse_cookies(far, TOOL)
    refuse_numbers_required(far, TOOL)
    lines = [f"# {FOLDER}/50-{far.spec.name}.netdev", *_netdev(far)]
    for session in far.sessions:
        lines += ["", f"# {FOLDER}/50-{session.spec.ifname}.network", *_network(session)]
    notes = [
        "each path in a comment begins a file of its own; then `networkctl reload`",
        f"networkd makes the tunnel only when a .network of its own configures the link that has {far.local}",
    ]
    if any(session.spec.sequencing.recv for session in far.sessions):
        notes.append("networkd can't set sequencing: the kernel there numbers what it sends once it gets numbers")
    return Told(tuple(lines), tuple(notes))


def _netdev(far: MirroredTunnel) -> list[str]:
    spec = far.spec
    lines = [
        "[NetDev]",
        f"Name={_name(far)}",
        *(f"{word}={_literal(value)}" for word, value in words_elsewhere(TUNNEL, spec, "networkd").items()),
        "Kind=l2tp",
        "",
        "[L2TP]",
        f"TunnelId={spec.tunnel_id}",
        f"PeerTunnelId={spec.peer_tunnel_id}",
        f"Local={far.local}",
        f"Remote={spec.remote}",
        f"EncapsulationType={spec.encap.value}",
    ]
    if far.udp:
        lines += [f"UDPSourcePort={spec.local_port}", f"UDPDestinationPort={spec.remote_port}"]
        if spec.remote.version == 4:
            lines.append(f"UDPCheckSum={_yes(spec.udp_checksum)}")
        else:
            none = _yes(not spec.udp_checksum)
            lines += [f"UDP6CheckSumTx={none}", f"UDP6CheckSumRx={none}"]
    for session in far.sessions:
        lines += [
            "",
            "[L2TPSession]",
            f"Name={session.spec.ifname}",
            f"SessionId={session.spec.session_id}",
            f"PeerSessionId={session.spec.peer_session_id}",
            f"Layer2SpecificHeader={session.spec.sublayer.value}",
        ]
    return lines


def _network(session: MirroredSession) -> list[str]:
    lines = ["[Match]", f"Name={session.spec.ifname}", ""]
    if session.mtu is not None:
        lines += ["[Link]", f"MTUBytes={session.mtu}", ""]
    more = words_elsewhere(SESSION, session.spec, "networkd")
    said = [f"{word}={_literal(value)}" for word, value in more.items()]
    return [*lines, "[Network]", *said, "# Address= or Bridge= goes here"]


def _name(far: MirroredTunnel) -> str:
    """What networkd takes for the tunnel's name: a netdev's, though there is none, and none of a session."""
    name = far.spec.name
    taken = {session.spec.ifname for session in far.sessions}
    return name if len(name) <= IFNAME_MAX and name not in taken else f"l2tp{far.spec.tunnel_id}"


def _literal(text: str) -> str:
    """A text that networkd reads as it is: a backslash at the end would join the next line (systemd.syntax(7))."""
    return text.rstrip("\\").strip()


def _yes(value: bool) -> str:  # noqa: FBT001 - one word from one flag
    return "yes" if value else "no"
