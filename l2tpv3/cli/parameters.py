"""Options and arguments of a command, declared in its function's signature: `name: Annotated[str, Option("--name")]`.

Each value stays the text that was typed; what the commands call parses and checks it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, get_args, get_origin

import click


class Files(Enum):
    """What an option or argument has to do with files of the host where it is typed, see l2tpv3.cli.elsewhere."""

    READ = "names files that are read"
    STATED = "names files of wanted state, which may name files with secrets"
    SECRET = "is a secret, or @FILE with one, or - for standard input"
    WRITTEN = "names a file that is written, and what is written is printed without it"
    STREAMED = "names a file that is written as it goes; - is standard output"


def secret_file(value: str) -> str | None:
    """The file that a value of SECRET names; None for the secret itself."""
    return "/dev/stdin" if value == "-" else value[1:] if value.startswith("@") else None


Complete = Callable[[click.Context, str], list[str]]
"""Gives the words that complete the text typed so far."""


class Option:
    """An option. names: as they are typed, `--up/--down` for a flag with its opposite. complete: for shells.

    envvar: the environment variable that has its value where it is not given. callback: called by click with its
    context, the parameter and the value. eager: before all that are not. files: None where it names none.
    keep: for what is WRITTEN: writes a text to a path.
    """

    def __init__(
        self,
        *names: str,
        help: str,
        metavar: str | None = None,
        complete: Complete | None = None,
        envvar: str | None = None,
        callback: Callable[[click.Context, click.Parameter, Any], Any] | None = None,
        eager: bool = False,
        files: Files | None = None,
        keep: Callable[[str, str], None] | None = None,
    ) -> None:
        self.names = names
        self.complete = complete
        self.files, self.keep = files, keep
        self.settings: dict[str, Any] = {
            "help": help,
            "metavar": metavar,
            "envvar": envvar,
            "show_envvar": envvar is not None,
            "callback": callback,
            "is_eager": eager,
        }


class Argument:
    """An argument. metavar: what the help calls it. complete: for shells. files: None where it names none."""

    def __init__(
        self, *, metavar: str, help: str = "", complete: Complete | None = None, files: Files | None = None
    ) -> None:
        self.metavar, self.help, self.complete, self.files = metavar, help, complete, files


class HelpedArgument(click.Argument):
    """click's argument with a help text, which click itself has only in its newest versions."""

    def __init__(self, declarations: list[str], *, help: str, files: Files | None = None, **settings: Any) -> None:
        super().__init__(declarations, **settings)
        self.help: str | None = help
        self.files = files


class DeclaredOption(click.Option):
    """click's option that knows what it has to do with files."""

    def __init__(self, declarations: list[str], *, declared: Option, **settings: Any) -> None:
        super().__init__(declarations, **settings)
        self.files, self.keep = declared.files, declared.keep


def parameters_of(function: Callable[..., None]) -> list[click.Parameter]:
    """click's parameters for those of a command's function that have an Option or an Argument in their annotation.

    A parameter without a default is required; `list[str]` may be given more than once; `bool` is a flag.
    """
    signature = inspect.signature(function, eval_str=True)
    return [_click_parameter(one) for one in signature.parameters.values() if get_origin(one.annotation) is Annotated]


def _click_parameter(parameter: inspect.Parameter) -> click.Parameter:
    type_, declared = get_args(parameter.annotation)
    types = {type_, *get_args(type_)}
    required = parameter.default is inspect.Parameter.empty
    repeated = list[str] in types
    common: dict[str, Any] = {"required": required, "shell_complete": _for_click(declared.complete)}
    if not required:
        common["default"] = parameter.default
    if isinstance(declared, Argument):
        nargs = -1 if repeated else 1
        return HelpedArgument(
            [parameter.name], help=declared.help, metavar=declared.metavar, nargs=nargs, files=declared.files, **common
        )
    if bool in types:
        common["is_flag"] = True
    common["show_default"] = isinstance(parameter.default, str)
    names = [*declared.names, parameter.name]
    return DeclaredOption(names, declared=declared, multiple=repeated, **declared.settings, **common)


def _for_click(complete: Complete | None) -> Callable[[click.Context, click.Parameter, str], Any] | None:
    if complete is None:
        return None
    return lambda context, _, incomplete: complete(context, incomplete)
