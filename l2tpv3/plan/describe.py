"""Describes steps in words for people: a line for each thing that happens to a tunnel, session or link.

A line can stand for several steps: a tunnel that is made anew is removed and made with its sessions, and what changes
of a session may be the datapath's to set and the netdev's. The words fit before the steps are taken (a plan) and after
(a log). No secrets are in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from l2tpv3.model.fields import SESSION
from l2tpv3.model.progress import StepText
from l2tpv3.model.record import SessionRecord, TunnelRecord, differing_words, identity
from l2tpv3.model.spec import Encrypt, SessionSpec
from l2tpv3.model.values import formatted
from l2tpv3.plan.link_phrases import describe_link
from l2tpv3.plan.link_steps import LinkStep
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
    Step,
)

_BY_ATTRIBUTE = {field.attribute: field for field in SESSION}
_OF_UDP = ("local-port", "remote-port", "udp-checksum")
"""Words of a tunnel that exist over UDP only. A change of `encap` does not mention them."""
_Name = tuple[str, str]


def describe(steps: Sequence[AnyStep]) -> list[StepText]:
    """The description of the steps, in their order."""
    return [step_text for step_text in describe_each(steps) if step_text is not None]


def describe_each(steps: Sequence[AnyStep]) -> list[StepText | None]:
    """The description of each step; None for a step that the line of an earlier step covers."""
    return list(_Description(steps).lines())


class _Description:
    def __init__(self, steps: Sequence[AnyStep]) -> None:
        self._steps = steps
        self._why: dict[str, str] = {}  # the first reason for which a tunnel of that name goes
        self._removed: dict[_Name, DelSession] = {}
        self._added: dict[_Name, AddSession] = {}
        self._set: dict[_Name, list[SetSession | SetNetdev]] = {}
        self._described: set[object] = set()
        removed: dict[str, TunnelRecord] = {}
        made: dict[str, TunnelRecord] = {}
        for one in steps:
            match one:
                case DelTunnel():
                    removed[one.tunnel.spec.name] = one.tunnel
                    if one.why:
                        self._why.setdefault(one.tunnel.spec.name, one.why)
                case AddTunnel():
                    made[one.tunnel.spec.name] = one.tunnel
                case DelSession():
                    self._removed[_name(one)] = one
                case AddSession():
                    self._added[_name(one)] = one
                case SetSession() | SetNetdev():
                    self._set.setdefault(_name(one), []).append(one)
        self._comes_or_goes = {*removed, *made}
        self._replaced = {name: (old, made[name]) for name, old in removed.items() if name in made}

    def lines(self) -> Iterator[StepText | None]:
        for step in self._steps:
            yield describe_link(step) if isinstance(step, LinkStep) else self._line(step)

    def _line(self, step: Step) -> StepText | None:
        name = step.tunnel.spec.name
        if name in self._replaced and isinstance(step, (DelTunnel, AddTunnel)):
            return self._once(name, _tunnel_anew(*self._replaced[name], self._why.get(name, "")))
        match step:
            case SetEncryption() | DelEncryption():
                return self._encryption(step)
            case AddTunnel():
                return _step_text("+", step, f"{_ends(step.tunnel)}, {step.tunnel.datapath} datapath")
            case DelTunnel():
                count = len(step.tunnel.sessions)
                return _step_text(
                    "-", step, f"removed, with {sessions(count)}" if count else "removed", interrupts=True
                )
            case SetTunnel():
                return _step_text("~", step, tunnel_changes(step.old, step.tunnel, step.fields))
            case AddSession() | ReplaceSession() if name in self._replaced and self._comes_along(step):
                return None
            case SetSession() | SetNetdev():
                return self._once(_name(step), self._changed(_name(step)))
        return self._session(step)

    def _encryption(self, step: SetEncryption | DelEncryption) -> StepText | None:
        """What encrypts a tunnel comes and goes with it, and is told of where it does not."""
        name = step.tunnel.spec.name
        if name in self._comes_or_goes:
            return None
        if isinstance(step, SetEncryption):
            text = f"encryption: {step.why or 'where the peer is'}"
            told = StepText(sign="~", tunnel=name, text=text, why=step.why)
        else:
            text = "encryption as it was before"
            if step.guard_stays:
                text = "what encrypts it, whose port or peer another tunnel gets"
            told = StepText(sign="-", tunnel=name, text=text, interrupts=step.kept is None)
        return self._once(("encryption", name, told.sign), told)

    def _session(self, step: Step) -> StepText | None:
        """A session that is made, removed or made anew."""
        if isinstance(step, ReplaceSession):
            return _session_anew(step, step.old)
        if isinstance(step, (AddSession, DelSession)):
            removed, added = self._removed.get(_name(step)), self._added.get(_name(step))
            if removed is not None and added is not None:
                return self._once(_name(step), _session_anew(added, removed.session))
        if isinstance(step, AddSession):
            return _step_text("+", step, f"id {step.session.spec.session_id}, netdev {step.session.spec.ifname}")
        if isinstance(step, DelSession):
            return _step_text("-", step, "removed", interrupts=True)
        raise TypeError(step)

    def _once(self, subject: object, step_text: StepText) -> StepText | None:
        """The text, unless the subject was described before."""
        if subject in self._described:
            return None
        self._described.add(subject)
        return step_text

    def _comes_along(self, step: AddSession | ReplaceSession) -> bool:
        """Whether a session is made again as it was, with its tunnel."""
        old = self._replaced[step.tunnel.spec.name][0].session(step.session.spec.name)
        return old is not None and not session_changes(old, step.session)

    def _changed(self, name: _Name) -> StepText:
        """The line for a session that changes in place, by one or several steps."""
        steps = self._set[name]
        changes = dict.fromkeys(part for one in steps for part in _fields(one))
        return _step_text("~", steps[0], ", ".join(changes))


def sessions(count: int) -> str:
    """`1 session`, `2 sessions`."""
    return f"{count} session{'' if count == 1 else 's'}"


def _name(step: Step) -> _Name:
    session: SessionRecord = getattr(step, "session")  # noqa: B009 - of several classes
    return step.tunnel.spec.name, session.spec.name


def _ends(tunnel: TunnelRecord) -> str:
    encrypted = "" if tunnel.spec.encrypt is Encrypt.NONE else f", encrypted by {tunnel.spec.encrypt}"
    return f"{tunnel.local} to {tunnel.spec.remote} over {tunnel.spec.encap}{encrypted}"


def _tunnel_anew(old: TunnelRecord, new: TunnelRecord, why: str) -> StepText:
    names = {one.spec.name for one in new.sessions}
    kept = [one.spec.name for one in old.sessions if one.spec.name in names]
    lost = [one.spec.name for one in old.sessions if one.spec.name not in names]
    text = f"{tunnel_changes(old, new, differing_words(old, new))}: made anew"
    text += f" with {sessions(len(kept))}" if kept else ""
    text += f", without {', '.join(lost)}" if lost else ""
    return StepText(sign="~", tunnel=new.spec.name, text=text, why=why, interrupts=True)


def tunnel_changes(old: TunnelRecord, new: TunnelRecord, words: Sequence[str]) -> str:
    """The old and the new values of these words of a tunnel: `remote 192.0.2.2 → 192.0.2.9`."""
    was, now = identity(old), identity(new)
    if words == ("udp-checksum",) and was["udp-checksum"] == now["udp-checksum"]:
        was = {**was, "udp-checksum": not now["udp-checksum"]}  # as is seen
    if "bind-device" in words and was["bind-device"] == now["bind-device"]:
        was = {**was, "bind-device": "another one of that name, gone"}
    said = [word for word in words if not ("encap" in words and word in _OF_UDP)]
    return ", ".join(f"{word} {_tunnel_value(was[word])} → {_tunnel_value(now[word])}" for word in said)


def _tunnel_value(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value in (None, 0) else str(value)


def _session_anew(step: AddSession | ReplaceSession, old: SessionRecord) -> StepText:
    changes = session_changes(old, step.session)
    return StepText(
        sign="~",
        tunnel=step.tunnel.spec.name,
        session=step.session.spec.name,
        text=f"{', '.join(changes)}: made anew" if changes else f"made anew{': ' if step.why else ''}{step.why}",
        why=step.why,
        interrupts=True,
    )


def session_changes(old: SessionRecord, new: SessionRecord) -> list[str]:
    """The old and the new values of what differs of a session. Of cookies it says only that they differ."""
    names = [field.attribute for field in SESSION]
    fields = [name for name in names if getattr(old.spec, name) != getattr(new.spec, name)]
    fields += ["mtu"] if old.mtu != new.mtu and "mtu" not in fields else []
    return [_change(field, *(_field(one, field) for one in (old, new))) for field in fields]


def _fields(step: SetSession | SetNetdev) -> list[str]:
    changes = []
    for field in step.fields:
        before, after = _field(step.old, field), _field(step.session, field)
        if isinstance(step, SetNetdev) and field == "clamp_mss":
            changes.append(_clamp_change(step))
        elif field == "sequencing" and before == after and "fragment" in step.fields:
            continue  # packets with parts of frames are numbered, whatever the sequencing is
        else:
            changes.append(_change(field, before, after))
    return changes


def _clamp_change(step: SetNetdev) -> str:
    """What TCP's MSS is clamped to fit, before and after, in bytes."""
    before, after = step.netdev.clamp_mtu if step.netdev is not None else None, step.session.clamp_mtu
    was = {None: "off", 0: "on one side"}.get(before, f"for {before} bytes")
    return f"clamp-mss {was} → {'off' if after is None else f'for {after} bytes'}"


def _field(of: SessionRecord | SessionSpec, field: str) -> Any:
    """The value of a session's field; of `mtu` what it comes to."""
    if field == "mtu" and of.mtu is not None:
        return of.mtu
    return getattr(of.spec if isinstance(of, SessionRecord) else of, field)


def _change(field: str, before: object, after: object) -> str:
    known = _BY_ATTRIBUTE[field]
    if known.secret:
        return known.word
    if known.type == "on-off":
        return f"{known.word} {formatted(known, before)} → {formatted(known, after)}"
    return f"{known.word} {_value(before)} → {_value(after)}"


def _step_text(sign: str, step: Step, text: str, *, interrupts: bool = False) -> StepText:
    session: SessionRecord | None = getattr(step, "session", None)
    return StepText(
        sign=sign,
        tunnel=step.tunnel.spec.name,
        session=session.spec.name if session is not None else None,
        text=f"{text}: {step.why}" if step.why else text,
        why=step.why,
        interrupts=interrupts,
    )


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
