"""The protocol of a datapath. The tests in tests/contract hold what every datapath promises.

A datapath makes tunnels and sessions exist and reports them. Each session appears as an ethernet netdev; giving
that addresses, a bridge or another namespace is not its business (l2tpv3.netdev), nor are names (l2tpv3.store).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import NamedTuple, Protocol, runtime_checkable

from l2tpv3.errors import L2tpError, WorkerError
from l2tpv3.model.observed import Tunnel
from l2tpv3.model.spec import CircuitKey, SessionSpec, TunnelSpec
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True)
class Support:
    """Whether a datapath works on this host, and one line that says why (not)."""

    works: bool
    reason: str


class Datapath(Protocol):
    """Moves the frames of tunnels. Specs that come in are resolved: `local` and `mtu` are set, ids are chosen.

    All calls are synchronous: when one returns, what it says is true. Any may raise L2tpError; a call that
    raised has left nothing behind. A tunnel is known by (netns, tunnel_id), a session by that and session_id.
    """

    @property
    def name(self) -> str:
        """The word for --datapath."""

    @property
    def in_place(self) -> frozenset[str]:
        """SessionSpec fields that set_session changes without interrupting the session."""

    @property
    def tunnel_in_place(self) -> frozenset[str]:
        """The words (of the table of fields) that set_tunnel changes without interrupting the tunnel's sessions."""

    def probe(self) -> Support:
        """Whether it works here. May load kernel modules; changes nothing else."""

    def tunnels(self, netns: str | None) -> list[Tunnel]:
        """Every tunnel that it carries in that network namespace, foreign ones too, with sessions and counters."""

    def add_tunnel(self, tunnel: TunnelSpec) -> None:
        """Make the tunnel.

        Raises ExistsError (tunnel id taken), ConflictError (port taken), NoRouteError, NoAddressError,
        NotPermittedError, UnavailableError.
        """

    def set_tunnel(self, old: TunnelSpec, new: TunnelSpec, sessions: Sequence[SessionSpec]) -> None:
        """Change what is in `tunnel_in_place` from what `old` says to what `new` says; the netdevs stay as they are.

        sessions: those of the tunnel, as they are; they are changed in nothing else. The same again does no harm: it
        completes a change that was cut short. Raises NotFoundError, and what add_tunnel does.
        """

    def del_tunnel(self, tunnel: TunnelSpec) -> None:
        """Remove the tunnel with its sessions and their netdevs; returns when all are gone. NotFoundError."""

    def add_session(
        self, tunnel: TunnelSpec, session: SessionSpec, *, adopt: bool = False, homes: tuple[str | None, ...] = ()
    ) -> None:
        """Make the session, its netdev named `session.ifname`, down, in the tunnel's network namespace.

        adopt: take over the netdev that an earlier worker left, where the session belongs, in the tunnel's namespace or
        in one of `homes`, with all that is configured on it; without one there, make it as usual. A datapath whose
        netdevs can't outlive it ignores it.
        Raises NotFoundError (no such tunnel), ExistsError (session id taken), ConflictError (ifname taken).
        """

    def set_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """Change the fields of `in_place` to what `session` says. NotFoundError."""

    def del_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """Remove the session and its netdev, wherever that has been moved or renamed to. NotFoundError."""


class Carried(NamedTuple):
    """The tunnels that workers carry in a network namespace. faults: a problem of each worker whose tunnels are not
    known.
    """

    tunnels: list[Tunnel]
    faults: tuple[WorkerError, ...] = ()


class Unreachable(NamedTuple):
    """Tunnels that workers carry, and that `look` can't find.

    strays: of each worker that has lost its control socket, an error with its pid. lost: tunnels, by name, that are in
    network namespaces which have lost their names, with the pids of their workers.
    """

    strays: tuple[WorkerError, ...] = ()
    lost: Mapping[str, int] = MappingProxyType({})


@runtime_checkable
class HasWorkers(Protocol):
    """Additional methods of a datapath whose frames are moved by processes of its own."""

    def look(self, netns: str | None) -> Carried:
        """Give what Datapath.tunnels gives, and an error for each worker that is unusable; its tunnels are left out.

        It does not answer, or not as agreed, or is of another version; the error has its pid (0: unknown).
        """

    def unreachable(self) -> Unreachable:
        """Find tunnels that workers carry and `look` does not find.

        It looks at all processes: call it only when a tunnel on record was not found.
        """

    def replace_old(self, known: Collection[str]) -> list[L2tpError]:
        """End workers of another version than this program, and those that have lost their control sockets.

        Their netdevs stay; what they carried is to be made again at once. known: the names of tunnels that will be: a
        worker that is known to carry others, too, is left alone. Gives what became of each. Raises WorkerError when no
        new worker can be started; then nothing was ended.
        """

    def workers(self) -> dict[int, bool]:
        """Every worker's pid, and whether it answers. Takes some seconds when one does not."""

    def ask_all_again(self) -> None:
        """Have the next call ask each worker, also those that did not answer a moment ago.

        For some time after a worker has not answered in time it is not asked, so that not each of many calls waits.
        """


@runtime_checkable
class FindsSome(Protocol):
    """An additional method of a datapath that can tell of a few sessions without listing all of a namespace."""

    def some(self, netns: str | None, sessions: Mapping[int, Collection[int]]) -> list[Tunnel]:
        """Give what Datapath.tunnels gives, but of these tunnels alone, and with these of their sessions alone.

        sessions: session ids by tunnel id. Raises what Datapath.tunnels does.
        """


@runtime_checkable
class Refreshable(Datapath, Protocol):
    """A datapath whose sessions depend on more than their specification: on routes, netdevs, IPsec policies."""

    def outdated(self, tunnel: TunnelSpec, sessions: Sequence[SessionSpec]) -> list[SessionSpec]:
        """The sessions for which `set_session` would do something else now than when it was called last.

        What is not there, or not whole, is none of them.
        """


class SignalledCircuit(NamedTuple):
    """up: what the far end is told of the circuit behind a session. heard: what it told last; None for nothing yet."""

    up: bool
    heard: bool | None = None


@runtime_checkable
class SignalsCircuits(Protocol):
    """Additional methods of a datapath that can tell the far end of a session whether the circuit here works."""

    def circuits(self, told: Mapping[CircuitKey, SignalledCircuit]) -> dict[CircuitKey, bool | None]:
        """Tell these far ends, at once and repeatedly, and no others.

        Returns what is heard from those that are carried.

        What is heard shows as the carrier of the session's netdev. False: the far end says that it is down, or was
        heard before and says nothing any more.
        """


@runtime_checkable
class Busy(Protocol):
    """An additional method of a datapath or a netdev configurator: to be quicker while one thread makes many calls."""

    def busy(self) -> AbstractContextManager[None]:
        """Keep sockets open until the end of the `with` block. The thread must stay in its network namespace."""
