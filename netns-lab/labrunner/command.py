"""The command line of netns-lab/lab."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from labrunner import load, needs, play, sweep
from labrunner.errors import Interrupted, LabError, ScenarioError
from labrunner.identity import RUNS, Identity, all_runs, netns_names
from labrunner.story import Story

_DESCRIPTION = """\
Play a scenario: hosts that are network namespaces, a network between them, l2tpctl typed at them, and what is expected
of it all. Whatever happens, it cleans up behind itself.
"""
_EPILOG = """\
The exit status is 0 when all was as expected, 1 when not, 2 when it could not be played, 77 when this machine lacks
something that the scenario needs, 128 + N when signal N stopped it.

environment:
  L2TPV3_LAB_PATIENCE  stretches every limit of time, for slow machines (1)
  NO_COLOR             no colours

examples:
  netns-lab/lab --list
  netns-lab/lab two-sites-udp4
  netns-lab/lab hub --datapath user --shell siteA
  netns-lab/lab demo --serve
  netns-lab/lab two-sites-ip6 --keep; netns-lab/lab --enter lab-4711-siteA l2tpctl; netns-lab/lab --clean
"""
_FORWARDED = ("NO_COLOR", "TERM", "L2TPV3_LAB_PATIENCE", "PYTHONDONTWRITEBYTECODE", "COLUMNS")


def main(argv: list[str], program: Path) -> int:
    """Run the lab; the exit status. program: the file that was started, for what is printed to be typed."""
    # From here on a signal is an exception, so that no moment is left in which it would skip a clean-up.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _raise_interrupted)
    try:
        return _main(argv, program)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return error.exit_status
    except Interrupted as error:
        print(f"lab: stopped by {signal.Signals(error.number).name}; cleaned up", file=sys.stderr)
        return 128 + error.number
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read us is gone; so that closing standard output at exit does not complain again:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE


def _raise_interrupted(number: int, _: object) -> None:
    raise Interrupted(number)


def _main(argv: list[str], program: Path) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.list:
        return _list()
    if os.geteuid() != 0:
        return _with_sudo(argv, program)
    if arguments.guard:
        sweep.watch_over(Identity(arguments.guard))
        return 0
    if arguments.clean is not None:
        return _clean(arguments.clean)
    if arguments.enter:
        return _enter(arguments.enter)
    if not arguments.scenario:
        raise ScenarioError("which scenario? `netns-lab/lab --list` shows them; see --help")
    return _play(arguments, program)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenario", nargs="?", metavar="SCENARIO", help="a name of --list, or a path to a folder")
    parser.add_argument(
        "--datapath", choices=["auto", "kernel", "user", "ebpf"], default="auto", help="what l2tpctl is told (auto)"
    )
    parser.add_argument("--keep", action="store_true", help="leave it all there, and say how to enter and clean up")
    parser.add_argument("--shell", metavar="HOST", help="at the end, a shell at HOST; leaving it cleans up")
    parser.add_argument("--serve", action="store_true", help="at the end, each host's dashboard, until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="the result as JSON on stdout; the story on stderr")
    parser.add_argument("--list", action="store_true", help="the scenarios, and what they lack here")
    parser.add_argument(
        "--clean", nargs="?", const="", metavar="RUN", help="remove what dead and kept runs left (all, or one)"
    )
    parser.add_argument(
        "--enter",
        nargs=argparse.REMAINDER,
        metavar="HOST [COMMAND ...]",
        help="a shell or COMMAND at a kept run's host",
    )
    parser.add_argument("--guard", help=argparse.SUPPRESS)
    return parser


def _play(arguments: argparse.Namespace, program: Path) -> int:
    scenario = load.load(load.find(arguments.scenario))
    hosts = [host.name for host in scenario.hosts]
    if arguments.shell and arguments.shell not in hosts:
        raise ScenarioError(f"--shell {arguments.shell}: the hosts of {scenario.name} are {', '.join(hosts)}")
    wish = play.Wish(arguments.datapath, arguments.keep, arguments.shell, arguments.serve)
    outcome = play.play(scenario, wish, Story(sys.stderr if arguments.json else sys.stdout), program)
    if arguments.json:
        print(json.dumps(outcome.document(), indent=1))
    return 0 if outcome.ok else 1


def _list() -> int:
    for name in load.names():
        scenario = load.load(load.SCENARIOS / name)
        lacking = [need for need in scenario.needs if needs.lacking(need)]
        print(f"{name:16} {scenario.title}" + (f"  [not here: {', '.join(lacking)}]" if lacking else ""))
    return 0


def _clean(name: str) -> int:
    """Kept runs are dead ones too: their runner has ended."""
    chosen = [Identity(name)] if name else [run for run in all_runs() if not run.alive()]
    if name and name not in [run.name for run in all_runs()]:
        raise LabError(f"there is no run {name}; `ls {RUNS}` shows those that are left")
    if name and chosen[0].alive():
        raise LabError(f"{name} is still being played; stop it, and it cleans up by itself")
    for run in chosen:
        sweep.sweep(run)
        print(f"{run.name}: removed")
    if not chosen:
        print("nothing was left")
    return 0


def _enter(words: list[str]) -> int:
    if words[0] not in netns_names() or words[0].count("-") < 2:
        hosts = [name for name in netns_names() if name.startswith("lab-")]
        raise LabError(f"there is no host {words[0]}; there are: {', '.join(hosts) or 'none'}")
    prefix, number, host = words[0].split("-", 2)
    return play.enter(Identity(f"{prefix}-{number}"), host, words[1:])


def _with_sudo(argv: list[str], program: Path) -> int:
    if not shutil.which("sudo"):
        raise LabError("network namespaces need root: run it as root")
    kept = [f"{name}={value}" for name in _FORWARDED if (value := os.environ.get(name)) is not None]
    os.execvp("sudo", ["sudo", "env", *kept, sys.executable, str(program), *argv])
