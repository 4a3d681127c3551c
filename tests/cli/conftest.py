"""Fixtures of the command line's tests.

Those of the modules in BOTH run on this host, and some of them, other ones for each rotation, over --host against a
service as well. Each command has to do the same both times, to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cli.command_line import CommandLine, Result, predictable
from tests.points import in_turn

BOTH = (
    "test_apply",
    "test_commands",
    "test_errors",
    "test_json",
    "test_link",
    "test_peer",
    "test_restore",
    "test_session_stats",
    "test_show",
    "test_words",
)

TWICE_OF = 3
"""One test of these modules in so many is run over --host too."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00|\b\d\d:\d\d:\d\d\b")

_done: dict[str, list[tuple[str, Result]]] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask for both ways."""
    if "way" in metafunc.fixturenames:
        name = metafunc.module.__name__.rpartition(".")[2]
        tests = sorted(word for word in vars(metafunc.module) if word.startswith("test_"))
        both = name in BOTH and metafunc.function.__name__ in in_turn(tests, of=TWICE_OF)
        both = both and "here" not in metafunc.fixturenames
        metafunc.parametrize("way", ["local", "remote"] if both else ["local"], indirect=True)


@pytest.fixture
def way(request: pytest.FixtureRequest) -> str:
    """`local` or `remote`."""
    return str(request.param)


@pytest.fixture
def here() -> None:
    """Marks a test that is about this host or process, and so runs on it alone."""


@pytest.fixture
def ctl(
    way: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[CommandLine]:
    """l2tpctl with nothing on record."""
    predictable(monkeypatch)
    test = request.node.nodeid.replace(f"[{way}", "[").replace(f"-{way}", "")
    if way == "local":
        line = CommandLine(tmp_path, capsys)
        yield line
        _done[test] = _comparable(line, tmp_path)
        return
    from tests.cli.remote_line import RemoteLine, served

    with TemporaryDirectory(prefix="lt-") as folder:  # a socket's path has 107 bytes at most
        socket = Path(folder) / "api.sock"
        remote = RemoteLine(tmp_path, capsys, f"unix://{socket}")
        with served(remote.app(), socket):
            yield remote
    if test in _done:
        assert _comparable(remote, tmp_path) == _done.pop(test)


def _comparable(line: CommandLine, folder: Path) -> list[tuple[str, Result]]:
    def plain(text: str) -> str:
        return _TIME.sub("TIME", text.replace(str(folder), "FOLDER"))

    return [(plain(words), Result(did.code, plain(did.out), plain(did.err))) for words, did in line.results]


@pytest.fixture
def siteb(ctl: CommandLine) -> CommandLine:
    """l2tpctl with tunnel `siteb` (to 127.0.0.2, which needs no network) and session `lan` in it."""
    ctl.ok("tunnel add siteb --remote 127.0.0.2")
    ctl.ok("session add siteb lan --tx-cookie 0011223344556677 --rx-cookie 8899aabb")
    return ctl
