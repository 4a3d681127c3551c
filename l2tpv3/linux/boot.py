"""This boot of the machine: its id, and its time."""

from __future__ import annotations

import time
from pathlib import Path


def boot_id() -> str:
    """This boot's id (random(4))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def since_boot_s() -> float:
    """Seconds since boot, time in suspend included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
