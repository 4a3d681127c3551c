"""The programs that the guest takes, installed with apt when they are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PACKAGE_OF = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "depmod": "kmod",
    "setpriv": "util-linux",
}
"""Program to Debian package."""

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


class Missing(Exception):
    """Something that the guest takes is not there and could not be fetched."""


def find(program: str) -> str:
    """The path of a program; also looks in the sbin folders, which a user's PATH may lack. Raises Missing."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}")
    if path is None:
        raise Missing(f"{program} is not installed (Debian package {PACKAGE_OF.get(program, program)})")
    return path


def as_root(*arguments: str) -> None:
    """Run a command as root, through sudo when we are not; its output goes to stderr. Raises Missing when it fails."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    try:
        subprocess.run([*sudo, *environment, *arguments], check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing(f"{' '.join(arguments)} failed: {error}") from error


def install_missing() -> None:
    """Install with apt whatever of PACKAGE_OF is not on this machine. Raises Missing."""
    path = f"{os.environ.get('PATH', os.defpath)}:{_SBIN}"
    missing = [package for program, package in PACKAGE_OF.items() if not shutil.which(program, path=path)]
    if not missing:
        return
    print(f"guest: installing {' '.join(missing)}", file=sys.stderr)
    if not shutil.which("apt-get"):
        raise Missing(f"install {' '.join(missing)}: this machine has no apt-get to do it with")
    as_root("apt-get", "-qq", "update")
    as_root("apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing)
