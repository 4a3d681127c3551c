"""QEMU's l2tpv3 network backend, out: commands for a QEMU without a guest that joins the session to a TAP.

Sources: qemu(1) "-netdev l2tpv3", QEMU's qapi/net.json NetdevL2TPv3Options and net/l2tpv3.c, which say that

- one backend is one session with a socket of its own, so that over UDP a port has one session;
- frames over 2048 bytes are cut on receipt;
- the cookies of both directions are there or not together, and of one length; `cookie64=off` still means 64 bits;
- `counter=on` puts the 4-byte field there, without the bit that says that there is a number: the default sublayer,
  unsequenced; `pincounter=on` keeps it zero.
"""

from __future__ import annotations

import shlex

from l2tpv3.formats.mirror import (
    MirroredSession,
    MirroredTunnel,
    Told,
    refuse_link_local,
    refuse_many_sessions,
    refuse_no_checksums_over_ipv6,
    refuse_numbers_required,
    refuse_one_sided_cookies,
)
from l2tpv3.model.spec import Sublayer

TOOL = "QEMU"
_FRAME_MAX = 2048
_ETHERNET_HEADER = 14


def tell(far: MirroredTunnel) -> Told:
    """The other end as shell commands: a TAP named as the netdev here, and a QEMU that stays. InvalidValueError."""
    _check(far)
    lines: list[list[str]] = []
    qemu = ["qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none", "-monitor", "none"]
    qemu += ["-serial", "none"]
    for number, session in enumerate(far.sessions):
        tap = session.spec.ifname
        mtu = [] if session.mtu is None else ["mtu", str(session.mtu)]
        lines.append(["ip", "tuntap", "add", "dev", tap, "mode", "tap"])
        lines.append(["ip", "link", "set", "dev", tap, "up", *mtu])
        for netdev in (
            _l2tpv3(far, session, number),
            f"tap,id=t{number},ifname={tap},script=no,downscript=no",
            f"hubport,id=hl{number},hubid={number},netdev=l{number}",
            f"hubport,id=ht{number},hubid={number},netdev=t{number}",
        ):
            qemu += ["-netdev", netdev]
    notes = [
        "the last command stays in the foreground, and its words can be seen in the process list",
        "to join a guest instead of a TAP, take the l2tpv3 -netdev alone and give it to the guest's -device",
    ]
    if any(session.spec.sequencing.recv for session in far.sessions):
        notes.append("QEMU takes numbered packets in whatever order they come")
    return Told(("# counter=on is the 4-byte sublayer", *map(shlex.join, [*lines, qemu])), tuple(notes))


def _check(far: MirroredTunnel) -> None:
    refuse_link_local(far, TOOL)
    if not far.sessions:
        raise far.refuse("it has no sessions, and to QEMU a tunnel is its session's backend", "add one first")
    if far.udp:
        refuse_many_sessions(far, TOOL, "each binds the port")
    refuse_no_checksums_over_ipv6(far, TOOL)
    refuse_one_sided_cookies(far, TOOL)
    refuse_numbers_required(far, TOOL)
    most = _FRAME_MAX - _ETHERNET_HEADER
    for session in far.sessions:
        if session.mtu is not None and session.mtu > most:
            problem = f"its MTU is {session.mtu}, and QEMU cuts frames over {_FRAME_MAX} bytes"
            raise far.refuse_session(session, problem, f"--mtu {most}")
        if "," in session.spec.ifname:
            raise far.refuse_session(session, "its netdev's name has a comma in it, QEMU's separator", "--ifname NAME")


def _l2tpv3(far: MirroredTunnel, session: MirroredSession, number: int) -> str:
    spec = session.spec
    words = [f"l2tpv3,id=l{number}", f"src={far.local}", f"dst={far.spec.remote}"]
    words += ["ipv6=on"] if far.spec.remote.version == 6 else []
    if far.udp:
        words += ["udp=on", f"srcport={far.spec.local_port}", f"dstport={far.spec.remote_port}"]
    words += [f"rxsession={spec.session_id}", f"txsession={spec.peer_session_id}"]
    if spec.rx_cookie:
        words += ["cookie64=on"] if len(spec.rx_cookie) == 8 else []
        words += [f"rxcookie=0x{spec.rx_cookie.hex()}", f"txcookie=0x{spec.tx_cookie.hex()}"]
    words += ["counter=on", "pincounter=on"] if spec.sublayer is Sublayer.DEFAULT else []
    return ",".join(words)
