"""Describes changes of the record alone, where nothing that runs is touched, in words for people.

A tunnel that `down` stopped, or that is missing, is removed or changed without a step that would tell of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from l2tpv3.model.fields import TUNNEL, Field
from l2tpv3.model.host_records import HostRecords, RecordDelta
from l2tpv3.model.links.record import LinkRecord
from l2tpv3.model.progress import StepText
from l2tpv3.model.record import TunnelRecord, identity
from l2tpv3.plan.describe import session_changes, sessions, tunnel_changes
from l2tpv3.plan.link_steps import LinkStep
from l2tpv3.plan.steps import AddTunnel, AnyStep, DelTunnel, SetEncryption, SetTunnel, Step


def describe_record(before: HostRecords, after: HostRecords, steps: Sequence[AnyStep]) -> list[StepText]:
    """The changes of the record that no step describes."""
    edits = RecordDelta.between(before, after)
    if not edits:
        return []
    described = set(_described(steps))
    found: list[StepText] = []
    for name, tunnel in edits.tunnels.items():
        if (name, None) not in described:
            found += _tunnel(name, before.tunnels.get(name), tunnel)
        found += _sessions(name, before.tunnels.get(name), tunnel, described)
    for link, record in edits.links.items():
        if link not in described:
            found += _link(link, before.links.get(link), record)
    return found


def _described(steps: Sequence[AnyStep]) -> Iterator[object]:
    """The tunnels, sessions and links that steps describe: a tunnel that comes or goes with its sessions."""
    for step in steps:
        if isinstance(step, LinkStep):
            yield step.link.spec.name
        elif isinstance(step, Step):
            name = step.tunnel.spec.name
            if isinstance(step, (AddTunnel, DelTunnel)):
                yield from ((name, one.spec.name) for one in step.tunnel.sessions)
            session = getattr(step, "session", None)
            if session is not None:
                yield name, session.spec.name
            if isinstance(step, (AddTunnel, DelTunnel, SetTunnel, SetEncryption)):
                yield name, None


def _tunnel(name: str, old: TunnelRecord | None, new: TunnelRecord | None) -> Iterator[StepText]:
    def step_text(sign: str, text: str) -> StepText:
        return StepText(sign=sign, tunnel=name, text=text, on_record=True)

    if new is None:
        assert old is not None
        count = len(old.sessions)
        text = f"removed, with {sessions(count)}" if count else "removed"
        yield step_text("-", f"{text}; {_state(old)}")
    elif old is None:
        waits = ", where it waits" if new.waits else ""
        ends = f"{new.local} to {new.spec.remote} over {new.spec.encap}"
        yield step_text("+", f"{ends}, {new.datapath} datapath, on record{waits}")
    else:
        was, now = identity(old), identity(new)
        words = tuple(word for word, value in was.items() if value != now[word])
        changes = [tunnel_changes(old, new, words)] if words else []
        changes += _kept_changes(old.spec, new.spec, TUNNEL)
        if old.boot != new.boot:
            changes.append("made to last" if new.boot is None else "made transient")
        if old.stopped != new.stopped:
            changes.append("stopped no more" if new.stopped is None else "stopped")
        if changes:
            yield step_text("~", ", ".join(changes))


def _kept_changes(old: object, new: object, fields: Iterable[Field]) -> Iterator[str]:
    """What differs of two in the words that are on record and nowhere else."""
    for field in fields:
        before, after = getattr(old, field.attribute), getattr(new, field.attribute)
        if field.applied_by in ("record", "watch") and before != after:
            yield f"{field.word} {before or 'none'} → {after or 'none'}"


def _sessions(
    tunnel: str, old: TunnelRecord | None, new: TunnelRecord | None, described: set[object]
) -> Iterator[StepText]:
    if old is None or new is None:
        return  # they come and go with it
    was = {one.spec.name: one for one in old.sessions}
    now = {one.spec.name: one for one in new.sessions}
    for name in sorted({*was, *now}):
        if (tunnel, name) in described or was.get(name) == now.get(name):
            continue
        if name not in now:
            yield StepText(sign="-", tunnel=tunnel, session=name, text=f"removed; {_state(old)}", on_record=True)
        elif name not in was:
            spec = now[name].spec
            text = f"id {spec.session_id}, netdev {spec.ifname}, on record"
            yield StepText(sign="+", tunnel=tunnel, session=name, text=text, on_record=True)
        elif changes := session_changes(was[name], now[name]):
            yield StepText(sign="~", tunnel=tunnel, session=name, text=", ".join(changes), on_record=True)


def _link(name: str, old: LinkRecord | None, new: LinkRecord | None) -> Iterator[StepText]:
    def step_text(sign: str, text: str) -> StepText:
        return StepText(sign=sign, link=name, text=text, on_record=True)

    if new is None:
        yield step_text(
            "-", f"removed; {'it was stopped' if old is not None and old.stopped else 'it was not running'}"
        )
    elif old is None:
        yield step_text("+", f"{new.spec.type}, on record")
    else:
        was, now = old.spec.to_words(), new.spec.to_words()
        words = [word for word in now if was.get(word) != now[word]]
        if words:
            yield step_text("~", f"{', '.join(words)} changed")


def _state(record: TunnelRecord) -> str:
    return "it was stopped" if record.stopped is not None else "it was not running"
