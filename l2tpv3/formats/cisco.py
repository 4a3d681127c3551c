"""Writes static L2TPv3 sessions for Cisco IOS: a pseudowire class, and an xconnect on a port for each session.

Sources: Cisco, "Layer 2 Tunneling Protocol Version 3" (Wide-Area Networking Configuration Guide, IOS 15M&T, and the
12.0S feature guide), "Manually Configuring L2TPv3 Session Parameters"; ip-l2tp(8) "INTEROPERABILITY": there the
sublayer defaults to none. Static sessions are over IP protocol 115, and here over IPv4. `local` is what this router
assigns and therefore receives, `remote` what it sends, as in RFC 3931.

None of this has met a router. The arguments of `l2tp cookie` (size, low value, high value) are the least certain: the
command reference's text was out of reach when this was written.
"""

from __future__ import annotations

from l2tpv3.formats.mirror import (
    MirroredSession,
    MirroredTunnel,
    Told,
    refuse_link_local,
    refuse_one_sided_cookies,
    words_elsewhere,
)
from l2tpv3.model.fields import SESSION
from l2tpv3.model.spec import Sequencing, Sublayer

TOOL = "Cisco IOS"
_PORT_MTU = 1500


def tell(far: MirroredTunnel) -> Told:
    """The other end as IOS commands, LOCAL-INTERFACE and the ports left to be filled in. Raises InvalidValueError."""
    _check(far)
    name = f"l2tpv3-{far.spec.name}"
    numbered = {session.spec.sequencing is Sequencing.BOTH for session in far.sessions}
    lines = ["! the sublayer is there only with sequencing"] if far.sessions else []
    for sequenced in sorted(numbered):
        lines += [f"pseudowire-class {_class(name, sequenced=sequenced)}", " encapsulation l2tpv3", " protocol none"]
        lines += [" sequencing both"] if sequenced else []
        lines += [" ip local interface LOCAL-INTERFACE", "!"]
    for session in far.sessions:
        lines += [*_xconnect(far, session, name), "!"]
    notes = [
        f"put the interface that has {far.local} in place of LOCAL-INTERFACE, a port in place of each PORT-",
        "type these in global configuration mode",
    ]
    if any(len(session.spec.tx_cookie) == 8 for session in far.sessions):
        notes.append("8-byte cookies are low half, high half: where rx_cookie_discards count, try them the other way")
    if any(session.mtu is not None and session.mtu < _PORT_MTU for session in far.sessions):
        notes.append(f"an IOS port carries frames of {_PORT_MTU} bytes: set the MTU on what is attached to it as here")
    return Told(tuple(lines), tuple(notes))


def _check(far: MirroredTunnel) -> None:
    refuse_link_local(far, TOOL)
    if far.udp:
        raise far.refuse("it is over UDP, and static sessions of Cisco IOS are over IP", "--encap ip")
    if far.spec.remote.version == 6:
        raise far.refuse("it is over IPv6, and this is for static sessions over IPv4", "give IPv4 addresses")
    refuse_one_sided_cookies(far, TOOL)
    for session in far.sessions:
        sequencing, sublayer = session.spec.sequencing, session.spec.sublayer
        if sequencing is Sequencing.NONE and sublayer is Sublayer.DEFAULT:
            problem = "it has the sublayer without sequencing, and Cisco IOS has it only with"
            raise far.refuse_session(session, problem, "--sublayer none")
        if sequencing in (Sequencing.SEND, Sequencing.RECV):
            problem = "it has sequencing in one direction, and Cisco IOS has the sublayer only with sequencing"
            raise far.refuse_session(session, problem, "--sequencing both")


def _class(name: str, *, sequenced: bool) -> str:
    return f"{name}-sequenced" if sequenced else name


def _xconnect(far: MirroredTunnel, session: MirroredSession, name: str) -> list[str]:
    spec = session.spec
    pw_class = _class(name, sequenced=spec.sequencing is Sequencing.BOTH)
    # On a subinterface it is an ethernet VLAN pseudowire; the router writes its own number into what comes in.
    port = [f"interface PORT-{spec.name}"]
    if spec.vlan is not None:
        port = [f"interface PORT-{spec.name}.{spec.vlan}", f" encapsulation dot1Q {spec.vlan}"]
    lines = [
        *port,
        *(f" {word} {value}" for word, value in words_elsewhere(SESSION, spec, "cisco").items()),
        f" xconnect {far.spec.remote} {spec.session_id} encapsulation l2tpv3 manual pw-class {pw_class}",
        f"  l2tp id {spec.session_id} {spec.peer_session_id}",
    ]
    if spec.rx_cookie:
        lines += [f"  l2tp cookie local {_cookie(spec.rx_cookie)}", f"  l2tp cookie remote {_cookie(spec.tx_cookie)}"]
    return lines


def _cookie(cookie: bytes) -> str:
    """Size and value in decimal, 8 bytes as two numbers, the low one first."""
    words = [int.from_bytes(cookie[at : at + 4], "big") for at in range(0, len(cookie), 4)]
    return " ".join(map(str, (len(cookie), *reversed(words))))
