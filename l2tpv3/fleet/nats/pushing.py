"""Pushes files of hosts as one change: with the other ends of their pseudowires, which are tested with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from l2tpv3.fleet.nats.change import Coordinator, Outcome, Say
from l2tpv3.fleet.nats.directory import Directory
from l2tpv3.fleet.nats.wires import wires_to_test

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
