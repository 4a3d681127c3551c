"""The values that a plan is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from l2tpv3.model.links.record import Links
from l2tpv3.model.observation import Observation
from l2tpv3.model.record import Records
from l2tpv3.model.scope import Scope
from l2tpv3.value_class import value_class

InPlace = Mapping[str, frozenset[str]]
"""Datapath's name → what it changes without interrupting traffic: attributes of SessionSpec, or words of tunnels."""


@value_class(frozen=True, slots=True, kw_only=True)
class LinkPlanInput:
    """The part of a plan's input that is about links.

    old, wanted, maybe: as in PlanInput. scope: the names of the links that the change is about; None is all.
    """

    old: Links = field(default_factory=dict)
    wanted: Links = field(default_factory=dict)
    maybe: Links = field(default_factory=dict)
    scope: frozenset[str] | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class PlanInput:
    """Everything that a plan looks at.

    old: the tunnels on record. wanted: the tunnels that are to be there. maybe: those that a killed change was making,
    which may be there or not. observation: what is there. in_place, tunnels_in_place: what each datapath can change of
    a session and of a tunnel without interrupting traffic. scope: the tunnels and sessions that the change is about;
    None is all. links: the same for links. to_show: the plan is only shown: it may have steps of which nobody knows
    whether they can be taken; see _TunnelPlan._blocked.
    """

    old: Records
    wanted: Records
    observation: Observation
    in_place: InPlace
    tunnels_in_place: InPlace = field(default_factory=dict)
    maybe: Records = field(default_factory=dict)
    scope: Scope | None = None
    links: LinkPlanInput = field(default_factory=LinkPlanInput)
    to_show: bool = False

    def covers(self, tunnel: str, session: str | None = None) -> bool:
        """Whether the change is about that tunnel as such, or (with `session`) about that session."""
        return (
            self.scope is None
            or (tunnel, None) in self.scope
            or (session is not None and (tunnel, session) in self.scope)
        )
