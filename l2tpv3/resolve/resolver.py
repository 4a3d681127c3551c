"""Resolves words to the whole record: tunnels and sessions (tunnels.py), and the links over them (links.py)."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

from l2tpv3.errors import ConflictError, L2tpError, MissingError
from l2tpv3.linux.boot import boot_id
from l2tpv3.linux.netns import same_netns
from l2tpv3.model.absent import foreign_tunnel, no_tunnel
from l2tpv3.model.desired import Desired, DesiredLink, DesiredTunnel
from l2tpv3.model.host_records import HostRecords
from l2tpv3.model.late import Late
from l2tpv3.model.link_key import link_key
from l2tpv3.model.links.observed import LinksSeen
from l2tpv3.model.links.options import LinkType
from l2tpv3.model.links.order import in_order
from l2tpv3.model.links.record import LinkRecord, Links, below, place_of, specs_of
from l2tpv3.model.links.spec import Below, LinkSpec
from l2tpv3.model.record import Records, TunnelRecord
from l2tpv3.model.spec import home
from l2tpv3.resolve.links import check_links, resolve_link
from l2tpv3.resolve.tunnels import HostAccess, TunnelResolver

_BRIDGES = (LinkType.BRIDGE, LinkType.ALIAS)


class LinkObserver(Protocol):
    """Questions about the links of a host; LinkExecutor (l2tpv3/reconcile/link_executor.py) answers them."""

    def seen(self, *known: Links) -> LinksSeen:
        """Observe links. known: the links that may exist, the likeliest first."""

    def check(self, record: LinkRecord, below: Below, ours: Collection[str]) -> None:
        """Check that a link can be made over these netdevs. Raises L2tpError."""


class Resolver:
    """Resolves changes against what is on record. Each method returns the new record, and raises L2tpError.

    before: what is on record. unfinished: what a killed change was making. host: how tunnels are looked for.
    link_observer: asked what is there of links. host_id: see store.database.Recorded.
    """

    def __init__(
        self,
        before: HostRecords,
        unfinished: HostRecords,
        host: HostAccess,
        link_observer: LinkObserver,
        host_id: str,
    ) -> None:
        self.before, self.unfinished = before, unfinished
        self._host, self._link_observer, self._host_id = host, link_observer, host_id

    def against(self, records: HostRecords) -> Resolver:
        """Give a resolver that takes `records` for what is on record."""
        return Resolver(records, self.unfinished, self._host, self._link_observer, self._host_id)

    def tunnel_on_record(self, name: str) -> TunnelRecord:
        """A tunnel by its name. Raises NotFoundError, or ForeignError for one that something else made."""
        record = self.before.tunnels.get(name)
        if record is not None:
            return record
        foreign = self._tunnel_resolver().foreign.names()
        raise foreign_tunnel(name) if name in foreign else no_tunnel(name, [*self.before.tunnels, *foreign])

    def chosen_otherwise(self) -> set[str]:
        """The tunnels on record that run, and for which something else would be chosen now."""
        return self._tunnel_resolver().chosen_otherwise()

    # -- tunnels and sessions ------------------------------------------------------------------------------------

    def tunnel(self, name: str, words: Mapping[str, Any]) -> HostRecords:
        """The record with one tunnel added or changed.

        Raises what TunnelResolver.tunnel does, and ConflictError for a link that could not stay as it is.
        """
        return self._with_tunnels(self._tunnel_resolver().tunnel(name, words))

    def session(self, tunnel: str, name: str, words: Mapping[str, Any]) -> HostRecords:
        """The record with one session added or changed.

        Raises what TunnelResolver.session does, and ConflictError for a link that could not stay as it is.
        """
        return self._with_tunnels(self._tunnel_resolver().session(tunnel, name, words))

    def without_tunnel(self, name: str) -> HostRecords:
        """The record without that tunnel. Raises ConflictError when a link is over one of its sessions."""
        return self._with_tunnels({key: record for key, record in self.before.tunnels.items() if key != name})

    def without_session(self, tunnel: str, name: str) -> HostRecords:
        """The record without that session. Raises ConflictError when a link is over it."""
        records = self.before.tunnels
        return self._with_tunnels({**records, tunnel: records[tunnel].without_session(name)})

    def _tunnel_resolver(self) -> TunnelResolver:
        specs = [one.spec for one in self.before.links.values()]
        return self._tunnel_resolver_beside([one.ifname for one in specs if one.type in _BRIDGES])

    def _tunnel_resolver_beside(self, bridges: Collection[str]) -> TunnelResolver:
        """bridges: those that are links."""
        return TunnelResolver(self._host, self.before.tunnels, self.unfinished.tunnels, bridges)

    def _with_tunnels(self, tunnels: Records) -> HostRecords:
        """The record with these tunnels. Links stay in their namespace, or follow what they are over."""
        links = self.before.links
        if not links:
            return HostRecords(tunnels=tunnels)
        self._refuse_orphaned(tunnels, links)
        placed = _placed(tunnels, links)
        check_links(tunnels, placed, list(placed))
        self._refuse_loops(tunnels, placed)
        return HostRecords(tunnels=tunnels, links=placed)

    def _refuse_orphaned(self, tunnels: Records, links: Links) -> None:
        for name, record in links.items():
            for one in record.spec.over:
                tunnel, slash, session = one.partition("/")
                gone = slash and (tunnel not in tunnels or tunnels[tunnel].session(session) is None)
                was = self.before.tunnels.get(tunnel)
                if gone and was is not None and was.session(session) is not None:
                    remedy = f"`l2tpctl link del {name}`, or `l2tpctl link set {name} --over ...` without it, first"
                    raise ConflictError(f"session {one}", f"link {name} is over it", remedy)

    # -- links ---------------------------------------------------------------------------------------------------

    def link(self, name: str, words: Mapping[str, Any], *, transient: bool | None = None) -> HostRecords:
        """The record with one link added or changed.

        transient: whether a reboot removes it; None leaves that as it is.
        Raises InvalidValueError for a word or value that such a link can't have, or for links that would go round in a
        circle; MissingError for a session or netdev beneath it that is not there; ConflictError for one that is taken.
        """
        before = self.before
        record = self._settled(name, words, before.tunnels, before.links)
        if transient is not None:
            record = dataclasses.replace(record, boot=boot_id() if transient else None)
        links = _placed(before.tunnels, {**before.links, name: record})
        self._refuse_unbridged(before.tunnels, links)
        self._check(before.tunnels, links, sessions=False)
        return HostRecords(tunnels=before.tunnels, links=links)

    def without_link(self, name: str) -> HostRecords:
        """The record without that link. Raises ConflictError when a link, or a session's bridge, needs it."""
        links = {key: record for key, record in self.before.links.items() if key != name}
        for other, record in links.items():
            if name in record.spec.over:
                remedy = f"`l2tpctl link del {other}`, or `l2tpctl link set {other} --over ...` without it, first"
                raise ConflictError(f"link {name}", f"link {other} is over it", remedy)
        self._refuse_unbridged(self.before.tunnels, links)
        return HostRecords(tunnels=self.before.tunnels, links=links)

    def _refuse_unbridged(self, tunnels: Records, links: Links) -> None:
        """Check that no session is a port of a link that goes, or that is no bridge any more."""
        changed = {name: old for name, old in self.before.links.items() if links.get(name) != old}
        bridges = [one for one in links.values() if one.spec.type in _BRIDGES]
        for name, old in changed.items():
            for tunnel in tunnels.values() if old.spec.type in _BRIDGES else ():
                for session in tunnel.sessions:
                    joins = session.spec.bridge, home(tunnel.spec, session.spec)
                    if _joins(*joins, old) and not any(_joins(*joins, one) for one in bridges):
                        whose = f"{tunnel.spec.name}/{session.spec.name}"
                        remedy = f"`l2tpctl session set {whose.replace('/', ' ')} --bridge none` first"
                        raise ConflictError(f"link {name}", f"session {whose} is a member of it", remedy)

    def _settled(self, name: str, words: Mapping[str, Any], tunnels: Records, links: Links) -> LinkRecord:
        old = self.before.links.get(name) or self.unfinished.links.get(name)
        return dataclasses.replace(resolve_link(name, words, old, tunnels, links, self._host_id), stopped=None)

    def _check(self, tunnels: Records, links: Links, *, sessions: bool, may_lack: bool = False) -> None:
        """Check that the links that differ from the record can be made, before anything is touched.

        sessions: whether the change also makes sessions' netdevs, and links that do not differ but are gone. may_lack:
        one that is not there may be over what is not there either.
        """
        before = self.before
        differing = {name: record for name, record in links.items() if record != before.links.get(name)}
        check_links(tunnels, links, list(differing))
        self._refuse_loops(tunnels, links)
        old = before if sessions else HostRecords(links={k: one for k, one in before.links.items() if k in differing})
        for name, record in differing.items():
            others = {other: one for other, one in differing.items() if other != name}  # its own name has to be free
            coming = HostRecords(tunnels=tunnels if sessions else {}, links=others)
            ours = _names(old, self.unfinished, coming) | self._may_lack(record)
            try:
                self._link_observer.check(record, below(record.spec, tunnels, links), ours)
            except MissingError:
                if not may_lack or name in self._link_observer.seen({name: before.links.get(name, record)}).present:
                    raise

    def _refuse_loops(self, tunnels: Records, links: Links) -> None:
        """Check that no bridge carries the packets of a tunnel whose session is a port of that bridge."""
        tunnel_resolver = self._tunnel_resolver()
        for name, record in links.items():
            spec = record.resolved
            for one in spec.over if spec.type in _BRIDGES else ():
                tunnel, slash, session = one.partition("/")
                found = tunnels[tunnel].session(session) if slash else None
                if found is not None and (record, tunnels[tunnel]) != (
                    self.before.links.get(name),
                    self.before.tunnels.get(tunnel),
                ):
                    tunnel_resolver.check_bridge(tunnels[tunnel], found.spec, spec.ifname)

    def _may_lack(self, record: LinkRecord) -> frozenset[str]:
        """The members that it has on record already and that are not there now: it waits for them as it did before."""
        before = self.before.links.get(record.spec.name)
        if before is None or not record.spec.options.can_lack or before.over_netns != record.over_netns:
            return frozenset()
        lacking = self._link_observer.seen({record.spec.name: record}).lacking.get(record.spec.name, frozenset())
        return lacking & {*before.spec.over}

    # -- all of it -----------------------------------------------------------------------------------------------

    def all(
        self,
        wanted: Iterable[Desired],
        *,
        prune: bool,
        may_lack: bool = False,
        remove: Collection[str] = frozenset(),
    ) -> HostRecords:
        """The record with the wanted tunnels and links added or changed. prune: all others are removed.

        may_lack: see TunnelResolver.all. remove: those of the others that are removed, links as link_key has them.
        Raises what TunnelResolver.all and `link` do.
        """
        wanted = tuple(wanted)
        some = {one.name: one for one in wanted if isinstance(one, DesiredLink)}
        kept = {} if prune else self._links_without(remove)
        specs = {one.spec.name: one.spec for one in kept.values()}
        for name, one in some.items():
            specs[name] = LinkSpec.from_words({**one.words, "name": name})
        bridges = [spec.ifname for spec in specs.values() if spec.type in _BRIDGES]
        tunnel_resolver = self._tunnel_resolver_beside(bridges)
        tunnels = tunnel_resolver.all(
            [one for one in wanted if isinstance(one, DesiredTunnel)], prune=prune, may_lack=may_lack, remove=remove
        )
        if not specs:
            self._refuse_unbridged(tunnels, {})
            return HostRecords(tunnels=tunnels)
        links = dict(kept)
        for name, one in some.items():
            links[name] = dataclasses.replace(self._settled(name, one.words, tunnels, links), boot=None)
        self._refuse_orphaned(tunnels, {name: record for name, record in links.items() if name not in some})
        placed = _placed(tunnels, links)
        self._refuse_unbridged(tunnels, placed)
        check_links(tunnels, placed, list(placed))
        self._check(tunnels, placed, sessions=True, may_lack=may_lack)
        return HostRecords(tunnels=tunnels, links=placed)

    def _links_without(self, remove: Collection[str]) -> Links:
        """The links on record, but for these, which are called as link_key has them."""
        return {name: one for name, one in self.before.links.items() if link_key(name) not in remove}

    # -- again ---------------------------------------------------------------------------------------------------

    def resolve_again(
        self,
        names: Collection[str] | None,
        links: frozenset[str] | None,
        late: Late,
        *,
        tunnels_too: bool = False,
    ) -> HostRecords:
        """Resolve what is on record once more, where it was left open; see TunnelResolver.resolve_again.

        names, links: only of those. late: gets what is not whole yet.
        Raises what TunnelResolver.resolve_again does.
        """
        before = self.before
        tunnels = self._tunnel_resolver().resolve_again(names, late, tunnels_too=tunnels_too)
        chosen = {name for name in before.links if links is None or name in links}
        started = {
            name: dataclasses.replace(record, stopped=None) if name in chosen else record
            for name, record in before.links.items()
        }
        placed = _placed(tunnels, started)
        observed = self._link_observer.seen({name: placed[name] for name in chosen})
        ours = _names(self.before, self.unfinished, HostRecords(tunnels=tunnels, links=placed))
        for name in in_order(specs_of(placed)):
            if name not in chosen:
                continue
            record = placed[name]
            error = self._why_not(record, name in observed.present, late, tunnels, placed, ours)
            if error is None and (lacking := sorted(observed.lacking.get(name, ()))):
                remedy = "`ip link` shows those that there are"
                error = MissingError(f"link {name}", f"no netdev {lacking[0]} to be over", remedy)
            elif error is not None:
                late.unmade.add(name)
                ours.discard(record.spec.ifname)
            if error is not None:
                late.links[name] = error
        return HostRecords(tunnels=tunnels, links=placed)

    def _why_not(
        self,
        record: LinkRecord,
        there: bool,  # noqa: FBT001 - private
        late: Late,
        tunnels: Records,
        links: Links,
        ours: Collection[str],
    ) -> L2tpError | None:
        """Why a link can't be made now; None when it can, or need not be."""
        spec = record.spec
        can_lack = spec.options.can_lack
        for one in spec.over:
            tunnel, _, session = one.partition("/")
            if (error := late.sessions.get((tunnel, session))) is not None and not can_lack:
                return error
            if one in late.unmade and not can_lack:
                return MissingError(f"link {spec.name}", f"link {one} is not there to be over")
        if there or can_lack:
            return None
        try:
            self._link_observer.check(record, below(spec, tunnels, links), ours)
        except L2tpError as error:
            return error
        return None


def _names(*wholes: HostRecords) -> set[str]:
    """The names of all netdevs of these records."""
    return {
        *(one.spec.ifname for each in wholes for record in each.tunnels.values() for one in record.sessions),
        *(one.spec.ifname for each in wholes for one in each.links.values()),
    }


def _placed(tunnels: Records, links: Links) -> dict[str, LinkRecord]:
    """The links, each in the network namespace of what it is over. Raises InvalidValueError for a circle."""
    placed = dict(links)
    for name in in_order(specs_of(links)):
        record = placed[name]
        where = place_of(record.spec, tunnels, placed)
        if where != record.over_netns:
            placed[name] = dataclasses.replace(record, over_netns=where)
    return dict(sorted(placed.items()))


def _joins(bridge: str | None, netns: str | None, link: LinkRecord) -> bool:
    """Whether a session in that namespace whose bridge is called so is a member of the link."""
    return bridge is not None and bridge == link.spec.ifname and same_netns(netns, link.resolved.home)
