"""What names a network namespace is not opened before it is known to be one."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from l2tpv3.errors import L2tpError
from l2tpv3.linux.netns import inside, open_netns
from tests.traced import traced


def test_a_namespace_is_opened_by_its_path() -> None:
    file = open_netns("/proc/self/ns/net")
    try:
        assert os.fstat(file).st_ino == Path("/proc/self/ns/net").stat().st_ino
    finally:
        os.close(file)


def test_a_pipe_or_a_device_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (str(tmp_path / "pipe"), "/dev/null", str(tmp_path)):
        with pytest.raises(L2tpError, match="can't open it"):
            open_netns(path)


def test_too_many_open_files_are_an_error_of_ours() -> None:
    def visit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
        with inside("/proc/self/ns/net"):
            pass

    ended = traced(visit, lambda _: None)
    assert isinstance(ended.error, L2tpError), ended.trace
    assert "can't open this thread's own: Too many open files" in str(ended.error)
