"""`l2tpctl serve` before it serves: what it needs, and what it says when that is not there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from l2tpv3.cli.commands import serve
from tests.cli.command_line import CommandLine


def test_without_its_packages_it_says_how_to_get_them(ctl: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_NEEDS", ("fastapi", "no_such_package"))
    result = ctl("serve")
    assert result.code == 2
    assert result.err.count("\n") == 1 and "no_such_package is not installed" in result.err
    assert "[api]'` installs it" in result.err


def test_tokens_need_none_of_its_packages(ctl: CommandLine) -> None:
    code = "import sys; from l2tpv3_api.auth.tokens import Tokens; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"fastapi", "uvicorn", "starlette", "pydantic"} & set(loaded)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--listen 0.0.0.0:0 --unix none", "in clear"),
        ("--listen nonsense", "not HOST:PORT"),
        ("--tls-key key.pem", "--tls-cert"),
        ("--limit rate=fast", "no number above 0"),
        ("--others everything", "none of read, nothing"),
        ("--client '*=read'", "--client-ca"),
    ],
)
def test_it_does_not_start_with_options_that_make_no_sense(ctl: CommandLine, options: str, told: str) -> None:
    result = ctl(f"serve {options}")
    assert result.code == 1 and told in result.err
