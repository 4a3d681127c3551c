"""From words to an exit code: whatever a command raises becomes one line on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from l2tpv3.errors import InvalidValueError, L2tpError, RefusedError

if TYPE_CHECKING:
    from l2tpv3.host import Host
    from l2tpv3.manager import Manager

PROGRAM = "l2tpctl"
INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""
PIPE_CLOSED = 141
"""Exit code when whoever read our output went away: 128 + SIGPIPE, as for any other program in a pipe."""


class Invocation:
    """What the commands of one run share: the host that they command, made when first asked for."""

    def __init__(self, manager: Manager | None = None) -> None:
        self._manager = manager

    @property
    def host(self) -> Host:
        """The host that is commanded: this one, or the one that the run was given."""
        return self.local_manager("")

    def local_manager(self, command: str) -> Manager:
        """The manager of this host, for a command that can have no other."""
        if self._manager is None:
            from l2tpv3.manager import Manager

            self._manager = Manager()
        return self._manager


def run(argv: list[str], manager: Manager | None = None) -> int:
    """Run one command; see main()."""
    invocation = Invocation(manager)
    try:
        try:
            code = _invoke(argv, invocation)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except L2tpError as error:
            code = tell(error, as_json=_wants_json(argv))
        except KeyboardInterrupt:
            code = INTERRUPTED
        except Exception as error:
            if os.environ.get("L2TPV3_DEBUG"):
                raise
            code = tell(_unexpected(error), as_json=_wants_json(argv))
    except BrokenPipeError:
        # Python would complain once more when it flushes stdout at exit: let that go nowhere.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = PIPE_CLOSED
    return code


def tell(error: L2tpError, *, as_json: bool = False) -> int:
    """Print an error on stderr, as one line or one JSON document, and give its exit code."""
    if as_json:
        from l2tpv3 import report

        print(json.dumps(report.error_document(error)), file=sys.stderr)
    else:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
    return error.exit_code


def _invoke(argv: list[str], invocation: Invocation) -> int:
    import typer

    from l2tpv3.cli.app import command

    root: Any = command()
    # typer's exceptions moved (from click into typer) within the versions that we support: reach them by the
    # one that is public in all, BadParameter, a UsageError, a ClickException.
    click_exception: type[Exception] = typer.BadParameter.__mro__[2]
    try:
        if f"_{PROGRAM.upper()}_COMPLETE" in os.environ:
            root.main(args=argv, prog_name=PROGRAM, obj=invocation)  # the shell asks for completions; exits
        with root.make_context(PROGRAM, list(argv), obj=invocation) as context:
            root.invoke(context)
    except typer.Exit as done:
        return done.exit_code
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    except click_exception as error:
        raise _usage(error) from error
    return 0


def _usage(error: Any) -> InvalidValueError:
    context = getattr(error, "ctx", None)
    path = _path(context)
    subject = path.removeprefix(PROGRAM).strip() or "usage"
    message = " ".join(str(error.format_message()).split()).rstrip(".") or "a command is missing"
    return InvalidValueError(subject, message[:1].lower() + message[1:], f"`{path} --help` shows how")


def _path(context: Any) -> str:
    """The command that the error is about; unlike click's command_path without its arguments."""
    names: list[str] = []
    while context is not None:
        names.insert(0, str(context.info_name))
        context = context.parent
    return " ".join(names or [PROGRAM])


def _unexpected(error: Exception) -> RefusedError:
    problem = f"unexpected {type(error).__name__}: {error}"
    return RefusedError("internal error", problem, "set L2TPV3_DEBUG=1 for the traceback, and report it")


def _wants_json(argv: list[str]) -> bool:
    words = argv[: argv.index("--")] if "--" in argv else argv
    return "--json" in words and "ip-l2tp" not in words[:1]
