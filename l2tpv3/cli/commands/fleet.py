"""`l2tpctl fleet`: tunnels between many hosts, from one file."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from l2tpv3.cli import options
from l2tpv3.cli.commands.apply import STEPS_SHOWN, StepLines
from l2tpv3.cli.commands.tunnel import print_json
from l2tpv3.cli.output.streams import use_utf8
from l2tpv3.cli.parameters import Argument, Files, Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.printable import printable

if TYPE_CHECKING:
    from l2tpv3.fleet.change import FleetPlan
    from l2tpv3.fleet.model import Fleet

EXAMPLES = {
    "group": """
l2tpctl fleet check fleet.toml
l2tpctl fleet plan fleet.toml
l2tpctl fleet apply fleet.toml
l2tpctl fleet status fleet.toml
""",
    "check": "l2tpctl fleet check fleet.toml",
    "render": "l2tpctl fleet render fleet.toml siteb\nl2tpctl fleet render fleet.toml siteb --show-secrets",
    "plan": "l2tpctl fleet plan fleet.toml",
    "apply": "l2tpctl fleet apply fleet.toml\nl2tpctl fleet apply fleet.toml --partial",
    "status": "l2tpctl fleet status fleet.toml\nl2tpctl fleet status fleet.toml --json",
}
_LEAST_S, _MOST_S = 15.0, 3600.0
SOMETHING_WRONG = 11
"""Exit code of `fleet status` when something is wrong with a host or a pseudowire."""

FleetFile = Annotated[str, Argument(metavar="FILE", help="The file that states the fleet.", files=Files.READ)]
Url = Annotated[
    str | None,
    Option("--url", metavar="URL", help="The NATS servers of hosts that pull. [default: nats://127.0.0.1:4222]"),
]
Partial = Annotated[
    bool, Option("--partial", help="Leave out hosts that can't be reached; their pseudowires stay as they are.")
]


def check(file: FleetFile) -> None:
    """Check a fleet's file, and touch nothing.

    Every problem is told at once, with file, line and remedy. No host is asked for anything.
    """
    from l2tpv3.fleet.pairs import all_pairs

    fleet = read(file)
    counts = [_count(len(fleet.hosts), "host"), _count(len(all_pairs(fleet)), "pseudowire")]
    print(f"good: {', '.join(counts)}", file=sys.stderr)


def render(
    file: FleetFile,
    host: Annotated[str, Argument(metavar="HOST", help="The host, by its name in the file.")],
    *,
    show_secrets: options.ShowSecrets = False,
) -> None:
    """Print what one host of a fleet is to have, as a file for apply.

    No host is asked for anything, and nothing is written: ids, ports and cookies that are not drawn yet are drawn anew
    each time until `l2tpctl fleet apply` keeps them.
    """
    from l2tpv3.config import dump
    from l2tpv3.fleet.documents import host_document, pairs_of, without_secrets
    from l2tpv3.fleet.draws import draw
    from l2tpv3.fleet.pairs import all_pairs
    from l2tpv3.fleet.state import read_state

    fleet = read(file)
    state = read_state(fleet.file)
    own = pairs_of(fleet, host)
    new = [pair.key for pair in own if pair.key not in state.drawn]
    state.drawn = draw(all_pairs(fleet), state.drawn, {}, settled=state.drawn)
    state.number_hosts(fleet)
    document = host_document(fleet, state, host, own)
    use_utf8()
    print(dump(document if show_secrets else without_secrets(document)), end="")
    if new:
        which = f"{', '.join(new[:5])}{' ...' if len(new) > 5 else ''}"
        print(f"l2tpctl: note: not drawn for good yet: {which}", file=sys.stderr)


def plan(
    ctx: click.Context,
    file: FleetFile,
    *,
    partial: Partial = False,
) -> None:
    """Show what `fleet apply` would do at each host, and touch nothing.

    Ids, ports and cookies that are not drawn yet are drawn anew each time until `fleet apply` keeps them.
    """
    from l2tpv3.cli.commands.fleet_nats import directory_of
    from l2tpv3.fleet.change import is_pulled, make_plan, reaches_of, require_all
    from l2tpv3.fleet.reached import Reached
    from l2tpv3.fleet.state import read_state

    fleet = read(file)
    state = read_state(fleet.file)
    if is_pulled(fleet, state):
        from l2tpv3.fleet.nats.from_file import pulled_plan

        _show_plan(pulled_plan(fleet, state, directory_of(ctx)))
        return
    with Reached(reaches_of(fleet, state)) as reached:
        require_all(reached, partial=partial, tell=_tell)
        unfinished = sorted({*state.prepared, *state.owed} & {*reached.ends})
        if unfinished:
            _tell(f"a change was cut off at {', '.join(unfinished)}: `l2tpctl fleet apply {file}` ends it first")
        _show_plan(make_plan(fleet, state, reached, begun=bool(unfinished)))


def apply(
    ctx: click.Context,
    file: FleetFile,
    *,
    confirm: Annotated[
        str, Option("--confirm", metavar="SECONDS", help="When a host that hears no more goes back by itself.")
    ] = "120",
    partial: Partial = False,
    url: Url = None,
) -> None:
    """Make all hosts of a fleet what its file says, or none.

    The change is planned at all hosts and applied at all, with a confirmation pending; frames are sent through every
    pseudowire that it is about, small ones and those of full size, both ways; then all hosts confirm. If anything
    fails, all are as they were before. Only what differs is touched, and only what this fleet made. When this command
    is killed, the hosts go back by themselves; if the change was committed already, the next `fleet apply` brings all
    of them to it.
    """
    from l2tpv3.cli.commands.fleet_nats import apply_pulled_file
    from l2tpv3.fleet import change
    from l2tpv3.fleet.reached import Reached
    from l2tpv3.fleet.state import holding, read_state

    confirm_s = seconds(confirm, "--confirm", least=_LEAST_S, most=_MOST_S)
    fleet = read(file)
    with holding(fleet.file):
        state = read_state(fleet.file)
        if change.is_pulled(fleet, state):
            apply_pulled_file(ctx, fleet, state, url, confirm_s, show=_show_plan, partial=partial)
            return
        with Reached(change.reaches_of(fleet, state)) as reached:
            change.require_all(reached, partial=partial, tell=_tell)
            change.end_what_was_begun(fleet, state, reached, _tell)
            planned = change.make_plan(fleet, state, reached)
            _show_plan(planned)
            change.FleetChange(fleet, state, reached, planned, confirm_s=confirm_s, tell=_tell).run()
    if planned.changing:
        print(f"done: {_count(len(planned.tested), 'pseudowire')} tested, and all is confirmed", file=sys.stderr)


def status(ctx: click.Context, file: FleetFile, *, json: options.Json = False, url: Url = None) -> None:
    """Show the hosts and pseudowires of a fleet: what each end sees, and when it last heard something.

    Exit code 11 when something is wrong.
    """
    from l2tpv3.cli.commands.fleet_nats import overview_of_pulled
    from l2tpv3.fleet.change import is_pulled, reaches_of
    from l2tpv3.fleet.overview import overview, overview_document
    from l2tpv3.fleet.reached import Reached
    from l2tpv3.fleet.state import read_state

    fleet = read(file)
    state = read_state(fleet.file)
    if is_pulled(fleet, state):
        found = overview_of_pulled(ctx, fleet, state, url)
    else:
        with Reached(reaches_of(fleet, state)) as reached:
            found = overview(fleet, state, reached)
    if json:
        print_json(overview_document(found))
    else:
        from l2tpv3.cli.output.fleet import print_overview

        print_overview(found)
    if found.wrong:
        raise click.exceptions.Exit(SOMETHING_WRONG)


def _show_plan(planned: FleetPlan) -> None:
    for name in planned.changing:
        print(f"host {name}:")
        lines = StepLines(STEPS_SHOWN, sys.stdout)
        for step in planned.steps[name]:
            lines.tell(step)
        sys.stdout.flush()
        lines.tell_rest()
    if planned.waiting:
        more = f" and {len(planned.waiting) - 5} more" if len(planned.waiting) > 5 else ""
        _tell(f"waiting for a host that can't be reached: {', '.join(planned.waiting[:5])}{more}")
    if not planned.changing:
        left_out = " that is reached" if planned.waiting else ""
        print(f"nothing to do: every host{left_out} has what the file says", file=sys.stderr)


def _tell(text: str) -> None:
    # That nobody can read it is no reason to stop in the middle of a change.
    with contextlib.suppress(OSError):
        print(printable(text), file=sys.stderr, flush=True)


def read(file: str) -> Fleet:
    """The fleet that a file states. Raises ConfigError."""
    from l2tpv3.fleet.reader import read_fleet

    return read_fleet(Path(file))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


COMMANDS: dict[str, Any] = {"check": check, "render": render, "plan": plan, "apply": apply, "status": status}
