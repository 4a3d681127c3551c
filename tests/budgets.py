"""How long the tests of a file may take: four times what they do on two quiet CPUs, or more, as machines differ.

A file that takes longer is split, or made to wait for less, or gets its own line here with a reason. Those with a line
are begun first, so that no long one is left for the end, when the other processes have nothing to do.
"""

from __future__ import annotations

USUAL_S = 480.0
"""Seconds, of a file that has no line of its own."""

BUDGETS_S = {
    "tests/lab/test_systemd.py": 2400.0,  # two boots of a virtual machine with systemd
    "tests/reconcile/test_kill_tunnels.py": 700.0,  # each scenario is killed and finished a few times
    "tests/reconcile/test_kill_links.py": 600.0,
    "tests/reconcile/test_kill_back.py": 600.0,
    "tests/reconcile/test_kill_workers.py": 700.0,
    "tests/reconcile/test_faults.py": 700.0,
    "tests/lab/test_reboot.py": 1200.0,  # two boots of a virtual machine
    "tests/lab/test_scenarios.py": 800.0,
    "tests/api/test_openapi.py": 800.0,  # a fuzzer that tries every operation
    "tests/liveness/test_supervisor.py": 800.0,
    "tests/fleet/test_change.py": 900.0,  # each change starts a program at three hosts, which share this one's CPUs
    "tests/doctor/test_field_faults.py": 1500.0,  # in a full run, some eighty pairs of hosts
    "tests/connect/test_connect.py": 700.0,  # frames of both ends' tests, several rounds of them
}
"""Seconds, by the file's path."""


def over_budget(taken_s: dict[str, float]) -> list[str]:
    """What is to be said of the files that took too long."""
    found = []
    for path, seconds in sorted(taken_s.items()):
        budget_s = BUDGETS_S.get(path, USUAL_S)
        if seconds > budget_s:
            found.append(f"{path} took {seconds:.0f} s, and has {budget_s:.0f} s (tests/budgets.py)")
    return found
