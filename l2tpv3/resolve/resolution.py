"""Resolves a change, as somebody asks for it, into the record that it leads to. Impossible changes are refused here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from l2tpv3.errors import ExistsError
from l2tpv3.linux.boot import boot_id
from l2tpv3.model.absent import no_link, no_session
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.fields import ENCRYPTION, ENCRYPTION_WORDS
from l2tpv3.model.host_records import HostRecords
from l2tpv3.model.late import WAITED_FOR, Late
from l2tpv3.model.link_key import is_link_key, link_key, link_of
from l2tpv3.model.links.record import LinkRecord
from l2tpv3.model.links.spec import COMMON
from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.model.scope import Scope, touched_links
from l2tpv3.model.values import Encrypt
from l2tpv3.resolve.backups import check_backups
from l2tpv3.resolve.change import ApplyAll, Change, EditLink, EditSession, EditTunnel, RestoreRecorded, Verb
from l2tpv3.resolve.resolver import Resolver
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class Resolution:
    """A change that is resolved.

    records: what shall be on record. scope: the tunnels and sessions that it is about, None for everything; links:
    those beside the ones that lie on what is in the scope. late: what can't be made yet, and is left out.
    """

    records: HostRecords
    scope: Scope | None
    links: frozenset[str] = frozenset()
    late: Late = field(default_factory=Late)

    @property
    def about_nothing(self) -> bool:
        """Whether nothing is left of the change."""
        return self.scope is not None and not self.scope and not self.links


def resolve(change: Change, resolver: Resolver) -> Resolution:
    """The record that a change leads to.

    Nothing is touched. Raises L2tpError when the change is impossible, or when its own
    check refuses it."""
    found = _resolve(change, resolver)
    if not isinstance(change, RestoreRecorded):  # what is on record was checked, and a part of it may wait
        check_backups(found.records.tunnels)
    return found


def _resolve(change: Change, resolver: Resolver) -> Resolution:
    match change:
        case EditTunnel():
            return Resolution(records=_tunnel(change, resolver), scope=frozenset({(change.name, None)}))
        case EditSession():
            return _session_alone(_session(change, resolver), change, resolver)
        case EditLink():
            return Resolution(records=_link(change, resolver), scope=frozenset(), links=frozenset({change.name}))
        case ApplyAll():
            return _apply(change, resolver)
        case RestoreRecorded():
            return _restore(change, resolver)


def _tunnel(change: EditTunnel, resolver: Resolver) -> HostRecords:
    name, words, before = change.name, change.words, resolver.before
    old = before.tunnels.get(name)
    if change.verb is Verb.ADD and old is not None:
        raise ExistsError(f"tunnel {name}", "exists already", f"`l2tpctl tunnel set {name}` changes it")
    if change.verb is Verb.DELETE and old is None and name in resolver.unfinished.tunnels:
        return before  # its add was killed half-way: the plan removes what there is of it
    if change.verb in (Verb.SET, Verb.DELETE):
        old = resolver.tunnel_on_record(name)
    if change.check is not None:
        change.check(old)
    if change.verb is Verb.DELETE:
        return resolver.without_tunnel(name)
    if change.verb is Verb.SET and old is not None:
        words = _merged_tunnel(old, words)
    resolved = resolver.tunnel(name, words)
    return resolved if change.transient is None else _made_lasting(resolved, name, transient=change.transient)


def _session(change: EditSession, resolver: Resolver) -> HostRecords:
    tunnel, name, words = change.tunnel, change.name, change.words
    record = resolver.tunnel_on_record(tunnel)
    old = record.session(name)
    if change.verb is Verb.ADD and old is not None:
        remedy = f"`l2tpctl session set {tunnel} {name}` changes it"
        raise ExistsError(f"session {tunnel}/{name}", "exists already", remedy)
    begun = resolver.unfinished.tunnels.get(tunnel)
    if change.verb is Verb.DELETE and old is None and begun is not None and begun.session(name) is not None:
        return resolver.before  # as of a tunnel
    if change.verb in (Verb.SET, Verb.DELETE):
        old = session_on_record(record, name)
    if change.check is not None:
        change.check(old)
    if change.verb is Verb.DELETE:
        return resolver.without_session(tunnel, name)
    if change.verb is Verb.SET and old is not None:
        words = _merged(old.spec.to_words(), words)
    return resolver.session(tunnel, name, words)


def _session_alone(records: HostRecords, change: EditSession, resolver: Resolver) -> Resolution:
    """The change of one session; the whole tunnel's where that gets a datapath which can do what the session asks."""
    before, after = resolver.before.tunnels.get(change.tunnel), records.tunnels.get(change.tunnel)
    moves = before is not None and after is not None and before.datapath != after.datapath
    name = None if moves else change.name
    return Resolution(records=records, scope=frozenset({(change.tunnel, name)}))


def _link(change: EditLink, resolver: Resolver) -> HostRecords:
    name, words, before = change.name, change.words, resolver.before
    old = before.links.get(name)
    if change.verb is Verb.ADD and old is not None:
        raise ExistsError(f"link {name}", "exists already", f"`l2tpctl link set {name}` changes it")
    if change.verb is Verb.DELETE and old is None and name in resolver.unfinished.links:
        return before  # as of a tunnel
    if change.verb in (Verb.SET, Verb.DELETE) and old is None:
        raise no_link(name, before.links)
    if change.check is not None:
        change.check(old)
    if change.verb is Verb.DELETE:
        return resolver.without_link(name)
    if change.verb is Verb.SET and old is not None:
        words = _merged_link(old, words)
    return resolver.link(name, words, transient=change.transient)


def _apply(change: ApplyAll, resolver: Resolver) -> Resolution:
    if change.check is not None:
        change.check(resolver.before)
    records = resolver.all(change.wanted, prune=change.prune, may_lack=change.may_wait, remove=change.remove)
    late = Late()
    if change.may_wait:
        records = resolver.against(records).resolve_again(None, None, late, tunnels_too=True)
        for error in late.links.values():
            if not isinstance(error, WAITED_FOR):
                raise error
    return Resolution(records=records, scope=None, late=late)


def _restore(change: RestoreRecorded, resolver: Resolver) -> Resolution:
    """Names that are asked for no more are left out: somebody else may have changed the record meanwhile."""
    before, late = resolver.before, Late(sessions=dict(change.refused))
    asked = recorded_names(before) if change.names is None else change.names
    left = [name for name in asked if change.asks_for(recorded_by_name(before, name))]
    names = change.names if len(left) == len(asked) else left
    if names is None:
        return Resolution(records=resolver.resolve_again(None, None, late), scope=None, late=late)
    tunnels = [name for name in names if not is_link_key(name)]
    links = frozenset(link_of(name) for name in names if is_link_key(name))
    scope: Scope = frozenset((name, None) for name in tunnels)
    records = resolver.resolve_again(tunnels, touched_links(scope, links, before), late) if names else before
    return Resolution(records=records, scope=scope, links=links, late=late)


def recorded_names(whole: HostRecords) -> list[str]:
    """The names of all tunnels and links, as model.link_key spells them."""
    return [*whole.tunnels, *map(link_key, whole.links)]


def recorded_by_name(whole: HostRecords, name: str) -> TunnelRecord | LinkRecord | None:
    """A tunnel or link by such a name; None when it is not on record."""
    return whole.links.get(link_of(name)) if is_link_key(name) else whole.tunnels.get(name)


def session_on_record(record: TunnelRecord, name: str) -> SessionRecord:
    """A session of that tunnel. Raises NotFoundError."""
    session = record.session(name)
    if session is None:
        raise no_session(record.spec.name, name, (one.spec.name for one in record.sessions))
    return session


def _made_lasting(whole: HostRecords, tunnel: str, *, transient: bool) -> HostRecords:
    """The records with that tunnel made lasting, or made transient: forgotten at the next boot."""
    record = dataclasses.replace(whole.tunnels[tunnel], boot=boot_id() if transient else None)
    return dataclasses.replace(whole, tunnels={**whole.tunnels, tunnel: record})


def _merged(present: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    """A spec's words with some changed; those that are None are left out, for their default."""
    return {word: value for word, value in {**present, **words}.items() if value is not None and word != "name"}


def _merged_tunnel(old: TunnelRecord, words: Mapping[str, Any]) -> dict[str, Any]:
    """What it says now, with some words changed. What it has of one encryption goes with that."""
    merged = _merged(DesiredTunnel.from_specs(old.spec).words, words)
    if "local-port" in words and words["local-port"] is None:
        merged["local-port"] = None  # to be chosen anew
    if words.get("remote-name") is not None:
        merged.pop("remote")  # another name, another address
    elif "remote-name" in words and "remote" not in words:
        merged["remote"] = str(old.spec.remote)
    kept = ENCRYPTION.get(merged.get("encrypt", Encrypt.NONE), ())
    return {
        word: value for word, value in merged.items() if word not in ENCRYPTION_WORDS or word in kept or word in words
    }


def _merged_link(old: LinkRecord, words: Mapping[str, Any]) -> dict[str, Any]:
    """What it says now, with some words changed. With another type, only what all types have stays."""
    stated = old.spec.stated_words()
    if words.get("type", stated["type"]) != stated["type"]:
        stated = {word: value for word, value in stated.items() if word in COMMON}
    return {**stated, **words}
