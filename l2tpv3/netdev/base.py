"""The protocol for netdevs of sessions. configurator.py does it by rtnetlink, l2tpv3.testing.netdevs in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.model.status import NetdevState

if TYPE_CHECKING:
    from l2tpv3.netdev.belongings import ForeignSettings

LINK_FIELDS = frozenset({"mtu", "mac", "netns", "addresses", "bridge", "up", "ifname"})
"""SessionSpec fields that concern the netdev alone: no datapath has to know them, but for `mtu` and `ifname`."""


class Evidence(NamedTuple):
    """Facts about a session's netdev beside its owner tag, which root of a namespace can write on any netdev.

    datapath: what carries it; "" when that is not known. attached, alive: what the datapath reports, see Session; False
    when it reports no such session. mac: the MAC address on record. homes: other namespaces that it may be in, by what
    is on record. others: the names, as `attached`, of the netdevs of other sessions that run under the same name and so
    have the same mark: one that takes the place of another one runs beside it for a while.
    """

    datapath: str = ""
    attached: str | None = None
    alive: bool = False
    mac: str | None = None
    homes: tuple[str | None, ...] = ()
    others: frozenset[str | None] = frozenset()


NO_EVIDENCE: Final = Evidence()


class Locator(Protocol):
    """Finds many sessions' netdevs in one look."""

    def find(
        self, tunnel: TunnelSpec, session: SessionSpec, mark: str, evidence: Evidence = NO_EVIDENCE
    ) -> NetdevState | None:
        """Find a netdev by its owner tag (Paths.mark).

        It is looked for where it belongs, in evidence.homes and the tunnel's namespace;
        with enough evidence also in any other that has a name. Of several the one that evidence.attached tells; the
        newest where that tells nothing. None where it can only be that of another session, see evidence.others.
        """

    def with_clamp(self, netdev: NetdevState) -> NetdevState:
        """A netdev that was found, with what TCP's MSS is clamped to there."""

    def named(self, netns: str | None, ifname: str) -> NetdevState | None:
        """A netdev by its name, for those that carry no mark of ours."""

    def at(self, netns: str | None) -> Iterable[NetdevState]:
        """All netdevs of a namespace; none where there is no such namespace."""


class NetdevConfigurator(Protocol):
    """Puts sessions' netdevs where their specs want them. Specs are resolved: `mtu` is set. Raises L2tpError."""

    def locator(self, *, few: bool = False, addresses: bool = True) -> Locator:
        """A locator of netdevs as they are now. few: only few of them will be looked for.

        addresses: False: nobody asks for addresses, and netdevs may be given without. Reading those of ten thousand
        netdevs takes as long as reading the netdevs.
        """

    def ifnames(self, netns: str | None) -> set[str]:
        """The names of all netdevs in a namespace. NotFoundError when there is no such namespace."""

    def check(
        self,
        tunnel: TunnelSpec,
        session: SessionSpec,
        *,
        ours: Collection[str] = (),
        bridges: Collection[str] = (),
    ) -> None:
        """Check that the netdev can go where it is wanted, before anything is touched.

        ours: names that are not in the way. bridges: those that will be there. Raises NotFoundError (namespace,
        bridge), ConflictError (name taken).
        """

    def check_bridge(self, tunnel: TunnelSpec, session: str, netns: str | None, bridge: str) -> None:
        """Check that a bridge does not carry the tunnel's own packets: a session in it would then be a loop.

        session: what an error is about. netns: where the bridge is, or is going to be. Raises ConflictError.
        """

    def place(
        self,
        tunnel: TunnelSpec,
        session: SessionSpec,
        mark: str,
        *,
        adopted: bool,
        made_as: str | None = None,
        later: bool = False,
        homes: tuple[str | None, ...] = (),
        clamp_mtu: int | None = None,
    ) -> None:
        """Configure a netdev that its datapath has just made or taken over: mark, namespace, MTU, MAC and the rest.

        homes: other namespaces in which one that was taken over may be.
        made_as: the name that it was made under, when that is not `session.ifname` yet. later: it stays down until
        `set_up`; such a session has no addresses and no namespace of its own. clamp_mtu: see SessionRecord.
        """

    def set_up(self, sessions: Sequence[tuple[TunnelSpec, SessionSpec]]) -> None:
        """Set netdevs up that were placed to be so later."""

    def belongings(self, sessions: Sequence[tuple[TunnelSpec, SessionSpec, str]]) -> dict[str, ForeignSettings]:
        """Read what others have configured on sessions' netdevs, by owner tag. Missing netdevs are left out."""

    def put_back(self, tunnel: TunnelSpec, session: SessionSpec, belongings: ForeignSettings) -> list[str]:
        """Configure these settings again on a session's netdev. Returns those that could not be, in words."""

    def mark_again(self, tunnel: TunnelSpec, session: SessionSpec, old: str, new: str) -> None:
        """Replace the owner tag of the netdev that has the old one, if there is one."""

    def mark(self, tunnel: TunnelSpec, session: SessionSpec, mark: str) -> None:
        """Give the netdev `session.ifname` in the tunnel's namespace its owner tag, and change nothing else.

        Raises NotFoundError.
        """

    def change(
        self,
        tunnel: TunnelSpec,
        old: SessionSpec,
        new: SessionSpec,
        mark: str,
        seen: NetdevState | None = None,
        *,
        clamp_mtu: int | None = None,
    ) -> None:
        """Change a netdev from what `old` says to what `new` says, touching only what differs.

        seen: which netdev it was when it was looked at; None is the one that is found by its mark. clamp_mtu: of `new`,
        see SessionRecord. Raises NotFoundError when it is gone.
        """
