"""EbpfDatapath: the Datapath protocol. See the package's docstring for how it is put together.

What its methods need is imported there: a command that has nothing to do with such tunnels does not wait for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Final

from l2tpv3.datapath.base import Carried, Support, Unreachable
from l2tpv3.datapath.user import UserDatapath
from l2tpv3.errors import L2tpError, NotFoundError
from l2tpv3.model.fields import PROBED_IN_PLACE, SESSION, TUNNEL, attributes_in_place, words_in_place
from l2tpv3.model.observed import Tunnel
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.paths import EBPF, Paths

_FORGONE: Final = frozenset({"gro", "napi"})
"""What the worker does without: programs can't take apart what the kernel has merged for its socket, and what it writes
is merged behind the veth."""


class EbpfDatapath:
    """Pseudowires through veths, with programs of ours in the kernel, and a worker for what those leave."""

    name = "ebpf"
    in_place = (
        attributes_in_place(SESSION, "ebpf") | PROBED_IN_PLACE | {"mtu"}
    )  # of what the netdev has, the worker has to know its MTU
    tunnel_in_place = words_in_place(TUNNEL, "ebpf")

    def __init__(self, paths: Paths) -> None:
        self._runtime = paths.runtime
        self._worker = UserDatapath(dataclasses.replace(paths, runtime=paths.runtime / EBPF), forgone=_FORGONE)

    @cached_property
    def _trial(self) -> Support:
        from l2tpv3.datapath.ebpf import probe as trial

        return trial.run_all()

    def probe(self) -> Support:
        """Whether programs can be loaded and run here, and the user datapath works; see Datapath.probe."""
        support = self._worker.probe()
        return support if not support.works else self._trial

    def tunnels(self, netns: str | None) -> list[Tunnel]:
        """See Datapath.tunnels. What a worker carries that can't be worked with is left out."""
        return self.look(netns).tunnels

    def look(self, netns: str | None) -> Carried:
        """See HasWorkers.look."""
        found = self._worker.look(netns)
        if not found.tunnels:
            return found
        from l2tpv3.datapath.ebpf import report as look

        return Carried(look.complete(netns, found.tunnels), found.faults)

    def unreachable(self) -> Unreachable:
        """See HasWorkers.unreachable."""
        return self._worker.unreachable()

    def replace_old(self, known: Collection[str]) -> list[L2tpError]:
        """See HasWorkers.replace_old. The kernel's programs go on meanwhile."""
        return self._worker.replace_old(known)

    def workers(self) -> dict[int, bool]:
        """See HasWorkers.workers."""
        return self._worker.workers()

    def ask_all_again(self) -> None:
        """See HasWorkers.ask_all_again."""
        self._worker.ask_all_again()

    def add_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.add_tunnel."""
        self._worker.add_tunnel(tunnel)

    def set_tunnel(self, old: TunnelSpec, new: TunnelSpec, sessions: Sequence[SessionSpec]) -> None:
        """See Datapath.set_tunnel. The worker's part is the last: what was cut short is still what it was, and is done
        again, or taken back, from the beginning."""
        from l2tpv3.datapath.ebpf import session as wires

        for session in sessions:
            wires.move(old, new, session, self._runtime)
        self._worker.set_tunnel(old, new, [_of_worker(new, session) for session in sessions])

    def del_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.del_tunnel. What is left of it without a worker is removed."""
        from l2tpv3.datapath.ebpf import session as wires

        removed = wires.remove_tunnel(tunnel, self._runtime)
        with _anyway() if removed else contextlib.nullcontext():
            self._worker.del_tunnel(tunnel)

    def add_session(
        self, tunnel: TunnelSpec, session: SessionSpec, *, adopt: bool = False, homes: tuple[str | None, ...] = ()
    ) -> None:
        """See Datapath.add_session."""
        from l2tpv3.datapath.ebpf import session as wires

        there = adopt and wires.is_there(tunnel, session.session_id)
        self._worker.add_session(tunnel, _of_worker(tunnel, session), adopt=adopt)
        try:
            wires.make(tunnel, session, self._runtime)
        except BaseException:
            if not there:  # else its netdev, which outlived a worker, would go
                with contextlib.suppress(L2tpError):
                    self.del_session(tunnel, session)
            raise

    def set_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.set_session. What is missing of the session, of which `tunnels` then tells, is made."""
        from l2tpv3.datapath.ebpf import session as wires

        whole = wires.is_whole(tunnel, session.session_id)
        if whole:  # then the worker's part is the last, by which a change that was cut short is known
            wires.make(tunnel, session, self._runtime)
        self._worker.set_session(tunnel, _of_worker(tunnel, session))
        if not whole:
            wires.make(tunnel, session, self._runtime)

    def outdated(self, tunnel: TunnelSpec, sessions: Sequence[SessionSpec]) -> list[SessionSpec]:
        """See Refreshable.outdated: packets come in where no program is; or IPsec policies, or a
        locked MTU of the route, came or went."""
        from l2tpv3.datapath.ebpf import session as wires

        return wires.outdated(tunnel, sessions)

    def del_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.del_session. What is left of it without a worker is removed."""
        from l2tpv3.datapath.ebpf import session as wires

        removed = wires.remove_session(tunnel, session.session_id, self._runtime)
        with _anyway() if removed else contextlib.nullcontext():
            self._worker.del_session(tunnel, _of_worker(tunnel, session))


def _anyway() -> contextlib.AbstractContextManager[None]:
    """Ignore, where something else was there, that the worker has nothing."""
    return contextlib.suppress(NotFoundError)


def _of_worker(tunnel: TunnelSpec, session: SessionSpec) -> SessionSpec:
    """The session as the worker has it: with a TAP of its own, which stays in the tunnel's namespace."""
    from l2tpv3.datapath.ebpf import veth

    ifname = veth.slow_name(tunnel.tunnel_id, session.session_id)
    return dataclasses.replace(session, ifname=ifname, mac=None, netns=None, addresses=(), bridge=None)
