"""Large bodies are parsed in a process of their own: whatever is in one, it holds up nobody else's requests.

The process has a limit of memory and of CPU time, and is killed when its client goes or the service ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import resource
import signal
import sys
from collections.abc import Collection
from typing import Any, Final

from l2tpv3.errors import BusyError, InvalidValueError
from l2tpv3.model.desired import Desired
from l2tpv3_api.http import faults
from l2tpv3_api.http.faults import BodyError, TooLargeError
from l2tpv3_api.http.state_body import parse_state

MEMORY_BYTES: Final = 1 << 30
"""Address space of the process: 16 MiB of tunnels and sessions take less than half of it."""
CPU_S: Final = 30
WAIT_S: Final = 120.0
"""How long a body may wait for those before it and be parsed."""
_NICE: Final = 5  # who asks for something small goes first
_REMEDY: Final = "send less at once: a part of the tunnels, without prune"


class BodyProcesses:
    """Parses bodies in other processes, one after another, each with so much memory (address space) and CPU time."""

    def __init__(self, *, memory_bytes: int = MEMORY_BYTES, cpu_s: int = CPU_S) -> None:
        self._memory_bytes, self._cpu_s = memory_bytes, cpu_s
        self._one = asyncio.Semaphore(1)

    async def parse(self, data: bytes, kind: str, datapaths: Collection[str]) -> list[Desired]:
        """Do what parse_state does, in a process. Raises what that raises, TooLargeError at a limit, BusyError."""
        try:
            async with asyncio.timeout(WAIT_S), self._one:
                return await self._parse(data, kind, datapaths)
        except TimeoutError:
            raise BusyError("body", f"was not read within {WAIT_S:g} s, as others were", "send it again") from None

    async def _parse(self, data: bytes, kind: str, datapaths: Collection[str]) -> list[Desired]:
        arguments = kind, ",".join(datapaths), str(self._memory_bytes), str(self._cpu_s)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", __name__, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            said, _ = await process.communicate(data)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        if process.returncode == -signal.SIGXCPU:
            raise TooLargeError("body", f"takes more than {self._cpu_s} s to read", _REMEDY)
        if process.returncode or not said:
            raise TooLargeError("body", f"takes more than {self._memory_bytes >> 20} MiB to read", _REMEDY)
        return await asyncio.to_thread(_result, said)


def _result(said: bytes) -> list[Desired]:
    """What the process found. It runs this very code, as this user: its pickle is as good as our own."""
    kind, value = pickle.loads(said)
    if kind == "wanted":
        wanted: list[Desired] = value
        return wanted
    (subject, problem, remedy), found = value
    error: type[InvalidValueError] = getattr(faults, kind)
    if issubclass(error, BodyError):
        raise error(subject, problem, remedy, found)
    raise error(subject, problem, remedy)


def _parsed(data: bytes, kind: str, datapaths: Collection[str]) -> tuple[str, Any]:
    try:
        return "wanted", parse_state(data, kind, datapaths)
    except InvalidValueError as error:
        text = error.subject, error.problem, error.remedy
        return type(error).__name__, (text, error.faults if isinstance(error, BodyError) else ())


def main() -> None:
    """The other process: a body comes by stdin; what was found of it goes to stdout."""
    kind, datapaths, memory_bytes, cpu_s = sys.argv[1], sys.argv[2].split(","), int(sys.argv[3]), int(sys.argv[4])
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    try:
        said = pickle.dumps(_parsed(sys.stdin.buffer.read(), kind, datapaths))
    except MemoryError:
        sys.exit(1)
    sys.stdout.buffer.write(said)


if __name__ == "__main__":
    main()
