"""Has a command that was typed here run on another host over ssh, with the files that its words name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from l2tpv3.cli.commands.run_sent import ENVIRONMENT
from l2tpv3.cli.parameters import DeclaredOption, Files, HelpedArgument, secret_file
from l2tpv3.remote.sent_command import SentCommand
from l2tpv3.remote.ssh import SshCommand, run_there
from l2tpv3.remote.stated_files import read_stated, read_to_send

if TYPE_CHECKING:
    from l2tpv3.linux.sent_files import SentFile
    from l2tpv3.remote.ssh_target import Target

_OF_THE_ROOT = ("brief", "condition", "json")
"""Options before a command that are about what is printed, and not about the host."""

Typed = tuple[click.Parameter, Any]
"""An option or an argument that was typed, with its value."""


def run_elsewhere(target: Target, context: click.Context) -> int:
    """Run the command of a context on another host, and give its exit status. Raises L2tpError when ssh fails."""
    typed = list(_typed(context))
    written = next((one for one in typed if _files(one[0]) in (Files.WRITTEN, Files.STREAMED)), None)
    command = sent_command(_words(context, typed), _named_files(typed))
    if written is None:
        return run_there(target, command)
    option, path = written
    if _files(option) is Files.STREAMED:
        return _streamed(target, command, path)
    assert isinstance(option, DeclaredOption) and option.keep is not None
    status, text = run_and_read(target, command)
    if status == 0:
        option.keep(path, text)
    return status


def sent_command(words: Iterable[str], files: dict[str, SentFile] | None = None) -> SentCommand:
    """A command as it goes to another host, to be printed there as it would be here."""
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    terminal = sys.stdout.isatty()
    if terminal:
        size = shutil.get_terminal_size()
        environment |= {"COLUMNS": str(size.columns), "LINES": str(size.lines)}
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return SentCommand(
        words=tuple(words), files=files or {}, environment=environment, encoding=encoding, terminal=terminal
    )


def run_and_read(target: Target, command: SentCommand) -> tuple[int, str]:
    """Run a command on another host: its exit status, and what it printed. Its standard error goes to this one's.

    Raises what SshCommand.exit_status does.
    """
    with SshCommand(target, stdout=subprocess.PIPE) as running:
        running.send(command)
        text = running.output()
        return running.exit_status(), text.decode("utf-8", "replace")


def _streamed(target: Target, command: SentCommand, path: str) -> int:
    from l2tpv3.cli.commands.capture import open_private

    with nullcontext() if path == "-" else os.fdopen(open_private(path), "wb", buffering=0) as file:
        return run_there(target, command, stdout=file)


def _typed(context: click.Context) -> Iterator[Typed]:
    """What was typed of a command's options and arguments, or before it of those that are about what is printed."""
    for parameter in context.command.params:
        name = parameter.name or ""
        of_command = context.parent is not None or name in _OF_THE_ROOT
        if of_command and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            yield parameter, context.params[name]


def _files(parameter: click.Parameter) -> Files | None:
    return parameter.files if isinstance(parameter, DeclaredOption | HelpedArgument) else None


def _words(context: click.Context, typed: Iterable[Typed]) -> list[str]:
    """The command's words as they are sent: without files that are written here."""
    words = _path(context)
    behind: list[str] = []
    for parameter, value in typed:
        values = list(value) if isinstance(value, list | tuple) else [value]
        kind = _files(parameter)
        if isinstance(parameter, click.Argument):
            behind += values
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            words.append(parameter.opts[0] if value else parameter.secondary_opts[0])
        elif kind is not Files.WRITTEN:
            words += [word for one in values for word in (parameter.opts[0], "-" if kind is Files.STREAMED else one)]
    return [*words, "--", *behind] if behind else words


def _path(context: click.Context) -> list[str]:
    """`tunnel show`: the names of a context's command and of its groups, without the root's."""
    names: list[str] = []
    while context.parent is not None:
        names.insert(0, str(context.command.name))
        context = context.parent
    return names


def _named_files(typed: Iterable[Typed]) -> dict[str, SentFile]:
    """The files that are read here for what was typed, by the paths that the far end will ask for."""
    found: dict[str, SentFile] = {}
    for parameter, value in typed:
        kind = _files(parameter)
        if kind is Files.SECRET and (path := secret_file(value)) is not None:
            found[path] = read_to_send(path)
        elif kind is Files.STATED:
            found |= read_stated(value)
        elif kind is Files.READ:
            found |= read_stated(value, secrets=False)
    return found
