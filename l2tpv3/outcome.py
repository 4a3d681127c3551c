"""What a change did, or would do: as data, and in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from l2tpv3.describe import describe
from l2tpv3.everything import Edits, Everything
from l2tpv3.steps import AnyStep
from l2tpv3.told import ToldStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a change did, or would do. steps: in their order; () when everything was so already. namespaces: made before
    all of them."""

    steps: tuple[AnyStep, ...]
    before: Everything
    after: Everything
    namespaces: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything changes: what runs, or only what is on record of it."""
        return bool(self.steps or self.namespaces) or bool(Edits.between(self.before, self.after))

    @property
    def told(self) -> tuple[ToldStep, ...]:
        """The steps in words."""
        return (*map(of_namespace, self.namespaces), *describe(self.steps))


def of_namespace(netns: str) -> ToldStep:
    """That a network namespace is made, before all steps."""
    return ToldStep(sign="+", netns=netns, text="made")


def in_words(namespaces: Iterable[str], steps: Iterable[AnyStep]) -> str:
    """What is done, for the audit trail; "" when it is nothing."""
    said = (*map(of_namespace, namespaces), *describe(tuple(steps)))
    return "; ".join(f"{one.sign} {one.subject}: {one.text}" for one in said)
