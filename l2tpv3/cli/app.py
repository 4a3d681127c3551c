"""The tree of commands. A command, and the module that it is in, is made when it is asked for."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import click

from l2tpv3.cli import options, selection, shells, target
from l2tpv3.cli.click_classes import Command, Group, Root
from l2tpv3.cli.parameters import Option, parameters_of
from l2tpv3.errors import InvalidValueError
from l2tpv3.version import VERSION

_ROOT = {
    "status": "status",
    "peer": "peer",
    "mtu": "mtu",
    "doctor": "doctor",
    "ping": "ping",
    "hosts": "hosts",
    "top": "top",
    "torch": "torch",
    "restore": "restore",
    "watch": "restore",
    "check": "apply",
    "plan": "apply",
    "apply": "apply",
    "confirm": "apply",
    "rollback": "apply",
    "export": "apply",
    "adopt": "apply",
    "down": "apply",
    "log": "apply",
    "expire": "apply",
    "run-sent": "run_sent",
    "end-facts": "end",
    "ask-frames": "end",
    "ask-echoes": "end",
    "answer-frames": "end",
    "fleet-end": "fleet_end",
    "doctor-facts": "doctor_end",
    "doctor-end": "doctor_end",
    "doctor-ends": "doctor_end",
    "rekey-facts": "rekey_end",
    "rekey-turn": "rekey_end",
    "cookie-turn": "rotate_cookie",
    "connect": "connect",
    "disconnect": "connect",
    "invite": "invite",
    "join": "invite",
    "capture": "capture",
    "events": "events",
    "metrics": "metrics",
    "serve": "serve",
    "import": "import_",
    "ip-l2tp": "peer",
}
"""The commands beside the groups, each with its module in l2tpv3.cli.commands."""

_GROUPS = {
    "tunnel": (
        "Tunnels: the path between two hosts.",
        {"add": "tunnel", "show": "tunnel", "set": "tunnel", "rename": "tunnel", "rekey": "rekey", "del": "tunnel"},
    ),
    "session": (
        "Sessions: ethernet pseudowires in a tunnel.",
        {
            "add": "session",
            "show": "session",
            "set": "session",
            "rename": "session",
            "rotate-cookie": "rotate_cookie",
            "del": "session",
            "stats": "session_stats",
        },
    ),
    "link": (
        "Links: virtual interfaces over NICs, sessions and links.",
        {"add": "link", "show": "link", "set": "link", "del": "link", "stats": "link_stats"},
    ),
    "fleet": (
        "Fleets: tunnels between many hosts, from one file.",
        {
            "check": "fleet",
            "render": "fleet",
            "plan": "fleet",
            "apply": "fleet",
            "status": "fleet",
            "doctor": "fleet_doctor",
        }
        | dict.fromkeys(("serve", "enroll", "expel", "join", "leave", "push", "hosts"), "fleet_nats"),
    ),
    "token": (
        "Tokens: who may use the service (`l2tpctl serve`) over TCP.",
        {"add": "token", "show": "token", "del": "token"},
    ),
}
"""What each group is about, and its commands with their modules. The module of the group's name has its examples."""

_SETTINGS: dict[str, dict[str, Any]] = {
    "expire": {"hidden": True},
    **{word: {"hidden": True} for word in ("run-sent", "end-facts", "ask-frames", "ask-echoes", "answer-frames")},
    "fleet-end": {"hidden": True},
    **{
        word: {"hidden": True}
        for word in ("rekey-facts", "rekey-turn", "cookie-turn", "doctor-facts", "doctor-end", "doctor-ends")
    },
    "ip-l2tp": {
        "context_settings": {"ignore_unknown_options": True, "allow_interspersed_args": False},
        "options_metavar": "[--datapath auto|kernel|user] [--netns NETNS]",
    },
}
"""What click is to know of a command beyond its function."""
_EXAMPLES = """
# site A (192.0.2.1): a tunnel to site B, an ethernet pseudowire in it
l2tpctl tunnel add siteb --remote 192.0.2.2
l2tpctl session add siteb lan --address 10.0.0.1/24
l2tpctl peer siteb        # prints what to type at site B
l2tpctl                   # how everything is
l2tpctl help session add  # the help of any command
"""


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it
    if value and not ctx.resilient_parsing:
        print(f"l2tpctl {VERSION}")
        ctx.exit()


def _status(
    ctx: click.Context,
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
        bool, Option("--version", help="Print the version and stop.", callback=_version, eager=True)
    ] = False,
) -> None:
    """L2TPv3 ethernet pseudowires: a session in a tunnel is an ethernet netdev on each of two hosts.

    Without a command: the status of everything. Data goes to stdout and prose to stderr. Exit codes: 0 done,
    1 usage or invalid value, 2 refused by the kernel or a worker, 3 not found, 4 exists or conflicts, 5 not permitted,
    10 something would change (plan --exit-code), 11 something is wrong (doctor, hosts, ping), 130 ended by Ctrl-C.
    """
    ctx.obj.aim(target.Aim.from_options(ctx.params))
    if ctx.invoked_subcommand is None and (elsewhere := ctx.obj.elsewhere()) is not None:
        from l2tpv3.cli.elsewhere import run_elsewhere

        ctx.exit(run_elsewhere(elsewhere, ctx))
    if ctx.invoked_subcommand is None:
        from l2tpv3.cli.commands import status

        status.show_status(ctx, brief=brief, condition=condition, as_json=json)
        return
    if json:
        raise InvalidValueError("--json", f"`l2tpctl {ctx.invoked_subcommand}` prints no JSON", "leave it out")
    for option, given in (("--brief", brief), ("--condition", condition)):
        if given:
            remedy = f"write it behind `l2tpctl {ctx.invoked_subcommand}`"
            raise InvalidValueError(option, "it stands before the command", remedy)


def command() -> Root:
    """The root command, ready to be invoked with an Invocation as its context's obj."""
    make: dict[str, Callable[[], click.Command]] = {name: partial(_group, name) for name in _GROUPS}
    make |= _makers(_ROOT)
    return Root(
        make,
        name="l2tpctl",
        callback=click.pass_context(_status),
        params=[*parameters_of(_status), *shells.options()],
        help=inspect.getdoc(_status),
        epilog=_EXAMPLES,
        invoke_without_command=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _group(name: str) -> click.Command:
    about, places = _GROUPS[name]
    return Group(
        _makers(places),
        name=name,
        help=f"{about} `ls` is short for show, `rm` for del." if "del" in places else about,
        epilog=_module(name).EXAMPLES["group"],
    )


def _makers(places: Mapping[str, str]) -> dict[str, Callable[[], click.Command]]:
    return {word: partial(_command, module, word) for word, module in places.items()}


def _command(module: str, word: str) -> click.Command:
    home = _module(module)
    function = home.COMMANDS[word]
    takes_context = "ctx" in inspect.signature(function).parameters
    return Command(
        word,
        callback=click.pass_context(function) if takes_context else function,
        params=parameters_of(function),
        help=inspect.getdoc(function),
        epilog=home.EXAMPLES.get(word),
        **_SETTINGS.get(word, {}),
    )


def _module(name: str) -> Any:
    return importlib.import_module(f"l2tpv3.cli.commands.{name}")
