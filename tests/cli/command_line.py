"""l2tpctl in this process, over the in-memory datapath: what a command printed and its exit code."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.cli import main
from l2tpv3.datapath.memory import MemoryDatapath
from l2tpv3.link.memory import MemoryPlacer
from l2tpv3.manager import Manager
from l2tpv3.places import Places


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
    """Runs commands over one manager. `main()` is called as the installed program calls it."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.datapath = MemoryDatapath()
        placer = MemoryPlacer(self.datapath, frozenset({(None, "br0")}))
        self.manager = Manager(Places(folder / "state", folder / "run"), [self.datapath], placer)
        self._capture = capture

    def __call__(self, line: str, *more: str) -> Result:
        """Run the words of `line`, split as a shell does, then `more` as they are."""
        self._capture.readouterr()
        code = main([*shlex.split(line), *more], manager=self.manager)
        captured = self._capture.readouterr()
        return Result(code, captured.out, captured.err)

    def ok(self, line: str, *more: str) -> Result:
        """As calling it, and the command must succeed."""
        result = self(line, *more)
        assert result.code == 0, result
        return result
