"""What our commands add to typer's: examples in --help, aliases, and options that stay the text that was typed."""

from __future__ import annotations

import inspect
import re
from typing import Any

from typer import BadParameter
from typer.core import TyperCommand, TyperGroup

USAGE_ERROR: Any = BadParameter.__mro__[1]
"""click's UsageError, which has moved from click into typer within the versions that we support."""

ALIASES = {"ls": "show", "list": "show", "rm": "del", "remove": "del", "delete": "del", "change": "set"}
"""Other names of commands in a group, as other programs have them; `ls` and `rm` are told in the help."""

_ROOT_ALIASES = {"show": "status", "ls": "status", "list": "status"}

SECTIONS = {
    "Set up": ("tunnel", "session", "link", "peer", "down", "restore"),
    "Look": ("status", "capture", "events", "metrics", "log"),
    "Files": ("check", "plan", "apply", "confirm", "rollback", "export", "import", "adopt"),
    "Service and other programs": ("serve", "token", "watch", "ip-l2tp"),
}
"""How the root's help groups commands."""


class _AsTyped:
    """Stands in for typer's coercion, which imports pydantic (60 ms) even to pass a string through.

    Nothing is lost: every parameter here is text, a flag or a list of texts, and the manager parses and checks.
    """

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value itself; () where an option that can be repeated was not given."""
        return () if value is None and (param.multiple or param.nargs == -1) else value


def _keep_as_typed(params: list[Any]) -> None:
    for param in params:
        if hasattr(param, "get_runtime_param"):  # older typer coerces by click's types, without pydantic
            param.get_runtime_param = _AsTyped


class Command(TyperCommand):
    """A command whose epilog is its examples, printed line by line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, each value staying the text that was typed."""
        _keep_as_typed(self.get_params(ctx))
        try:
            return super().parse_args(ctx, args)
        except USAGE_ERROR as error:
            error.ctx = error.ctx or ctx  # the parser leaves it out where an option has no value
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What the usage line says: arguments and required options in the manual's manner, then the rest."""
        arguments = [_in_usage(param) for param in self.params if param.param_type_name == "argument"]
        required = [f"{param.opts[0]} {param.metavar}" for param in self.params if _is_required_option(param)]
        return [*arguments, *required, self.options_metavar or ""]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Print arguments and options; unlike typer without the type of an argument, which is always text."""
        arguments: list[Any] = [param for param in self.params if param.param_type_name == "argument"]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl([(param.metavar or param.name, param.help or "") for param in arguments])
        records = [param.get_help_record(ctx) for param in self.get_params(ctx) if param.param_type_name == "option"]
        with formatter.section("Options"):
            formatter.write_dl([record for record in records if record is not None])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Print the examples."""
        _write_examples(self.epilog, formatter)


def _in_usage(argument: Any) -> str:
    name = argument.metavar or argument.name
    return str(name) if argument.required or str(name).startswith("[") else f"[{name}]"


def _is_required_option(param: Any) -> bool:
    return param.param_type_name == "option" and bool(param.required)


class Group(TyperGroup):
    """A group of commands that knows the aliases."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, each value staying the text that was typed."""
        _keep_as_typed(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name or alias."""
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order that they were added."""
        return list(self.commands)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Print the examples."""
        _write_examples(self.epilog, formatter)


class Root(Group):
    """The root of the commands, whose help lists them by what they are for."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name or alias; what a group's commands are called is none here."""
        return TyperGroup.get_command(self, ctx, _ROOT_ALIASES.get(cmd_name, cmd_name))

    def list_commands(self, ctx: Any) -> list[str]:
        """Names, in the order of the help's sections."""
        known = [name for names in SECTIONS.values() for name in names]
        return sorted(self.commands, key=lambda name: known.index(name) if name in known else len(known))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Print the commands, in sections."""
        limit = formatter.width - 6 - max(map(len, self.commands))
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(limit)) for name in names])


def _write_examples(epilog: str | None, formatter: Any) -> None:
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
