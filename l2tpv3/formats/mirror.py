"""The other end of a tunnel, as it has to be configured there: every value swapped once, here, for all formats."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from l2tpv3.documents.tunnel import sequencing
from l2tpv3.errors import InvalidValueError
from l2tpv3.model import ids
from l2tpv3.model.fields import Field
from l2tpv3.model.spec import Encap, IPAddress, Sequencing, SessionSpec, Sublayer, TunnelSpec
from l2tpv3.model.status import SessionStatus, TunnelStatus
from l2tpv3.value_class import value_class

_MIRROR = {Sequencing.SEND: Sequencing.RECV, Sequencing.RECV: Sequencing.SEND}


@value_class(frozen=True, slots=True)
class Told:
    """lines: what is typed, or written into a file, at the other end. notes: what who does so should know."""

    lines: tuple[str, ...]
    notes: tuple[str, ...] = ()


@value_class(frozen=True, slots=True)
class MirroredSession:
    """A session seen from the other end.

    spec: tx is what that end sends; its mtu is None unless this end's was given. mtu: what is in use at this end, in
    bytes, None when unknown; the other end's should be the same.
    """

    spec: SessionSpec
    mtu: int | None

    @property
    def waits(self) -> bool:
        """Whether that end receives numbered packets, and this one thinks that reordering is worth a wait."""
        return self.spec.reorder_timeout_ms > 0


@value_class(frozen=True, slots=True)
class MirroredTunnel:
    """A tunnel seen from the other end: in spec, `local` is that end's address. name: what this end calls it.

    Of WireGuard spec has the ports and this end's public key; a private key it never has: that end's is not known here,
    and this one's is nobody's business there. IPsec's pre-shared key is both ends'.
    """

    name: str
    spec: TunnelSpec
    sessions: tuple[MirroredSession, ...]

    @property
    def local(self) -> IPAddress:
        """The other end's address."""
        return self.spec.endpoint

    @property
    def udp(self) -> bool:
        """Whether packets go over UDP, not IP."""
        return self.spec.encap is Encap.UDP

    def refuse(self, problem: str, remedy: str) -> InvalidValueError:
        """The error that a format has no words for this tunnel. remedy: `--OPTIONS` are `l2tpctl tunnel set`'s."""
        if remedy.startswith("--"):
            remedy = f"`l2tpctl tunnel set {self.name} {remedy}` first"
        return InvalidValueError(f"tunnel {self.name}", problem, remedy)

    def refuse_session(self, session: MirroredSession, problem: str, remedy: str) -> InvalidValueError:
        """Refuse a word of a session, as `refuse` does a tunnel's. The option is one of `l2tpctl session set`."""
        name = session.spec.name
        if remedy.startswith("--"):
            remedy = f"`l2tpctl session set {self.name} {name} {remedy}` first"
        return InvalidValueError(f"tunnel {self.name}: session {name}", problem, remedy)


def far_end(tunnel: TunnelStatus, name: str | None = None) -> MirroredTunnel:
    """Give the tunnel as its other end has it. Netdevs keep their names there; name: the tunnel's, if another.

    What chooses the path of packets in this host (namespace, mark, netdev) says nothing of the other one.
    Raises InvalidValueError for an encrypted tunnel whose own private key is not known here.
    """
    ours, encryption = tunnel.spec, tunnel.encryption if tunnel.spec.is_inside else None
    spec = dataclasses.replace(
        ours,
        name=name or ours.name,
        remote=tunnel.local or ours.endpoint,
        local=ours.remote,
        tunnel_id=ours.peer_tunnel_id,
        peer_tunnel_id=ours.tunnel_id,
        local_port=ours.remote_port,
        remote_port=ours.local_port,
        private_key=None,
        next_private_key=None,
        peer_public_key=ids.parse_key(encryption.public_key, "public-key") if encryption is not None else None,
        listen_port=ours.peer_listen_port,
        peer_listen_port=ours.listen_port,
        ike_id=ours.peer_ike_id,
        peer_ike_id=ours.ike_id,
        inner_address=ours.peer_inner_address,
        peer_inner_address=ours.inner_address,
        datapath="auto",
        netns=None,
        fwmark=0,
        bind_device=None,
    )
    return MirroredTunnel(tunnel.name, spec, tuple(_far_session(session) for session in tunnel.sessions))


def mirrored(session: SessionStatus) -> Sequencing:
    """The other end's --sequencing: what we send it receives, and the other way round."""
    ours = sequencing(session)
    return _MIRROR.get(ours, ours)


def waits(session: SessionStatus) -> bool:
    """Whether the other end receives numbered packets, and this one thinks that reordering is worth a wait."""
    return bool(session.spec.reorder_timeout_ms) and mirrored(session).recv


def _far_session(session: SessionStatus) -> MirroredSession:
    ours = session.spec
    theirs = mirrored(session)
    spec = dataclasses.replace(
        ours,
        session_id=ours.peer_session_id,
        peer_session_id=ours.session_id,
        tx_cookie=ours.rx_cookie,
        rx_cookie=ours.tx_cookie,
        sequencing=theirs if ours.sublayer is Sublayer.DEFAULT else Sequencing.NONE,
        reorder_timeout_ms=ours.reorder_timeout_ms if waits(session) else 0,
        mac=None,
        netns=None,
        addresses=(),
        bridge=None,
        up=True,
    )
    mtu = session.netdev.mtu if session.netdev else session.mtu
    return MirroredSession(spec, ours.mtu if ours.mtu is not None else mtu)


def words_elsewhere(fields: Iterable[Field], spec: object, tool: str) -> dict[str, str]:
    """The values of a spec that another tool takes unchanged, by that tool's words; see Field.elsewhere."""
    found = {}
    for field in fields:
        value = getattr(spec, field.attribute)
        if field.elsewhere and tool in field.elsewhere and value is not None:
            found[field.elsewhere[tool]] = str(value)
    return found


# -- what several formats can't say ---------------------------------------------------------------------------------


def refuse_link_local(far: MirroredTunnel, tool: str) -> None:
    """Raise when an address has a scope, which `tool` has no words for."""
    if any("%" in str(address) for address in (far.local, far.spec.remote)):
        raise far.refuse(f"its addresses are link-local, which {tool} has no words for", "use --as l2tpctl")


def refuse_cookies(far: MirroredTunnel, tool: str) -> None:
    """Raise when a session has a cookie: what the other end sends without it is dropped here."""
    for session in far.sessions:
        if session.spec.tx_cookie or session.spec.rx_cookie:
            problem = f"it has cookies, which {tool} can't set"
            raise far.refuse_session(session, problem, "--tx-cookie none --rx-cookie none")


def refuse_one_sided_cookies(far: MirroredTunnel, tool: str) -> None:
    """Raise when a session's cookies differ in length."""
    for session in far.sessions:
        lengths = len(session.spec.rx_cookie), len(session.spec.tx_cookie)
        if lengths[0] != lengths[1]:
            problem = f"its cookies have {lengths[0]} and {lengths[1]} bytes, and {tool} has one length for both"
            raise far.refuse_session(session, problem, "give both 16 hex digits, or none")


def refuse_many_sessions(far: MirroredTunnel, tool: str, why: str) -> None:
    """Raise when there is more than one session."""
    if len(far.sessions) > 1:
        problem = f"it has {len(far.sessions)} sessions, and {tool} can have one in a tunnel: {why}"
        raise far.refuse(problem, "give each session a tunnel with ids and ports of its own")


def refuse_no_checksums_over_ipv6(far: MirroredTunnel, tool: str) -> None:
    """Raise when we send without UDP checksums over IPv6, which a peer has to be told to accept (RFC 6935)."""
    if far.udp and far.spec.remote.version == 6 and not far.spec.udp_checksum:
        problem = f"it has no UDP checksums, and {tool} takes nothing without them over IPv6"
        raise far.refuse(problem, "--udp-checksum on")


def refuse_numbers_required(far: MirroredTunnel, tool: str) -> None:
    """Raise when we take numbered packets only, and `tool` would send none."""
    for session in far.sessions:
        if session.spec.sequencing.send:
            problem = f"it takes numbered packets only, and {tool} can't be told to number what it sends"
            raise far.refuse_session(session, problem, "--sequencing none")
