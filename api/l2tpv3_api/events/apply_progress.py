"""A change of the whole state, told step by step as it is made."""

from __future__ import annotations

import itertools
import secrets
from types import TracebackType
from typing import Final, Self

from l2tpv3.documents.plan import step_to_json
from l2tpv3.errors import L2tpError
from l2tpv3.model.progress import StepText
from l2tpv3_api.events.event import EventType
from l2tpv3_api.events.hub import Hub

_run: Final = secrets.token_hex(4)
_numbers: Final = itertools.count(1)


class Progress:
    """Events `apply` around a change: `with Progress(hub, who) as progress: manager.apply(..., on_step=progress)`.

    who: the identity's name. Any thread may run it.
    """

    def __init__(self, hub: Hub, who: str) -> None:
        self.id = f"{_run}-{next(_numbers)}"
        self._hub, self._who, self._steps = hub, who, 0

    def __enter__(self) -> Self:
        self._tell("began")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._tell("done", steps=self._steps)
        elif isinstance(error, L2tpError):
            self._tell("failed", steps=self._steps, slug=error.slug, detail=str(error))
        else:
            self._tell("failed", steps=self._steps, slug="error", detail=f"unexpected {type(error).__name__}")

    def __call__(self, step: StepText) -> None:
        """A step is about to be taken."""
        self._steps += 1
        self._tell("step", number=self._steps, step=step_to_json(step))

    def _tell(self, state: str, **more: object) -> None:
        self._hub.publish(EventType.APPLY, {"id": self.id, "who": self._who, "state": state, **more})
