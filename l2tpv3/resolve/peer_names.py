"""The address that a peer's name stands for now: one idea of it for add, apply, plan, restore, show and watch.

`l2tpctl watch` looks names up, and keeps what it finds. Where it does not run, a change looks them up by itself; a look
at the host never does.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from l2tpv3.errors import MissingError
from l2tpv3.linux.name_lookup import LookupFailedError, look_up_within
from l2tpv3.model.spec import TunnelSpec
from l2tpv3.model.values import IPAddress
from l2tpv3.store import names
from l2tpv3.store.names import NameAnswer

_PATIENCE_S: Final = 3.0
"""How long an answer is waited for."""
_AFTER_ONE_S: Final = 0.1
"""How long the next ones are, where one has not come in time: there is no resolver to be reached, as a rule."""
_GOOD_FOR_S: Final = 5.0
"""How long an answer is taken for the present one, where it is none of `watch`."""


class PeerNames:
    """The names of peers, for the changes of one host. runtime: where `watch` keeps its answers."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime
        self._answers: dict[str, tuple[float, NameAnswer]] = {}
        self._late_until = 0.0
        self._kept: dict[str, NameAnswer] = {}
        self._kept_stamp: object = None
        self._kept_until = 0.0

    def kept(self, name: str) -> NameAnswer | None:
        """What `watch` has found; None where it does not run, or does not know the name yet."""
        now, stamp = time.monotonic(), names.stamp(self._runtime)
        if stamp != self._kept_stamp or now >= self._kept_until:  # thousands of tunnels may ask in a row
            self._kept, self._kept_stamp = names.read(self._runtime, now), stamp
            self._kept_until = now + _GOOD_FOR_S
        return self._kept.get(name)

    def answer(self, name: str) -> NameAnswer:
        """What the name stands for now. Takes some seconds where the resolver does not answer, and never raises."""
        known = self.kept(name)
        if known is not None:
            return known
        now = time.monotonic()
        asked = self._answers.get(name)
        if asked is not None and now < asked[0] + _GOOD_FOR_S:
            return asked[1]
        answer = self._look_up(name, now)
        self._answers[name] = time.monotonic(), answer
        return answer

    def _look_up(self, name: str, now: float) -> NameAnswer:
        patience_s = _AFTER_ONE_S if now < self._late_until else _PATIENCE_S
        try:
            return NameAnswer(look_up_within(name, patience_s))
        except LookupFailedError as error:
            if time.monotonic() >= now + patience_s:
                self._late_until = time.monotonic() + _GOOD_FOR_S
            return NameAnswer((), str(error))

    def first_address(self, tunnel: str, name: str, local: IPAddress | None) -> IPAddress:
        """The address of a peer that is new. local: the address of this end that was given.

        Raises MissingError where the name has none.
        """
        answer = self.answer(name)
        address = answer.address(None, local.version if local is not None else None)
        if address is not None:
            return address
        family = "" if answer.problem or local is None else f"IPv{local.version} "
        why = f": {answer.problem}" if answer.problem else f", which --local {local} needs"
        remedy = f"`getent ahosts {name}` shows what it has; give a name that has one, or the peer's address"
        raise MissingError(f"tunnel {tunnel}: --remote", f"{name} has no {family}address{why}", remedy)

    def present(self, spec: TunnelSpec) -> IPAddress:
        """The address that a tunnel's peer has now: that on record where its name has none, or says nothing else."""
        if spec.remote_name is None:
            return spec.remote
        version = spec.local.version if spec.local is not None else None
        return self.answer(spec.remote_name).address(spec.remote, version) or spec.remote
