"""`l2tpctl watch` on a host of tests/hosts.py, and waiting for what it does."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.here import Here

_L2TPCTL = Path(sys.executable).with_name("l2tpctl")
_UNITS = Path(__file__).resolve().parents[1] / "systemd"


@contextlib.contextmanager
def watch(here: Here, prefix: Sequence[str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Ended before the workers are, which it would bring back. prefix: by default, what its unit leaves it."""
    process = here.host.start([*(as_in_the_unit() if prefix is None else prefix), _L2TPCTL, "watch"])
    try:
        time.sleep(1.0)
        assert process.poll() is None, said(process)
        yield process
    finally:
        process.terminate()
        process.wait(10)


def as_in_the_unit(*drop_ins: str) -> list[str]:
    """A command that has another one run with what l2tpv3-watch.service, and drop-ins, leave of capabilities."""
    setpriv = shutil.which("setpriv")
    assert setpriv is not None
    text = "".join((_UNITS / name).read_text() for name in ("l2tpv3-watch.service", *drop_ins))
    names = " ".join(re.findall(r"^CapabilityBoundingSet=(.*)$", text, re.MULTILINE)).lower().split()
    kept = ",".join(f"+{name.removeprefix('cap_')}" for name in names)
    # by `ip netns exec` it is in the namespace already, as a unit is in its own
    return [setpriv, f"--bounding-set=-all,{kept}", "--no-new-privs"]


def eventually(true: Callable[[], object], limit_s: float = 10.0) -> float:
    """Seconds until it was."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + limit_s
        time.sleep(0.01)
    return time.monotonic() - began


def said(process: subprocess.Popen[str]) -> str:
    """All that it says until its end."""
    assert process.stdout is not None
    return process.stdout.read()
