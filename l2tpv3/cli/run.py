"""Runs a command: from the words of the command line to an exit code. Every error becomes one line on stderr."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from l2tpv3.cli.output import streams
from l2tpv3.cli.typed import VALUED, Typed
from l2tpv3.errors import InvalidValueError, L2tpError, RefusedError, UnavailableError

if TYPE_CHECKING:
    import click

    from l2tpv3.cli.target import Aim
    from l2tpv3.host.base import Host
    from l2tpv3.host.manager import Manager
    from l2tpv3.remote.host import RemoteHost
    from l2tpv3.remote.ssh_target import SshTarget

PROGRAM = "l2tpctl"
COMPLETING = "_L2TPCTL_COMPLETE"
"""The environment variable by which a shell asks for completions."""
INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""
PIPE_CLOSED = 141
"""Exit code when whoever read our output went away: 128 + SIGPIPE, as for any other program in a pipe."""


class Invocation:
    """The state that the commands of one run share: the host that they work on, which is made when it is first needed.

    This is the one place that knows whether it is another one: `aim` says which.
    """

    def __init__(self, manager: Manager | None = None) -> None:
        self._manager = manager
        self._aim: Aim | None = None
        self._remote: RemoteHost | None = None

    def aim(self, aim: Aim | None) -> None:
        """Work on the host that --host says; None is this host."""
        self._aim = aim

    def elsewhere(self) -> SshTarget | None:
        """The host where the command as a whole is to run; None when it is to run here. Raises InvalidValueError."""
        return None if self._aim is None else self._aim.over_ssh()

    @property
    def host(self) -> Host:
        """The host that the commands work on."""
        if self._aim is None:
            return self._this_host()
        if self._remote is None:
            self._remote = self._aim.connect()
        return self._remote

    def local_manager(self, command: str) -> Manager:
        """The manager of this host, for a command that can have no other. Raises UnavailableError with --host."""
        if self._aim is not None:
            problem = f"it works only on the host that it is about, and --host says {self._aim.host}"
            raise UnavailableError(command, problem, "run it there")
        return self._this_host()

    def _this_host(self) -> Manager:
        if self._manager is None:
            from l2tpv3.host.manager import Manager

            self._manager = Manager()
        return self._manager


def run(argv: list[str], manager: Manager | None = None) -> int:
    """Run one command; see main()."""
    streams.prepare()
    typed = Typed.of(argv)
    invocation = Invocation(manager)
    try:
        try:
            code = _invoke(argv if COMPLETING in os.environ else typed.argv, invocation)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except streams.OutputError as error:
            streams.discard()
            code = tell(error, as_json=typed.json)
        except L2tpError as error:
            code = tell(error, as_json=typed.json)
        except KeyboardInterrupt:
            code = INTERRUPTED
        except UnicodeEncodeError as error:
            code = tell(_not_in_this_locale(error), as_json=typed.json)
        except Exception as error:
            if os.environ.get("L2TPV3_DEBUG"):
                raise
            code = tell(_unexpected(error), as_json=typed.json)
    except BrokenPipeError:
        streams.discard()
        code = PIPE_CLOSED
    return code


def tell(error: L2tpError, *, as_json: bool = False) -> int:
    """Print an error on stderr, as one line or one JSON document, and give its exit code."""
    if as_json:
        import json

        from l2tpv3.documents.error import error_document

        print(json.dumps(error_document(error)), file=sys.stderr)
    else:
        print(_lines(error), file=sys.stderr)
    return error.exit_code


def _lines(error: L2tpError) -> str:
    """The error, the program's name before it; but problems in files begin with FILE:LINE, as editors expect."""
    return str(error) if error.has_place else f"{PROGRAM}: {error}"


def _invoke(argv: list[str], invocation: Invocation) -> int:
    if argv == ["--version"] and COMPLETING not in os.environ:
        from l2tpv3.version import VERSION

        print(f"{PROGRAM} {VERSION}")
        return 0
    if _for_programs(argv) and COMPLETING not in os.environ:
        return _without_click(argv, invocation)
    import click

    from l2tpv3.cli.app import command

    root = command()
    try:
        if COMPLETING in os.environ:
            from l2tpv3.cli import shells

            return shells.complete(root, os.environ[COMPLETING], invocation)
        with root.make_context(PROGRAM, list(argv), obj=invocation) as context:
            root.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        raise _usage(error) from error
    return 0


def _for_programs(argv: list[str]) -> bool:
    """Whether it is a command that programs start at each host of a fleet, as they type it."""
    return argv == ["expire"] or (argv[:1] == ["fleet-end"] and not any(word.startswith("-") for word in argv[1:]))


def _without_click(argv: list[str], invocation: Invocation) -> int:
    """Run such a command. There is nothing to parse, so it begins sooner than by the tree of commands."""
    if argv == ["expire"]:
        from l2tpv3.cli.expiring import undo_in_time

        undo_in_time(lambda: invocation.local_manager("expire"))
    else:
        from l2tpv3.cli.fleet_requests import serve

        serve(lambda: invocation.local_manager("fleet-end"), *argv[1:2])
    return 0


def _usage(error: click.ClickException) -> InvalidValueError:
    path = _path(getattr(error, "ctx", None))
    subject = path.removeprefix(PROGRAM).strip() or "usage"
    problem, alike = _problem(error)
    remedy = f"`{path} --help` shows how"
    option = getattr(error, "option_name", None)
    if subject != "usage" and option in VALUED:
        remedy = f"it stands before the command: `{PROGRAM} {option} VALUE {subject} ...`"
    elif alike:
        remedy = f"did you mean {' or '.join(alike)}? {remedy}"
    return InvalidValueError(subject, problem[:1].lower() + problem[1:], remedy)


def _problem(error: click.ClickException) -> tuple[str, list[str]]:
    """The problem of a click error, and suggestions of what was meant."""
    import click

    from l2tpv3.cli.click_classes import NoSuchCommandError

    if isinstance(error, click.NoSuchOption):
        return f"no such option: {error.option_name}", sorted(error.possibilities or [])
    if isinstance(error, NoSuchCommandError):
        return error.message, [repr(word) for word in error.alike]
    return " ".join(error.format_message().split()).rstrip(".") or "a command is missing", []


def _path(context: Any) -> str:
    """The command that the error is about; unlike click's command_path without its arguments."""
    names: list[str] = []
    while context is not None:
        names.insert(0, str(context.info_name))
        context = context.parent
    return " ".join(names or [PROGRAM])


def _not_in_this_locale(error: UnicodeEncodeError) -> InvalidValueError:
    """A name in a path that the locale's encoding has no bytes for; what is printed never raises this."""
    problem = f"{error.object!r} can't be written in this locale's encoding, {error.encoding}"
    return InvalidValueError("locale", problem, f"run it as `LC_ALL=C.UTF-8 {PROGRAM} ...`")


def _unexpected(error: Exception) -> RefusedError:
    problem = f"unexpected {type(error).__name__}: {error}"
    return RefusedError("internal error", problem, "set L2TPV3_DEBUG=1 for the traceback, and report it")
