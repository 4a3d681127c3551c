"""The steps of a plan: inert data. `describe` says each in words; run.py takes them."""

from __future__ import annotations

from dataclasses import dataclass

from l2tpv3.links.steps import LinkStep
from l2tpv3.links.tell import describe_link
from l2tpv3.records import SessionRecord, TunnelRecord
from l2tpv3.spec import SessionSpec, session_word
from l2tpv3.told import ToldStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing done to one tunnel or session. tunnel: as wanted (of a removal: as it was). why: when not plain."""

    tunnel: TunnelRecord
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTunnel(Step):
    """Make the tunnel, without its sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DelTunnel(Step):
    """Remove the tunnel with what is left of its sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSession(Step):
    """Make the session and configure its netdev. adopt: take over the netdev that outlived its worker."""

    session: SessionRecord
    adopt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DelSession(Step):
    """Remove the session and its netdev."""

    session: SessionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSession(Step):
    """Have the datapath change `fields` in place."""

    session: SessionRecord
    old: SessionRecord
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNetdev(Step):
    """Change `fields` of the session's netdev in place. old: the netdev as it is now, in a spec's words."""

    session: SessionRecord
    old: SessionSpec
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceSession(Step):
    """Make the session anew in place of `old` (of `old_tunnel`); first the new one, where both can exist at once."""

    session: SessionRecord
    old_tunnel: TunnelRecord
    old: SessionRecord


AnyStep = Step | LinkStep


def describe(step: AnyStep) -> ToldStep:
    """What the step does, for people; no secrets are in it."""
    if isinstance(step, LinkStep):
        return describe_link(step)
    tunnel = step.tunnel.spec
    match step:
        case AddTunnel():
            where = f"{step.tunnel.local} to {tunnel.remote} over {tunnel.encap}, {step.tunnel.datapath} datapath"
            return _told("+", step, where)
        case DelTunnel():
            count = len(step.tunnel.sessions)
            text = f"remove it with {count} session{'' if count == 1 else 's'}" if count else "remove it"
            return _told("-", step, text, interrupts=True)
        case AddSession():
            return _told("+", step, f"id {step.session.spec.session_id}, netdev {step.session.spec.ifname}")
        case DelSession():
            return _told("-", step, "remove it", interrupts=True)
        case ReplaceSession():
            return _told("~", step, "make it anew", interrupts=True)
        case SetSession() | SetNetdev():
            return _told("~", step, _fields(step))
    raise TypeError(step)


def _told(sign: str, step: Step, text: str, *, interrupts: bool = False) -> ToldStep:
    session: SessionRecord | None = getattr(step, "session", None)
    return ToldStep(
        sign=sign,
        tunnel=step.tunnel.spec.name,
        session=session.spec.name if session is not None else None,
        text=f"{text}: {step.why}" if step.why else text,
        why=step.why,
        interrupts=interrupts,
    )


def _fields(step: SetSession | SetNetdev) -> str:
    old = step.old.spec if isinstance(step.old, SessionRecord) else step.old
    new = step.session.spec
    parts = []
    for field in step.fields:
        word = session_word(field)
        if "cookie" in field:
            parts.append(word)  # never its value
            continue
        before, after = getattr(old, field), getattr(new, field)
        if field == "mtu":
            before = step.old.mtu if step.old.mtu is not None else before
            after = step.session.mtu
        parts.append(f"{word} {_value(before)} → {_value(after)}")
    return ", ".join(parts)


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
