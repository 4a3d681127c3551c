"""Takes the steps of a plan.

Each step is some calls to a datapath and a netdev configurator, whose errors pass through.
"""

from __future__ import annotations

import contextlib
import dataclasses
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from l2tpv3.datapath.base import Datapath
from l2tpv3.encryption.means import Means, means
from l2tpv3.errors import ExistsError, InvalidValueError, L2tpError, NotFoundError, about_session
from l2tpv3.linux.sysctls import DISABLE_IPV6
from l2tpv3.model.links.options import PortOptions
from l2tpv3.model.progress import StepText
from l2tpv3.model.record import Records, SessionRecord, TunnelRecord, resolved, resolved_session, standing_session
from l2tpv3.model.spec import Encap, Encrypt, SessionSpec, TunnelSpec
from l2tpv3.netdev.base import NetdevConfigurator
from l2tpv3.netdev.safekeeping import ForeignSettingsStore
from l2tpv3.paths import Paths
from l2tpv3.plan.link_steps import DelLink, LinkStep, SetLink
from l2tpv3.plan.steps import (
    AddSession,
    AddTunnel,
    AnyStep,
    DelEncryption,
    DelSession,
    DelTunnel,
    ReplaceSession,
    SetEncryption,
    SetNetdev,
    SetSession,
    SetTunnel,
)
from l2tpv3.printable import printable
from l2tpv3.reconcile.link_executor import LinkExecutor
from l2tpv3.resolve.route_defaults import encrypted_mtu


class Executor:
    """Takes steps on one host."""

    def __init__(
        self, datapaths: Mapping[str, Datapath], placer: NetdevConfigurator, paths: Paths, links: LinkExecutor
    ) -> None:
        self._datapaths = datapaths
        self._placer = placer
        self._links = links
        self._paths = paths
        self._safekeeping = ForeignSettingsStore(paths.runtime)
        self._last: tuple[TunnelRecord, TunnelSpec] | None = None
        self._down: list[tuple[TunnelSpec, SessionSpec]] | None = None

    def take_all(self, steps: Sequence[AnyStep], before: Callable[[AnyStep], None]) -> None:
        """Take steps in their order. before: called with each before it is taken. Raises as `take` does.

        What others have configured on netdevs that are made anew is kept for `put_back`.
        Where sessions are made one after another, their netdevs are set up together after the last of them: each
        setting of an MTU or a MAC address has the kernel walk over the routes of all netdevs that are up.
        """
        together = _many_made(steps)
        self._keep_belongings(steps)
        for step in steps:
            before(step)
            if together and isinstance(step, (AddTunnel, AddSession)):
                self._down = [] if self._down is None else self._down
            else:
                self._set_up()
            try:
                self.take(step)
            except BaseException:
                self._down = None  # what is undone need not be up
                raise
        self._set_up()

    def _keep_belongings(self, steps: Sequence[AnyStep]) -> None:
        """Note what others have configured on netdevs that go, and are made again by these steps."""
        made = _made(steps)
        found: dict[str, tuple[str, str]] = {}
        sessions: list[tuple[TunnelSpec, SessionSpec, str]] = []
        for tunnel, session in _removed(steps):
            name = (tunnel.spec.name, session.spec.name)
            mark = self._mark(tunnel, session)
            if name in made and mark not in found:
                found[mark] = name
                sessions.append((self._resolved(tunnel), resolved_session(session), mark))
        if not sessions:
            return
        wired = _wired_by_ports(steps)
        for mark, belongings in self._placer.belongings(sessions).items():
            tunnel_name, session_name = found[mark]
            if f"{tunnel_name}/{session_name}" in wired:
                belongings = belongings.without_setting(DISABLE_IPV6)
            self._safekeeping.keep(tunnel_name, session_name, belongings)

    def tidy(self, records: Records) -> None:
        """Forget what is kept of sessions that are on record no more: a change that was killed may have begun it."""
        kept = self._safekeeping.names()
        if kept:
            known = {(name, one.spec.name) for name, record in records.items() for one in record.sessions}
            for name in kept - known:
                self._safekeeping.forget(*name)

    @property
    def keeps_settings(self) -> bool:
        """Whether something is kept that `put_back` is to configure again."""
        return bool(self._safekeeping.names())

    def put_back(self, records: Records, netdevs: Collection[tuple[str, str]]) -> Iterator[StepText]:
        """Configure again what is kept of netdevs that were made anew, perhaps by a change that was killed.

        netdevs: the sessions whose netdevs are there. Gives what could not be configured.
        """
        for name in sorted(self._safekeeping.names() & {*netdevs}):
            tunnel = records.get(name[0])
            session = tunnel.session(name[1]) if tunnel is not None else None
            if tunnel is None or session is None:
                continue
            lost: dict[str, None] = {}
            for belongings in reversed(self._safekeeping.get(*name)):  # of two netdevs, keep the first
                try:
                    lost |= dict.fromkeys(
                        self._placer.put_back(self._resolved(tunnel), resolved_session(session), belongings)
                    )
                except L2tpError as error:
                    lost[f"what others had configured ({error})"] = None
            self._safekeeping.forget(*name)
            if lost:
                yield StepText(
                    sign="-",
                    tunnel=name[0],
                    session=name[1],
                    text=f"lost with its netdev: {printable(', '.join(lost))}",
                )

    def rename_encryption(self, old: TunnelRecord, new: TunnelRecord) -> None:
        """Have what encrypts a tunnel know its new name. Raises L2tpError."""
        if new.spec.encrypt is not Encrypt.NONE:
            self._means(new).rename(old, new)

    def _means(self, record: TunnelRecord) -> Means:
        return means(record.spec.encrypt, self._paths.runtime)

    def _set_up(self) -> None:
        down, self._down = self._down, None
        if down:
            self._placer.set_up(down)

    def take(self, step: AnyStep) -> None:
        """Take one step. Raises L2tpError. What a failed step had made is removed, or found by the next plan."""
        if isinstance(step, (AddSession, DelSession, SetSession, SetNetdev, ReplaceSession)):
            with about_session(step.tunnel.spec.name, step.session.spec.name):
                self._take(step)
        else:
            self._take(step)

    def _take(self, step: AnyStep) -> None:
        match step:
            case LinkStep():
                self._links.take(step)
            case SetEncryption():
                self._means(step.tunnel).make(step.tunnel, encrypted_mtu(step.tunnel), new_endpoint=step.new_endpoint)
            case DelEncryption():
                self._means(step.tunnel).remove(step.tunnel, step.kept, guard_stays=step.guard_stays)
            case AddTunnel():
                self._datapath(step.tunnel).add_tunnel(self._resolved(step.tunnel))
            case SetTunnel():
                sessions = [resolved_session(one) for one in step.old.sessions]
                self._datapath(step.tunnel).set_tunnel(resolved(step.old), self._resolved(step.tunnel), sessions)
            case DelTunnel():
                with contextlib.suppress(NotFoundError):
                    self._datapath(step.tunnel).del_tunnel(self._resolved(step.tunnel))
            case AddSession():
                self._add(step.tunnel, step.session, adopt=step.adopt, homes=step.homes)
            case DelSession():
                self._delete(step.tunnel, step.session)
            case SetSession():
                self._datapath(step.tunnel).set_session(self._resolved(step.tunnel), resolved_session(step.session))
            case SetNetdev():
                new = standing_session(step.session)
                mark = self._mark(step.tunnel, step.session)
                clamp = step.session.clamp_mtu
                self._placer.change(self._resolved(step.tunnel), step.old, new, mark, step.netdev, clamp_mtu=clamp)
            case ReplaceSession():
                self._replace(step)

    def _add(
        self,
        tunnel: TunnelRecord,
        session: SessionRecord,
        *,
        adopt: bool,
        made_as: str | None = None,
        homes: tuple[str | None, ...] = (),
    ) -> None:
        spec = resolved_session(session)
        made = spec if made_as is None else dataclasses.replace(spec, ifname=made_as)
        self._datapath(tunnel).add_session(self._resolved(tunnel), made, adopt=adopt, homes=homes)
        if made_as is None:
            later = self._down is not None and not adopt and spec.up and not spec.addresses and spec.netns is None
            mark = self._mark(tunnel, session)
            self._placer.place(
                self._resolved(tunnel), spec, mark, adopted=adopt, later=later, homes=homes,
                clamp_mtu=session.clamp_mtu,
            )  # fmt: skip
            if later and self._down is not None:
                self._down.append((self._resolved(tunnel), spec))

    def _delete(self, tunnel: TunnelRecord, session: SessionRecord) -> None:
        with contextlib.suppress(NotFoundError):
            self._datapath(tunnel).del_session(self._resolved(tunnel), resolved_session(session))

    def _replace(self, step: ReplaceSession) -> None:
        """First the new one, under a name of its own, until its name is free; the old one first where both can't be."""
        made_as = self._spare_name(step)
        if made_as is not None:
            try:
                self._add(step.tunnel, step.session, adopt=False, made_as=made_as)
            except ExistsError:  # this kernel wants session ids to be unique over all tunnels
                made_as = None
        self._delete(step.old_tunnel, step.old)
        if made_as is None:
            self._add(step.tunnel, step.session, adopt=False)
            return
        spec, mark = resolved_session(step.session), self._mark(step.tunnel, step.session)
        clamp = step.session.clamp_mtu
        self._placer.place(self._resolved(step.tunnel), spec, mark, adopted=False, made_as=made_as, clamp_mtu=clamp)

    def _spare_name(self, step: ReplaceSession) -> str | None:
        """A netdev name for the meantime, or None where the two sessions' ids collide."""
        same_datapath = step.tunnel.datapath == step.old_tunnel.datapath
        same_id = step.session.spec.session_id == step.old.spec.session_id
        same_tunnel = step.tunnel.spec.tunnel_id == step.old_tunnel.spec.tunnel_id
        over_ip = Encap.IP in (step.tunnel.spec.encap, step.old_tunnel.spec.encap)
        if same_datapath and same_id and (same_tunnel or over_ip):
            return None
        # The tunnel's id is in it: undoing this makes the old one again beside the new one that still has such a name.
        identity = (step.tunnel.datapath, step.tunnel.spec.tunnel_id, step.session.spec.session_id)
        return f"l2tpnew{zlib.crc32(repr(identity).encode()):08x}"

    def _resolved(self, record: TunnelRecord) -> TunnelSpec:
        """The tunnel's spec, remembered: thousands of steps in a row are about one tunnel's sessions."""
        last = self._last
        if last is None or last[0] is not record:
            self._last = last = (record, resolved(record))
        return last[1]

    def _mark(self, tunnel: TunnelRecord, session: SessionRecord) -> str:
        return self._paths.mark(tunnel.spec.name, session.spec.name)

    def _datapath(self, record: TunnelRecord) -> Datapath:
        try:
            return self._datapaths[record.datapath]
        except KeyError:
            known = ", ".join(self._datapaths)
            raise InvalidValueError(
                f"tunnel {record.spec.name}", f"no datapath {record.datapath!r}", f"known are {known}"
            ) from None


def _wired_by_ports(steps: Sequence[AnyStep]) -> set[str]:
    """What the links of type port that these steps remove or change are over, as they were."""
    wired: set[str] = set()
    for step in steps:
        if isinstance(step, (DelLink, SetLink)):
            spec = (step.old if isinstance(step, SetLink) else step.link).spec
            if isinstance(spec.options, PortOptions):
                wired.update(spec.over)
    return wired


def _made(steps: Sequence[AnyStep]) -> dict[tuple[str, str], tuple[TunnelRecord, SessionRecord]]:
    """The sessions whose netdevs the steps make, by the names of tunnel and session."""
    return {
        (step.tunnel.spec.name, step.session.spec.name): (step.tunnel, step.session)
        for step in steps
        if isinstance(step, (AddSession, ReplaceSession))
    }


def _removed(steps: Sequence[AnyStep]) -> Iterator[tuple[TunnelRecord, SessionRecord]]:
    """The sessions whose netdevs the steps remove."""
    for step in steps:
        match step:
            case DelTunnel():
                yield from ((step.tunnel, one) for one in step.tunnel.sessions)
            case DelSession():
                yield step.tunnel, step.session
            case ReplaceSession():
                yield step.old_tunnel, step.old


def _many_made(steps: Sequence[AnyStep]) -> bool:
    return sum(isinstance(step, AddSession) for step in steps) > 1
