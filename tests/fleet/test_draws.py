"""Ids, ports and cookies are drawn once, and never collide: with each other, or with what a host has of its own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.connect.end import EndFacts
from l2tpv3.fleet import draws
from l2tpv3.fleet.draws import Drawn, draw
from l2tpv3.fleet.pairs import Pair, all_pairs
from tests.fleet.authored import fleet_of
from tests.properties import SOME

MESH = '[mesh.lan]\nencrypt = "wireguard"\n'


def facts(ids: set[int], ports: set[int]) -> EndFacts:
    return EndFacts(
        tunnels=frozenset(),
        tunnel_ids=frozenset(ids),
        session_ids=frozenset(),
        ports=frozenset(ports),
        unconfirmed=False,
    )


def check_apart(pairs: list[Pair], drawn: dict[str, Drawn], known: dict[str, EndFacts]) -> None:
    """Whether no two things at one host have one id or one port."""
    for host in {host for pair in pairs for host in pair.hosts}:
        own = known.get(host, facts(set(), set()))
        ids = Counter(own.tunnel_ids)
        ports = Counter(own.ports)
        for pair in pairs:
            if host in pair.hosts:
                one = drawn[pair.key]
                ids.update((one.tunnel_id, one.session_id))
                ports.update([one.ports[pair.at(host)], *([one.encryption[pair.at(host)]["listen-port"]])])
        assert {*ids.values(), *ports.values()} == {1}, host


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    return all_pairs(fleet_of(tmp_path_factory.mktemp("fleet"), 5, MESH))


_HOST = st.tuples(st.sets(st.integers(1, 40), max_size=12), st.sets(st.integers(1701, 1720), max_size=12))
_HOSTS = st.lists(_HOST, min_size=5, max_size=5)


@SOME
@given(
    first=st.lists(_HOST, min_size=5, max_size=5), later=st.lists(_HOST, min_size=5, max_size=5), made=st.integers(0)
)
def test_nothing_collides(
    pairs: list[Pair], first: list[tuple[set[int], set[int]]], later: list[tuple[set[int], set[int]]], made: int
) -> None:
    few = draws.IDS
    draws.IDS = range(1, 80)  # type: ignore[misc] # so few that they do collide where nobody sees to it
    try:
        known = {f"h{n}": facts(*one) for n, one in enumerate(first, 1)}
        drawn = draw(pairs, {}, known)
        check_apart(pairs, drawn, known)
        assert draw(pairs, drawn, known) == drawn, "what is drawn stays"
        known = {f"h{n}": facts(*one) for n, one in enumerate(later, 1)}
        again = draw(pairs, drawn, known)
        check_apart(pairs, again, known)
        settled = [pair.key for at, pair in enumerate(pairs) if made >> at & 1]
        kept = draw(pairs, drawn, known, settled=settled)
        assert all(kept[key] == drawn[key] for key in settled)
    finally:
        draws.IDS = few  # type: ignore[misc]


def test_cookies_and_keys_are_each_ends_own(pairs: list[Pair]) -> None:
    drawn = draw(pairs, {}, {})
    cookies = [cookie for one in drawn.values() for cookie in one.cookies]
    keys = [words["private-key"] for one in drawn.values() for words in one.encryption]
    assert len({*cookies}) == len(cookies) == 2 * len(pairs) and len({*keys}) == len(keys)


def test_encryption_that_comes_later_leaves_the_rest(tmp_path: Path) -> None:
    plain = draw(all_pairs(fleet_of(tmp_path, 2, "[mesh.lan]")), {}, {})
    encrypted = draw(all_pairs(fleet_of(tmp_path, 2, MESH)), plain, {})
    before, after = plain["lan/h1/h2"], encrypted["lan/h1/h2"]
    assert (before.tunnel_id, before.ports, before.cookies) == (after.tunnel_id, after.ports, after.cookies)
    assert after.encryption[0]["peer-public-key"] != after.encryption[1]["peer-public-key"]
