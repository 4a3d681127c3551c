"""`l2tpctl fleet serve, enroll, expel, join, leave, push, hosts`: hosts that pull their own state from NATS."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from l2tpv3.cli.commands.tunnel import local_manager
from l2tpv3.cli.parameters import Argument, Files, Option, secret_file
from l2tpv3.cli.seconds import seconds
from l2tpv3.errors import InvalidValueError, L2tpError, RefusedError, UnreachableError
from l2tpv3.printable import printable

if TYPE_CHECKING:
    from l2tpv3.fleet.change import FleetPlan
    from l2tpv3.fleet.model import Fleet
    from l2tpv3.fleet.nats.change import Outcome
    from l2tpv3.fleet.nats.connection import NatsBucket
    from l2tpv3.fleet.nats.directory import Directory
    from l2tpv3.fleet.nats.status import HostReport
    from l2tpv3.fleet.overview import Overview
    from l2tpv3.fleet.state import FleetState
    from l2tpv3.paths import Paths

EXAMPLES = {
    "serve": """
l2tpctl fleet serve
l2tpctl fleet serve --listen 192.0.2.1:4222 --tls-cert server.pem --tls-key server.key
""",
    "enroll": "l2tpctl fleet enroll siteb --url nats://192.0.2.1:4222",
    "expel": "l2tpctl fleet expel siteb",
    "join": "l2tpctl fleet join @line.txt\nl2tpctl fleet join - < line.txt",
    "leave": "l2tpctl fleet leave",
    "push": "l2tpctl fleet push sitea=sitea.toml siteb=siteb.toml\nl2tpctl fleet push   # ends what was broken off",
    "hosts": "l2tpctl fleet hosts",
}
_LOCAL = "nats://127.0.0.1:4222"

HostName = Annotated[str, Argument(metavar="HOST", help="The host's name in the fleet.")]
Url = Annotated[
    str | None,
    Option("--url", metavar="URL", help=f"The NATS servers, with commas between. [default: {_LOCAL}]"),
]
Replicas = Annotated[
    str | None,
    Option("--replicas", metavar="N", help="How many servers of a cluster keep what is pushed. [default: 3, or 1]"),
]


def serve(
    ctx: click.Context,
    *,
    listen: Annotated[
        str, Option("--listen", metavar="ADDRESS:PORT", help="Where the server listens.")
    ] = "127.0.0.1:4222",
    tls_cert: Annotated[
        str | None, Option("--tls-cert", metavar="FILE", help="The server's certificate: hosts connect by tls://.")
    ] = None,
    tls_key: Annotated[str | None, Option("--tls-key", metavar="FILE", help="The key of the certificate.")] = None,
) -> None:
    """Run a NATS server for the fleet of this machine, until ended.

    It knows the hosts that were enrolled, and those that are enrolled or expelled meanwhile. What it acknowledges is on
    the disk. Who owns the server owns no host: what hosts are to be is signed by the fleet's key, which the server has
    no use for. Ends on SIGTERM and Ctrl-C; hosts stay as they are, and come back when it does.
    """
    from l2tpv3.fleet.nats.server import serve as run

    if (tls_cert is None) != (tls_key is None):
        raise InvalidValueError("--tls-cert", "and --tls-key belong together", "give both, or none")
    tls = None if tls_cert is None or tls_key is None else (Path(tls_cert), Path(tls_key))
    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.append(1))
    run(directory_of(ctx, make=True), listen, tls=tls, ended=lambda: bool(ended))


def enroll(ctx: click.Context, name: HostName, *, url: Url = None) -> None:
    """Let a host into the fleet, and print one line to type there.

    The first one makes the fleet: its key, which signs what hosts are to be, is kept in the state directory of this
    machine. The line holds the host's own secret; `l2tpctl fleet expel` makes it worthless.
    """
    from l2tpv3.fleet.nats.joining import Membership
    from l2tpv3.fleet.nats.server import write_accounts

    directory = directory_of(ctx, make=True)
    with directory.locked():
        member = Membership.draw(name, directory.key.public, url or _LOCAL)
        directory.enroll(member.keys.identity(name))
        write_accounts(directory)
    print(f"l2tpctl fleet join {member.line()}")
    print(f"host {name}: enrolled; then `l2tpctl watch --fleet {member.url}` there follows the fleet", file=sys.stderr)


def expel(ctx: click.Context, name: HostName) -> None:
    """Let a host into the server no more. What it has stays as it is."""
    from l2tpv3.fleet.nats.server import write_accounts

    directory = directory_of(ctx)
    with directory.locked():
        directory.expel(name)
        write_accounts(directory)
    print(f"host {name}: expelled", file=sys.stderr)


def join(
    ctx: click.Context,
    line: Annotated[
        str, Argument(metavar="LINE", help="The line, or @FILE that holds it, or - for stdin.", files=Files.SECRET)
    ],
) -> None:
    """Join the fleet of a line that `l2tpctl fleet enroll` printed.

    `@FILE` and `-` keep the line out of the list of processes. Nothing changes on this host until
    `l2tpctl watch --fleet` runs.
    """
    from l2tpv3.fleet.nats.joining import Membership
    from l2tpv3.fleet.nats.keys import fleet_id

    member = Membership.of_line(_text(line))
    member.write(_agent_folder(ctx))
    print(f"joined the fleet {fleet_id(member.public)} as {member.host}", file=sys.stderr)


def leave(ctx: click.Context) -> None:
    """Leave the fleet. What it made on this host stays as it is."""
    from l2tpv3.fleet.nats.joining import leave as forget

    forget(_agent_folder(ctx))
    print("left; what the fleet made here stays, and is this host's own now", file=sys.stderr)


def push(
    ctx: click.Context,
    files: Annotated[
        list[str] | None,
        Argument(metavar="[HOST=FILE]...", help="What each host is to be: a file as for apply."),
    ] = None,
    *,
    url: Url = None,
    confirm: Annotated[
        str, Option("--confirm", metavar="SECONDS", help="How long a host keeps it without the decision.")
    ] = "60",
    wait: Annotated[
        str, Option("--wait", metavar="SECONDS", help="How long to wait until all hosts have made and tested it.")
    ] = "30",
    replicas: Replicas = None,
    partial: Annotated[
        bool, Option("--partial", help="Leave out hosts that do not answer, and do not test their pseudowires.")
    ] = False,
) -> None:
    """Change hosts of the fleet: all of these, or none.

    Each host makes its file and waits. Frames are sent through every pseudowire between two hosts of the fleet that the
    change is about, small ones and those of full size, both ways. When all pass, the change is committed, and the hosts
    keep it; else it is aborted, and all go back. A host that is only the other end of such a pseudowire takes part, and
    stays as it is. A host that hears nothing in time goes back by itself, and has what was committed as soon as it
    hears again. A host's file is all that the fleet has there: what the last one had and this one has not is removed;
    what is the host's own is never touched. First what a run that was broken off began is ended, and what the server
    lost is written again.
    """
    texts = dict(_host_file(one) for one in files or ())
    directory = directory_of(ctx)
    for name in texts:
        directory.host(name)
    times = seconds(confirm, "--confirm", least=1.0), seconds(wait, "--wait", least=0.1)
    asyncio.run(_push(directory, url or _LOCAL, texts, times, _number(replicas), partial=partial))


async def _push(
    directory: Directory,
    url: str,
    texts: dict[str, str],
    times: tuple[float, float],
    replicas: int | None,
    *,
    partial: bool,
) -> None:
    from l2tpv3.fleet.nats.change import Coordinator
    from l2tpv3.fleet.nats.pushing import push as push_files

    with directory.locked():
        async with _ended_elsewhere(directory, url), _bucket(directory, url, replicas) as bucket:
            coordinator = Coordinator(directory, bucket, say=_say)
            ended = await coordinator.recover()
            await coordinator.refresh(texts)
            if not texts:
                print("nothing was under way" if ended is None else "ended", file=sys.stderr)
                return
            outcome = await push_files(
                directory,
                coordinator,
                lambda left_out: {name: text for name, text in texts.items() if name not in left_out},
                confirm_s=times[0],
                wait_s=times[1],
                partial=partial,
                say=_say,
            )
    tell_outcome(outcome)


@asynccontextmanager
async def _ended_elsewhere(directory: Directory, url: str) -> AsyncIterator[None]:
    """Where the server is lost in the block, end what is under way by another one, and say what became of it."""
    from l2tpv3.fleet.nats.change import SERVER
    from l2tpv3.fleet.nats.pushing import PATIENCE_S, end_elsewhere

    try:
        yield
    except UnreachableError as error:
        ended = None
        if directory.under_way() is not None:
            with contextlib.suppress(UnreachableError):
                ended = await end_elsewhere(directory, lambda: _bucket(directory, url), PATIENCE_S, _say)
        if ended is None:
            raise
        tell_outcome(dataclasses.replace(ended, reasons={SERVER: str(error)}))
        raise click.exceptions.Exit(0) from error


def tell_outcome(outcome: Outcome) -> None:
    """Say what became of a change. Raises RefusedError where it was aborted."""
    from l2tpv3.fleet.nats.change import SERVER

    if outcome.committed:
        number = len(outcome.hosts)
        print(f"change {outcome.serial}: committed on {number} host{'' if number == 1 else 's'}", file=sys.stderr)
        return
    for name, reason in sorted(outcome.reasons.items()):
        who = name if name == SERVER else f"host {name}"
        print(f"l2tpctl: {printable(who)}: {printable(reason)}", file=sys.stderr)
    problem = "was aborted: the hosts that made it go back"
    raise RefusedError(f"change {outcome.serial}", problem, "mend what these hosts say, and push again")


def apply_pulled_file(
    ctx: click.Context,
    fleet: Fleet,
    state: FleetState,
    url: str | None,
    confirm_s: float,
    *,
    show: Callable[[FleetPlan], None],
    partial: bool,
) -> None:
    """Make hosts that pull what the fleet's file says. show: told of the plan. Raises L2tpError."""
    directory = directory_of(ctx)

    async def apply() -> Outcome | None:
        from l2tpv3.fleet.nats.change import Coordinator
        from l2tpv3.fleet.nats.from_file import apply_pulled, pulled_plan

        with directory.locked():
            async with _ended_elsewhere(directory, url or _LOCAL), _bucket(directory, url or _LOCAL) as bucket:
                coordinator = Coordinator(directory, bucket, say=_say)
                await coordinator.recover()
                planned = pulled_plan(fleet, state, directory)
                await coordinator.refresh(planned.changing)
                show(planned)
                return await apply_pulled(
                    fleet, state, directory, coordinator, confirm_s=confirm_s, partial=partial, say=_say
                )

    outcome = asyncio.run(apply())
    if outcome is not None:
        tell_outcome(outcome)


def overview_of_pulled(ctx: click.Context, fleet: Fleet, state: FleetState, url: str | None) -> Overview:
    """What hosts that pull said of themselves last. Raises L2tpError."""
    from l2tpv3.fleet.nats.from_file import pulled_overview

    directory = directory_of(ctx)

    async def ask() -> Overview:
        async with _bucket(directory, url or _LOCAL) as bucket:
            return await pulled_overview(fleet, state, directory, bucket)

    return asyncio.run(ask())


def hosts(ctx: click.Context, *, url: Url = None) -> None:
    """Show each host of the fleet: which change it has, and what it says.

    AGE is how long ago the host said so, by its own clock.
    """
    directory = directory_of(ctx)
    asyncio.run(_hosts(directory, url or _LOCAL))


async def _hosts(directory: Directory, url: str) -> None:
    import time

    from l2tpv3.cli.output.streams import use_utf8
    from l2tpv3.cli.output.table import table
    from l2tpv3.fleet.nats.status import HostReport

    rows: list[tuple[object, ...]] = []
    async with _bucket(directory, url) as bucket:
        for name, identity in directory.hosts().items():
            committed = directory.committed(name)
            wanted = 0 if committed is None else committed.state.serial
            value = await bucket.status(name)
            try:
                report = None if value is None else HostReport.checked(value, identity, directory.key.fleet)
            except L2tpError as error:
                rows.append((name, wanted, "", "lies", "", str(error)))
                continue
            has = "" if report is None else report.committed
            age = "" if report is None else f"{max(0, time.time() - report.at):.0f} s"
            rows.append((name, wanted, has, _state(report, wanted), age, "" if report is None else report.error))
    use_utf8()
    print(table(("HOST", "WANTED", "HAS", "STATE", "AGE", "SAYS"), rows, right=("WANTED", "HAS", "AGE")), end="")


def _state(report: HostReport | None, wanted: int) -> str:
    """How a host is, in a word or two."""
    if report is None:
        return "never heard"
    if report.waiting is not None:
        return "waits"
    return "current" if report.committed == wanted else "differs"


def directory_of(ctx: click.Context, *, make: bool = False) -> Directory:
    """The folder of the fleet that is changed from this machine. Raises NotFoundError where there is none.

    make: make a fleet there.
    """
    from l2tpv3.fleet.nats.directory import FOLDER, Directory

    folder = local_manager(ctx, "fleet").paths.state / FOLDER
    return Directory.open_or_make(folder) if make else Directory.open(folder)


def _agent_folder(ctx: click.Context) -> Path:
    from l2tpv3.fleet.nats.joining import FOLDER

    return local_manager(ctx, "fleet").paths.state / FOLDER


@asynccontextmanager
async def _bucket(directory: Directory, url: str, replicas: int | None = None) -> AsyncIterator[NatsBucket]:
    from l2tpv3.fleet.nats.connection import bucket_of, connected
    from l2tpv3.fleet.nats.joining import check_urls

    async with connected(check_urls(url), directory.login_seed(), "_INBOX") as client:
        yield await bucket_of(client, replicas=replicas)


def _host_file(text: str) -> tuple[str, str]:
    """The name of a host, and the content of its file, which is checked. Raises L2tpError."""
    from l2tpv3.config.load import load_sent
    from l2tpv3.fleet.nats.desired import TEXT_MAX
    from l2tpv3.linux.read_file import read_file

    name, equals, path = text.partition("=")
    if not equals or not path:
        raise InvalidValueError("HOST=FILE", f"{text!r} names no file", "give one as siteb=siteb.toml")
    try:
        content = read_file(path, TEXT_MAX)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file's name"
        raise InvalidValueError("HOST=FILE", f"can't read {path!r}: {reason}", "give a readable file") from error
    load_sent(content, path)
    return name, content.decode()


def _text(line: str) -> str:
    from l2tpv3.fleet.nats.joining import LINE_MAX
    from l2tpv3.linux.read_file import read_file

    path = secret_file(line)
    if path is None:
        return line
    try:
        text = read_file(path, LINE_MAX + 64).decode("ascii")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise InvalidValueError("LINE", f"can't read {path!r}: {reason}", "give @FILE, or - and a pipe") from error
    return text.strip().removeprefix("l2tpctl fleet join ")


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if text not in ("1", "3", "5"):
        raise InvalidValueError("--replicas", f"{text!r} is not 1, 3 or 5", "give an odd number of servers")
    return int(text)


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr)


def following(url: str, paths: Paths) -> AbstractContextManager[None]:
    """The agent of this host, which follows its fleet while the context is open. Raises L2tpError.

    url: of the servers. paths: of this host.
    """
    from l2tpv3.fleet.nats.agent import AgentConnection, in_background
    from l2tpv3.fleet.nats.engine import HostEngine
    from l2tpv3.fleet.nats.host_agent import HostAgent
    from l2tpv3.fleet.nats.joining import FOLDER, Membership, check_urls
    from l2tpv3.fleet.nats.packages import nats
    from l2tpv3.host.manager import Manager

    nats()
    urls = check_urls(url)
    folder = paths.state / FOLDER
    member = Membership.read(folder)
    seed = member.keys.login_seed()
    agent = HostAgent(HostEngine(Manager(paths)), member.host, member.public, member.keys, folder, _say_of_fleet)
    agent.start()

    async def run(stop: asyncio.Event) -> None:
        await AgentConnection(agent, member.host, urls, seed, _say_of_fleet).run(stop)

    return in_background(run)


def _say_of_fleet(text: str) -> None:
    print(f"fleet: {printable(text)}", file=sys.stderr)


COMMANDS: dict[str, Any] = {
    "serve": serve,
    "enroll": enroll,
    "expel": expel,
    "join": join,
    "leave": leave,
    "push": push,
    "hosts": hosts,
}
