"""`l2tpctl doctor`: why nothing passes, or too much does."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import click

from l2tpv3.cli import completion
from l2tpv3.cli.commands.connect import both_ends
from l2tpv3.cli.commands.tunnel import local_manager, print_json
from l2tpv3.cli.options import Json
from l2tpv3.cli.parameters import Argument, Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.errors import InvalidValueError
from l2tpv3.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from l2tpv3.doctor.report import Report
    from l2tpv3.host.manager import Manager
    from l2tpv3.model.finding import Finding

FOUND = 11
"""Exit code where something is wrong."""
PARTLY_SEEN = 5
"""Exit code where nothing was found, and something could not be looked at: that of not being permitted."""

EXAMPLES = {
    "doctor": """
l2tpctl doctor                        # all tunnels
l2tpctl doctor siteb
l2tpctl doctor siteb/lan --listen 10  # where little is sent
l2tpctl doctor siteb --drops          # as root: the kernel's own reasons
l2tpctl doctor siteb --both ssh://root@siteb.example.net
l2tpctl doctor siteb --wait 60        # in a script: goes on once all is well
l2tpctl doctor --json | jq '.findings[] | {subject, says, remedy}'
""",
}

Subject = Annotated[
    str | None,
    Argument(metavar="TUNNEL[/SESSION]", help="Only this tunnel, or this session.", complete=completion.tunnels),
]


def doctor(
    ctx: click.Context,
    subject: Subject = None,
    *,
    listen: Annotated[
        str, Option("--listen", metavar="SECONDS", help="How long to listen to what arrives; 0: not at all.")
    ] = "2",
    probe: Annotated[
        bool, Option("--probe/--no-probe", help="Ask the peers by ICMP echo whether they are there. [default: probe]")
    ] = True,
    drops: Annotated[
        bool, Option("--drops", help="Ask the kernel which packets it drops, where, and for which reason.")
    ] = False,
    both: Annotated[
        str | None,
        Option("--both", metavar="URL", help="Look at the far end, too: ssh://[USER@]HOST, where l2tpctl has to be."),
    ] = None,
    wait: Annotated[
        str | None,
        Option("--wait", metavar="SECONDS", help="Look again until nothing is wrong, for so long at most."),
    ] = None,
    watch: Annotated[
        bool, Option("--watch", help="Look again and again, and tell what changes, until Ctrl-C.")
    ] = False,
    json: Json = False,
) -> None:
    """Find out why nothing passes, or too much does.

    The verdict first, then each finding: what is wrong, how that is known, and the command that mends it. It listens
    to what arrives at this host for the tunnels, asks the peers for echoes, and changes nothing. With --both it
    compares both ends, and has each of them listen while the other sends test frames. Exit codes: 0 nothing is wrong,
    11 something is, 5 nothing was found and some of it may not be looked at.
    """
    tunnel, session = subject_of(subject)
    listen_s = seconds(listen, "--listen", least=0.0, most=600.0)
    manager = local_manager(ctx, "doctor")

    def look(name: str) -> Report:
        return manager.doctor((name,) if name else (), session=session, listen_s=listen_s, probe=probe, drops=drops)

    def examine() -> Report:
        return look(tunnel or "") if both is None else _of_both(manager, look, both, tunnel, session, listen_s)

    if watch:
        if wait is not None:
            raise InvalidValueError("--wait", "does not go with --watch", "leave one of them out")
        _watch(examine, as_json=json)
        return
    from l2tpv3.doctor.again import until_healthy

    report = until_healthy(examine, seconds(wait, "--wait", least=0.0, most=86_400.0) if wait is not None else 0.0)
    if json:
        from l2tpv3.doctor.report import to_json

        print_json(to_json(report))
    else:
        print(text_of(report), end="")
    ctx.exit(exit_code(report))


def _watch(examine: Callable[[], Report], *, as_json: bool) -> None:
    """Print each report that says something else, with the time: as lines, or as one line of JSON each."""
    import json
    from datetime import UTC, datetime

    from l2tpv3.cli.output.streams import use_utf8
    from l2tpv3.doctor.again import changes
    from l2tpv3.doctor.report import to_json
    from l2tpv3.printable import printable_json

    use_utf8()
    with contextlib.suppress(KeyboardInterrupt):  # This is how it ends: not an error.
        for report in changes(examine):
            at = datetime.now(UTC)
            if as_json:
                document = {**to_json(report), "time": at.isoformat(timespec="milliseconds")}
                print(printable_json(json.dumps(document, ensure_ascii=False)), flush=True)
            else:
                print(f"{at.astimezone():%H:%M:%S} {text_of(report)}", flush=True)


def subject_of(text: str | None) -> tuple[str | None, str | None]:
    """The tunnel and the session that TUNNEL[/SESSION] names, None for all. Raises InvalidValueError."""
    tunnel, slash, session = (text or "").partition("/")
    if text is not None and (not tunnel or (slash and not session)):
        raise InvalidValueError("TUNNEL[/SESSION]", f"{text!r} is neither", "give siteb, or siteb/lan")
    return tunnel or None, session or None


def _of_both(
    manager: Manager, look: Callable[[str], Report], url: str, tunnel: str | None, session: str | None, listen_s: float
) -> Report:
    from l2tpv3.connect.both_ends import examine_both

    if tunnel:
        manager.tunnel(tunnel)
    far = both_ends(url)[1]
    return examine_both(manager.tunnels, look, far, tunnel=tunnel, session=session, listen_s=listen_s)


def exit_code(report: Report) -> int:
    """The exit code that says what a report says."""
    if report.worst.name != "NONE":
        return FOUND
    return PARTLY_SEEN if report.unseen else 0


def text_of(report: Report) -> str:
    """A report for people."""
    from l2tpv3.cli.output.width import fitted_line

    lines = [printable(report.verdict)]
    for one in report.findings:
        lines += ["", *_finding(one)]
    for title, sentences in (("could not be looked at", report.unseen), ("was not tried", report.untried)):
        if sentences:
            lines += ["", f"{title}:", *(f"  {printable(one)}" for one in sentences)]
    return "".join(fitted_line(line) for line in lines)


def _finding(one: Finding) -> list[str]:
    facts = [("harm", one.harm.value), *(("seen", line) for line in one.evidence)]
    if one.remedy:
        facts.append(("remedy", one.remedy))
    told = [f"  {key:<6}  {printable(text)}" for key, text in facts]
    return [printable(f"{one.subject}: {one.says}"), *told]


COMMANDS = {"doctor": doctor}
