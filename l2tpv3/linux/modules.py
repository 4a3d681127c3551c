"""Whether the kernel's L2TP modules are there, loading them, and saying in one line why they can't be had.

Loading is a program's work (modprobe knows dependencies, compression, signatures and the administrator's blacklist),
so this is the one place that runs one.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

NEEDED = ("l2tp_netlink", "l2tp_eth")
"""What every tunnel with ethernet pseudowires needs; l2tp_ip or l2tp_ip6 comes on top for encapsulation in IP."""

_MODPROBE_TIMEOUT_S = 30.0
_KILLED_S = 1.0
_PROGRAM_PATH = "/usr/sbin:/sbin"
_MODULE_TREE = Path("/lib/modules")
_CONFIGURATION = tuple(
    Path(folder) for folder in ("/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
)
_DISTRIBUTION_PACKAGE = {
    "ubuntu": "apt install linux-modules-extra-{release}",
    "debian": "install the package linux-image-amd64 (a cloud kernel has no L2TP) and boot it",
    "fedora": "dnf install kernel-modules-extra-{release}",
    "rhel": "dnf install kernel-modules-extra-{release}",
    "centos": "dnf install kernel-modules-extra-{release}",
    "openwrt": "opkg install kmod-l2tp-eth",
    "alpine": "apk add linux-lts",
}


def loaded(module: str) -> bool:
    """Whether a module is in the kernel: loaded, or built in (built-in modules with a version, as these, have a folder
    too).
    """
    if Path("/sys/module", module).is_dir():
        return True
    try:
        return any(line.startswith(f"{module} ") for line in Path("/proc/modules").read_text("ascii").splitlines())
    except OSError:
        return False


def switched_off(module: str) -> str:
    """Why `module` can't be had, without an attempt to load it: the line of modprobe.d that forbids it, and its file.

    Also where this kernel comes without it. Empty where nothing is known to keep it from being loaded.
    """
    import shutil

    program = shutil.which("modprobe", path=f"{os.environ.get('PATH', '')}:{_PROGRAM_PATH}")
    if program is None:
        return f"{module} is not loaded and there is no modprobe here; in a container, load it on the host"
    if rule := _forbidden(program, module):
        return f"{module} is switched off in {_whose(rule)} ({rule!r}); {_way_around(rule, module)}"
    release = platform.release()
    if not _is_shipped(module, release):
        return _why_not(module, release, "not found")
    return ""


def _is_shipped(module: str, release: str) -> bool:
    """Whether modules.dep of this kernel lists `module`, or modules.builtin does."""
    for name in ("modules.dep", "modules.builtin"):
        try:
            text = (_MODULE_TREE / release / name).read_text(errors="replace")
        except OSError:
            continue
        if f"/{module}.ko" in text:
            return True
    return False


def load(module: str) -> str:
    """Load `module` unless it is there. Empty when it is there now; else one line: why not; what to do."""
    if loaded(module):
        return ""
    import shutil
    import subprocess

    release = platform.release()
    program = shutil.which("modprobe", path=f"{os.environ.get('PATH', '')}:{_PROGRAM_PATH}")
    if program is None:
        return f"{module} is not loaded and there is no modprobe here; in a container, load it on the host"
    try:
        # Blacklisted modules are left alone: whoever did that must undo it, or load the module, himself.
        done = _run([program, "--use-blacklist", module])
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{module} is not loaded and {program} failed: {error}"
    if loaded(module):
        return ""
    if rule := _forbidden(program, module):
        return f"{module} is switched off in {_whose(rule)} ({rule!r}); {_way_around(rule, module)}"
    if done.returncode == 0:
        return ""  # built in, and no folder tells
    return _why_not(module, release, done.stderr)


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program for so long at most, then end it with what it has started (an `install` line of modprobe.d).

    One that the kernel does not let go of (state D) is not waited for either. Raises OSError, TimeoutExpired.
    """
    import signal
    import subprocess

    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        stdout, stderr = process.communicate(timeout=_MODPROBE_TIMEOUT_S)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_KILLED_S)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def _forbidden(program: str, module: str) -> str:
    """The line of modprobe's configuration that keeps `module` from being loaded, or nothing."""
    import subprocess

    try:
        shown = _run([program, "--showconfig"])
    except (OSError, subprocess.TimeoutExpired):
        return ""
    for line in shown.stdout.splitlines():
        words = line.split()
        if words[:2] in (["blacklist", module], ["install", module]):
            return line.strip()
    return ""


def _whose(rule: str) -> str:
    """The file that has this line (modprobe.d(5)); the first folder where none is found, as for kernel parameters."""
    wanted = rule.split()
    for folder in _CONFIGURATION:
        for file in sorted(folder.glob("*.conf")):
            try:
                lines = file.read_text(errors="replace").replace("\\\n", " ").splitlines()
            except OSError:
                continue
            if any(line.split() == wanted for line in lines):
                return str(file)
    return str(_CONFIGURATION[0])


def _way_around(rule: str, module: str) -> str:
    """A `blacklist` line keeps only aliases and our own call from loading it; `install` says what runs in its place."""
    if rule.startswith("install"):
        return f"take that line out, then `modprobe {module}` loads it"
    return f"`modprobe {module}` loads it all the same"


def _why_not(module: str, release: str, stderr: str) -> str:
    if "Operation not permitted" in stderr or "Permission denied" in stderr:
        inside = "; in a container, load it on the host" if os.geteuid() == 0 else "; run as root"
        return f"{module} is not loaded and may not be loaded from here{inside}: `modprobe {module}`"
    if not (_MODULE_TREE / release).is_dir():
        where = f"there is no {_MODULE_TREE / release} to load it from"
        return f"kernel {release} has no {module}; {where}: in a container, load it on the host"
    if "not found" in stderr:
        return f"kernel {release} comes without {module}; {_package(release)}"
    words = stderr.strip().splitlines()
    return f"{module} could not be loaded: {words[-1] if words else 'modprobe failed without a word'}"


def _package(release: str) -> str:
    """What to install, by the distribution's name in os-release(5)."""
    identities = _os_release()
    for identity in identities:
        if identity in _DISTRIBUTION_PACKAGE:
            return _DISTRIBUTION_PACKAGE[identity].format(release=release)
    return "install your distribution's package of extra kernel modules, or a kernel built with CONFIG_L2TP_ETH"


def _os_release() -> list[str]:
    try:
        fields = platform.freedesktop_os_release()
    except OSError:
        return []
    return [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]
