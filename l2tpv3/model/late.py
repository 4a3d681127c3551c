"""What of a wanted state can't be made yet, and why: it goes on record, and waits there."""

from __future__ import annotations

from dataclasses import dataclass, field

from l2tpv3.errors import L2tpError, MissingError, NoAddressError, NoRouteError

WAITED_FOR = (NoRouteError, NoAddressError, MissingError)
"""What may be only a matter of time."""


@dataclass(slots=True)
class Late:
    """Filled by whoever settles a wanted state.

    sessions: by tunnel and name; those of a tunnel that waits are among them, and those that
    `restore` leaves out. links: those that are over something that is not there; unmade: those of them that can't be
    made without it.
    """

    tunnels: dict[str, L2tpError] = field(default_factory=dict)
    sessions: dict[tuple[str, str], L2tpError] = field(default_factory=dict)
    links: dict[str, L2tpError] = field(default_factory=dict)
    unmade: set[str] = field(default_factory=set)
