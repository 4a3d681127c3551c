"""Plain values by which a host reports a change: its steps, its result, and what `restore` does."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from l2tpv3.errors import L2tpError
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class StepText:
    """A step of a plan in words; no secrets are in it.

    sign: + - or ~. tunnel: None where it is about the link `link`, or the network namespace `netns`. session: None
    where it is about the tunnel. text: what it does, and why when that is not plain. why: that reason alone.
    interrupts: whether its traffic stops. on_record: it changes what is on record of it, and nothing that runs.
    """

    sign: str
    tunnel: str | None = None
    session: str | None = None
    link: str | None = None
    netns: str | None = None
    text: str
    why: str = ""
    interrupts: bool = False
    on_record: bool = False

    @property
    def subject(self) -> str:
        """`tunnel a`, `session a/b`, `link c` or `network namespace d`."""
        if self.netns is not None:
            return f"network namespace {self.netns}"
        if self.link is not None:
            return f"link {self.link}"
        return f"tunnel {self.tunnel}" if self.session is None else f"session {self.tunnel}/{self.session}"


OnStep = Callable[[StepText], None]
"""A function that is called with each step before the step is taken."""


@value_class(frozen=True, slots=True)
class ChangeResult:
    """The result of a change of a tunnel or session. recreated: not possible in place, so traffic was interrupted.

    why: what forced that. made: it was not there before. lost: what others had configured on netdevs that were made
    anew, and could not be put back, in words.
    """

    recreated: bool = False
    why: str = ""
    made: bool = False
    lost: tuple[str, ...] = ()


class RestoreOutcome(StrEnum):
    """The result of restoring a tunnel or link: it runs again, it is waited for, or it cannot be brought back."""

    RESTORED = "restored"
    WAITING = "waiting"
    FAILED = "failed"


@value_class(frozen=True, slots=True)
class RestoreEvent:
    """Something that `restore` has to tell. error: why it waits or failed. link: what it is about, if no tunnel.

    changed: what of a restored tunnel is not as it was before ("datapath user → kernel: ..."), or "".
    """

    tunnel: str
    outcome: RestoreOutcome
    error: L2tpError | None = None
    link: str | None = None
    changed: str = ""

    @property
    def subject(self) -> str:
        """`tunnel a` or `link b`."""
        return f"tunnel {self.tunnel}" if self.link is None else f"link {self.link}"


Tell = Callable[[RestoreEvent], None]
"""A function that is called with each event as it happens, and once for the same reason to wait."""
