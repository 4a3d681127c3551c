"""Finds the lowest free number or netdev name, thousands of times in a row: no taken number is looked at twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Hashable, Iterable, Sequence

from l2tpv3.errors import ConflictError
from l2tpv3.model.ids import ID_MAX, IFNAME_PREFIX


class FreeNumbers:
    """Numbers from 1 to 2^32-1. taken: those that are not free; one that is named twice is given back twice."""

    def __init__(self, taken: Iterable[int] = ()) -> None:
        self._taken = Counter(taken)
        self._next = 1  # all below it are taken

    def take(self, number: int) -> None:
        """Note that it is taken."""
        self._taken[number] += 1

    def give_back(self, number: int) -> None:
        """Note that one of those who took it has given it back; it is free again when all have."""
        self._taken[number] -= 1
        if not self._taken[number]:
            del self._taken[number]
            self.look_again(number)

    def look_again(self, number: int) -> None:
        """Note that this number may be free again."""
        self._next = max(1, min(self._next, number))

    def lowest(self, what: str, also_taken: Container[int] = ()) -> int:
        """The lowest free number. Raises ConflictError, with the subject `what`, when there is none."""
        while self._next in self._taken or self._next in also_taken:
            self._next += 1
        if self._next > ID_MAX:
            raise ConflictError(what, "every number is taken", "delete something first")
        return self._next

    def __contains__(self, number: object) -> bool:
        return number in self._taken


class FreeIfnames:
    """Names of netdevs: l2tpeth0, l2tpeth1 and so on. taken: the names that are free in no namespace."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._next: dict[Hashable, int] = {}

    def take(self, ifname: str) -> None:
        """Note that it is taken."""
        self._taken.add(ifname)

    def lowest(self, where: Hashable, names: Sequence[Container[str]]) -> str:
        """The lowest name that is free in a namespace.

        where: identifies the namespace. names: the names that are taken there.
        """
        number = self._next.get(where, 0)
        while (ifname := f"{IFNAME_PREFIX}{number}") in self._taken or any(ifname in some for some in names):
            number += 1
        self._next[where] = number
        return ifname
