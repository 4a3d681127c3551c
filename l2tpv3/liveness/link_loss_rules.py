"""Rules for one NIC, without I/O: when it is set down because the far end's has no link, and when the far end is told.

    this NIC's cable is pulled           tell the far end; leave the NIC as it is, to see the cable come back
    the far end's is                     set this NIC down, so that what is attached to it sees that its link is lost
    the far end's is back                set it up; until its link is there, or SETTLE_S later, nothing is told

A NIC that we set down is never told of as lost: both ends would wait for each other for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SETTLE_S: Final = 8.0
"""How long a link may take to come up: two NICs negotiate for seconds, and each flap would start them anew."""


@dataclass(slots=True)
class LinkLossRules:
    """The rules for one NIC.

    lost: whether the far end is told that the link is lost. held: we set the NIC down, or an earlier
    run of this program did.
    """

    lost: bool = False
    held: bool | None = None
    _there: bool = False
    _settled_at: float = 0.0

    def look(self, *, up: bool, carrier: bool, now: float) -> None:
        """Take the state of the NIC: administratively up, and with a link. now: seconds of any one clock."""
        if self.held is None:
            self.held = not up
        self._there = up and carrier
        if up:
            self.held = False
            if carrier:
                self.lost, self._settled_at = False, now
            elif now >= self._settled_at:
                self.lost = True
        else:
            self.lost = not self.held  # another program set it down

    def follow(self, *, far: bool | None, now: float) -> bool | None:
        """Decide whether to set the NIC up (True) or down (False), or not (None). far: whether the far end has one."""
        if self._there and far is False:
            self.held = True
            return False
        if self.held and far is not False:
            self._settled_at = now + SETTLE_S
            return True
        return None
