"""What is said to ssh, and what is sent over it: values, no connection."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from l2tpv3.errors import InvalidValueError
from l2tpv3.linux.sent_files import SentFile
from l2tpv3.remote.sent_command import SentCommand
from l2tpv3.remote.ssh_failure import unanswered
from l2tpv3.remote.ssh_target import SshTarget
from l2tpv3.remote.stated_files import read_stated

OPTIONS = ["-T", "-o", "RemoteCommand=none", "-o", "RequestTTY=no"]


@pytest.mark.parametrize(
    ("url", "words", "program"),
    [
        ("ssh://SiteB", ["--", "SiteB"], "l2tpctl run-sent"),
        ("ssh://root@192.0.2.1:2222/", ["-p", "2222", "-l", "root", "--", "192.0.2.1"], "l2tpctl run-sent"),
        ("ssh://[2001:db8::1]", ["--", "2001:db8::1"], "l2tpctl run-sent"),
        ("ssh://siteb?sudo", ["--", "siteb"], "sudo -n -- l2tpctl run-sent"),
        ("ssh://siteb?program=/opt/l2tpv3/bin/l2tpctl", ["--", "siteb"], "/opt/l2tpv3/bin/l2tpctl run-sent"),
    ],
)
def test_what_ssh_is_run_with(url: str, words: list[str], program: str) -> None:
    target = SshTarget.parse(url)
    assert target.ssh({}) == ["ssh", *OPTIONS, *words]
    assert target.ssh({"L2TPV3_SSH": "ssh -F 'a b'"})[:3] == ["ssh", "-F", "a b"]
    assert target.argv()[-1] == f'{program} "$SSH_CONNECTION"'


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ssh://",
            "ssh://-oProxyCommand=reboot",
            "ssh://-l@b",
            "ssh://a:b@c",
            "ssh://a/path",
            "ssh://a#b",
            "ssh://a b",
            "ssh://a\nb",
            "ssh://a\x1b",
        ),
        *(
            "ssh://a:99999",
            "ssh://a:x",
            "ssh://[::1",
            "ssh://a?program=$(reboot)",
            "ssh://a?program=-x",
            "ssh://a?sudo=1",
        ),
        *("ssh://a?frob", "ssh://a;reboot", "ssh://`reboot`", "http://a"),
    ],
)
def test_what_is_no_host_is_refused(url: str) -> None:
    with pytest.raises(InvalidValueError):
        SshTarget.parse(url)


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("ssh://siteb", "`ssh-keygen -R siteb`"),
        ("ssh://root@siteb:2222?sudo", "`ssh-keygen -R '[siteb]:2222'`"),
        ("ssh://siteb", "`ssh siteb`"),
        ("ssh://root@siteb:2222", "`ssh -p 2222 root@siteb`"),
    ],
)
def test_remedies_work_as_they_are_typed(url: str, remedy: str) -> None:
    said = "REMOTE HOST IDENTIFICATION HAS CHANGED" if "keygen" in remedy else "Host key verification failed."
    assert remedy in str(unanswered(SshTarget.parse(url), 255, [said]))


def test_files_that_hold_no_secret_are_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    (tmp_path / "long").write_text("a line of a file that is no cookie\n" * 200)
    (tmp_path / "cookie").write_text("0123456789abcdef\n")
    file = tmp_path / "site.toml"
    named = {"tx-cookie": "@long", "rx-cookie": "@cookie"}
    for name, value in (("other", "credential:../cookie"), ("third", "credential:good")):
        named |= {f"session.{name}.tx-cookie": value}
    file.write_text("".join(f'tunnel.t.session.lan.{key} = "{value}"\n' for key, value in named.items()))
    sent = read_stated([str(file)])
    assert sorted(sent) == sorted(
        map(str, (file, tmp_path / "long", tmp_path / "cookie", tmp_path / "credentials/good"))
    )
    assert sent[str(tmp_path / "long")].content == b"" and sent[str(tmp_path / "cookie")].content


@pytest.mark.parametrize("words", [(), ("tunnel", "show"), ("it's", "$(reboot)", "a\nb", "ü\udcff\0", "")])
def test_a_command_comes_out_as_it_went_in(words: tuple[str, ...]) -> None:
    files = {
        "a.toml": SentFile(content=bytes(range(256)), readable_by_all=True),
        "ü": SentFile(failure=(errno.ENOENT, "gone")),
    }
    command = SentCommand(words=words, files=files, environment={"COLUMNS": "80"}, encoding="ascii", terminal=True)
    line = command.line()
    assert line.count(b"\n") == 1 and SentCommand.of_line(line) == command


@pytest.mark.parametrize(
    "line", [b"", b"\xff", b"[]", b"{}", b"7", b'{"words": 1}', b"[" * 100_000, b'{"words": [1], "files": {}}']
)
def test_what_is_no_command_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        SentCommand.of_line(line)


def test_a_sent_file_is_read_as_it_was_there() -> None:
    assert SentFile(content=b"ab").read(2) == b"ab"
    with pytest.raises(OSError, match="longer than 1 bytes"):
        SentFile(content=b"ab").read(1)
    with pytest.raises(OSError, match="gone"):
        SentFile(failure=(errno.ENOENT, "gone")).read(9)
