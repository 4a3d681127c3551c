"""`l2tpctl` for scripts in the guest that call it often, all in one process: there it takes seconds to start one.

Each line of standard input is a call: a file for what it prints, then the words, as a shell reads them. The exit status
of each is printed.
"""

from __future__ import annotations

import os
import shlex
import sys

from l2tpv3.cli import main

FUNCTION = """
mkfifo /run/calls /run/statuses
PYTHONPATH=$ROOT "$PYTHON" -m tests.lab.calls < /run/calls > /run/statuses &
exec 7> /run/calls 8< /run/statuses
ctl() {
  local status
  printf '%q ' /run/said "$@" >&7
  echo >&7
  read -r status <&8
  cat /run/said
  return "$status"
}
"""
"""For bash: `ctl` does what l2tpctl does, one call at a time. $ROOT is the checkout, $PYTHON its Python."""


def serve() -> None:
    """Until nobody can ask any more."""
    statuses = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        file, *words = shlex.split(line)
        said = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
        os.dup2(said, 1)
        os.close(said)
        status = main(words)
        sys.stdout.flush()
        print(status, file=statuses, flush=True)


if __name__ == "__main__":
    serve()
