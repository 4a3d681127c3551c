"""The output of the show commands about tunnels and sessions: tables of several, or one as keys and values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from l2tpv3.cli.output.encryption import encryption_line, encryption_pairs
from l2tpv3.cli.output.hearing import hearing_cell, hearing_text, probing_text
from l2tpv3.cli.output.width import fitted_line, fitted_pairs, fitted_table
from l2tpv3.cli.output.words import other_words
from l2tpv3.model.fields import ENCRYPTION_WORDS, SESSION, TUNNEL

if TYPE_CHECKING:
    from l2tpv3.model.observed import Counters
    from l2tpv3.model.spec import IPAddress
    from l2tpv3.model.status import NetdevState, SessionStatus, TunnelStatus

MASK = "****"

# What is left out first where a terminal is narrow: what is mostly the same for all, or is rarely looked for.
_SPARE_OF_TUNNELS = ("ENCAP", "PEER-ID", "ID", "LOCAL", "SESSIONS", "DATAPATH", "HEARING")
_SPARE_OF_SESSIONS = ("TX-COOKIE", "RX-COOKIE", "SEQUENCING", "SUBLAYER", "PEER-ID", "ID", "MTU", "IFNAME", "HEARING")

# What the text of one has lines of its own for, whose values are joined, or what is seen rather than what is wanted.
_TOLD_OF_TUNNELS = frozenset(
    {"remote", "local", "encap", "id", "peer-id", "local-port", "remote-port", "udp-checksum", "datapath", "netns"}
) | {"encrypt", *ENCRYPTION_WORDS}
_TOLD_OF_SESSIONS = frozenset(
    {
        *("ifname", "id", "peer-id", "tx-cookie", "rx-cookie", "sublayer", "sequencing", "reorder-timeout-ms", "vlan"),
        *("egress", "mtu", "mac", "netns", "address", "bridge", "up"),
    }
)

COUNTERS = (
    ("TX-PACKETS", "tx_packets"),
    ("TX-BYTES", "tx_bytes"),
    ("TX-ERRORS", "tx_errors"),
    ("RX-PACKETS", "rx_packets"),
    ("RX-BYTES", "rx_bytes"),
    ("RX-ERRORS", "rx_errors"),
    ("SEQ-DISCARDS", "rx_seq_discards"),
    ("OUT-OF-ORDER", "rx_oos_packets"),
    ("COOKIE-DISCARDS", "rx_cookie_discards"),
    ("INVALID", "rx_invalid"),
)
"""Heads of a session's counters, and their fields in Counters."""
FRAGMENT_COUNTERS = (
    ("TX-FRAGMENTS", "tx_fragments"),
    ("RX-FRAGMENTS", "rx_fragments"),
    ("REASSEMBLED", "rx_reassembled"),
    ("INCOMPLETE", "rx_incomplete"),
    ("TOO-LONG", "rx_too_long"),
)
"""Those of sessions with fragments, which others do not need to see."""


def endpoint(address: IPAddress | None, port: int, encap: str) -> str:
    """`ADDR:PORT` over UDP, `[ADDR]:PORT` when it is IPv6; over IP the address alone."""
    if address is None:
        return "-"
    if encap != "udp":
        return str(address)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def local_end(tunnel: TunnelStatus) -> str:
    """This end's address and UDP port: WireGuard's where that encrypts the tunnel."""
    spec, address = tunnel.spec, tunnel.local or tunnel.spec.local
    if tunnel.encryption is not None and spec.listen_port is not None:
        return endpoint(address, spec.listen_port, "udp")
    return endpoint(address, spec.local_port, spec.encap)


def remote_end(tunnel: TunnelStatus) -> str:
    """The peer's, as local_end."""
    spec = tunnel.spec
    if tunnel.encryption is not None and spec.peer_listen_port is not None:
        return endpoint(spec.remote, spec.peer_listen_port, "udp")
    return endpoint(spec.remote, spec.remote_port, spec.encap)


def peer_address(tunnel: TunnelStatus) -> str:
    """The peer's name, where it has one, and its address."""
    name, address = tunnel.spec.remote_name, str(tunnel.spec.remote)
    return address if name is None else f"{name} ({address})"


def encap(tunnel: TunnelStatus) -> str:
    """What carries the packets: `udp`, `ip in wireguard`."""
    spec = tunnel.spec
    return spec.encap.value + (f" in {spec.encrypt.value}" if tunnel.encryption is not None else "")


def cookie(value: bytes, *, secrets: bool, short: bool = False) -> str:
    """`none`, the hex digits, or a mask that tells the length. short: without spaces, for a table."""
    if not value:
        return "none"
    if secrets:
        return value.hex()
    return f"{MASK}({len(value)})" if short else f"{MASK} ({len(value)} bytes)"


def tunnels_table(tunnels: Iterable[TunnelStatus]) -> str:
    """A line for each tunnel."""
    heads = ("NAME", "CONDITION", "HEARING", "DATAPATH", "ENCAP", "LOCAL", "REMOTE", "ID", "PEER-ID", "SESSIONS")
    right = ("ID", "PEER-ID", "SESSIONS")
    return fitted_table(heads, [_tunnel_row(tunnel) for tunnel in tunnels], right=right, spare=_SPARE_OF_TUNNELS)


def brief_tunnels(tunnels: Iterable[TunnelStatus]) -> str:
    """A line for each tunnel, with how many of its sessions are in which condition."""
    rows = [
        (one.name, _condition(one), hearing_cell(one), peer_address(one), conditions(one.sessions)) for one in tunnels
    ]
    return fitted_table(("TUNNEL", "CONDITION", "HEARING", "REMOTE", "SESSIONS"), rows, spare=("REMOTE", "HEARING"))


def conditions(found: Collection[SessionStatus]) -> str:
    """`4` where all are up, else how many are in which condition: `4: 3 up, 1 missing`."""
    counted = Counter(one.condition.value for one in found)
    if set(counted) <= {"up"}:
        return str(len(found))
    return f"{len(found)}: " + ", ".join(f"{number} {word}" for word, number in counted.most_common())


def _tunnel_row(status: TunnelStatus) -> Sequence[object]:
    spec = status.spec
    return (
        status.name,
        _condition(status),
        hearing_cell(status),
        status.datapath,
        encap(status),
        local_end(status),
        remote_end(status),
        spec.tunnel_id,
        spec.peer_tunnel_id,
        len(status.sessions),
    )


def _condition(status: TunnelStatus | SessionStatus) -> str:
    return f"{status.condition.value},foreign" if status.foreign else status.condition.value


def sessions_table(sessions: Iterable[tuple[str, SessionStatus]], *, secrets: bool = False, indent: int = 0) -> str:
    """A line for each session, from pairs of tunnel's name and session."""
    heads = (
        "TUNNEL", "NAME", "CONDITION", "HEARING", "IFNAME", "ID", "PEER-ID", "MTU", "TX-COOKIE", "RX-COOKIE",
        "SUBLAYER", "SEQUENCING", "ATTACHED",
    )  # fmt: skip
    sessions = list(sessions)
    rows = [_session_row(tunnel, session, secrets=secrets) for tunnel, session in sessions]
    text = fitted_table(heads, rows, right=("ID", "PEER-ID", "MTU"), indent=indent, spare=_SPARE_OF_SESSIONS)
    return text + "".join(_notes(f"{tunnel}/{session.name}", session, indent=indent) for tunnel, session in sessions)


def _notes(name: str, session: SessionStatus, *, indent: int = 0) -> str:
    return "".join(fitted_line(f"{' ' * indent}note  {name}: {note}") for note in session.notes)


def brief_sessions(sessions: Iterable[tuple[str, SessionStatus]]) -> str:
    """A line for each session: what it is called, whether it is there, where it is put to use."""
    rows = [
        (f"{tunnel}/{one.name}", _condition(one), hearing_cell(one), ifname(one), attached(one.netdev))
        for tunnel, one in sessions
    ]
    heads = ("SESSION", "CONDITION", "HEARING", "IFNAME", "ATTACHED")
    return fitted_table(heads, rows, spare=("IFNAME", "HEARING"))


def _session_row(tunnel: str, status: SessionStatus, *, secrets: bool) -> Sequence[object]:
    from l2tpv3.documents.tunnel import sequencing

    spec = status.spec
    return (
        tunnel,
        status.name,
        _condition(status),
        hearing_cell(status),
        ifname(status),
        spec.session_id,
        spec.peer_session_id,
        status.mtu,
        cookie(spec.tx_cookie, secrets=secrets, short=True),
        cookie(spec.rx_cookie, secrets=secrets, short=True),
        None if status.foreign else spec.sublayer.value,
        sequencing(status).value,
        attached(status.netdev),
    )


def ifname(status: SessionStatus) -> str:
    """The netdev's name as it is now; somebody may have renamed it."""
    return status.netdev.ifname if status.netdev else status.spec.ifname


def attached(netdev: NetdevState | None) -> str:
    """The namespace, the bridge and the addresses of a netdev, joined by commas; "" where there are none."""
    if netdev is None:
        return ""
    where = [f"netns={netdev.netns}"] if netdev.netns else []
    where += [f"bridge={netdev.bridge}"] if netdev.bridge else []
    # A link-local address is there by itself; saying so tells nothing.
    return ",".join(where + [str(address) for address in netdev.addresses if not address.ip.is_link_local])


def status_text(tunnels: Sequence[TunnelStatus]) -> str:
    """The whole status, as `l2tpctl` without a command prints it."""
    blocks = []
    for tunnel in tunnels:
        rows = [_status_row(session) for session in tunnel.sessions]
        heads = ("SESSION", "CONDITION", "HEARING", "IFNAME", "MTU", "TX-PACKETS", "RX-PACKETS", "DROPPED", "ATTACHED")
        right = ("MTU", "TX-PACKETS", "RX-PACKETS", "DROPPED")
        spare = ("MTU", "IFNAME", "TX-PACKETS", "RX-PACKETS", "HEARING")
        sessions = fitted_table(heads, rows, right=right, indent=2, spare=spare) if rows else "  no sessions\n"
        notes = "".join(_notes(session.name, session, indent=2) for session in tunnel.sessions)
        blocks.append(_headline(tunnel) + sessions + notes)
    return "\n".join(blocks)


def _headline(status: TunnelStatus) -> str:
    spec = status.spec
    here = local_end(status)
    there = remote_end(status)
    reason = f" ({status.reason})" if status.reason else ""
    facts: list[tuple[str, object]] = [
        (
            "condition",
            f"{status.condition.value}, made by something else" if status.foreign else status.condition.value,
        ),
        ("path", f"{encap(status)} {here} -> {there}" + (f", netns {spec.netns}" if spec.netns else "")),
        ("datapath", status.datapath + reason),
        *([("encryption", encryption_line(status.encryption))] if status.encryption is not None else []),
        *([("transient", "yes: forgotten at the next boot")] if status.transient else []),
        *(("note", note) for note in status.notes),
        ("more", _doctor(status)),
    ]
    return f"tunnel {status.name}\n" + fitted_pairs(facts, indent=2)


def _doctor(status: TunnelStatus) -> str | None:
    """Where to look on: something is noted of the tunnel, or nothing answers what it sends."""
    if status.foreign:
        return None
    noted = status.notes or any(one.notes for one in status.sessions)
    unheard = status.condition.value == "up" and status.hearing is not None and status.hearing.value == "unheard"
    return f"`l2tpctl doctor {status.name}` looks closer" if noted or unheard else None


def _status_row(status: SessionStatus) -> Sequence[object]:
    counters = status.counters
    return (
        status.name,
        _condition(status),
        hearing_cell(status),
        ifname(status),
        status.mtu,
        counters.tx_packets,
        counters.rx_packets,
        dropped(counters),
        attached(status.netdev),
    )


DROPS = ("tx_errors", "rx_errors", "rx_seq_discards", "rx_cookie_discards", "rx_invalid")
"""The counters of what did not get through."""


def dropped(counters: Counters) -> int:
    """Frames that did not get through, either way. Those out of order are not counted: they may have been delivered."""
    return sum(getattr(counters, name) for name in DROPS)


def tunnel_text(status: TunnelStatus, *, secrets: bool = False, brief: bool = False) -> str:
    """One tunnel as keys and values, then its sessions; brief: only how many there are."""
    spec = status.spec
    udp = spec.encap.value == "udp"
    counters = status.counters
    text = fitted_pairs(
        [
            ("name", status.name),
            ("condition", status.condition.value),
            ("hearing", hearing_text(status)),
            ("foreign", "yes: something else made it, l2tpctl never changes it" if status.foreign else None),
            ("transient", "yes: forgotten at the next boot" if status.transient else None),
            ("datapath", status.datapath),
            ("reason", status.reason),
            ("encap", encap(status)),
            ("local", local_end(status)),
            ("remote", remote_end(status)),
            ("id", spec.tunnel_id),
            ("peer-id", spec.peer_tunnel_id),
            ("udp-checksum", ("on" if spec.udp_checksum else "off") if udp else None),
            ("netns", spec.netns),
            *other_words(TUNNEL, spec, _TOLD_OF_TUNNELS),
            *encryption_pairs(status),
            ("worker", f"pid {status.worker_pid}" if status.worker_pid else None),
            *(("note", note) for note in status.notes),
            ("more", _doctor(status)),
            ("unknown session", counters.rx_unknown_session),
            ("control packets", counters.rx_control),
            ("invalid packets", counters.rx_invalid),
            ("too long to send", counters.tx_too_long),
        ]
    )
    if brief:
        text += fitted_pairs([("sessions", conditions(status.sessions))])
    elif status.sessions:
        text += "\n" + sessions_table([(status.name, session) for session in status.sessions], secrets=secrets)
    return text


def session_text(tunnel: str, status: SessionStatus, *, secrets: bool = False) -> str:
    """One session as keys and values, with its netdev and counters."""
    spec = status.spec
    as_asked_for = "" if spec.mtu is None else " (as asked for)"
    counters = (*COUNTERS, *FRAGMENT_COUNTERS) if spec.fragment else COUNTERS
    return fitted_pairs(
        [
            ("tunnel", tunnel),
            ("name", status.name),
            ("condition", status.condition.value),
            ("hearing", hearing_text(status)),
            ("probing", probing_text(status)),
            ("foreign", "yes: something else made it, l2tpctl never changes it" if status.foreign else None),
            ("id", spec.session_id),
            ("peer-id", spec.peer_session_id),
            ("tx-cookie", cookie(spec.tx_cookie, secrets=secrets)),
            ("rx-cookie", cookie(spec.rx_cookie, secrets=secrets)),
            ("sublayer", "unknown" if status.foreign else spec.sublayer.value),
            ("sequencing", _sequencing(status)),
            ("reorder-timeout-ms", spec.reorder_timeout_ms or None),
            ("vlan", _vlan(status)),
            ("mtu", f"{status.mtu}{as_asked_for}" if status.mtu is not None else None),
            *other_words(SESSION, spec, _TOLD_OF_SESSIONS),
            *_netdev_pairs(status),
            *(("note", note) for note in status.notes or _not_running(tunnel, status)),
            *(("address", str(address)) for address in (status.netdev or spec).addresses),
            *((head.lower(), getattr(status.counters, field)) for head, field in counters),
        ]
    )


def _sequencing(status: SessionStatus) -> str:
    """The sequencing that is asked for and, where that differs, what is done now."""
    from l2tpv3.documents.tunnel import sequencing

    now = {(True, True): "both", (True, False): "send", (False, True): "recv"}
    done = now.get((status.send_seq, status.recv_seq), "none")
    if status.spec.fragment:
        return f"{done} (by --fragment)"
    asked: str = sequencing(status).value
    return asked if done == asked else f"{asked} (now {done})"


def _netdev_pairs(status: SessionStatus) -> list[tuple[str, object]]:
    """The session's netdev as keys and values or, where there is none, what is wanted of it."""
    spec, netdev = status.spec, status.netdev
    if netdev is None:
        wanted = f"{spec.ifname} (not there)"
        return [("ifname", wanted), ("netns", spec.netns), ("bridge", spec.bridge)]
    return [
        ("ifname", ifname(status)),
        ("mac", netdev.mac),
        ("netns", netdev.netns),
        ("carrier", netdev.carrier),
        ("bridge", netdev.bridge),
    ]


def _not_running(tunnel: str, status: SessionStatus) -> tuple[str, ...]:
    """What to say of a session that is missing without a note of its own: its tunnel's notes say why."""
    missing = status.condition.value == "missing"
    return (f"it is not running; `l2tpctl tunnel show {tunnel}` says why",) if missing else ()


def _vlan(status: SessionStatus) -> str | None:
    """The VLAN of an ethernet VLAN pseudowire, what becomes of its tag, and who sees to it."""
    spec = status.spec
    if spec.vlan is None:
        return None
    kinds = {"vlan": " by this VLAN netdev", "": " by tc filters of this netdev"}  # in the kernel; a worker's is `tun`
    by = kinds.get(status.netdev.kind, "") if status.netdev is not None else ""
    done = "removed" if spec.egress.value == "remove" else "rewritten"
    return f"{spec.vlan} (pseudowire type 0x0004), tag {done} at egress{by}"
