"""A network namespace of its own for each process that runs tests, so that none of them meets another one's ports.

Most tests run on hosts of tests/hosts.py; those that need none (commands in memory, the service) would otherwise share
the machine's network: two at a time that look whether UDP port 1701 is free find it taken by each other for a moment.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

from l2tpv3.linux import netns

_machines: list[int] = []
"""The file descriptor of the namespace that this process came from, once it has one of its own."""


def isolate() -> None:
    """Put this thread, and all that it starts, into a new network namespace with loopback alone. For root."""
    if not _machines:
        _machines.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        _stay.enter_context(netns.aside())
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@contextlib.contextmanager
def machines() -> Iterator[None]:
    """The machine's own network for the block, for what has to be fetched."""
    with netns.inside(f"/proc/self/fd/{_machines[0]}" if _machines else None):
        yield


_stay = contextlib.ExitStack()
