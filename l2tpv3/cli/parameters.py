"""Options and arguments of a command, declared in its function's signature: `name: Annotated[str, Option("--name")]`.

Each value stays the text that was typed; what the commands call parses and checks it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin

import click

Complete = Callable[[click.Context, str], list[str]]
"""Gives the words that complete the text typed so far."""


class Option:
    """An option. names: as they are typed, `--up/--down` for a flag with its opposite. complete: for shells.

    envvar: the environment variable that has its value where it is not given. callback: called by click with its
    context, the parameter and the value. eager: before all that are not.
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
    ) -> None:
        self.names = names
        self.complete = complete
        self.settings: dict[str, Any] = {
            "help": help,
            "metavar": metavar,
            "envvar": envvar,
            "show_envvar": envvar is not None,
            "callback": callback,
            "is_eager": eager,
        }


class Argument:
    """An argument. metavar: what the help calls it. complete: for shells."""

    def __init__(self, *, metavar: str, help: str = "", complete: Complete | None = None) -> None:
        self.metavar, self.help, self.complete = metavar, help, complete


class HelpedArgument(click.Argument):
    """click's argument with a help text, which click itself has only in its newest versions."""

    def __init__(self, declarations: list[str], *, help: str, **settings: Any) -> None:
        super().__init__(declarations, **settings)
        self.help: str | None = help


def parameters_of(function: Callable[..., None]) -> list[click.Parameter]:
    """click's parameters for those of a command's function that have an Option or an Argument in their annotation.

    A parameter without a default is required; `list[str]` may be given more than once; `bool` is a flag.
    """
    signature = inspect.signature(function, eval_str=True)
    return [_made(one) for one in signature.parameters.values() if get_origin(one.annotation) is Annotated]


def _made(parameter: inspect.Parameter) -> click.Parameter:
    type_, declared = get_args(parameter.annotation)
    types = {type_, *get_args(type_)}
    required = parameter.default is inspect.Parameter.empty
    repeated = list[str] in types
    common: dict[str, Any] = {"required": required, "shell_complete": _for_click(declared.complete)}
    if not required:
        common["default"] = parameter.default
    if isinstance(declared, Argument):
        nargs = -1 if repeated else 1
        return HelpedArgument([parameter.name], help=declared.help, metavar=declared.metavar, nargs=nargs, **common)
    if bool in types:
        common["is_flag"] = True
    common["show_default"] = isinstance(parameter.default, str)
    return click.Option([*declared.names, parameter.name], multiple=repeated, **declared.settings, **common)


def _for_click(complete: Complete | None) -> Callable[[click.Context, click.Parameter, str], Any] | None:
    if complete is None:
        return None
    return lambda context, _, incomplete: complete(context, incomplete)
