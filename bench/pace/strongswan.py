"""strongSwan's charon in a network namespace, for tunnels with `--encrypt ipsec`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from l2tpv3.encryption.charon import Charon

_PROGRAM = "/usr/sbin/charon-systemd"
_STARTS_WITHIN_S = 120.0


@contextlib.contextmanager
def strongswan(host: str, folder: Path) -> Iterator[None]:
    """charon for the length of a block: it answers when that begins. folder: for its settings."""
    settings = folder / f"strongswan-{host}.conf"
    socket = f"unix:///run/charon-{host}.vici"
    settings.write_text(
        f"charon-systemd {{\n plugins {{\n vici {{\n socket = {socket}\n }}\n }}\n}}\n", encoding="ascii"
    )
    command = ["ip", "netns", "exec", host, _PROGRAM]
    environment = {**os.environ, "STRONGSWAN_CONF": str(settings)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as charon:
        try:
            _await(host)
            yield
        finally:
            charon.terminate()


def _await(host: str) -> None:
    give_up = time.monotonic() + _STARTS_WITHIN_S
    while True:
        try:
            with Charon(host):
                return
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)
