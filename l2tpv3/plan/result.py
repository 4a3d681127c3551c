"""The outcome of a change, done or only planned: as values, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from l2tpv3.errors import L2tpError
from l2tpv3.model.host_records import HostRecords, RecordDelta
from l2tpv3.model.progress import ChangeResult, StepText
from l2tpv3.model.record import differing_words
from l2tpv3.plan.describe import describe
from l2tpv3.plan.describe_record import describe_record
from l2tpv3.plan.link_steps import DelLink
from l2tpv3.plan.steps import AddTunnel, AnyStep, DelTunnel, ReplaceSession
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a change, or of a plan. steps: in their order; () when nothing had to change. namespaces: made
    before all steps. lost: what others had configured on netdevs that were made anew, and could not be put back.
    waiting: what is on record and could not be made yet, by the names that `restore` takes, and why.
    """

    steps: tuple[AnyStep, ...]
    before: HostRecords
    after: HostRecords
    namespaces: tuple[str, ...] = ()
    lost: tuple[StepText, ...] = ()
    waiting: Mapping[str, L2tpError] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """Whether anything changes: what runs, or only what is on record of it."""
        return bool(self.steps or self.namespaces) or bool(RecordDelta.between(self.before, self.after))

    @property
    def step_texts(self) -> tuple[StepText, ...]:
        """The steps in words, and what changes on record alone."""
        return (*map(of_namespace, self.namespaces), *describe(self.steps), *self.steps_on_record, *self.lost)

    @property
    def steps_on_record(self) -> list[StepText]:
        """The steps that change the record alone."""
        return describe_record(self.before, self.after, self.steps)

    @property
    def in_words(self) -> str:
        """The steps that were taken, in words, for the audit log; "" when there were none."""
        return "; ".join(f"{one.sign} {one.subject}: {one.text}" for one in self.step_texts)

    def tunnel_result(self, tunnel: str, session: str | None = None) -> ChangeResult:
        """The result for one tunnel, or, with `session`, for one session of it."""
        before, after = self.before.tunnels.get(tunnel), self.after.tunnels.get(tunnel)
        made = before is None or (session is not None and before.session(session) is None)
        forced = [step.why for step in self.steps if isinstance(step, (DelTunnel, ReplaceSession)) and step.why]
        if before is not None and after is not None and any(isinstance(step, AddTunnel) for step in self.steps):
            forced = [f"{', '.join(differing_words(before, after))} can't change in place"] if forced else []
        lost = tuple(f"{one.subject}: {one.text}" for one in self.lost)
        return ChangeResult(recreated=bool(forced), why=forced[0] if forced else "", made=made, lost=lost)

    def link_result(self, name: str) -> ChangeResult:
        """The result of the change for one link."""
        made = name not in self.before.links
        for step in self.steps:
            if isinstance(step, DelLink) and step.link.spec.name == name and step.why:
                return ChangeResult(recreated=True, why=step.why, made=made)
        return ChangeResult(made=made)


def of_namespace(netns: str) -> StepText:
    """The line which says that a network namespace is made, before all steps."""
    return StepText(sign="+", netns=netns, text="made")
