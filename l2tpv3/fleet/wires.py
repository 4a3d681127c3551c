"""Tests pseudowires of a fleet end to end: small frames and those of full size, there and back, all at once."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Final

from l2tpv3.connect.frames import HEADER, NONCE, SMALL
from l2tpv3.fleet.end import FleetEnd, Listening
from l2tpv3.fleet.model import SESSION
from l2tpv3.fleet.pairs import Pair
from l2tpv3.fleet.reached import Reached
from l2tpv3.value_class import value_class

TEST_S: Final = 20.0
"""How long frames are sent for an answer, at most. Paths may have to be learnt first, and keys agreed upon."""
PAIR_S: Final = 0.05
"""So much longer for each pseudowire: hosts that carry many of them have all of their frames at once."""


def longest_test_s(pairs: int) -> float:
    """How long so many pseudowires are tested at most, in seconds. It ends as soon as all frames are answered."""
    return TEST_S + pairs * PAIR_S


@value_class(frozen=True, slots=True, kw_only=True)
class Tested:
    """wrong: what is wrong with pseudowires that do not pass all frames, by their keys.

    unwell: what hosts say of tunnels that were not tested, and are not as they should be: by host and tunnel.
    """

    wrong: Mapping[str, str]
    unwell: Mapping[str, Mapping[str, str]]


def test_wires(reached: Reached, pairs: Collection[Pair], seconds: float) -> Tested:
    """Test these pseudowires; only their hosts are asked. seconds: how long frames are sent for an answer, at most.

    Raises L2tpError where a host can't test.
    """
    nonce = os.urandom(NONCE).hex()
    at = {name: [pair for pair in pairs if name in pair.hosts] for name in reached.ends}
    at = {name: own for name, own in at.items() if own}

    def listen(end: FleetEnd) -> Listening:
        return end.listen([(pair.tunnels[pair.at(end.name)], SESSION) for pair in at[end.name]], nonce)

    listening = reached.all(listen, at)
    by_pair = {(pair.key, name): mtu for name in at for pair, mtu in zip(at[name], listening[name].mtus, strict=True)}
    wrong = {}
    asked: dict[str, list[tuple[Pair, list[int]]]] = {}
    for pair in pairs:
        near, far = (by_pair[pair.key, name] for name in pair.hosts)
        if near is None or far is None:
            wrong[pair.key] = f"host {pair.hosts[0 if near is None else 1]} has no netdev of it"
        else:
            asked.setdefault(pair.hosts[0], []).append((pair, [SMALL, min(near, far) + HEADER]))
    unwell = {name: one.unwell for name, one in listening.items()}
    return Tested(wrong=wrong | _send(reached, asked, nonce, seconds), unwell=unwell)


test_wires.__test__ = False  # type: ignore[attr-defined]  # for pytest it has the name of a test


def _send(
    reached: Reached, asked: Mapping[str, list[tuple[Pair, list[int]]]], nonce: str, seconds: float
) -> dict[str, str]:
    def send(end: FleetEnd) -> list[set[int]]:
        frames = [(pair.tunnels[0], SESSION, lengths) for pair, lengths in asked[end.name]]
        return end.send(frames, nonce, seconds)

    wrong = {}
    for name, answered in reached.all(send, asked).items():
        for (pair, lengths), lengths_answered in zip(asked[name], answered, strict=True):
            if not {*lengths} <= lengths_answered:
                wrong[pair.key] = what_is_missing(lengths, lengths_answered)
    return wrong


def what_is_missing(lengths: list[int], answered: Collection[int]) -> str:
    """Which frames do not pass, in words. lengths: of those that were sent: the small one, and that of full size."""
    if lengths[0] not in answered:
        return "no frame that is sent through it is answered"
    return f"small frames pass, but those of full size, {lengths[1]} bytes, are not answered"
