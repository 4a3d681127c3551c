"""An end of a pseudowire that is being made, wherever it is and however it is reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from l2tpv3.model.progress import StepText
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class EndFacts:
    """What an end has already: ids and UDP ports that its tunnels and sessions use, its own and others'.

    listen_ports: those of WireGuard. ssh_addresses: of the connection by which it was asked, who asked and where it was
    reached; None without one. tunnels: their names. unconfirmed: a change waits for its confirmation there.
    """

    version: str
    tunnels: frozenset[str]
    tunnel_ids: frozenset[int]
    session_ids: frozenset[int]
    ports: frozenset[int]
    listen_ports: frozenset[int] = frozenset()
    unconfirmed: bool
    ssh_addresses: tuple[str, str] | None = None


class End(Protocol):
    """Every method raises L2tpError; UnreachableError means that what was asked for may have been done all the same."""

    @property
    def title(self) -> str:
        """What messages call it: `here`, or where it is."""

    def facts(self) -> EndFacts:
        """What it has already. Touches nothing."""

    def plan(self) -> Sequence[StepText]:
        """What `apply` would do. Touches nothing."""

    def apply(self, confirm_s: float) -> None:
        """Make its part of the change; it is undone there, by itself, unless `confirm` comes within that time."""

    def confirm(self) -> None:
        """Keep what `apply` did."""

    def roll_back(self) -> None:
        """Undo what `apply` did, where anything of it is there."""
