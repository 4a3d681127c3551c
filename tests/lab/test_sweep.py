"""What the lab's clean-up takes for a run's own, among processes that anybody has on the machine."""

from __future__ import annotations

import os
import subprocess

import pytest
from labrunner.identity import MARK, Identity, netns_names
from labrunner.sweep import sweep

pytestmark = pytest.mark.root


@pytest.mark.parametrize("other", [False, True], ids=["unmarked", "another run's"])
def test_who_only_visits_a_network_namespace_of_the_run_is_spared(*, other: bool) -> None:
    run = Identity(f"lab-test{os.getpid()}")
    space = run.netns("a")
    subprocess.run(["ip", "netns", "add", space], check=True)
    script = ["sh", "-c", "echo there; exec sleep 100"]
    mark = [f"{MARK}=lab-0"] if other else ["-u", MARK]
    visit = [*(["unshare", "--mount"] if other else []), "env", *mark, "nsenter", f"--net=/run/netns/{space}"]
    visitor = subprocess.Popen([*visit, *script], stdout=subprocess.PIPE)
    resident = subprocess.Popen(["env", "-u", MARK, "ip", "netns", "exec", space, *script], stdout=subprocess.PIPE)
    try:
        for one in (visitor, resident):
            assert one.stdout is not None and one.stdout.readline() == b"there\n"
        sweep(run)
        assert (visitor.poll(), resident.poll()) == (None, -15)
        assert space not in netns_names()
    finally:
        for one in (visitor, resident):
            one.kill()
            one.communicate()
