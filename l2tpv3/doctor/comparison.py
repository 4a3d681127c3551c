"""Compares both ends of a pseudowire: what differs and must not, or is the same and must not be. No I/O.

Each comparison is one function; SESSIONS and TUNNELS are the lists of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Final

from l2tpv3.doctor.ends import HostEnd, SessionEnd, TunnelEnd
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.value_class import value_class

_CLOCKS_S: Final = 5.0
"""Seconds by which clocks may be apart, beyond what the question took."""


@value_class(frozen=True, slots=True, kw_only=True)
class Wire:
    """Both ends of a tunnel. there: what the far host is called in sentences, `at siteb`."""

    near: TunnelEnd
    far: TunnelEnd
    there: str

    def of_tunnel(self, cause: str, harm: Harm, says: str, remedy: str = "", evidence: tuple[str, ...] = ()) -> Finding:
        """A finding about the tunnel, by its name here."""
        subject = f"tunnel {self.near.name}"
        return Finding(cause=cause, harm=harm, subject=subject, says=says, evidence=evidence, remedy=remedy)


@value_class(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both ends of a session of a tunnel."""

    wire: Wire
    near: SessionEnd
    far: SessionEnd

    def finding(self, cause: str, harm: Harm, says: str, remedy: str = "") -> Finding:
        """A finding about the session, by its names here."""
        subject = f"session {self.wire.near.name}/{self.near.name}"
        return Finding(cause=cause, harm=harm, subject=subject, says=says, remedy=remedy)

    def change(self, words: str) -> str:
        """The command that changes the session here."""
        return f"`l2tpctl session set {self.wire.near.name} {self.near.name} {words}`"


def counterpart(near: TunnelEnd, far: HostEnd) -> TunnelEnd | None:
    """The far end of a tunnel: the one whose addresses and ports fit, else its ids, its addresses, its name.

    None where there is none. Of several that fit in one way, the one that fits in the next way as well.
    """
    wanted = {(one.peer_id, one.id) for one in near.sessions}

    def fit(one: TunnelEnd) -> tuple[bool, bool, bool, bool]:
        ids = {(it.id, it.peer_id) for it in one.sessions}
        addresses = _same(one.local, near.remote) and _same(one.remote, near.local)
        ports = (one.local_port, one.remote_port) == (near.remote_port, near.local_port)
        return addresses and ports, bool(wanted & ids), addresses, one.name == near.name

    best = max(far.tunnels, key=fit, default=None)
    return best if best is not None and any(fit(best)) else None


def _same(one: str, other: str) -> bool:
    return bool(one) and one.partition("%")[0] == other.partition("%")[0]


def pairs(wire: Wire) -> Iterator[Pair]:
    """The sessions of both ends, joined: by their ids, else by their name, else what is left where that is one each."""
    nears, fars = list(wire.near.sessions), list(wire.far.sessions)
    ways: tuple[Callable[[SessionEnd, SessionEnd], bool], ...] = (
        lambda near, far: (near.id, near.peer_id) == (far.peer_id, far.id),
        lambda near, far: near.peer_id == far.id or near.id == far.peer_id,
        lambda near, far: near.name == far.name,
        lambda _near, _far: len(nears) == len(fars) == 1,
    )
    for fits in ways:
        for near in tuple(nears):
            far = next((one for one in fars if fits(near, one)), None)
            if far is not None:
                nears.remove(near)
                fars.remove(far)
                yield Pair(wire=wire, near=near, far=far)


def compared(wire: Wire) -> Iterator[Finding]:
    """All that is wrong between both ends of a tunnel, and of its sessions."""
    for of_tunnel in TUNNELS:
        yield from of_tunnel(wire)
    joined = list(pairs(wire))
    for pair in joined:
        for of_session in SESSIONS:
            yield from of_session(pair)
    known = {pair.near.name for pair in joined}
    for one in wire.near.sessions:
        if one.name not in known:
            says = f"{wire.there} there is no session for session {one.name}"
            remedy = f"`l2tpctl peer {wire.near.name}` prints what the other end has to have"
            subject = f"session {wire.near.name}/{one.name}"
            yield Finding(cause="session-id", harm=Harm.STOPS, subject=subject, says=says, remedy=remedy)


def clocks(near: tuple[float, float], far: HostEnd, version: str, there: str) -> Iterator[Finding]:
    """What differs between the hosts. near: the time here before and after the far one was asked. version: here."""
    ahead = max(far.clock - near[1], near[0] - far.clock)
    if not ahead <= _CLOCKS_S:
        which = "ahead of" if far.clock > near[1] else "behind"
        says = f"the clock {there} is {ahead:.0f} s {which} this host's: keys and certificates depend on it"
        remedy = "`timedatectl set-ntp true` at both ends"
        yield Finding(cause="clock", harm=Harm.NONE, subject=f"the host {there}", says=says, remedy=remedy)
    if far.version != version:
        says = f"l2tpctl has version {far.version} {there}, and {version} here"
        remedy = "install the same version at both ends"
        yield Finding(cause="version", harm=Harm.NONE, subject=f"the host {there}", says=says, remedy=remedy)


# -- tunnels -----------------------------------------------------------------------------------------------------------


def _encap(wire: Wire) -> Iterator[Finding]:
    near, far = wire.near, wire.far
    if near.encap != far.encap:
        says = f"the tunnel is over {near.encap.upper()} here, and over {far.encap.upper()} {wire.there}"
        yield wire.of_tunnel("encap", Harm.STOPS, says, f"`l2tpctl tunnel set {near.name} --encap {far.encap}`")


def _ends(wire: Wire) -> Iterator[Finding]:
    """Addresses and ports. Where an address differs, a NAT may be between: then that is no fault."""
    near, far = wire.near, wire.far
    ways = ((near, far, "here", wire.there), (far, near, wire.there, "here"))
    for sender, receiver, at_sender, at_receiver in ways:
        ports = sender.remote_port != receiver.local_port and sender.encap == receiver.encap
        if _same(sender.remote, receiver.local) and not ports:
            continue
        to, has = _place(sender.remote, sender.remote_port), _place(receiver.local, receiver.local_port)
        says = f"the tunnel {at_sender} sends to {to}, and the one {at_receiver} is at {has}"
        if _same(sender.remote, receiver.local):
            remedy = f"`l2tpctl tunnel set {sender.name} --remote-port {receiver.local_port}` {at_sender}"
            yield wire.of_tunnel("elsewhere", Harm.STOPS, says, remedy)
        else:
            remedy = f"`l2tpctl tunnel set {sender.name} --remote {receiver.local}` {at_sender}, if no NAT is between"
            yield wire.of_tunnel("nat", Harm.NONE, says, remedy)


def _place(address: str, port: int) -> str:
    return f"{address} port {port}" if port else address


def _checksum(wire: Wire) -> Iterator[Finding]:
    near, far = wire.near, wire.far
    try:
        version = ip_address(near.remote).version
    except ValueError:
        return
    if version == 6 and near.encap == far.encap == "udp" and near.udp_checksum != far.udp_checksum:
        without, at = (near, "here") if not near.udp_checksum else (far, wire.there)
        says = f"UDP checksums are off {at} alone, and the other end refuses packets over IPv6 without one"
        remedy = f"`l2tpctl tunnel set {without.name} --udp-checksum on` {at}"
        yield wire.of_tunnel("no-checksum", Harm.STOPS, says, remedy)


def _encryption(wire: Wire) -> Iterator[Finding]:
    near, far = wire.near, wire.far
    if near.encrypt != far.encrypt:
        says = f"the tunnel's encryption is {near.encrypt} here, and {far.encrypt} {wire.there}"
        remedy = f"`l2tpctl peer {near.name}` prints what the other end has to have"
        yield wire.of_tunnel("encryption", Harm.STOPS, says, remedy)
        return
    ways = ((near, far, "here", wire.there), (far, near, wire.there, "here"))
    for one, other, at_one, at_other in ways:
        if one.keys[1] != other.keys[0]:
            says = f"the peer-public-key {at_one} is not the public-key {at_other}, so WireGuard does not answer"
            remedy = f"`l2tpctl tunnel set {one.name} --peer-public-key {other.keys[0]}` {at_one}"
            yield wire.of_tunnel("encryption", Harm.STOPS, says, remedy)
    if near.shared_key != far.shared_key:
        says = f"the pre-shared key here is another than {wire.there}"
        remedy = f"give both ends one key: `l2tpctl tunnel set {near.name} --pre-shared-key FILE`"
        yield wire.of_tunnel("encryption", Harm.STOPS, says, remedy)


TUNNELS: Final = (_encap, _ends, _checksum, _encryption)

# -- sessions ----------------------------------------------------------------------------------------------------------


def _ids(pair: Pair) -> Iterator[Finding]:
    near, far, there = pair.near, pair.far, pair.wire.there
    if near.peer_id != far.id:
        says = f"session {near.name} sends to session id {near.peer_id}, and {there} it has {far.id}"
        yield pair.finding("session-id", Harm.STOPS, says, pair.change(f"--peer-id {far.id}"))
    elif far.peer_id != near.id:
        says = f"the session {there} sends to session id {far.peer_id}, and session {near.name} has {near.id}"
        remedy = f"`l2tpctl session set {pair.wire.far.name} {far.name} --peer-id {near.id}` {there}"
        yield pair.finding("session-id", Harm.STOPS, says, remedy)


def _cookies(pair: Pair) -> Iterator[Finding]:
    near, far, there = pair.near, pair.far, pair.wire.there
    remedy = f"`l2tpctl peer {pair.wire.near.name}` prints what the other end has to have"
    sent, taken = near.tx_cookie == far.rx_cookie, far.tx_cookie == near.rx_cookie
    if not sent and not taken and (near.tx_cookie, near.rx_cookie) == (far.tx_cookie, far.rx_cookie):
        says = f"session {near.name} has the same tx-cookie and the same rx-cookie {there}: they are swapped at one end"
    elif not sent:
        says = f"the tx-cookie of session {near.name} is not the rx-cookie {there}"
    elif not taken:
        says = f"the rx-cookie of session {near.name} is not the tx-cookie {there}"
    else:
        return
    yield pair.finding("nothing-accepted", Harm.STOPS, says, remedy)


def _sublayer(pair: Pair) -> Iterator[Finding]:
    near, far, there = pair.near, pair.far, pair.wire.there
    if near.sublayer != far.sublayer:
        at = "here" if near.sublayer else there
        says = f"session {near.name} has the L2-specific sublayer {at} alone: frames shift by 4 bytes"
        yield pair.finding("sublayer", Harm.STOPS, says, pair.change(f"--sublayer {_default(far.sublayer)}"))


def _default(wanted: bool) -> str:  # noqa: FBT001 - of a field that is a bool
    return "default" if wanted else "none"


def _sequencing(pair: Pair) -> Iterator[Finding]:
    near, far, there = pair.near, pair.far, pair.wire.there
    if near.fragment != far.fragment:
        at = "here" if near.fragment else there
        says = f"session {near.name} sends frames in fragments (RFC 4623) {at} alone: the other end can't join them"
        change = pair.change(f"--fragment {'on' if far.fragment else 'off'}")
        yield pair.finding("fragment", Harm.LOSES, says, change)
        return
    for one, other, at_one, at_other in ((near, far, "here", there), (far, near, there, "here")):
        if one.takes and not other.sends:
            says = f"session {near.name} takes only numbered packets {at_one}, and {at_other} it sends none"
            remedy = f"`l2tpctl session set` with --sequencing {_wanted(one)} {at_other}, or --sequencing none {at_one}"
            yield pair.finding("nothing-accepted", Harm.STOPS, says, remedy)
        elif other.sends and not one.takes:
            says = f"session {near.name} numbers its packets {at_other}, and {at_one} nobody looks at the numbers"
            remedy = "`l2tpctl session set` with --sequencing both at both ends keeps frames in order"
            yield pair.finding("sequencing", Harm.NONE, says, remedy)


def _wanted(other: SessionEnd) -> str:
    return "both" if other.sends else "send"


def _vlan(pair: Pair) -> Iterator[Finding]:
    near, far = pair.near, pair.far
    if (near.vlan is None) != (far.vlan is None):
        tagged, plain = ("here", pair.wire.there) if near.vlan is not None else (pair.wire.there, "here")
        says = f"session {near.name} carries one VLAN {tagged}, and every frame as it is {plain}: tags come out there"
        remedy = pair.change("--vlan none" if near.vlan is not None else f"--vlan {far.vlan}")
        yield pair.finding("vlan", Harm.LOSES, says, remedy)


def _mtu(pair: Pair) -> Iterator[Finding]:
    near, far, there = pair.near, pair.far, pair.wire.there
    if near.mtu is not None and far.mtu is not None and near.mtu != far.mtu:
        least = min(near.mtu, far.mtu)
        says = (
            f"the netdev of session {near.name} takes {near.mtu} bytes here, and {far.mtu} {there}: frames of more than"
            f" {least} bytes pass one way only"
        )
        yield pair.finding("mtu", Harm.LOSES, says, pair.change(f"--mtu {least}") + ", at both ends")


def _mac(pair: Pair) -> Iterator[Finding]:
    near, far = pair.near, pair.far
    if near.mac is not None and near.mac == far.mac:
        says = f"both ends of session {near.name} have MAC address {near.mac}, as clones of one machine do"
        yield pair.finding("own-mac", Harm.LOSES, says, pair.change("--mac") + " with another address at one end")


SESSIONS: Final = (_ids, _cookies, _sublayer, _sequencing, _vlan, _mtu, _mac)
