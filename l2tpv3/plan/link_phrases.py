"""Steps about links, in words for people."""

from __future__ import annotations

from typing import Any

from l2tpv3.model.progress import StepText
from l2tpv3.plan.link_steps import AddLink, DelLink, LinkStep, SetLink


def describe_link(step: LinkStep) -> StepText:
    """The step in words. Raises TypeError for what is no step of a link."""
    spec = step.link.spec
    match step:
        case AddLink():
            over = f" over {', '.join(spec.over)}" if spec.over else ""
            netdev = f", netdev {spec.ifname}" if spec.ifname not in ("", spec.name) else ""
            return _step_text("+", step, f"{spec.type}{over}{netdev}")
        case DelLink():
            return _step_text("-", step, "removed", interrupts=True)
        case SetLink():
            return _step_text("~", step, ", ".join(_change(step, word) for word in step.words))
    raise TypeError(step)


def _step_text(sign: str, step: LinkStep, text: str, *, interrupts: bool = False) -> StepText:
    return StepText(
        sign=sign,
        link=step.link.spec.name,
        text=f"{text}: {step.why}" if step.why else text,
        why=step.why,
        interrupts=interrupts,
    )


def _change(step: SetLink, word: str) -> str:
    before, after = step.old.spec.to_words().get(word), step.link.spec.to_words().get(word)
    if word == "mac":
        before, after = step.old.mac, step.link.mac
    return f"{word} {_value(before)} → {_value(after)}" if before != after else f"{word} {_value(after)}"


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
