"""`l2tpctl token`: made and shown once, listed without what is secret, revoked."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from l2tpv3.documents.schemas import TOKENS_SCHEMA, json_schema
from l2tpv3_api.auth.tokens import PATTERN, Tokens
from tests.cli.command_line import CommandLine


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path / "state")


def test_its_text_is_all_that_stdout_gets(ctl: CommandLine, tokens: Tokens) -> None:
    result = ctl.ok("token add laptop --scope write")
    assert PATTERN.fullmatch(result.out.rstrip("\n"))
    assert result.out.strip() not in result.err and "not shown again" in result.err
    token = tokens.check(result.out.strip())
    assert token is not None and token.scopes == {"read", "write"} and token.expires is None


def test_scopes_by_comma_or_repeated(ctl: CommandLine, tokens: Tokens) -> None:
    ctl.ok("token add a --scope write,secrets")
    ctl.ok("token add b --scope write --scope secrets")
    assert [token.scopes for token in tokens.all()] == [{"read", "write", "secrets"}] * 2


@pytest.mark.parametrize(
    ("text", "span"),
    [("30m", timedelta(minutes=30)), ("12h", timedelta(hours=12)), ("90d", timedelta(days=90)),
     ("2w", timedelta(weeks=2))],
)  # fmt: skip
def test_expiry_after_a_while(ctl: CommandLine, tokens: Tokens, text: str, span: timedelta) -> None:
    before = datetime.now(UTC)
    ctl.ok(f"token add t --expires {text}")
    (token,) = tokens.all()
    assert token.expires is not None
    assert (
        timedelta(0)
        <= token.expires - (before + span).replace(microsecond=0)
        <= datetime.now(UTC) - before + (timedelta(seconds=1))
    )


def test_expiry_at_a_date(ctl: CommandLine, tokens: Tokens) -> None:
    ctl.ok("token add a --expires 2990-01-01")
    ctl.ok("token add b --expires 2990-01-01T12:00+02:00")
    assert [token.expires for token in tokens.all()] == [
        datetime(2990, 1, 1, tzinfo=UTC), datetime(2990, 1, 1, 10, tzinfo=UTC)
    ]  # fmt: skip


def test_lists(ctl: CommandLine) -> None:
    assert "no tokens" in ctl.ok("token ls").err
    text = ctl.ok("token add laptop --scope secrets --expires 90d").out.strip()
    shown = ctl.ok("token ls")
    assert shown.out.splitlines()[1].split()[:2] == ["laptop", "read,secrets"]
    document = json.loads(ctl.ok("token show --json").out)
    jsonschema.validate(document, json_schema(TOKENS_SCHEMA))
    assert document["tokens"][0]["used"] is None and document["tokens"][0]["expired"] is False
    for said in (shown.out, json.dumps(document)):
        assert text.split("_", 2)[2] not in said


def test_revokes(ctl: CommandLine, tokens: Tokens) -> None:
    text = ctl.ok("token add laptop").out.strip()
    ctl.ok("token rm laptop")
    assert tokens.check(text) is None
    assert "no tokens" in ctl.ok("token ls").err


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("token rm nobody", 3, "token nobody: no such token"),
        ("token add -- -x", 1, "'-x' is not a name"),
        ("token add t --scope all", 1, "'all' is not a scope; give read, write, secrets"),
        ("token add t --expires soon", 1, "'soon' is not a time"),
        ("token add t --expires 2001-01-01", 1, "not in the future"),
        ("token add t --expires 0h", 1, "not in the future"),
        ("token add t --expires 99999999999999w", 1, "is not a time"),
        ("token add taken", 4, "token taken: exists already"),
    ],
)
def test_refuses(ctl: CommandLine, command: str, code: int, told: str) -> None:
    ctl.ok("token add taken")
    result = ctl(command)
    assert result.code == code and told in result.err and result.out == ""
