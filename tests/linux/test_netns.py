"""What names a network namespace is not opened before it is known to be one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from l2tpv3.errors import L2tpError
from l2tpv3.linux.netns import open_netns


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
