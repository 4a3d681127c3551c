"""An end that answers what no l2tpctl would: it costs nothing but one sentence. The far end is a script, no ssh."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import pytest

from l2tpv3.connect.command_end import CommandEnd
from l2tpv3.errors import L2tpError, UnreachableError
from l2tpv3.remote.sent_command import HANDSHAKE

FACTS = '{"tunnels": [], "tunnel_ids": [], "session_ids": [], "ports": [], "unconfirmed": false, "ssh_addresses": %s}'


@dataclass(frozen=True)
class Script:
    """A host where this Python code runs in place of l2tpctl, once it has said that it is there."""

    code: str
    url: str = "ssh://far"
    host: str = "far"
    program: str = "l2tpctl"
    here: bool = False
    destination: str = "far"
    known_as: str = "far"

    def argv(self, *_: str) -> list[str]:
        greeting = f"import sys; print('{HANDSHAKE} 1 1.0', file=sys.stderr, flush=True); sys.stdin.readline()\n"
        return [sys.executable, "-I", "-S", "-c", greeting + self.code]


def end(code: str) -> CommandEnd:
    return CommandEnd(Script(code), "at far")


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"unconfirmed": 1}',
        FACTS % '["a b", "c"]',
        FACTS % "7",
        (FACTS % "null").replace('"ports": []', '"ports": [1e999]'),
        (FACTS % "null").replace('"ports": []', '"ports": 7'),
    ],
)
def test_facts_that_are_none(said: str) -> None:
    with pytest.raises(UnreachableError, match="at far: l2tpctl answers what can't be read"):
        end(f"print({said!r})").facts()


@pytest.mark.parametrize(
    "said", ['{"tunnels": ["t"]}', '{"tunnels": []}', '{"tunnels": [{"sessions": [{"name": 1}]}]}']
)
def test_a_tunnel_that_is_none_is_not_removed(said: str) -> None:
    with pytest.raises(UnreachableError, match="can't be read"):
        end(f"print({said!r})").remove("t", "0" * 64)


def test_endless_output_is_given_up() -> None:
    with pytest.raises(UnreachableError, match="it sends more than"):
        end("while True: print('x' * 65536)").facts()


def test_a_long_error_with_escapes_is_one_short_line() -> None:
    code = "import sys\nfor _ in range(100): print('\\x1b[2J' * 20000, file=sys.stderr)\nsys.exit(2)"
    with pytest.raises(L2tpError) as raised:
        end(code).facts()
    assert str(raised.value).isprintable() and len(str(raised.value)) < 1000


def test_an_end_that_does_not_answer_is_given_up_when_it_goes_back_by_itself() -> None:
    begin = time.monotonic()
    with pytest.raises(UnreachableError, match="the connection broke off"):
        end("import time; time.sleep(60)").apply(0.5)
    assert time.monotonic() - begin < 30
