"""What all tests share: hosts to run things on, what may be skipped, and that nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.budgets import BUDGETS_S, over_budget
from tests.forks import FORKS
from tests.hosts import Host, Hosts
from tests.leftovers import Leftovers
from tests.own_network import isolate
from tests.points import IN_THE_GUEST_OF, in_turn
from tests.sshd import Sshd

_NO_SKIPS = pytest.StashKey[bool]()
_LEFTOVERS = pytest.StashKey[Leftovers]()
_PROBLEMS = pytest.StashKey[list[str]]()
_TAKEN = pytest.StashKey[dict[str, float]]()
_LEFT_BEHIND = "left behind"
"""What a parallel worker process calls this list in what it gives to the process that started it."""


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Makes hosts in network namespaces, and removes them after the test. See tests/hosts.py."""
    made = Hosts()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def netns(hosts: Hosts) -> Callable[[str], Host]:
    """`netns("a")`: a host on its own."""
    return lambda name: hosts.add(name)[0]


@pytest.fixture
def link_pair(hosts: Hosts) -> Callable[..., tuple[Host, Host]]:
    """`link_pair(("a", "b"), mtu=1400)`: two hosts joined by a veth with IPv4 and IPv6 addresses."""
    return hosts.pair


@pytest.fixture
def underlay(hosts: Hosts) -> tuple[Host, Host]:
    """Two hosts joined by a veth with IPv4 and IPv6 addresses, MTU 1500."""
    return hosts.pair()


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Host, Host]]:
    """Two hosts as of `underlay`, shared by all tests of a file."""
    made = Hosts()
    try:
        yield made.pair()
    finally:
        made.close()


@pytest.fixture(scope="module")
def sshd(pair: tuple[Host, Host]) -> Sshd:
    """sshd on the second host of `pair`, to be reached from the first one. All tests of a file share it."""
    return Sshd(pair[1])


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-skips`; it is implied where CI is set."""
    parser.addoption(
        "--no-skips", action="store_true", help="a skipped test fails the run; implied by CI in the environment"
    )
    parser.addoption(
        "--in-turn",
        action="store_true",
        help="in the guest, a part of files that are slow there (tests/points.py)",
    )
    parser.addoption("--budgets", action="store_true", help="a file that takes longer than it may fails the run")


def pytest_configure(config: pytest.Config) -> None:
    """Look at the machine before the first test."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a shell; tests press Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
    ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    config.stash[_NO_SKIPS] = ci or config.getoption("--no-skips")
    config.stash[_PROBLEMS] = []
    config.stash[_TAKEN] = {}
    config.pluginmanager.register(_Timing(config.stash[_TAKEN]))
    if _runs_tests(config):
        if os.geteuid() == 0:
            isolate()
        config.stash[_LEFTOVERS] = Leftovers()
    else:
        config.pluginmanager.register(_FromWorkers(config))


def _runs_tests(config: pytest.Config) -> bool:
    """Whether this process runs tests itself, and does not only hand them out to parallel worker processes."""
    return hasattr(config, "workerinput") or not config.getoption("numprocesses", None)


class _FromWorkers:
    """In the process that hands tests out: takes what its worker processes have to say when they end."""

    def __init__(self, config: pytest.Config) -> None:
        self._problems = config.stash[_PROBLEMS]

    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker process ended (a hook of pytest-xdist)."""
        del error
        self._problems += getattr(node, "workeroutput", {}).get(_LEFT_BEHIND, [])


class _Timing:
    """Adds up how long the tests of each file took."""

    def __init__(self, taken: dict[str, float]) -> None:
        self._taken = taken

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test, or what comes before or after it, has ended (a hook of pytest)."""
        path = report.nodeid.partition("::")[0]
        self._taken[path] = self._taken.get(path, 0.0) + report.duration


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine cannot run; with --in-turn, leave out whose turn it is not."""
    if config.getoption("in_turn"):
        left_out = _not_in_this_run(items)
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=list(left_out))
    reasons = {
        "root": None if os.geteuid() == 0 else "needs root: network namespaces and netdevs",
        "kernel_l2tp": None if _kernel_has_l2tp() else "needs a kernel with l2tp_eth: run it with netns-lab/guest",
    }
    items.sort(key=lambda item: -BUDGETS_S.get(_path(item), 0.0))
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
        for mark, reason in reasons.items():
            if reason and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))


def _not_in_this_run(items: list[pytest.Item]) -> set[pytest.Item]:
    """Of the tests for the guest, those of files in IN_THE_GUEST_OF whose turn it is not."""
    left_out: set[pytest.Item] = set()
    for path, every in IN_THE_GUEST_OF.items():
        tests = [one for one in items if _path(one) == path and one.get_closest_marker("kernel_l2tp")]
        left_out |= set(tests) - set(in_turn(tests, of=every))
    return left_out


def _path(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _kernel_has_l2tp() -> bool:
    modprobe = shutil.which("modprobe", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if modprobe is None:
        return False
    return subprocess.run([modprobe, "--dry-run", "--quiet", "l2tp_eth"], check=False).returncode == 0


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run that skipped where nothing may be skipped, or that left something behind."""
    FORKS.close()
    config = session.config
    problems = config.stash[_PROBLEMS]
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter else 0
    if skipped and config.stash[_NO_SKIPS]:
        problems.append(f"{skipped} skipped, and nothing may be skipped here")
    if config.getoption("budgets") and not hasattr(config, "workerinput"):
        problems += over_budget(config.stash[_TAKEN])
    if _runs_tests(config):
        problems += [f"left behind: {thing}" for thing in config.stash[_LEFTOVERS].found()]
    if hasattr(config, "workeroutput"):
        config.workeroutput[_LEFT_BEHIND] = problems
    elif problems and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say why."""
    for problem in config.stash[_PROBLEMS]:
        terminalreporter.write_line(f"FAILED: {problem}", red=True)
