"""Many l2tpctl commands on a host in one process: starting each costs 0.3 s here and several in the guest."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable

from tests.hosts import Host

_PROGRAM = """
import json, sys
from l2tpv3.cli import main
for line in json.load(sys.stdin):
    code = main(line)
    if code:
        sys.exit(f"{line}: {code}")
"""


def ctl_lines(host: Host, lines: Iterable[str]) -> str:
    """Run lines of l2tpctl on that host, until one fails (that raises); what they printed on stdout."""
    words = [shlex.split(line) for line in lines]
    return host.run([sys.executable, "-c", _PROGRAM], stdin=json.dumps(words), timeout_s=120).stdout
