"""VLAN pseudowires in batches, without privilege: what one frame after the other would be, whatever comes together."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.datapath.user.settings import SessionSettings
from l2tpv3.wire.data import Framing, encode
from l2tpv3.wire.vlan import imposed, number_of, removed, rewritten
from tests.datapath.user.test_batches import MODES, MTU, pair, settings_of
from tests.properties import FEW, SOME

NEAR, FAR = 100, 0xABC
"""Numbers whose upper nibbles differ."""

TCIS = st.one_of(st.sampled_from([None, 0, NEAR, 0xA000, 0xB000, 0xA000 | NEAR]), st.integers(0, 0xFFFF))
RUNS = st.lists(st.tuples(TCIS, st.sampled_from([18, 60, 1446, MTU + 18]), st.integers(1, 70)), max_size=6)


def vlan(number: int, *, rewrite: bool, numbered: bool = False) -> SessionSettings:
    """Session 7 in a VLAN."""
    return settings_of(7, send_seq=numbered)._replace(vlan=number, rewrite=rewrite)


def frame(tci: int | None, length: int) -> bytes:
    """A random frame of some length, with the tag or without."""
    tag = b"" if tci is None else b"\x81\x00" + tci.to_bytes(2, "big")
    return (os.urandom(12) + tag + b"\x88\xb5" + os.urandom(length))[:length]


def sent(frames: list[bytes], *, rewrite: bool) -> list[bytes]:
    """What goes out of the near end."""
    return [one for one in frames if number_of(one) == NEAR] if rewrite else [imposed(one, NEAR) for one in frames]


@pytest.mark.parametrize("modes", [(one, one) for one in MODES], ids=str)
@pytest.mark.parametrize(("near", "far"), list(itertools.product([False, True], repeat=2)))
@FEW
@given(runs=RUNS, numbered=st.booleans())
def test_frames_come_out_with_the_tags_they_shall_have(
    modes: tuple[object, object],
    near: bool,  # noqa: FBT001
    far: bool,  # noqa: FBT001
    runs: list[tuple[int | None, int, int]],
    numbered: bool,  # noqa: FBT001
) -> None:
    frames = [frame(tci, length) for tci, length, count in runs for _ in range(count)]
    on_wire = sent(frames, rewrite=near)
    egress: Callable[[bytes], bytes | None] = (lambda one: rewritten(one, FAR)) if far else removed
    one = vlan(NEAR, rewrite=near, numbered=numbered)
    with pair(modes, one) as made:  # type: ignore[arg-type]
        made.far.sessions[7].configure(vlan(FAR, rewrite=far))
        made.carry(7, frames)
        assert made.targets[7].written == [egress(one) for one in on_wire]
        size = sum(map(len, on_wire)) + 20 * len(on_wire)
        source, target = made.near.sessions[7], made.far.sessions[7]
        assert (source.tx_packets, source.tx_bytes) == (len(on_wire), size)
        assert source.tx_errors == len(frames) - len(on_wire)
        assert (target.rx_packets, target.rx_bytes, target.rx_errors, target.rx_invalid) == (len(on_wire), size, 0, 0)


@pytest.mark.parametrize("rewrite", [False, True])
@pytest.mark.parametrize("gro", [True, False])
@SOME
@given(runs=RUNS)
def test_what_comes_without_a_tag_is_counted_and_goes_nowhere(
    rewrite: bool,  # noqa: FBT001
    gro: bool,  # noqa: FBT001
    runs: list[tuple[int | None, int, int]],
) -> None:
    framing = Framing("udp", 8, "default")
    frames = [frame(tci, length) for tci, length, count in runs for _ in range(count)]
    packets = [memoryview(encode(framing, 7, one, b"12345678")) for one in frames]
    mode = MODES[0]._replace(gro=gro)
    with pair((MODES[0], mode), vlan(FAR, rewrite=rewrite)) as made:
        for start in range(0, len(packets), 64):
            assert made.near.outlet.send_mixed(packets[start : start + 64]) == (0, 0)
            for _ in range(64):
                made.far.receive_packets(0)
        out = [rewritten(one, FAR) if rewrite else removed(one) for one in frames]
        session = made.far.sessions[7]
        assert made.targets[7].written == [one for one in out if one is not None]
        assert (session.rx_invalid, session.rx_errors) == (out.count(None), 0)


@pytest.mark.parametrize("length", [14, 17])
def test_a_frame_that_ends_in_its_tag_is_an_error(length: int) -> None:
    cut = b"\2\0\0\0\0\2\2\0\0\0\0\1\x81\x00\x00\x64\x88\xb5"[:length]
    with pair((MODES[0], MODES[0]), vlan(NEAR, rewrite=False)) as made:
        packet = memoryview(encode(Framing("udp", 8, "default"), 7, cut, b"12345678"))
        for _ in range(2):
            made.near.outlet.send_mixed([packet] * 20)
            made.far.receive_packets(0)
            made.far.receive_packets(0)
        assert (made.far.sessions[7].rx_errors, made.targets[7].written) == (40, [])


def test_numbers_and_egress_change_in_the_midst_of_traffic() -> None:
    with pair((MODES[0], MODES[0]), vlan(NEAR, rewrite=False)) as made:
        frames = [frame(None, 100) for _ in range(100)]
        for number, rewrite in ((NEAR, False), (FAR, True), (5, True), (5, False)):
            made.far.sessions[7].configure(vlan(number, rewrite=rewrite))
            made.targets[7].written.clear()
            made.carry(7, frames)
            out = [rewritten(imposed(one, NEAR), number) if rewrite else one for one in frames]
            assert made.targets[7].written == out
