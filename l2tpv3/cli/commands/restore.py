"""`l2tpctl restore` and `l2tpctl watch`: what is on record is brought back, and kept up."""

from __future__ import annotations

import contextlib
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Any

import click

from l2tpv3.cli import completion
from l2tpv3.cli.commands.tunnel import local_manager, manager_of
from l2tpv3.cli.parameters import Argument, Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.errors import InvalidValueError
from l2tpv3.printable import printable

if TYPE_CHECKING:
    from l2tpv3.model.progress import RestoreEvent

EXAMPLES = {
    "restore": """
l2tpctl restore
l2tpctl restore siteb
l2tpctl restore link br0
l2tpctl restore --wait 90      # at boot
l2tpctl restore --namespaces   # before that, in a unit that may not make them
""",
    "watch": "l2tpctl watch\nl2tpctl watch --fleet nats://192.0.2.1:4222",
}


def restore(
    ctx: click.Context,
    names: Annotated[
        list[str] | None,
        Argument(metavar="[TUNNEL|link NAME]", help="Only this tunnel, or link.", complete=completion.restorable),
    ] = None,
    *,
    wait: Annotated[
        str | None,
        Option(
            "--wait",
            metavar="SECONDS",
            help="Wait so long for addresses, routes, namespaces, bridges and NICs that are yet to come. [default: 0]",
        ),
    ] = None,
    namespaces: Annotated[
        bool,
        Option("--namespaces", help="Only the network namespaces that were made on demand, and nothing in them."),
    ] = False,
) -> None:
    """Bring back what is on record but not running.

    After a reboot, or when a worker died: a netdev that outlived its worker keeps its addresses and bridge. A change
    that `apply --confirm` made and nobody confirmed in time, or before the machine went down, is undone first.
    Sessions of the ebpf datapath heed routes and IPsec policies as they are now.
    """
    if namespaces:
        if names or wait is not None:
            raise InvalidValueError("--namespaces", "it makes all of them, at once", "leave out names and --wait")
        for name in local_manager(ctx, "restore --namespaces").restore_namespaces():
            print(f"network namespace {printable(name)}: restored", file=sys.stderr)
        return
    one = " ".join(names) if names else None
    if not manager_of(ctx).restore(one, wait_s=0.0 if wait is None else seconds(wait, "--wait"), tell=tell):
        print("nothing to restore: all that is on record is running", file=sys.stderr)


def watch(
    ctx: click.Context,
    *,
    fleet: Annotated[
        str | None,
        Option(
            "--fleet",
            metavar="URL",
            help="Also be the agent of the fleet that this host joined: its NATS servers, with commas between.",
        ),
    ] = None,
) -> None:
    """Bring back tunnels and cards whose worker dies, until ended.

    Workers of tunnels and of virtual cards need no parent; this notices when one dies, starts another and gives it the
    netdevs, which keep their addresses and bridges. One that does not answer any more is ended first. A session's
    netdev that was deleted is made again, and what `apply --wait` put on record, once it can be made. It looks up the
    names of peers, and moves tunnels when these, or the local address or MTU that was chosen, change. It also undoes
    what was not confirmed in time, and sets NICs of ports that follow their far end down and up. It notes which
    sessions hear their far end, probes those with --probe, and runs the hooks of --on-dead. What `down` stopped stays
    so. With --fleet it pulls from NATS what this host is to be, makes it, and tells the fleet how the host is. Ends on
    SIGTERM and Ctrl-C; the workers go on.
    """
    from l2tpv3.liveness.supervisor import Supervisor

    manager = local_manager(ctx, "watch")
    beside: AbstractContextManager[None] = contextlib.nullcontext()
    if fleet is not None:
        from l2tpv3.cli.commands.fleet_nats import following

        beside = following(fleet, manager.paths)
    with beside:
        Supervisor(
            manager,
            tell=tell,
            complain=lambda error: print(f"l2tpctl: {error}", file=sys.stderr),
            say=lambda text: print(printable(text), file=sys.stderr),
        ).run()


def tell(event: RestoreEvent) -> None:
    """Print what became of a tunnel or link on stderr."""
    from l2tpv3.model.progress import RestoreOutcome

    if event.outcome is RestoreOutcome.RESTORED:
        print(f"{event.subject}: restored{', ' if event.changed else ''}{event.changed}", file=sys.stderr)
    elif event.outcome is RestoreOutcome.WAITING:
        print(f"{event.subject}: waiting: {event.error}", file=sys.stderr)
    else:
        print(f"l2tpctl: {event.error}", file=sys.stderr)


COMMANDS: dict[str, Any] = {"restore": restore, "watch": watch}
