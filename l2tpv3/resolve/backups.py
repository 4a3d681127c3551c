"""Checks what sessions on record say of their backups, which are other sessions on record."""

from __future__ import annotations

from collections.abc import Iterator

from l2tpv3.errors import ConflictError
from l2tpv3.linux.netns import same_netns
from l2tpv3.model.probe import CHANNEL
from l2tpv3.model.record import Records, SessionRecord, TunnelRecord
from l2tpv3.model.spec import home


def check_backups(records: Records) -> None:
    """Check that each backup can be what it is said to be.

    Raises ConflictError: it is not on record, is its own primary, has a backup itself, is another session's, too, is in
    another network namespace, or not probed, or takes no frames as long.
    """
    primaries: dict[str, str] = {}
    for record in records.values():
        for session in record.sessions:
            backup = session.spec.backup
            if backup is None:
                continue
            name = f"{record.spec.name}/{session.spec.name}"
            subject = f"session {name}: --backup"
            problems = list(_problems(records, record, session))
            if (other := primaries.setdefault(backup, name)) != name:
                problems.append((f"{backup} is the backup of {other} already", "add a session for each"))
            if problems:
                raise ConflictError(subject, *problems[0])


def _problems(records: Records, record: TunnelRecord, session: SessionRecord) -> Iterator[tuple[str, str]]:
    """What is wrong with a session's backup, each with a remedy."""
    spec, backup = session.spec, str(session.spec.backup)
    tunnel, _, name = backup.partition("/")
    other = records.get(tunnel)
    there = other.session(name) if other is not None else None
    none = f"`l2tpctl session set {record.spec.name} {spec.name} --backup none`"
    if other is None or there is None:
        yield f"there is no session {backup}", f"add it first, or {none}"
        return
    if there is session:
        yield "it is this session itself", "name another one, in a tunnel that goes another way"
        return
    if there.spec.backup is not None:
        yield f"{backup} has a backup itself", f"`l2tpctl session set {tunnel} {name} --backup none` takes it away"
    if there.spec.probe != CHANNEL:
        remedy = f"`l2tpctl session set {tunnel} {name} --probe bfd`, at the other end, too"
        yield f"nothing tells whether the other end of {backup} is there", remedy
    if not same_netns(home(record.spec, spec), home(other.spec, there.spec)) or not same_netns(
        record.spec.netns, other.spec.netns
    ):
        yield f"{backup} is in another network namespace", "add one in this session's, by --netns of its tunnel"
    if session.mtu is not None and there.mtu is not None and there.mtu < session.mtu:
        remedy = f"`l2tpctl session set {record.spec.name} {spec.name} --mtu {there.mtu}`"
        yield f"frames of an MTU of {session.mtu} do not go by {backup}, which has one of {there.mtu}", remedy
