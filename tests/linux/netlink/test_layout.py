"""Attributes read by a remembered layout are what a walk over each message gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.linux.netlink.compiled_parser import CompiledParser
from l2tpv3.linux.netlink.message import NLA_F_NESTED, Span, attribute, attributes, unsigned
from tests.properties import MANY

values = st.lists(st.tuples(st.integers(1, 5), st.binary(max_size=9)), max_size=6)


def _packed(items: list[tuple[int, bytes]]) -> bytes:
    return b"".join(attribute(kind, value) for kind, value in items)


def _walked(datagram: bytes, found: dict[int, Span], kind: int) -> bytes:
    span = found.get(kind)
    return datagram[span[0] : span[1]] if span else b""


@MANY
@given(st.lists(st.tuples(values, values, st.binary(max_size=5)), min_size=1, max_size=12))
def test_layouts_give_what_a_walk_gives(
    messages: list[tuple[list[tuple[int, bytes]], list[tuple[int, bytes]], bytes]],
) -> None:
    layouts = CompiledParser([(1,), (9, 1)], [(2,), (3,), (9, 2)])
    for plain, inner, rest in messages * 2:
        datagram = b"before" + _packed(plain) + attribute(9 | NLA_F_NESTED, _packed(inner)) + rest
        found = attributes(datagram, 6, len(datagram))
        nested = attributes(datagram, *found[9]) if 9 in found else {}
        ((number, inner_number, two, three, inner_two),) = layouts.read(datagram, [(6, len(datagram))])
        for value, span in ((number, found.get(1)), (inner_number, nested.get(1))):
            if span is not None and span[1] - span[0] in (1, 2, 4, 8):
                assert value == unsigned(datagram, span)
            else:
                assert value == b""
        assert (two, three) == (_walked(datagram, found, 2), _walked(datagram, found, 3))
        assert inner_two == _walked(datagram, nested, 2)
