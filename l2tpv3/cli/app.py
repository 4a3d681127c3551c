"""The tree of commands, put together once for a run."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.main import get_command

from l2tpv3.cli import options, selection, target
from l2tpv3.cli.commands import (
    apply,
    capture,
    events,
    import_,
    link,
    link_stats,
    metrics,
    peer,
    restore,
    serve,
    session,
    session_stats,
    status,
    token,
    tunnel,
)
from l2tpv3.cli.typer_classes import Command, Group, Root
from l2tpv3.errors import InvalidValueError

_QUICK: dict[str, Any] = {
    # rich in --help would cost 60 ms, and tracebacks are run.py's business.
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
_EXAMPLES = """
# site A (192.0.2.1): a tunnel to site B, an ethernet pseudowire in it
l2tpctl tunnel add siteb --remote 192.0.2.2
l2tpctl session add siteb lan --address 10.0.0.1/24
l2tpctl peer siteb        # prints what to type at site B
l2tpctl                   # how everything is
l2tpctl help session add  # the help of any command
"""


def _version(value: bool | None) -> None:  # noqa: FBT001 - typer calls it with the flag
    if value:
        from l2tpv3.cli.version import version_line

        print(version_line())
        raise typer.Exit


def _status(
    ctx: typer.Context,
    *,
    host: target.HostOption = None,
    token_file: target.TokenFile = None,
    ca: target.Ca = None,
    cert: target.Cert = None,
    key: target.Key = None,
    brief: selection.Brief = False,
    condition: selection.OnlyCondition = None,
    json: options.Json = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """L2TPv3 ethernet pseudowires: a session in a tunnel is an ethernet netdev on each of two hosts.

    Without a command: the status of everything. Data goes to stdout and prose to stderr. Exit codes: 0 done,
    1 usage or invalid value, 2 refused by the kernel or a worker, 3 not found, 4 exists or conflicts, 5 not permitted,
    10 something would change (plan --exit-code), 130 ended by Ctrl-C.
    """
    ctx.obj.aim(target.Aim.from_options(ctx.params))
    if ctx.invoked_subcommand is None:
        status.show_status(ctx, brief=brief, condition=condition, as_json=json)
        return
    if json:
        raise InvalidValueError("--json", f"`l2tpctl {ctx.invoked_subcommand}` prints no JSON", "leave it out")
    for option, given in (("--brief", brief), ("--condition", condition)):
        if given:
            remedy = f"write it behind `l2tpctl {ctx.invoked_subcommand}`"
            raise InvalidValueError(option, "it stands before the command", remedy)


def command() -> Any:
    """The root command, ready to be invoked with an Invocation as its context's obj."""
    root = typer.Typer(**_QUICK, cls=Root, invoke_without_command=True, callback=_status, epilog=_EXAMPLES)
    for name, home, about in (
        ("tunnel", tunnel, "Tunnels: the path between two hosts."),
        ("session", session, "Sessions: ethernet pseudowires in a tunnel."),
        ("link", link, "Links: virtual interfaces over NICs, sessions and links."),
        ("token", token, "Tokens: who may use the service (`l2tpctl serve`) over TCP."),
    ):
        group = typer.Typer(
            **_QUICK, cls=Group, help=f"{about} `ls` is short for show, `rm` for del.", epilog=home.EXAMPLES["group"]
        )
        for word in home.COMMANDS:
            group.command(word, cls=Command, epilog=home.EXAMPLES[word])(home.COMMANDS[word])
        if home is session:
            group.command("stats", cls=Command, epilog=session_stats.EXAMPLES)(session_stats.stats)
        if home is link:
            group.command("stats", cls=Command, epilog=link_stats.EXAMPLES)(link_stats.stats)
        root.add_typer(group, name=name)
    root.command("status", cls=Command, epilog=status.EXAMPLES)(status.status)
    root.command("peer", cls=Command, epilog=peer.PEER_EXAMPLES)(peer.peer)
    for word, function in restore.COMMANDS.items():
        root.command(word, cls=Command, epilog=restore.EXAMPLES[word])(function)
    for word, function in apply.COMMANDS.items():
        root.command(word, cls=Command, epilog=apply.EXAMPLES[word])(function)
    root.command("capture", cls=Command, epilog=capture.EXAMPLES)(capture.capture)
    root.command("events", cls=Command, epilog=events.EXAMPLES)(events.events)
    root.command("metrics", cls=Command, epilog=metrics.EXAMPLES)(metrics.metrics)
    root.command("serve", cls=Command, epilog=serve.EXAMPLES)(serve.serve)
    root.command("import", cls=Command, epilog=import_.EXAMPLES)(import_.import_)
    root.command("expire", cls=Command, hidden=True)(apply.expire)
    root.command(
        "ip-l2tp",
        cls=Command,
        epilog=peer.IP_EXAMPLES,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
        options_metavar="[--datapath auto|kernel|user] [--netns NETNS]",
    )(peer.ip_l2tp)
    return get_command(root)
