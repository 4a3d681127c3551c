"""A side that is made as l2tpctl makes it, with the records of two hosts: on any datapath, encrypted or not."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from l2tpv3.host.manager import Manager
from l2tpv3.model import ids
from l2tpv3.model.wireguard import public_key
from l2tpv3.paths import Paths
from pace.field import INNER, OUTER, Field
from pace.sides import Joined, Side
from pace.strongswan import strongswan

_COOKIES = ("0x0001020304050607", "0x1011121314151617")


@dataclass(frozen=True)
class Managed(Side):
    """A tunnel on a datapath, with the MTU that fits. encrypt: as of `tunnel add`."""

    datapath: str = "user"
    encrypt: str = "none"

    @contextlib.contextmanager
    def join(self, over: Field) -> Iterator[Joined]:
        """See Side.join."""
        encryption = _encryption(self.encrypt)
        with tempfile.TemporaryDirectory(prefix="lt-bench-") as folder, contextlib.ExitStack() as stack:
            workers: list[int] = []
            for host in over.hosts if self.encrypt == "ipsec" else ():
                stack.enter_context(strongswan(host, Path(folder)))
            for number, host in enumerate(over.hosts):
                manager = Manager(Paths(Path(folder, f"state{number}"), Path(folder, f"run{number}")))
                stack.callback(manager.del_tunnel, "bench")
                words = {"remote": OUTER[1 - number], "netns": host, "datapath": self.datapath}
                manager.add_tunnel("bench", words | encryption[number])
                session = {"ifname": "pw0", "netns": host, "address": [f"{INNER[number]}/24"]}
                cookies = {"tx-cookie": _COOKIES[number], "rx-cookie": _COOKIES[1 - number]}
                manager.add_session("bench", "s", session | cookies)
                status = manager.tunnel("bench")
                encrypting = status.encryption.pid if self.encrypt == "wireguard" and status.encryption else None
                workers += [pid for pid in (status.worker_pid, encrypting) if pid is not None]
            _await_answer(over.hosts[0])
            yield Joined(over.hosts, ("pw0", "pw0"), tuple(workers))


def _encryption(encrypt: str) -> tuple[dict[str, str], dict[str, str]]:
    """The words that say how both ends are encrypted."""
    words = {"encrypt": encrypt}
    if encrypt == "ipsec":
        words["pre-shared-key"] = ids.format_pre_shared_key(ids.generate_pre_shared_key())
    if encrypt != "wireguard":
        return words, words
    here, there = ids.generate_key(), ids.generate_key()
    return (
        words | {"private-key": ids.format_key(here), "peer-public-key": ids.format_key(public_key(there))},
        words | {"private-key": ids.format_key(there), "peer-public-key": ids.format_key(public_key(here))},
    )


def _await_answer(host: str) -> None:
    """Wait until a ping passes: keys are agreed on first."""
    for _ in range(60):
        command = ["ip", "netns", "exec", host, "ping", "-q", "-c", "1", "-W", "1", INNER[1]]
        if not subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
            return
    raise RuntimeError(f"no ping passes from {host}")
