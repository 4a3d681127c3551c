"""Pushes files of hosts as one change: with the other ends of their pseudowires, which are tested with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from l2tpv3.errors import UnreachableError
from l2tpv3.fleet.nats.bucket import Bucket
from l2tpv3.fleet.nats.change import Coordinator, Outcome, Say
from l2tpv3.fleet.nats.directory import Directory
from l2tpv3.fleet.nats.wires import wires_to_test

_AGAIN_S: Final = 0.5
PATIENCE_S: Final = 20.0
"""How long a cluster may take until another server leads."""

Texts = Callable[[Collection[str]], Mapping[str, str]]
"""The files of the hosts that are to be changed, by name, when these hosts are left out."""


async def push(
    directory: Directory,
    coordinator: Coordinator,
    texts: Texts,
    *,
    confirm_s: float,
    wait_s: float,
    partial: bool,
    say: Say,
) -> Outcome:
    """Change hosts: all, or none. Hosts at the other ends of pseudowires that change take part, and stay as they are.

    confirm_s, wait_s: see Coordinator.change. partial: where hosts are silent, change the others without them; their
    pseudowires are not tested then. Raises L2tpError.
    """
    left_out: frozenset[str] = frozenset()
    while True:
        wanted, wires = _with_other_ends(directory, texts(left_out), left_out)
        outcome = await coordinator.change(wanted, confirm_s=confirm_s, wait_s=wait_s, wires=wires)
        left_out |= outcome.silent
        if outcome.committed or not partial or not outcome.silent or not texts(left_out):
            return outcome
        say(f"left out: {', '.join(sorted(outcome.silent))}, which did not answer")


def _with_other_ends(
    directory: Directory, texts: Mapping[str, str], left_out: Collection[str]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The files with those of the other ends, and the pseudowires that each host has to test."""
    committed = {name: directory.committed(name) for name in directory.hosts() if name not in left_out}
    before = {name: None if one is None else one.text for name, one in committed.items()}
    known = {name: text for name, text in before.items() if text is not None}
    wires = wires_to_test(before, {**known, **texts})
    return {**{name: known[name] for name in wires if name not in texts}, **texts}, wires


async def end_elsewhere(
    directory: Directory, connect: Callable[[], AbstractAsyncContextManager[Bucket]], patience_s: float, say: Say
) -> Outcome | None:
    """End a change whose server was lost by new connections, as other servers of a cluster may answer soon.

    connect: gives a new connection. patience_s: for how long it is tried. None where nothing is under way. Raises
    UnreachableError when the time is over.
    """
    give_up = time.monotonic() + patience_s
    while True:
        try:
            async with connect() as bucket:
                return await Coordinator(directory, bucket, say=say).recover()
        except UnreachableError:
            if time.monotonic() > give_up:
                raise
        await asyncio.sleep(_AGAIN_S)
