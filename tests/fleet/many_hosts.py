"""Hosts in namespaces on one switch, which a program in the place of ssh reaches: it enters a host's namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.hosts import Host, Hosts

L2TPCTL = str(Path(sys.executable).with_name("l2tpctl"))
LIMIT_S = 240.0

_SSH = """\
#!/bin/sh
while [ "$1" != "--" ]; do shift; done
shift
[ -e "{folder}/$1.sh" ] || {{ echo "ssh: connect to host $1 port 22: Connection refused" >&2; exit 255; }}
. "{folder}/$1.sh"
shift
exec ip netns exec "$netns" sh -c "$*"
"""


class ManyHosts:
    """Hosts h1, h2 ... that reach each other, and the fleet's file, which is in `folder`."""

    def __init__(self, hosts: Hosts, folder: Path, count: int) -> None:
        self.folder = folder
        names = [f"h{number}" for number in range(1, count + 1)]
        switch, *self.all = hosts.add("switch", *names)
        switch.ip_batch(["link add sw type bridge", "link set sw up"])
        for number, host in enumerate(self.all, 1):
            host.v4 = f"192.0.2.{number}"
            host.ip_batch([
                f"link add u0 type veth peer name {host.name} netns {switch.netns}",
                f"address add {host.v4}/24 dev u0",
                "link set u0 up",
                "link set lo up",
            ])  # fmt: skip
        switch.ip_batch([line for name in names for line in (f"link set {name} master sw", f"link set {name} up")])
        self.by_name = dict(zip(names, self.all, strict=True))
        self.file = folder / "fleet.toml"
        self.ssh = folder / "ssh"
        self.ssh.write_text(_SSH.format(folder=folder))
        self.ssh.chmod(0o755)
        for host in self.all:
            self.let_in(host)

    def let_in(self, host: Host, *, as_name: str | None = None) -> None:
        """Have a host be reached. as_name: by the name of another one."""
        path = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        variables = {"L2TPV3_STATE_DIR": host.state_dir, "L2TPV3_RUNTIME_DIR": host.runtime_dir, "PATH": path}
        lines = [f"netns={host.netns}", *(f"export {name}='{value}'" for name, value in variables.items())]
        (self.folder / f"{as_name or host.name}.sh").write_text("\n".join(lines) + "\n")

    def shut_out(self, host: Host) -> None:
        """Have a host not be reached any more."""
        (self.folder / f"{host.name}.sh").unlink()

    def write(self, *tables: str, hosts: int | None = None, datapath: str = "user") -> None:
        """Write the fleet's file, with the first so many hosts."""
        texts = [f'[defaults]\ndatapath = "{datapath}"\n']
        for host in self.all[:hosts]:
            texts.append(f'[host.{host.name}]\nreach = "ssh://{host.name}"\naddress = "{host.v4}"\n')
        self.file.write_text("\n".join([*texts, *tables]))

    @property
    def environment(self) -> dict[str, str]:
        """That of the coordinator."""
        return os.environ | {"L2TPV3_SSH": str(self.ssh), "L2TPV3_STATE_DIR": str(self.folder / "none"),
                             "L2TPV3_RUNTIME_DIR": str(self.folder / "none")}  # fmt: skip

    def run(self, command: str, *words: str, program: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run `l2tpctl fleet COMMAND FILE`, and give what became of it."""
        argv = [*(program or [L2TPCTL]), "fleet", command, str(self.file), *words]
        return subprocess.run(
            argv, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S,
            check=False,
        )  # fmt: skip

    def start(self, command: str, *words: str) -> subprocess.Popen[str]:
        """Begin one."""
        argv = [L2TPCTL, "fleet", command, str(self.file), *words]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(argv, env=self.environment, text=True, **pipes)  # type: ignore[call-overload, no-any-return]

    def ok(self, command: str, *words: str) -> str:
        """The same, where it has to succeed: what it printed, on stdout and then on stderr."""
        done = self.run(command, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self) -> dict[str, Any]:
        """What `fleet status --json` says."""
        done = self.run("status", "--json")
        assert done.returncode in (0, 11), done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def tunnels(self, host: Host) -> list[str]:
        """The tunnels of a host."""
        return [one["name"] for one in json.loads(host.ctl("--json").stdout)["tunnels"]]
