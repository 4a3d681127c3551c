"""The line by which a host joins a fleet, and what is said where something is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from l2tpv3.cli import main
from l2tpv3.errors import ExistsError, InvalidValueError, NotFoundError, UnavailableError
from l2tpv3.fleet.nats import packages
from l2tpv3.fleet.nats.joining import Membership, check_urls, leave
from l2tpv3.fleet.nats.keys import KEY

_MEMBER = Membership.draw("siteb", b"p" * KEY, "nats://[2001:db8::1]:4222,tls://n2.example.net:4222")


def test_the_line_is_read_again() -> None:
    assert Membership.of_line(f"{_MEMBER.line()}\n") == _MEMBER


@pytest.mark.parametrize(
    "line",
    [
        "",
        "l2tpv3-join:1:x",
        _MEMBER.line()[:-3],
        _MEMBER.line().replace("siteb", "sitec"),
        _MEMBER.line().replace(":1:", ":2:", 1),
        _MEMBER.line().replace("siteb:", "siteb:!"),
        _MEMBER.line() + "x" * 2000,
    ],
)
def test_a_line_that_was_cut_or_altered_is_refused(line: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        Membership.of_line(line)
    assert _MEMBER.line().split(":")[3] not in str(caught.value)  # the secret


@pytest.mark.parametrize(
    "url", ["", "http://x", "nats://", "nats://user@x", "nats://a b", "nats://x,", "nats://\u00e4"]
)
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(InvalidValueError):
        check_urls(url)


def test_a_host_is_in_one_fleet_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    with pytest.raises(NotFoundError, match="is in no fleet"):
        Membership.read(folder)
    _MEMBER.write(folder)
    assert Membership.read(folder) == _MEMBER
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    with pytest.raises(ExistsError, match="is in a fleet already"):
        _MEMBER.write(folder)
    leave(folder)
    with pytest.raises(NotFoundError):
        leave(folder)


def test_watch_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("L2TPV3_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("L2TPV3_RUNTIME_DIR", str(tmp_path / "run"))
    assert main(["watch", "--fleet", "nats://127.0.0.1:1"]) == 3
    assert "this host: is in no fleet; type what `l2tpctl fleet enroll` prints" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "nats", None)
    with pytest.raises(UnavailableError, match=r"nats-py is not installed; .*pip install.*fleet"):
        packages.nats()
    assert main(["watch", "--fleet", "nats://127.0.0.1:1"]) == 2
