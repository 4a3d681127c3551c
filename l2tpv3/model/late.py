"""Tunnels, sessions and links that cannot be made yet, and why. They are recorded, and wait."""

from __future__ import annotations

from dataclasses import dataclass, field

from l2tpv3.errors import L2tpError, MissingError, NoAddressError, NoRouteError
from l2tpv3.model.link_key import link_key
from l2tpv3.model.scope import LeftOut

WAITED_FOR = (NoRouteError, NoAddressError, MissingError)
"""Errors that may go away by themselves, so that it makes sense to wait."""


@dataclass(slots=True)
class Late:
    """The tunnels, sessions and links that have to wait. Resolving a change fills it in.

    sessions: by tunnel and name; those of a tunnel that waits are among them, and those that
    `restore` leaves out. links: those that are over something that is not there; unmade: those of them that can't be
    made without it.
    """

    tunnels: dict[str, L2tpError] = field(default_factory=dict)
    sessions: dict[tuple[str, str], L2tpError] = field(default_factory=dict)
    links: dict[str, L2tpError] = field(default_factory=dict)
    unmade: set[str] = field(default_factory=set)

    @property
    def left_out(self) -> LeftOut:
        """The sessions, and the tunnels as a whole, that a change leaves alone because they have to wait."""
        return {*self.sessions, *((name, None) for name in self.tunnels)}

    @property
    def reasons(self) -> dict[str, L2tpError]:
        """Why a tunnel, one of its sessions, or a link waits: its error by its name, as model.link_key spells it."""
        found: dict[str, L2tpError] = {link_key(name): error for name, error in self.links.items()}
        for (tunnel, _), error in self.sessions.items():
            found.setdefault(tunnel, error)
        return found | self.tunnels
