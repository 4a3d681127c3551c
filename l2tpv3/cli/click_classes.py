"""Adds to click's commands: examples in --help, aliases, and commands that are made when they are asked for."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from l2tpv3.cli.parameters import HelpedArgument

ALIASES = {"ls": "show", "list": "show", "rm": "del", "remove": "del", "delete": "del", "change": "set"}
"""Other names of commands in a group, as other programs have them; `ls` and `rm` are told in the help."""

_ROOT_ALIASES = {"show": "status", "ls": "status", "list": "status"}

SECTIONS = {
    "Set up": ("connect", "disconnect", "invite", "join", "tunnel", "session", "link", "peer", "down", "restore"),
    "Look": ("status", "top", "doctor", "ping", "hosts", "torch", "mtu", "capture", "events", "metrics", "log"),
    "Files": ("check", "plan", "apply", "confirm", "rollback", "export", "import", "adopt", "fleet"),
    "Service and other programs": ("serve", "token", "watch", "ip-l2tp"),
}
"""How the root's help groups commands."""


class NoSuchCommandError(click.UsageError):
    """A word that is no command of its group. alike: those that it may be a mistyping of."""

    def __init__(self, word: str, alike: list[str], context: click.Context) -> None:
        super().__init__(f"no such command {word!r}", context)
        self.alike = alike


class Command(click.Command):
    """A command whose epilog is its examples, printed line by line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; an error that is raised says which command it is about."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # the parser leaves it out where an option has no value
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; where --host says a host to be reached over ssh, all of it runs there."""
        target = ctx.obj.elsewhere()
        if target is not None:
            from l2tpv3.cli.elsewhere import run_elsewhere

            ctx.exit(run_elsewhere(target, ctx))
        return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The words of the usage line: arguments and required options in the manual's manner, then the rest."""
        arguments = [_in_usage(param) for param in self.params if isinstance(param, click.Argument)]
        required = [f"{param.opts[0]} {param.metavar}" for param in self.params if _is_required_option(param)]
        return [*arguments, *required, self.options_metavar or ""]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the parts of the help; click prints the arguments in its newest versions only."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_arguments(ctx, formatter)
        self.format_options(ctx, formatter)
        self.format_epilog(ctx, formatter)

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the arguments."""
        arguments = [param for param in self.params if isinstance(param, HelpedArgument)]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl([(param.metavar or "", param.help or "") for param in arguments])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the examples."""
        _write_examples(self.epilog, formatter)


def _in_usage(argument: click.Argument) -> str:
    name = argument.metavar or argument.name
    return str(name) if argument.required or str(name).startswith("[") else f"[{name}]"


def _is_required_option(param: click.Parameter) -> bool:
    return isinstance(param, click.Option) and param.required


class Group(click.Group):
    """A group of commands that knows the aliases.

    make: by name what gives the command, called when that is asked for: to import the modules of all commands takes
    longer than most commands do.
    """

    aliases: Mapping[str, str] = ALIASES

    def __init__(self, make: Mapping[str, Callable[[], click.Command]], **settings: Any) -> None:
        settings.setdefault("no_args_is_help", False)
        super().__init__(subcommand_metavar="COMMAND [ARGS]...", **settings)
        self._make = make

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        """The command of that name or alias."""
        name = cmd_name if cmd_name in self._make else self.aliases.get(cmd_name, cmd_name)
        if name not in self.commands and name in self._make:
            self.add_command(self._make[name](), name)
        return self.commands.get(name)

    def list_commands(self, ctx: click.Context | None) -> list[str]:
        """Names, in the order that they were given in."""
        return list(self._make)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names. Raises NoSuchCommandError."""
        word = args[0]
        if self.get_command(ctx, word) is None and not ctx.resilient_parsing and not word.startswith("-"):
            from difflib import get_close_matches

            raise NoSuchCommandError(word, get_close_matches(word, self._make), ctx)
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the examples."""
        _write_examples(self.epilog, formatter)


class Root(Group):
    """The root of the commands, whose help lists them by what they are for."""

    aliases = _ROOT_ALIASES

    def list_commands(self, ctx: click.Context | None) -> list[str]:
        """Names, in the order of the help's sections."""
        known = [name for names in SECTIONS.values() for name in names]
        return sorted(self._make, key=lambda name: known.index(name) if name in known else len(known))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the commands, in sections."""
        limit = formatter.width - 6 - max(len(name) for names in SECTIONS.values() for name in names)
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, self._short_help(ctx, name, limit)) for name in names])

    def _short_help(self, ctx: click.Context, name: str, limit: int) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit) if command is not None else ""


def _write_examples(epilog: str | None, formatter: click.HelpFormatter) -> None:
    if epilog:
        with formatter.section("Examples"):
            indent = " " * formatter.current_indent
            for line in inspect.cleandoc(epilog).splitlines():
                formatter.write("".join(f"{indent}{one}\n" for one in _fitted(line, formatter.width - len(indent))))


def _fitted(example: str, width: int) -> list[str]:
    """An example as lines of a width: its comment goes above it, and a long command on in a second line."""
    if len(example) <= width:
        return [example]
    command, _, comment = re.sub(r"\s{2,}# ", "\0", example).partition("\0")
    above = [f"# {comment}"] if comment else []
    if len(command) <= width:
        return [*above, command]
    cut = command.rfind(" ", 0, width - 1)
    return (
        [*above, f"{command[:cut]} \\", *_fitted(f"    {command[cut + 1 :]}", width)] if cut > 4 else [*above, command]
    )
