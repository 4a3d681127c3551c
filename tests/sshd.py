"""A real sshd on a test's host, with keys and configuration of its own, and ssh's configuration to reach it by."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from tests.hosts import Host
from tests.waiting import PATIENCE_S

L2TPCTL = str(Path(sys.executable).with_name("l2tpctl"))

_SSHD_CONFIG = """\
Port 22
ListenAddress {address}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/user_key.pub
PermitRootLogin yes
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv {environment}
"""
_SSH_CONFIG = """\
Host {name}
  HostName {address}
  User root
Host *
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  LogLevel ERROR
"""


class Sshd:
    """sshd on `host`, which is called `name` in ssh's configuration.

    url: for --host; the program is this environment's l2tpctl. L2TPV3_SSH in `environment` has the configuration.
    variables: further ones that sshd gives to what it runs.
    """

    def __init__(self, host: Host, *, name: str = "Far-Host", **variables: str) -> None:
        self.host, self.name = host, name
        self.folder = host.folder / "ssh"
        self.folder.mkdir()
        for key in ("host_key", "user_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / key)]
            subprocess.run(command, check=True, timeout=PATIENCE_S)
        path = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        given = {"L2TPV3_STATE_DIR": host.state_dir, "L2TPV3_RUNTIME_DIR": host.runtime_dir, "PATH": path, **variables}
        words = " ".join(f'"{key}={value}"' for key, value in given.items())
        config = _SSHD_CONFIG.format(address=host.v4, folder=self.folder, environment=words)
        (self.folder / "sshd_config").write_text(config)
        self.config = self.folder / "config"
        self.config.write_text(_SSH_CONFIG.format(name=name, address=host.v4, folder=self.folder))
        self.know()
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd locks its unprivileged part up
        self.process = host.start(["/usr/sbin/sshd", "-D", "-e", "-f", str(self.folder / "sshd_config")])
        self._wait()

    def _wait(self) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while not self.host.run(["ss", "-Hltn", "sport = :22"]).stdout:
            assert self.process.poll() is None and time.monotonic() < give_up, "sshd does not listen"
            time.sleep(0.02)

    def know(self) -> None:
        """Have the host's key known, as after the first connection."""
        key = (self.folder / "host_key.pub").read_text().split()
        (self.folder / "known_hosts").write_text(f"{self.host.v4} {key[0]} {key[1]}\n")

    @property
    def url(self) -> str:
        return f"ssh://{self.name}?program={L2TPCTL}"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"L2TPV3_SSH": f"ssh -F {shlex.quote(str(self.config))}"}

    def start(self, near: Host, *words: str, url: str = "", **settings: object) -> subprocess.Popen[bytes]:
        """Begin `l2tpctl --host` on host `near`."""
        command = ["ip", "netns", "exec", near.netns, L2TPCTL, "--host", url or self.url, *words]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = near.environment | {"L2TPV3_SSH": self.environment["L2TPV3_SSH"]}
        return subprocess.Popen(command, **{"env": environment, **pipes, **settings})  # type: ignore[call-overload, no-any-return]

    def run(
        self, near: Host, *words: str, url: str = "", stdin: bytes = b"", **settings: object
    ) -> tuple[int, str, str]:
        """Run `l2tpctl --host` on host `near`: its exit status, stdout and stderr."""
        running = self.start(near, *words, url=url, stdin=subprocess.PIPE, **settings)
        out, err = running.communicate(stdin, timeout=PATIENCE_S)
        return running.returncode, out.decode(), err.decode()
