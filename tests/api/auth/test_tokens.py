"""Tokens: made once, kept as a hash, revoked at once."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from l2tpv3.errors import ExistsError, InvalidValueError, NotFoundError, RefusedError
from l2tpv3_api.auth.identity import Scope, scopes
from l2tpv3_api.auth.tokens import PATTERN, Tokens


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path / "state")


def test_one_is_known_by_its_text_alone(tokens: Tokens) -> None:
    token, text = tokens.add("laptop", scopes(["write"]))
    assert PATTERN.fullmatch(text)
    assert tokens.check(text) == token
    assert token.scopes == {Scope.READ, Scope.WRITE}
    assert token.identity().name == "token laptop"
    other = tokens.add("other", scopes([]))[1]
    mixed = text[: len("l2tpv3_") + 12] + other[len("l2tpv3_") + 12 :]
    for wrong in ("", text[:-1], text + "x", text.upper(), mixed, "l2tpv3__", "\udcff", "é" * 60, "l2tpv3_" + "0" * 12):
        assert tokens.check(wrong) is None


def test_the_file_has_no_token_and_is_its_owners(tokens: Tokens) -> None:
    text = tokens.add("laptop", scopes([]))[1]
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(tokens.path.parent.stat().st_mode) == 0o700
    secret = text.split("_", 2)[2]
    for path in tokens.path.parent.iterdir():
        assert secret not in path.read_text()


def test_secrets_are_256_bits_and_differ(tokens: Tokens) -> None:
    texts = {tokens.add(f"t{number}", scopes([]))[1] for number in range(50)}
    assert len({text[20:] for text in texts}) == 50
    assert {len(text) for text in texts} == {len("l2tpv3_") + 12 + 1 + 43}


def test_another_programs_removal_counts_at_once(tokens: Tokens) -> None:
    text = tokens.add("laptop", scopes([]))[1]
    assert tokens.check(text)
    there = [sys.executable, "-c", "import sys; from pathlib import Path; from l2tpv3_api.auth.tokens import Tokens;"
             f"Tokens(Path({str(tokens.path.parent)!r})).remove('laptop')"]  # fmt: skip
    paths = os.pathsep.join(sys.path)
    subprocess.run(there, check=True, env={**os.environ, "PYTHONPATH": paths})
    assert tokens.check(text) is None
    assert tokens.all() == []


def test_its_time_ends(tokens: Tokens) -> None:
    now = datetime.now(UTC)
    token, text = tokens.add("gone", scopes([]), now - timedelta(seconds=1))
    assert token.expired(now)
    assert tokens.check(text) is None
    assert not tokens.holds(token.id)
    token, text = tokens.add("good", scopes([]), now + timedelta(days=1))
    assert tokens.check(text) == token
    assert tokens.holds(token.id)


def test_names(tokens: Tokens) -> None:
    token, _ = tokens.add("laptop", scopes([]))
    with pytest.raises(ExistsError, match="laptop"):
        tokens.add("laptop", scopes([]))
    with pytest.raises(InvalidValueError):
        tokens.add("two\nlines", scopes([]))
    with pytest.raises(NotFoundError):
        tokens.remove("nobody")
    tokens.remove(token.id)
    assert tokens.all() == []


def test_use_is_noted_for_those_that_are_there(tokens: Tokens) -> None:
    token, _ = tokens.add("laptop", scopes([]))
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    tokens.note_used({token.id: moment, "0" * 12: moment})
    assert [one.used for one in tokens.all()] == [moment]
    assert set(json.loads((tokens.path.parent / "tokens-used.json").read_text())) == {token.id}
    (tokens.path.parent / "tokens-used.json").write_text("damaged")
    assert [one.used for one in tokens.all()] == [None]


@pytest.mark.parametrize("damage", ["", "{}", '{"tokens": [{}]}', "[1", '{"tokens": [{"id": 1}]}'])
def test_a_damaged_file_lets_nobody_in(tokens: Tokens, damage: str) -> None:
    text = tokens.add("laptop", scopes([]))[1]
    tokens.path.write_text(damage)
    with pytest.raises(RefusedError, match="damaged"):
        tokens.check(text)
    with pytest.raises(RefusedError, match="damaged"):
        tokens.add("more", scopes([]))


def test_two_that_add_at_once_lose_nothing(tokens: Tokens) -> None:
    program = (
        "import sys; from pathlib import Path; from l2tpv3_api.auth.tokens import Tokens;"
        "from l2tpv3_api.auth.identity import READING; tokens = Tokens(Path(sys.argv[1]));"
        "[tokens.add(f'{sys.argv[2]}{n}', READING) for n in range(10)]"
    )
    paths = os.pathsep.join(sys.path)
    at_once = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tokens.path.parent), name], env={**os.environ, "PYTHONPATH": paths}
        )
        for name in ("a", "b")
    ]
    assert [one.wait() for one in at_once] == [0, 0]
    assert len(tokens.all()) == 20


def test_scopes() -> None:
    assert scopes([]) == {"read"}
    assert scopes(["secrets"]) == {"read", "secrets"}
    with pytest.raises(InvalidValueError, match=re.escape("give read, write, secrets")):
        scopes(["everything"])
