"""Programs that make, check and run clients."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run(folder: Path, *command: str | Path) -> str:
    """What a program prints that succeeds. Python finds modules in the folder."""
    scripts = str(Path(sys.executable).parent)  # openapi-python-client calls ruff
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
