"""l2tpctl in this process, over the in-memory datapath: what a command printed and its exit code."""

from __future__ import annotations

import itertools
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.cli import main
from l2tpv3.host.manager import Manager
from l2tpv3.model import ids
from l2tpv3.paths import Paths
from l2tpv3.store import database
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.memory_links import memory_maker


@dataclass(frozen=True)
class Result:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its stdout, parsed."""
        return json.loads(self.out)

    @property
    def table(self) -> list[dict[str, str]]:
        """Its stdout, a table, as a dict for each line."""
        heads, *lines = [line.split() for line in self.out.splitlines()]
        return [dict(zip(heads, line, strict=True)) for line in lines]


class CommandLine:
    """Runs commands over one manager. `main()` is called as the installed program calls it.

    nics: netdevs of the host, by name, for links to be over. results: what each command did, in their order.
    """

    remote = False

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.datapath = MemoryDatapath()
        self.placer = MemoryConfigurator(self.datapath, frozenset({(None, "br0")}))
        self.nics = {"eth0": 1, "eth1": 2, "eth2": 3}
        self.maker = memory_maker(self.placer, self.nics)
        paths = Paths(folder / "state", folder / "run")
        self.manager = Manager(paths, [self.datapath], self.placer, lambda _: self.maker)
        self._capture = capture
        self.results: list[tuple[str, Result]] = []

    def __call__(self, line: str, *more: str) -> Result:
        """Run the words of `line`, split as a shell does, then `more` as they are."""
        self._capture.readouterr()
        code = self._main([*shlex.split(line), *more])
        captured = self._capture.readouterr()
        result = Result(code, captured.out, captured.err)
        self.results.append((shlex.join([line, *more]), result))
        return result

    def _main(self, words: list[str]) -> int:
        return main(words, manager=self.manager)

    def ok(self, line: str, *more: str) -> Result:
        """As calling it, and the command must succeed."""
        result = self(line, *more)
        assert result.code == 0, result
        return result


def predictable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have random cookies and MAC addresses come out the same in each run, so that runs can be compared."""
    numbers = itertools.count(1)
    monkeypatch.setattr(ids, "urandom", lambda size: next(numbers).to_bytes(size, "big"))
    monkeypatch.setattr(database, "urandom", bytes)
