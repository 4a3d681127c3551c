"""Plans, and what changes did, as JSON, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from l2tpv3.documents.netdev import known_fields
from l2tpv3.documents.schemas import PLAN_SCHEMA
from l2tpv3.model.progress import StepText
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class RemoteDid:
    """The result of a change on another host, with what l2tpv3.host.base.Did has."""

    step_texts: tuple[StepText, ...]
    changes: bool


def plan_document(steps: Iterable[StepText]) -> dict[str, Any]:
    """The document that `plan --json` and `apply --json` print: the steps in their order."""
    return {"schema": PLAN_SCHEMA, "steps": [step_to_json(step) for step in steps]}


def did_from_json(document: Mapping[str, Any]) -> RemoteDid:
    """Read the document that plan_document makes; `changes` has to be among it."""
    return RemoteDid(step_texts=tuple(map(step_from_json, document["steps"])), changes=document["changes"])


def step_to_json(step: StepText) -> dict[str, Any]:
    """One step of a plan, as values that the json module can write."""
    return dataclasses.asdict(step)


def step_from_json(document: Mapping[str, Any]) -> StepText:
    """The inverse of step_to_json."""
    return StepText(**known_fields(StepText, document))
