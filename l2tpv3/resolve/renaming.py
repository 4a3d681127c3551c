"""Renaming tunnels and sessions: how the record changes. Pure functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from l2tpv3.errors import ExistsError, NotFoundError
from l2tpv3.model.host_records import HostRecords
from l2tpv3.model.ids import parse_name
from l2tpv3.model.links.record import LinkRecord
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.record import TunnelRecord
from l2tpv3.store.journal import Renaming


def renamed(whole: HostRecords, renaming: Renaming) -> HostRecords:
    """The record after a tunnel or session got its new name, also in links over it, and where it is a backup.

    Raises NotFoundError, ExistsError, InvalidValueError (the new name).
    """
    tunnel, session, new = renaming
    record = whole.tunnels.get(tunnel)
    if record is None:
        raise NotFoundError(f"tunnel {tunnel}", "no such tunnel", "`l2tpctl tunnel show` lists them")
    if session is None:
        parse_name(new, "tunnel name")
        if new in whole.tunnels:
            raise ExistsError(f"tunnel {new}", "exists already", "give another NEW")
        others = {name: one for name, one in whole.tunnels.items() if name != tunnel}
        tunnels = {**others, new: dataclasses.replace(record, spec=dataclasses.replace(record.spec, name=new))}
        names = {f"{tunnel}/{one.spec.name}": f"{new}/{one.spec.name}" for one in record.sessions}
    else:
        old = record.session(session)
        if old is None:
            raise NotFoundError(f"session {tunnel}/{session}", "no such session", "`l2tpctl session show` lists them")
        parse_name(new, "session name")
        if record.session(new) is not None:
            raise ExistsError(f"session {tunnel}/{new}", "exists already", "give another NEW")
        again = dataclasses.replace(old, spec=dataclasses.replace(old.spec, name=new))
        tunnels = {**whole.tunnels, tunnel: record.without_session(session).with_session(again)}
        names = {f"{tunnel}/{session}": f"{tunnel}/{new}"}
    tunnels = {name: _with_backups(one, names) for name, one in tunnels.items()}
    links = {name: _link(one, names) for name, one in whole.links.items()}
    return HostRecords(tunnels=dict(sorted(tunnels.items())), links=links)


def _with_backups(record: TunnelRecord, names: Mapping[str, str]) -> TunnelRecord:
    if not any(one.spec.backup in names for one in record.sessions):
        return record
    again = (
        dataclasses.replace(one, spec=dataclasses.replace(one.spec, backup=names.get(one.spec.backup, one.spec.backup)))
        if one.spec.backup is not None
        else one
        for one in record.sessions
    )
    return record.with_sessions(tuple(again))


def _link(record: LinkRecord, names: Mapping[str, str]) -> LinkRecord:
    words = record.spec.to_words()
    again = {word: _value(value, names) for word, value in words.items()}
    return record if again == words else dataclasses.replace(record, spec=LinkSpec.from_words(again))


def _value(value: Any, names: Mapping[str, str]) -> Any:
    """A word's value with what it names called otherwise: `over`, but also a bond's `primary` and the like."""
    if isinstance(value, str):
        return names.get(value, value)
    return [_value(one, names) for one in value] if isinstance(value, (list, tuple)) else value
