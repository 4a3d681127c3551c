"""Which service --host means and what lets one in there: URLs, names in hosts.toml, tokens from four places."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2tpv3.errors import InvalidValueError
from l2tpv3.remote.target import Access, Target, find_target


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def write_hosts(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "l2tpv3" / "hosts.toml"
    file.parent.mkdir()
    file.write_text(text)
    file.chmod(mode)
    return file


@pytest.mark.parametrize(
    ("url", "base", "socket"),
    [
        ("unix:///run/l2tpv3/api.sock", "http://localhost", "/run/l2tpv3/api.sock"),
        ("https://siteb.example:8443", "https://siteb.example:8443", None),
        ("https://siteb.example/", "https://siteb.example", None),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", None),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", None),
        ("http://[::1]:8080", "http://[::1]:8080", None),
        ("http://localhost:8080", "http://localhost:8080", None),
    ],
)
def test_urls(environ: dict[str, str], url: str, base: str, socket: str | None) -> None:
    assert find_target(url, Access(), environ) == Target(url=url, base=base, socket=socket)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("siteb", "hosts.toml"),
        ("unix://run/api.sock", "can't be"),
        ("unix:///", "can't be"),
        ("ftp://siteb", "can't be"),
        ("https://", "can't be"),
        ("https://a:b@siteb", "can't be"),
        ("https://siteb/v1", "can't be"),
        ("https://siteb?x=1", "can't be"),
        ("https://siteb:99999", "not a URL"),
        ("https://a..b", "not a URL"),
        (f"https://{'a' * 64}.example", "not a URL"),
        ("https://siteb\x1b[31m", "not a URL"),
        ("http://192.0.2.1:8080", "in clear"),
        ("http://siteb.example", "in clear"),
        ("http://127.0.0.1.example", "in clear"),
    ],
)
def test_what_can_not_be_a_service(environ: dict[str, str], url: str, says: str) -> None:
    with pytest.raises(InvalidValueError, match=says):
        find_target(url, Access(), environ)


def test_a_name_brings_all_that_is_known_of_it(tmp_path: Path, environ: dict[str, str]) -> None:
    write_hosts(
        tmp_path,
        '[host.siteb]\nurl = "https://siteb.example:8443"\ntoken = "tok"\nca = "ca.pem"\ncert = "/etc/c"\nkey = "k"\n',
    )
    folder = tmp_path / "l2tpv3"
    wanted = Target(
        url="https://siteb.example:8443", base="https://siteb.example:8443", token="tok", ca=str(folder / "ca.pem"),
        cert="/etc/c", key=str(folder / "k"),
    )  # fmt: skip
    assert find_target("siteb", Access(), environ) == wanted
    assert find_target("https://siteb.example:8443/", Access(), environ).token == "tok"
    assert find_target("https://siteb.example", Access(), environ).token is None, "another port is another service"
    assert "tok" not in repr(wanted)


def test_plain_http_beyond_loopback_takes_as_many_words(tmp_path: Path, environ: dict[str, str]) -> None:
    write_hosts(tmp_path, '[host.lab]\nurl = "http://192.0.2.1:8080"\ninsecure-plain-http = true\n')
    assert find_target("lab", Access(), environ).base == "http://192.0.2.1:8080"


def test_which_token(tmp_path: Path, environ: dict[str, str]) -> None:
    hosts = write_hosts(tmp_path, '[host.siteb]\nurl = "https://siteb"\ntoken-file = "token"\n')
    (hosts.parent / "token").write_text("from-hosts\n")
    (tmp_path / "mine").write_text("from-option\n")
    given = Access(token="from-environment", token_file=str(tmp_path / "mine"))
    assert find_target("siteb", Access(), environ).token == "from-hosts"
    assert find_target("siteb", Access(token="from-environment"), environ).token == "from-environment"
    assert find_target("siteb", given, environ).token == "from-option"


@pytest.mark.parametrize("content", ["", "two words", "line\nbreak", "ümlaut", "\x1b[31m"])
def test_what_is_no_token_is_refused_and_not_repeated(tmp_path: Path, environ: dict[str, str], content: str) -> None:
    (tmp_path / "mine").write_text(content)
    with pytest.raises(InvalidValueError) as raised:
        find_target("https://siteb", Access(token_file=str(tmp_path / "mine")), environ)
    assert not content or content not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("[host.siteb", 0o600, "not TOML"),
        ("[host]\nsiteb = 1\n", 0o600, "host.siteb: has no url"),
        ("[host.siteb]\n", 0o600, "host.siteb: has no url"),
        ('[hosts.siteb]\nurl = "https://siteb"\n', 0o600, "hosts: not a table"),
        ('[host.siteb]\nurl = "https://siteb"\ntokn = "x"\n', 0o600, "tokn: is unknown"),
        ('[host.siteb]\nurl = "https://siteb"\nca = 1\n', 0o600, "another kind"),
        ('[host.siteb]\nurl = "https://siteb"\ntoken = "x"\n', 0o640, "others can read it"),
        ('[host.siteb]\nurl = "https://siteb"\ntoken-file = "absent"\n', 0o600, "No such file"),
    ],
)
def test_what_is_wrong_with_hosts(tmp_path: Path, environ: dict[str, str], text: str, mode: int, says: str) -> None:
    write_hosts(tmp_path, text, mode)
    with pytest.raises(InvalidValueError, match=says):
        find_target("siteb", Access(), environ)
