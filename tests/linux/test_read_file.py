"""Files that users name: what is no file neither hangs nor grows, wherever one is expected."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from l2tpv3.config import load
from l2tpv3.config.problem import ConfigError
from l2tpv3.errors import InvalidValueError, L2tpError
from l2tpv3.formats.importer import import_files
from l2tpv3.linux import read_file as module
from l2tpv3.linux.read_file import check_file, read_file
from l2tpv3.model.ids import read_cookie
from l2tpv3.remote.client import _tls
from l2tpv3.remote.target import Access, Target, find_target
from l2tpv3_api.auth.tokens import Tokens
from l2tpv3_api.http.etag import Tagger
from l2tpv3_api.server.tls import tls_context
from l2tpv3_api.settings import Settings

pytestmark = pytest.mark.timeout(60)


def _target(**files: str) -> Target:
    names: dict[str, str | None] = {"ca": None, "cert": None, "key": None, **files}
    return Target(url="https://h", base="https://h", socket=None, token=None, **names)


def _hosts(path: Path) -> object:
    folder = path.parent / "l2tpv3"
    folder.mkdir()
    (folder / "hosts.toml").symlink_to(path)
    return find_target("somewhere", Access(), {"XDG_CONFIG_HOME": str(path.parent)})


def _state(path: Path, name: str) -> Path:
    folder = path.parent / "state"
    folder.mkdir()
    (folder / name).symlink_to(path)
    return folder


READERS: dict[str, Callable[[Path], object]] = {
    "a cookie": lambda path: read_cookie(f"@{path}", "--tx-cookie"),
    "a file of tunnels": lambda path: load([path]),
    "a file to import": lambda path: import_files("iproute2", [path]),
    "a token": lambda path: find_target("https://h", Access(token_file=str(path)), {}),
    "hosts.toml": _hosts,
    "a CA": lambda path: _tls(_target(ca=str(path))),
    "a client's certificate": lambda path: _tls(_target(cert=str(path))),
    "the service's certificate": lambda path: tls_context(Settings(tls_cert=path, tls_key=path)),
    "the service's tokens": lambda path: Tokens(_state(path, "tokens.json")).all(),
    "the key of entity tags": lambda path: Tagger(_state(path, "api-etag.key")).load(),
}


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


NO_FILES: dict[str, Callable[[Path], None]] = {
    "a FIFO": _fifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a directory": Path.mkdir,
    "a file without end": _huge,
}


@pytest.mark.parametrize("what", READERS)
@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str, what: str) -> None:
    path = tmp_path / "named"
    NO_FILES[kind](path)
    with pytest.raises((L2tpError, ConfigError)) as caught:
        READERS[what](path)
    assert "internal" not in str(caught.value)


@pytest.mark.root
@pytest.mark.skipif(not Path("/proc/kmsg").exists(), reason="there is no /proc/kmsg here")
def test_the_kernels_log_is_no_file_although_it_looks_like_one() -> None:
    with pytest.raises(OSError, match=r"no end|longer|not permitted"):
        read_file("/proc/kmsg", 1 << 30)


def test_a_file_of_the_greatest_length(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    assert read_file(path, 1000) == b"x" * 1000
    check_file(path, 1000)
    for read in (read_file, check_file):
        with pytest.raises(OSError, match="longer than 999 bytes") as caught:
            read(path, 999)
        assert caught.value.errno == errno.EFBIG


def test_null_is_an_empty_file(tmp_path: Path) -> None:
    """A link to it is how one masks a file."""
    (tmp_path / "masked.toml").symlink_to(os.devnull)
    assert load([tmp_path / "masked.toml"]) == []


def test_a_pipe_of_the_shells_is_as_good_as_a_file() -> None:
    program = "import sys; from l2tpv3.model.ids import read_cookie; print(read_cookie('@' + sys.argv[1], 'it').hex())"
    command = ["bash", "-c", '"$0" -c "$1" <(sleep 0.2; echo 0123456789abcdef)', sys.executable, program]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == "0123456789abcdef"


@pytest.mark.parametrize("writes", [b"", b"abc"])
def test_a_pipe_is_not_waited_for_without_limit(monkeypatch: pytest.MonkeyPatch, writes: bytes) -> None:
    monkeypatch.setattr(module, "PIPE_WAIT_S", 0.1)
    reader, writer = os.pipe()
    os.write(writer, writes)
    with pytest.raises(OSError, match="did not end in"):
        read_file(f"/proc/self/fd/{reader}", 100)
    os.close(writer)
    assert read_file(f"/proc/self/fd/{reader}", 100) == b""
    os.close(reader)


def test_a_pipe_that_writes_too_much() -> None:
    reader, writer = os.pipe()
    thread = threading.Thread(target=lambda: os.write(writer, b"x" * 5000))
    thread.start()
    with pytest.raises(InvalidValueError, match="longer than 4096 bytes"):
        read_cookie(f"@/proc/self/fd/{reader}", "--tx-cookie")
    thread.join()
    os.close(reader)
    os.close(writer)
