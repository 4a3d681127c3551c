"""The datapaths that the contract suite is run on. Another one is one more entry in CANDIDATES."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.datapath.base import Datapath
from l2tpv3.datapath.ebpf import EbpfDatapath
from l2tpv3.datapath.kernel import KernelDatapath
from l2tpv3.datapath.user import UserDatapath
from l2tpv3.paths import Paths
from l2tpv3.testing.datapath import MemoryDatapath


@dataclass(frozen=True)
class Candidate:
    """A datapath under test. real: it makes netdevs and sockets in namespaces and moves frames, as root. least: bytes
    of the shortest frame that keeps its place among others.

    make: gives one that has the folder to itself; called twice with the same folder it gives two that see the same
    tunnels, as two commands do.
    """

    name: str
    make: Callable[[Path], Datapath]
    real: bool
    least: int = 14
    marks: tuple[pytest.MarkDecorator, ...] = ()

    @property
    def parameter(self) -> Any:
        """For pytest's params."""
        return pytest.param(self, id=self.name, marks=self.marks)


def _user(folder: Path) -> Datapath:
    paths = Paths(folder / "state", folder / "runtime")
    paths.make()
    return UserDatapath(paths)


def _ebpf(folder: Path) -> Datapath:
    paths = Paths(folder / "state", folder / "runtime")
    paths.make()
    return EbpfDatapath(paths)


CANDIDATES = (
    Candidate("memory", lambda _: MemoryDatapath(), real=False),
    Candidate("user", _user, real=True, marks=(pytest.mark.root,)),
    Candidate("ebpf", _ebpf, real=True, least=34, marks=(pytest.mark.root,)),
    Candidate("kernel", lambda _: KernelDatapath(), real=True, marks=(pytest.mark.root, pytest.mark.kernel_l2tp)),
)
