"""`l2tpctl check, plan, apply, confirm, rollback, export, adopt, down, log`: wanted state, in files and on record."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import click

from l2tpv3.cli import completion, options
from l2tpv3.cli.commands.restore import tell
from l2tpv3.cli.commands.tunnel import local_manager, manager_of, print_json
from l2tpv3.cli.expiring import expiring, undo_in_time
from l2tpv3.cli.output.streams import use_utf8
from l2tpv3.cli.parameters import Argument, Files, Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.errors import InvalidValueError, NotFoundError
from l2tpv3.printable import printable

if TYPE_CHECKING:
    from l2tpv3.config import Problem
    from l2tpv3.host.base import Did
    from l2tpv3.model.desired import Desired
    from l2tpv3.model.progress import StepText

_CONFIRM_MIN_S = 0.001
STEPS_SHOWN = 20
"""How many steps of a kind (made, changed, removed) `apply` prints."""
WOULD_CHANGE = 10
"""Exit code of `plan --exit-code` when apply would change something."""

EXAMPLES = {
    "check": "l2tpctl check\nl2tpctl check site.toml",
    "plan": "l2tpctl plan\nl2tpctl plan -f site.toml --prune\nl2tpctl plan --exit-code || echo 'not as wanted'",
    "apply": """
l2tpctl apply                               # /etc/l2tpv3/*.toml
l2tpctl apply -f site.toml --prune          # and remove what is not in it
l2tpctl apply --wait 30                     # one that can't be made yet holds up no other
l2tpctl apply --confirm 60                  # undone after a minute without `l2tpctl confirm`
""",
    "confirm": "l2tpctl confirm",
    "rollback": "l2tpctl rollback",
    "export": "l2tpctl export > site.toml\nl2tpctl export siteb -o /etc/l2tpv3/siteb.toml",
    "adopt": "l2tpctl adopt kernel:1000 siteb\nl2tpctl adopt kernel:1000 siteb --sublayer none",
    "down": "l2tpctl down && l2tpctl restore",
    "log": "l2tpctl log\nl2tpctl log -n 5 --json",
}

StatedFiles = Annotated[
    list[str] | None,
    Option(
        "-f",
        "--file",
        metavar="FILE",
        help="A file, can be repeated. [default: /etc/l2tpv3/*.toml]",
        files=Files.STATED,
    ),
]
Prune = Annotated[bool, Option("--prune", help="Remove what is on record but in none of the files.")]


def check(
    files: Annotated[
        list[str] | None,
        Argument(metavar="[FILE]...", help="Files. [default: /etc/l2tpv3/*.toml]", files=Files.STATED),
    ] = None,
) -> None:
    """Check files of wanted state without touching anything.

    Every problem is told at once, with file, line and remedy.
    """
    from l2tpv3.model.desired import DesiredTunnel

    wanted = _load(files, prune=False)
    tunnels = [one for one in wanted if isinstance(one, DesiredTunnel)]
    counts = [_count(len(tunnels), "tunnel"), _count(sum(len(one.sessions) for one in tunnels), "session")]
    if links := len(wanted) - len(tunnels):
        counts.append(_count(links, "link"))
    print(f"good: {', '.join(counts)}", file=sys.stderr)


def plan(
    ctx: click.Context,
    *,
    file: StatedFiles = None,
    prune: Prune = False,
    exit_code: Annotated[
        bool, Option("--exit-code", help=f"Exit with {WOULD_CHANGE} when something would change.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Show what apply would do, and touch nothing.

    Step by step, with what has to be made anew and why, and what traffic that interrupts.
    """
    outcome = manager_of(ctx).plan(_load(file, prune=prune), prune=prune)
    if json:
        _print_steps(outcome)
    else:
        for step in outcome.step_texts:
            print(_line(step))
        _tell_summary(outcome, "nothing to do: everything is as wanted")
    if exit_code and outcome.changes:
        raise click.exceptions.Exit(WOULD_CHANGE)


def apply(
    ctx: click.Context,
    *,
    file: StatedFiles = None,
    prune: Prune = False,
    confirm: Annotated[
        str | None,
        Option("--confirm", metavar="SECONDS", help="Undo it after that time, unless `l2tpctl confirm` comes."),
    ] = None,
    wait: Annotated[
        str | None,
        Option(
            "--wait",
            metavar="SECONDS",
            help="Make what can be made; the rest goes on record, and is waited for so long: routes, addresses,"
            " namespaces, bridges and NICs that are yet to come. 0: not at all.",
        ),
    ] = None,
    verbose: Annotated[
        bool, Option("-v", "--verbose", help=f"Print every step, not only the first {STEPS_SHOWN} of a kind.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Make this host what the files want.

    Only what differs is touched; what can't change in place is made anew, and that is said. When a step fails, what was
    there before is there again. With --wait, what can't be made yet goes on record all the same: `l2tpctl restore` or
    `l2tpctl watch` makes it once it can be. It fails as restore does while something is missing. A tunnel can wait if
    its local address is given, or was chosen before.
    """
    here = None if wait is None else local_manager(ctx, "apply --wait")
    manager = here or manager_of(ctx)
    confirm_s = None if confirm is None else seconds(confirm, "--confirm", least=_CONFIRM_MIN_S)
    wait_s = 0.0 if wait is None else seconds(wait, "--wait")
    if confirm_s is not None and wait_s > 0:
        problem = "what has to be confirmed can't be waited for meanwhile"
        raise InvalidValueError("--wait", problem, "`--wait 0` makes what can be made now")
    wanted = _load(file, prune=prune)
    lines = StepLines(None if verbose else STEPS_SHOWN)
    outcome: Did
    waiting: list[str] = []
    with expiring(confirm_s, manager):
        if here is not None:
            outcome = made = here.apply(wanted, prune=prune, confirm_s=confirm_s, on_step=lines.tell, may_wait=True)
            waiting = list(made.waiting)
        else:
            outcome = manager.apply(wanted, prune=prune, confirm_s=confirm_s, on_step=lines.tell)
    lines.tell_rest("; --verbose prints each")
    if json:
        _print_steps(outcome)
    _tell_summary(outcome, "nothing to do: everything was as wanted")
    if confirm_s is not None and outcome.changes:
        print(f"`l2tpctl confirm` within {confirm_s:g} s keeps it; else it is undone", file=sys.stderr)
    if here is not None and waiting:
        here.restore(waiting, wait_s=wait_s, tell=tell)


def confirm(ctx: click.Context) -> None:
    """Keep what `apply --confirm` did."""
    if not manager_of(ctx).confirm():
        raise NotFoundError("confirm", "nothing waits for a confirmation", "it may have been undone already")
    print("confirmed", file=sys.stderr)


def rollback(ctx: click.Context) -> None:
    """Undo what `apply --confirm` did, without waiting."""
    outcome = manager_of(ctx).rollback()
    if outcome is None:
        raise NotFoundError("rollback", "nothing waits for a confirmation", "it may have been confirmed already")
    _tell_steps(outcome)
    _tell_summary(outcome, "nothing had to be undone")


def expire(ctx: click.Context) -> None:
    """Undo what is not confirmed, when its time is over. `apply --confirm` starts it in the background.

    Standard input ends when what is to be confirmed has been done.
    """
    undo_in_time(lambda: local_manager(ctx, "expire"))


def _keep_export(path: str, text: str) -> None:
    """Write what is on record to a file, for its owner alone. Raises InvalidValueError."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text.encode())
    except OSError as error:
        raise InvalidValueError("--output", f"can't write {path!r}: {error.strerror}", "give another file") from error


def export(
    ctx: click.Context,
    tunnels: Annotated[
        list[str] | None,
        Argument(metavar="[TUNNEL]...", help="Only these.", complete=completion.tunnels),
    ] = None,
    *,
    output: Annotated[
        str | None,
        Option(
            "-o", "--output", metavar="FILE", help="Write to FILE, mode 0600.", files=Files.WRITTEN, keep=_keep_export
        ),
    ] = None,
) -> None:
    """Print what is on record as a file for apply. The cookies in it are in clear."""
    from l2tpv3.config import dump

    text = dump(manager_of(ctx).stated(tunnels or ()))
    if output is None:
        use_utf8()
        print(text, end="")
        if any(
            line.lstrip().startswith(('tx-cookie = "', 'rx-cookie = "')) and "none" not in line
            for line in text.splitlines()
        ):
            print("l2tpctl: note: the cookies in it are in clear", file=sys.stderr)
        return
    _keep_export(output, text)


def adopt(
    ctx: click.Context,
    foreign: Annotated[str, Argument(metavar="DATAPATH:ID", help="The tunnel as `l2tpctl` shows it.")],
    name: Annotated[str | None, Argument(metavar="[NAME]", help="What it shall be called. [default: tID]")] = None,
    *,
    sublayer: Annotated[
        str,
        Option(
            "--sublayer",
            metavar="default|none",
            help="What its sessions were made with; the kernel doesn't tell.",
            complete=completion.choice("default", "none"),
        ),
    ] = "default",
) -> None:
    """Put a tunnel that something else made on record.

    Its sessions come along; its traffic is not touched.
    """
    status = manager_of(ctx).adopt(foreign, name, sublayer)
    print(f"tunnel {status.name}: adopted with {_count(len(status.sessions), 'session')}", file=sys.stderr)


def down(ctx: click.Context) -> None:
    """Stop all that is on record, and keep the record.

    `l2tpctl restore` brings it back.
    """
    outcome = manager_of(ctx).down()
    _tell_steps(outcome)
    _tell_summary(outcome, "nothing was running")
    if outcome.changes:
        print("it stays on record: `l2tpctl restore` brings it back", file=sys.stderr)


def log(
    ctx: click.Context,
    *,
    number: Annotated[str, Option("-n", "--number", metavar="N", help="So many changes.")] = "20",
    json: options.Json = False,
) -> None:
    """Show who changed what when, the last change last."""
    from datetime import UTC, datetime

    if not number.isdecimal():
        raise InvalidValueError("--number", f"{number!r} is not a number", "give digits")
    entries = list(reversed(manager_of(ctx).audit(int(number))))
    if json:
        from l2tpv3.documents.audit import audit_document

        print_json(audit_document(entries))
        return
    for entry in entries:
        at = datetime.fromtimestamp(entry.at, UTC).astimezone().isoformat(" ", "seconds")
        print(f"{at}  {printable(entry.who)}  {printable(entry.what)}")


def _load(files: list[str] | None, *, prune: bool) -> list[Desired]:
    from l2tpv3.config import config_files, load

    paths = [Path(file) for file in files or ()] or config_files()
    if prune and not paths:
        raise NotFoundError("--prune", "there are no files, so all would be removed", "`l2tpctl down` stops everything")
    return load(paths, warn=_warn)


def _warn(problem: Problem) -> None:
    print(f"l2tpctl: warning: {problem}", file=sys.stderr)


def _line(step: StepText) -> str:
    line = printable(f"{step.sign} {step.subject}: {step.text}")
    return line + ("  [interrupts its traffic]" if step.interrupts else "")


class StepLines:
    """Tells steps as they are taken: of each kind the first ones, and how many there were more.

    most: so many of a kind; None: all. A kind is the step's sign, and whether it interrupts traffic. stream: where they
    are printed; None is stderr.
    """

    def __init__(self, most: int | None, stream: TextIO | None = None) -> None:
        self._most, self._stream = most, stream
        self._seen: Counter[tuple[str, bool]] = Counter()

    def tell(self, step: StepText) -> None:
        """Print a step on stderr, if it is among the first of its kind."""
        kind = (step.sign, step.interrupts)
        self._seen[kind] += 1
        if self._most is None or self._seen[kind] <= self._most:
            print(_line(step), file=self._stream or sys.stderr)

    def tell_rest(self, remedy: str = "") -> None:
        """Print how many more there were of each kind, and the remedy for that."""
        for (sign, interrupts), count in self._seen.items():
            if self._most is not None and count > self._most:
                what = {"+": "made", "~": "changed", "-": "removed"}.get(sign, "done")
                traffic = ", which interrupted traffic" if interrupts else ""
                print(f"{sign} {count - self._most} more {what}{traffic}{remedy}", file=sys.stderr)


def _tell_steps(outcome: Did) -> None:
    lines = StepLines(STEPS_SHOWN)
    for step in outcome.step_texts:
        lines.tell(step)
    lines.tell_rest()


def _tell_summary(outcome: Did, nothing: str) -> None:
    if not outcome.changes:
        print(nothing, file=sys.stderr)
    elif all(one.on_record for one in outcome.step_texts):
        print("only the record changes, nothing that runs", file=sys.stderr)
    else:
        print(f"{_count(len(outcome.step_texts), 'step')}", file=sys.stderr)


def _print_steps(outcome: Did) -> None:
    from l2tpv3.documents.plan import plan_document

    print_json(plan_document(outcome.step_texts))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


COMMANDS: dict[str, Any] = {
    "check": check,
    "plan": plan,
    "apply": apply,
    "confirm": confirm,
    "rollback": rollback,
    "export": export,
    "adopt": adopt,
    "down": down,
    "log": log,
    "expire": expire,
}
