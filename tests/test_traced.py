"""The tool that fails and kills calls of a child: what it tells of the child's end."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest

from tests.traced import Call, Ended, Fail, Kill, traced


def test_each_call_can_fail_and_the_outcome_is_told_all_the_same(tmp_path: Path) -> None:
    """Also where each `write` fails: what the child says through its pipe is none of its work's calls."""

    def on_call(call: Call) -> Fail | None:
        return Fail(errno.ENOSPC) if call.name == "write" else None

    ended = traced(lambda: (tmp_path / "file").write_bytes(b"1234"), on_call)
    assert isinstance(ended.error, OSError) and ended.error.errno == errno.ENOSPC
    assert traced(lambda: 7, on_call) == Ended(killed=False, result=7)


def test_one_that_is_killed_at_a_call_is_told_from_one_that_dies(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert traced(path.touch, lambda call: Kill() if call.name == "openat" else None) == Ended(killed=True)
    assert not path.exists()
    with pytest.raises(RuntimeError, match="ended by SIGKILL and said nothing"):
        traced(lambda: os.kill(os.getpid(), signal.SIGKILL), lambda _: None)
    with pytest.raises(RuntimeError, match="ended with code 3 and said nothing"):
        traced(lambda: os._exit(3), lambda _: None)
