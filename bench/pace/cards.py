"""Cards of their own on a NIC, in a namespace each: those in user space, and the kernel's macvlan."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from l2tpv3.links.backends.base import LinkBackends
from l2tpv3.links.backends.vnic import VnicBackend
from l2tpv3.model.links.spec import LinkSpec, derived_mac
from pace.field import INNER, Field
from pace.sides import Joined, Side


@dataclass(frozen=True)
class Card(Side):
    """A card on the first host's underlay NIC; the load is between it and the second host's NIC."""

    type: str = "vnic"

    @contextlib.contextmanager
    def join(self, over: Field) -> Iterator[Joined]:
        """See Side.join."""
        guest = f"lt-{os.getpid()}-g"
        words = {"name": "card0", "type": self.type, "over": "u0", "over-netns": over.hosts[0], "netns": guest}
        with tempfile.TemporaryDirectory(prefix="lt-bench-") as folder, contextlib.ExitStack() as stack:
            _ip(f"netns add {guest}")
            stack.callback(_ip, f"netns del {guest}")
            maker = LinkBackends(Path(folder))(spec := LinkSpec.from_words(words | {"address": f"{INNER[0]}/24"}))
            maker.make(spec, {"u0": "u0"}, "l2tpv3 link/card0 bench", derived_mac("bench", "card0"))
            stack.callback(maker.remove, spec, "l2tpv3 link/card0 bench")
            _ip(f"-n {over.hosts[1]} addr add {INNER[1]}/24 dev u0")
            workers = tuple(maker.workers()) if isinstance(maker, VnicBackend) else ()
            yield Joined((guest, over.hosts[1]), ("card0", "u0"), workers)


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)
