"""All hosts of a fleet at once: connected to, and asked, in parallel."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from l2tpv3.errors import L2tpError
from l2tpv3.fleet.end import FleetEnd, target_of

AT_ONCE: Final = 32
"""So many hosts are connected to, or asked, at the same time."""

_One = TypeVar("_One")


def _over_ssh(name: str, reach: str) -> FleetEnd:
    """A host that is reached by ssh, or is this one."""
    return FleetEnd(name, target_of(name, reach))


class Reached:
    """The hosts of a fleet. reaches: how each is reached, by name. end_of: makes what asks a host, of both.

    Use it as a context manager: entering it connects to each. unreachable: why hosts could not be, by name.
    interrupted: Ctrl-C was typed while hosts were asked. What was asked for then has been waited for.
    """

    def __init__(self, reaches: Mapping[str, str], end_of: Callable[[str, str], FleetEnd] = _over_ssh) -> None:
        self._given = {name: end_of(name, reach) for name, reach in reaches.items()}
        self._stack = contextlib.ExitStack()
        self._pool = ThreadPoolExecutor(max_workers=AT_ONCE)
        self.ends: dict[str, FleetEnd] = {}
        self.unreachable: dict[str, L2tpError] = {}
        self.interrupted = False

    def __enter__(self) -> Reached:
        with contextlib.ExitStack() as stack:
            stack.callback(self._pool.shutdown, wait=True, cancel_futures=True)
            stack.callback(self._hang_up)
            connected = self._in_parallel({name: end.__enter__ for name, end in self._given.items()})
            for name, end in self._given.items():
                result = connected[name]
                if isinstance(result, L2tpError):
                    self.unreachable[name] = result
                else:
                    self.ends[name] = end
            if self.interrupted:
                raise KeyboardInterrupt
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _hang_up(self) -> None:
        """Close all connections, at the same time: each waits for its host's end a little."""
        wait([self._pool.submit(end.__exit__) for end in self._given.values()])

    def each(
        self, ask: Callable[[FleetEnd], _One], names: Collection[str] | None = None
    ) -> dict[str, _One | L2tpError]:
        """Ask hosts in parallel, and give what each answers, or the error. names: None is all that are reached."""
        chosen = self.ends if names is None else {name: self.ends[name] for name in names}
        return self._in_parallel({name: _bound(ask, end) for name, end in chosen.items()})

    def all(self, ask: Callable[[FleetEnd], _One], names: Collection[str] | None = None) -> dict[str, _One]:
        """The same, where all have to answer. Raises the first error, which says how many more there are."""
        answers: dict[str, _One] = {}
        errors = []
        for name, answer in self.each(ask, names).items():
            if isinstance(answer, L2tpError):
                errors.append(answer)
            else:
                answers[name] = answer
        if self.interrupted:
            raise KeyboardInterrupt
        if errors:
            raise with_more(errors)
        return answers

    def _in_parallel(self, tasks: Mapping[str, Callable[[], _One]]) -> dict[str, _One | L2tpError]:
        futures: dict[str, Future[_One]] = {name: self._pool.submit(task) for name, task in tasks.items()}
        while True:
            try:
                wait(futures.values())
                break
            except KeyboardInterrupt:  # no request is left alone: its answer would be taken for that of the next one
                self.interrupted = True
        found: dict[str, _One | L2tpError] = {}
        for name, future in futures.items():
            try:
                found[name] = future.result()
            except L2tpError as error:
                found[name] = error
        return found


def with_more(errors: list[L2tpError]) -> L2tpError:
    """The first of some errors, which says how many more there are."""
    first = errors[0]
    if len(errors) > 1:
        others = "; ".join(f"{one.subject}: {one.problem}" for one in errors[1:4])
        first.problem += f" (and {len(errors) - 1} more: {others}{' ...' if len(errors) > 4 else ''})"
    return first


def _bound(ask: Callable[[FleetEnd], _One], end: FleetEnd) -> Callable[[], _One]:
    return lambda: ask(end)
