"""Reads thousands of messages of one kind quickly: what one message's attributes look like, the next one's do too.

A message is walked attribute by attribute once for each layout (which attributes, in which order, how long), and that
is compiled: one unpack for all attribute headers of the message, compared with those that were walked, and one for the
values that are wanted. Headers that are the same in the same places make the same walk, so nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from struct import Struct
from typing import Any, NamedTuple

from l2tpv3.linux.netlink.message import NLA_TYPE_MASK, Span

_HEADER = Struct("=HH")
_NUMBERS = {1: "B", 2: "H", 4: "I", 8: "Q"}
_LAYOUTS_PER_SIZE = 8

Path = tuple[int, ...]
"""An attribute's number, after those of the attributes that it is nested in."""


class _Layout(NamedTuple):
    headers: Struct
    expected: tuple[int, ...]
    values: Struct
    pick: Callable[[tuple[Any, ...]], tuple[Any, ...]]


class CompiledParser:
    """Reads certain attributes of messages: `numbers` of 1, 2, 4 or 8 bytes as int, `texts` as bytes.

    `read` gives them in that order, those that are absent (or, of numbers, have another width) as b"".
    """

    def __init__(self, numbers: Sequence[Path], texts: Sequence[Path]) -> None:
        self._numbers, self._wanted = frozenset(numbers), (*numbers, *texts)
        self._nests = {path[:depth] for path in self._wanted for depth in range(1, len(path))}
        self._known: dict[int, list[_Layout]] = {}

    def read(self, datagram: bytes, spans: Iterable[Span]) -> Iterator[tuple[Any, ...]]:
        """The values of each message, whose attributes are in these places of the datagram."""
        known = self._known
        for offset, end in spans:
            for layout in known.get(end - offset, ()):
                headers, expected, values, pick = layout
                if headers.unpack_from(datagram, offset) == expected:
                    break
            else:
                _, _, values, pick = self._new_layout(datagram, offset, end)
            yield pick(values.unpack_from(datagram, offset))

    def _new_layout(self, datagram: bytes, offset: int, end: int) -> _Layout:
        layout = self._walk(datagram, offset, end)
        kept = self._known.setdefault(end - offset, [])
        kept.insert(0, layout)
        del kept[_LAYOUTS_PER_SIZE:]
        return layout

    def _walk(self, datagram: bytes, offset: int, end: int) -> _Layout:
        found: dict[Path, Span] = {}
        headers: list[int] = []
        self._gather(datagram, (), offset, end, found, headers)
        return self._compile(datagram, offset, found, headers)

    def _gather(
        self,
        datagram: bytes,
        above: Path,
        offset: int,
        end: int,
        found: dict[Path, Span],
        headers: list[int],
    ) -> None:
        """Find where values begin and end, by path, and where headers are. A malformed rest is left out."""
        while offset + _HEADER.size <= end:
            headers.append(offset)
            length, kind = _HEADER.unpack_from(datagram, offset)
            if length < _HEADER.size or offset + length > end:
                return
            path = (*above, kind & NLA_TYPE_MASK)
            if path in self._nests:
                self._gather(datagram, path, offset + _HEADER.size, offset + length, found, headers)
            elif path in self._wanted:
                found[path] = (offset + _HEADER.size, offset + length)
            offset += (length + 3) & ~3

    def _compile(self, datagram: bytes, offset: int, found: dict[Path, Span], headers: list[int]) -> _Layout:
        heads, at = "=", offset
        for place in headers:
            heads += f"{place - at}xI"
            at = place + _HEADER.size
        values, order, at = "=", [], offset
        for path, (start, stop) in sorted(found.items(), key=lambda item: item[1]):
            width = stop - start
            if path in self._numbers and width not in _NUMBERS:
                continue
            code = _NUMBERS[width] if path in self._numbers else f"{width}s"
            values += f"{start - at}x{code}"
            order.append(path)
            at = stop
        struct = Struct(heads)
        # At the end of the values there is an empty one, for all that is absent.
        places = [order.index(path) if path in order else len(order) for path in self._wanted]
        first = struct.unpack_from(datagram, offset)
        return _Layout(struct, first, Struct(f"{values}0s"), itemgetter(*places))
