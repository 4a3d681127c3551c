"""An end of a pseudowire that is being made, wherever it is and however it is reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from l2tpv3.model.progress import StepText
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class EndFacts:
    """What an end has already.

    tunnels: the names of its tunnels, its own and others'. tunnel_ids, session_ids: those that they use. ports: UDP
    ports that are taken, by whatever program. ssh_addresses: of the connection by which it was asked: of who asked, and
    where the end was reached; None without one. unconfirmed: a change waits for its confirmation there.
    """

    tunnels: frozenset[str]
    tunnel_ids: frozenset[int]
    session_ids: frozenset[int]
    ports: frozenset[int]
    unconfirmed: bool
    ssh_addresses: tuple[str, str] | None = None


class End(Protocol):
    """Every method raises L2tpError; UnreachableError means that what was asked for may have been done all the same."""

    @property
    def title(self) -> str:
        """The name of this end in messages: `here`, or where it is."""

    def facts(self) -> EndFacts:
        """Ask what the end has already, once no change is under way there. Touches nothing."""

    def plan(self) -> Sequence[StepText]:
        """Ask what `apply` would do. Touches nothing."""

    def apply(self, confirm_s: float) -> None:
        """Make its part of the change; it is undone there, by itself, unless `confirm` comes within that time."""

    def confirm(self) -> None:
        """Keep what `apply` did."""

    def roll_back(self) -> None:
        """Undo what `apply` did, where anything of it is there."""
