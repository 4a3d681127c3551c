"""The service (`l2tpctl serve`) of a host that is a network namespace, reachable from the machine's own loopback.

A listening socket stays in the namespace in which it was opened, whoever accepts from it: so it is opened here and
handed over the way systemd does it, sd_listen_fds(3). No veth, no route, no port of the host's own.
"""

from __future__ import annotations

import socket
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labrunner.errors import LabError
from labrunner.identity import Identity, bin_folder
from labrunner.scenario import Host, fill

_START_S = 30.0
_HAND_OVER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); "
    "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execvp(sys.argv[2], sys.argv[2:])"
)


@dataclass(frozen=True)
class Served:
    """A host's service. url: where it listens, on 127.0.0.1. token: may read, change and see cookies."""

    host: str
    url: str
    token: str
    process: subprocess.Popen[bytes]

    @property
    def link(self) -> str:
        """What to open in a browser: it logs in."""
        return f"{self.url}#token={self.token}"


def serve(
    host: str,
    enter: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    patience: float = 1.0,
    options: Sequence[str] = (),
) -> Served:
    """Start the service of a host, and give it once it answers. Raises LabError with what it logged.

    enter: the command that runs another one at the host (`ip netns exec NAME`). environment: the host's places.
    options: further words for `l2tpctl serve`.
    """
    programs = bin_folder()
    token = _token(enter, environment, programs)
    with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as file:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        number = listening.fileno()
        command = [str(programs / "l2tpctl"), "serve", "--unix", "none", *options]
        process = subprocess.Popen(
            [*enter, str(programs / "python"), "-c", _HAND_OVER, str(number), *command],
            env=environment, pass_fds=(number,), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            start_new_session=True,
        )  # fmt: skip
    try:
        # The socket takes connections already: this one waits in its queue until the service is there.
        with urllib.request.urlopen(f"{url}healthz", timeout=_START_S * patience) as answer:
            answer.read()
    except OSError as error:
        process.kill()
        process.wait()
        raise LabError(f"the service of {host} does not answer: {error}\n{log.read_text(errors='replace')}") from error
    return Served(host, url, token, process)


def serve_all(run: Identity, hosts: Sequence[Host], values: Mapping[str, str], patience: float) -> list[Served]:
    """The services of those hosts of a run at which l2tpctl has anything on record. values: of the scenario."""
    known = {**values, "run_dir": str(run.folder)}
    found = []
    for host in hosts:
        name = host.name
        if any((run.folder / name / "state").iterdir()):
            enter = ["ip", "netns", "exec", run.netns(name)]
            log = run.folder / f"{name}-service.log"
            options = [fill(word, known, f"host {name}") for word in host.serve]
            more = {key: fill(text, known, f"host {name}") for key, text in host.serve_environment.items()}
            found.append(serve(name, enter, run.environment(name) | more, log, patience, options))
    return found


def _token(enter: Sequence[str], environment: Mapping[str, str], programs: Path) -> str:
    words = ["token", "add", "lab", "--scope", "write", "--scope", "secrets"]
    done = subprocess.run(
        [*enter, str(programs / "l2tpctl"), *words],
        env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        raise LabError(f"can't make a token: {done.stderr.strip()}")
    return done.stdout.strip()
