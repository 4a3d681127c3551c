"""The paths of this host's record and of its run-time files."""

from __future__ import annotations

import os
from pathlib import Path

from l2tpv3.errors import L2tpError, file_error
from l2tpv3.linux.netns import own_netns
from l2tpv3.model.ownership import OwnerTag, link_alias
from l2tpv3.value_class import value_class

EBPF = "ebpf"
"""The folder in the runtime directory for the sockets of the workers beside the ebpf datapath's programs."""
CARDS = "cards"
"""The folder in the runtime directory for the sockets of the workers of virtual cards."""

CONFIG_DIR = "/etc/l2tpv3"
"""The folder of files of what is wanted, and of hooks, unless $L2TPV3_CONFIG_DIR names another one."""


def config_directory() -> Path:
    """$L2TPV3_CONFIG_DIR or /etc/l2tpv3."""
    return Path(os.environ.get("L2TPV3_CONFIG_DIR") or CONFIG_DIR)


@value_class(frozen=True, slots=True)
class Paths:
    """state: survives a reboot (names, wanted specs). runtime: does not (workers' sockets and logs, the lock).

    A pair of places is a host of its own: two `l2tpctl` with different pairs in two network namespaces do not
    know of each other.
    """

    state: Path
    runtime: Path

    @classmethod
    def from_environment(cls) -> Paths:
        """$L2TPV3_STATE_DIR or /var/lib/l2tpv3, and $L2TPV3_RUNTIME_DIR or /run/l2tpv3.

        In a network namespace of `ip netns` l2tpv3@NAME, beside the machine's own: what is made there is there alone.
        """
        own = own_netns()
        name = "l2tpv3" if own is None else f"l2tpv3@{own}"
        return cls(
            Path(os.environ.get("L2TPV3_STATE_DIR") or Path("/var/lib", name)),
            Path(os.environ.get("L2TPV3_RUNTIME_DIR") or Path("/run", name)),
        )

    def mark(self, tunnel: str, session: str) -> str:
        """The ifalias of a session's netdev. See l2tpv3.model.ownership."""
        return OwnerTag(self.runtime, tunnel, session).alias()

    def link_mark(self, link: str) -> str:
        """The ifalias of a link's netdev."""
        return link_alias(self.runtime, link)

    def make(self) -> None:
        """Create both, for their owner alone. Raises NotPermittedError or RefusedError."""
        for place in (self.state, self.runtime):
            try:
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise _place_error(place, error) from error

    def let_through(self) -> None:
        """Let everyone reach what is in the runtime directory and open to them: the service's socket, nothing else.

        Raises L2tpError where its mode can't be set.
        """
        try:
            self.runtime.chmod(self.runtime.stat().st_mode & 0o777 | 0o111)
        except OSError as error:
            raise _place_error(self.runtime, error) from error


def _place_error(place: Path, error: OSError) -> L2tpError:
    elsewhere = "set L2TPV3_STATE_DIR and L2TPV3_RUNTIME_DIR to other directories"
    return file_error(place, "use this directory", error, elsewhere=elsewhere)
