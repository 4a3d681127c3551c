"""Which machine a figure is of: without that a ratio says little, as one kind of CPU gave 2.7 and another 1.8."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_MITIGATIONS = Path("/sys/devices/system/cpu/vulnerabilities")


def machine() -> dict[str, object]:
    """The CPU, the kernel, Python, and the mitigations that are in force."""
    cpu = _cpu()
    numbers = " ".join(f"{key} {cpu[key]}" for key in ("cpu family", "model", "stepping") if key in cpu)
    return {
        "cpu": f"{cpu.get('model name', platform.machine())} ({numbers})" if numbers else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "kernel": f"Linux {platform.release()}",
        "python": platform.python_version(),
        "mitigations": _mitigations(),
    }


def describe(found: dict[str, object]) -> str:
    """As lines for people."""
    mitigations = found["mitigations"]
    assert isinstance(mitigations, dict)
    lines = [f"{found['cpus']} CPUs: {found['cpu']}; {found['kernel']}; Python {found['python']}"]
    lines += [f"  {name}: {what}" for name, what in mitigations.items()]
    return "\n".join(lines)


def _cpu() -> dict[str, str]:
    first = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _mitigations() -> dict[str, str]:
    """What the kernel does against each weakness that this CPU has (Documentation/admin-guide/hw-vuln)."""
    if not _MITIGATIONS.is_dir():
        return {}
    said = {path.name: path.read_text(encoding="ascii").strip() for path in sorted(_MITIGATIONS.iterdir())}
    return {name: what for name, what in said.items() if what != "Not affected"}
