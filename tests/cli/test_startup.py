"""The start-up benchmark runs, and l2tpctl is within its limits: twice the time of what it imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "bench" / "startup"


def test_startup() -> None:
    done = subprocess.run([sys.executable, BENCHMARK, "--rounds", "3"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "l2tpctl tunnel show" in done.stdout
