"""Draws what the two ends of each pseudowire have to agree on. What is drawn once is kept in the fleet's state."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import field, replace
from typing import Any, Final

from l2tpv3.connect.drawn import drawn_encryption
from l2tpv3.connect.end import EndFacts
from l2tpv3.fleet.pairs import Pair
from l2tpv3.model import ids
from l2tpv3.model.spec import UDP_PORT
from l2tpv3.value_class import value_class

IDS: Final = range(1 << 16, 1 << 31)
"""Tunnel and session ids of fleets. People choose small ones, and l2tpctl the lowest that are free: seldom these."""

_random = random.SystemRandom()


@value_class(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Of one pseudowire. Pairs are in the order of Pair.hosts.

    tunnel_id, session_id: the same at both ends. ports: the UDP port of each. cookies: the one that each end expects.
    encrypt: what `encryption` is for. encryption: the words of each end's tunnel for that.
    """

    tunnel_id: int
    session_id: int
    ports: tuple[int, int]
    cookies: tuple[bytes, bytes] = field(repr=False)
    encrypt: str = "none"
    encryption: tuple[Mapping[str, Any], Mapping[str, Any]] = field(default=({}, {}), repr=False)

    def ports_at(self, end: int) -> set[int]:
        """The UDP ports that it takes at an end, WireGuard's included."""
        listen = self.encryption[end].get("listen-port")
        return {self.ports[end], *([] if listen is None else [listen])}


@value_class(frozen=True, slots=True, kw_only=True)
class _Taken:
    """What is taken at one host."""

    ids: set[int] = field(default_factory=set)
    ports: set[int] = field(default_factory=set)


def draw(
    pairs: Collection[Pair],
    before: Mapping[str, Drawn],
    facts: Mapping[str, EndFacts],
    *,
    settled: Collection[str] = (),
) -> dict[str, Drawn]:
    """What is drawn for each of the pairs, by their keys.

    before: what was drawn earlier, which is kept. facts: what hosts have of their own, as far as they were asked; the
    fleet's own tunnels are not among it. settled: keys of pairs that were made at a host: they keep what they have
    whatever the facts say. All others are drawn again where a host has taken an id or a port meanwhile.
    """
    own = {name: _Taken(ids={*known.tunnel_ids, *known.session_ids}, ports={*known.ports})
           for name, known in facts.items()}  # fmt: skip
    kept = {pair.key: before[pair.key] for pair in pairs
            if pair.key in before and (pair.key in settled or not _clashes(pair, before[pair.key], own))}  # fmt: skip
    taken = {name: _Taken(ids={*found.ids}, ports={*found.ports}) for name, found in own.items()}
    for pair in pairs:
        if pair.key in kept:
            _take(pair, kept[pair.key], taken)
    found: dict[str, Drawn] = {}
    for pair in pairs:
        one = kept.get(pair.key) or _drawn(_at_both(pair, taken))
        _take(pair, one, taken)
        found[pair.key] = _encrypted(pair, one, taken)
        _take(pair, found[pair.key], taken)
    return found


def _at_both(pair: Pair, taken: dict[str, _Taken]) -> tuple[_Taken, _Taken]:
    a, b = (taken.setdefault(host, _Taken()) for host in pair.hosts)
    return a, b


def _take(pair: Pair, one: Drawn, taken: dict[str, _Taken]) -> None:
    for end, at in enumerate(_at_both(pair, taken)):
        at.ids.update((one.tunnel_id, one.session_id))
        at.ports.update(one.ports_at(end))


def _clashes(pair: Pair, one: Drawn, own: Mapping[str, _Taken]) -> bool:
    """Whether a host has taken meanwhile what was drawn."""
    for end, host in enumerate(pair.hosts):
        at = own.get(host, _Taken())
        if {one.tunnel_id, one.session_id} & at.ids or one.ports_at(end) & at.ports:
            return True
    return False


def _drawn(at: tuple[_Taken, _Taken]) -> Drawn:
    ids_taken = at[0].ids | at[1].ids
    tunnel_id = _free_id(ids_taken)
    return Drawn(
        tunnel_id=tunnel_id,
        session_id=_free_id(ids_taken | {tunnel_id}),
        ports=(_free_port(at[0].ports), _free_port(at[1].ports)),
        cookies=(ids.generate_cookie(), ids.generate_cookie()),
    )


def _encrypted(pair: Pair, one: Drawn, taken: dict[str, _Taken]) -> Drawn:
    """The same with keys for the encryption that is asked for, unless it has them."""
    encrypt = pair.tunnel_words.get("encrypt", "none")
    if one.encrypt == encrypt:
        return one
    a, b = _at_both(pair, taken)
    return replace(one, encrypt=encrypt, encryption=drawn_encryption(pair.tunnel_words, (a.ports, b.ports)))


def _free_id(taken: Collection[int]) -> int:
    while (number := _random.choice(IDS)) in taken:
        pass
    return number


def _free_port(taken: Collection[int]) -> int:
    return next(port for port in range(UDP_PORT, 1 << 16) if port not in taken)
