"""The lab at a terminal: colours, Ctrl-C."""

from __future__ import annotations

import os
import pty
import signal
import sys

import pytest

from tests.lab.lab import LAB, SCENARIOS, leftovers

pytestmark = pytest.mark.root

_TINY = str(SCENARIOS / "tiny")


def _at_terminal(*, stop_at: str = "", environment: dict[str, str] | None = None) -> tuple[int, int, str]:
    """Play at a terminal of its own, Ctrl-C pressed once `stop_at` is read: pid, exit status, what was seen."""
    pid, terminal = pty.fork()
    if pid == 0:
        command = [sys.executable, str(LAB), _TINY, "--datapath", "user"]
        os.execve(sys.executable, command, {**os.environ, "TERM": "xterm", **(environment or {})})
    seen, pressed = "", False
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # EIO: the other side is closed
            break
        if not piece:
            break
        seen += piece.decode(errors="replace")
        if stop_at and stop_at in seen and not pressed:
            os.write(terminal, b"\x03")
            pressed = True
    os.close(terminal)
    return pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen


def test_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    _, status, seen = _at_terminal()
    assert status == 0
    assert "\x1b[32m✓\x1b[0m" in seen


def test_no_color_and_ctrl_c() -> None:
    pid, status, seen = _at_terminal(stop_at="sleep 0.7", environment={"NO_COLOR": "1"})
    assert status == 128 + signal.SIGINT
    assert "stopped by SIGINT; cleaned up" in seen
    assert "\x1b[" not in seen
    assert leftovers(pid) == []
