"""Two fresh Debian hosts: from `pip install` to an encrypted, pinging wire for frames of full size in three commands.

debootstrap and pip fetch some 200 MB, so only full runs have it. What they take is not counted.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.own_network import machines
from tests.points import is_full
from tests.waiting import eventually

pytestmark = [pytest.mark.root, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = "python3-venv,iproute2,openssh-server,openssh-client,wireguard-go,wireguard-tools,iputils-ping"
WITHIN_S = 60.0
BEGIN = """\
mount --bind {root} {root} && cd {root}
mount -t proc proc proc && mount -t sysfs sysfs sys && mount --rbind /dev dev
mkdir -p old && pivot_root . old && umount -l /old
hostname {name} && ip link set lo up
echo ready
exec sleep infinity
"""
"""Begins a host in namespaces of its own: its files are those of {root}."""


class FreshHost:
    """A host whose files are a Debian of its own. It is gone when `process` ends, with all that runs there."""

    def __init__(self, root: Path, name: str, address: str) -> None:
        command = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "--net",
            "--uts",
            "--pid",
            "--fork",
            "--kill-child",
        ]
        script = BEGIN.format(root=root, name=name)
        self.process = subprocess.Popen([*command, "sh", "-ec", script], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None and self.process.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        self.pid, self.address = children.split()[0], address

    def run(self, *words: str, stdin: str = "") -> str:
        command = ["nsenter", "--target", self.pid, "--mount", "--net", "--uts", "--pid", "--root", "--wd", *words]
        path = {"PATH": "/opt/l2tpv3/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        done = subprocess.run(command, input=stdin, env=path, text=True, capture_output=True, timeout=900)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr


def wheels(folder: Path) -> None:
    """What `pip install l2tpv3` would fetch, of this source."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(folder), str(ROOT)],
        check=True,
        timeout=900,
    )


def debian(folder: Path) -> None:
    command = ["unshare", "--mount", "--propagation", "private", "debootstrap", "--variant=minbase"]
    subprocess.run([*command, f"--include={PACKAGES}", "bookworm", str(folder)], check=True, timeout=900)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[FreshHost, FreshHost]]:
    first, second = tmp_path / "siteA", tmp_path / "siteB"
    with machines():
        debian(first)
        wheels(first / "wheels")
    subprocess.run(["cp", "-a", str(first), str(second)], check=True)
    with contextlib.ExitStack() as stack:
        made = []
        for root, address in ((first, "192.0.2.1"), (second, "192.0.2.2")):
            made.append(FreshHost(root, root.name, address))
            stack.callback(made[-1].process.wait)
            stack.callback(made[-1].process.kill)
        peer = ["type", "veth", "peer", "name", "eth0", "netns", made[1].pid]
        subprocess.run(["ip", "link", "add", "eth0", "netns", made[0].pid, *peer], check=True)
        for host in made:
            host.run("ip", "address", "add", f"{host.address}/24", "dev", "eth0")
            host.run("ip", "link", "set", "eth0", "up")
        yield made[0], made[1]


def allow_ssh(a: FreshHost, b: FreshHost) -> None:
    """Have root of one host reach the other by ssh, as somebody who reads the README does already."""
    a.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/.ssh/id_ed25519")
    key = a.run("cat", "/root/.ssh/id_ed25519.pub")
    b.run("sh", "-ec", "mkdir -p -m 700 /root/.ssh /run/sshd && cat > /root/.ssh/authorized_keys", stdin=key)
    b.run(
        "sh", "-ec", "ssh-keygen -A && exec /usr/sbin/sshd -o SetEnv=PATH=/opt/l2tpv3/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    )
    eventually(lambda: "192.0.2.2" in a.run("sh", "-c", "ssh-keyscan 192.0.2.2 | tee -a /root/.ssh/known_hosts"))


if is_full():

    @pytest.mark.slow
    def test_from_pip_install_to_an_encrypted_wire(hosts: tuple[FreshHost, FreshHost]) -> None:
        a, b = hosts
        allow_ssh(a, b)
        for host in hosts:
            host.run("python3", "-m", "venv", "/opt/l2tpv3")
            host.run("pip", "install", "--quiet", "--no-index", "--find-links", "/wheels", "l2tpv3")
        begin = time.monotonic()
        addresses = ["--address", "10.9.0.1/24", "--peer-address", "10.9.0.2/24"]
        told = a.run(
            *(
                "l2tpctl",
                "connect",
                "siteb",
                "--host",
                "ssh://root@192.0.2.2",
                "--encrypt",
                "wireguard",
                "--mtu",
                "1500",
            ),
            *addresses,
        )
        assert "frames of up to 1514 bytes pass both ways" in told
        assert " 0% packet loss" in a.run("ping", "-c", "3", "-i", "0.2", "-s", "1472", "-M", "do", "10.9.0.2")
        took_s = time.monotonic() - begin
        print(f"connected and tested in {took_s:.1f} s")
        assert took_s < WITHIN_S
        a.run("l2tpctl", "disconnect", "siteb")
