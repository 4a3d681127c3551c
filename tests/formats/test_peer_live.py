"""What is told for QEMU and networkd, run by QEMU and networkd."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from l2tpv3.formats.peer import commands
from l2tpv3.model.spec import Encap, Sublayer
from tests.formats.driver import ctl_lines
from tests.formats.status_cases import NO_COOKIES, V6, session, status, tunnel
from tests.hosts import UNDERLAY, Host, Hosts

NETWORKD = Path("/usr/lib/systemd/systemd-networkd")

# In a mount namespace of its own: /sys read-only tells networkd, as in a container, that there is no udev to wait for.
_RUN_NETWORKD = f"""
mkdir -p /run/systemd
mount -t tmpfs none /run/systemd
mkdir /run/systemd/network
cp "$1"/* /run/systemd/network
mount -o remount,ro /sys
SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console exec {NETWORKD}
"""

needs_networkd = pytest.mark.skipif(not NETWORKD.exists(), reason="needs systemd-networkd: apt install systemd")


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float) -> None:
    """Return once the condition holds; an AssertionError with `what` when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


# -- QEMU ------------------------------------------------------------------------------------------------------------


@pytest.mark.root
@pytest.mark.parametrize(
    ("family", "words", "session_words"),
    [
        (4, "--local-port 5000 --remote-port 5001", "--sequencing send"),
        (6, "", "--sublayer none --tx-cookie none --rx-cookie none"),
        (4, "--encap ip", "--tx-cookie 00112233 --rx-cookie 8899aabb"),
    ],
    ids=["udp-v4-8", "udp-v6-none", "ip-v4-4"],
)
def test_qemu_is_the_other_end(underlay: tuple[Host, Host], family: int, words: str, session_words: str) -> None:
    a, b = underlay
    made = [
        f"tunnel add siteb --remote {b.address(family)} --id 7 --peer-id 8 {words} --datapath user",
        f"session add siteb lan --id 9 --peer-id 10 --ifname pw7 {session_words} --address 10.9.0.1/24",
    ]
    *before, qemu = ctl_lines(a, [*made, "peer siteb --as qemu"]).splitlines()
    b.run(["sh", "-e"], stdin="\n".join(before))
    process = b.start(shlex.split(qemu))
    wait_for(lambda: "NO-CARRIER" not in b.ip("link", "show", "pw7"), "QEMU has its TAP", 20)
    b.ip_batch(["addr add 10.9.0.2/24 dev pw7"])
    assert a.ping("10.9.0.2", "-s", "1372", count=3)
    assert process.poll() is None
    assert "mtu 1500" not in b.ip("link", "show", "pw7")
    a.ctl("tunnel", "del", "siteb")


# -- networkd --------------------------------------------------------------------------------------------------------


def files_of(told: str, folder: Path) -> list[Path]:
    """Split what is told into the files that it names."""
    folder.mkdir()
    for line in told.splitlines(keepends=True):
        if line.startswith("# /"):
            path = folder / Path(line[2:].strip()).name
        with path.open("a") as file:
            file.write(line)
    return sorted(folder.iterdir())


def networkd(host: Host, folder: Path) -> subprocess.Popen[str]:
    """networkd on a host with the files of a folder; it drops to its own user by itself."""
    return host.start(["unshare", "--mount", "sh", "-ec", _RUN_NETWORKD, "sh", folder])


@needs_networkd
@pytest.mark.root
def test_networkd_understands_every_key(hosts: Hosts, tmp_path: Path) -> None:
    """It says which keys it does not know, and loads the rest all the same."""
    (host,) = hosts.add("a")
    two = session(**NO_COOKIES), session(name="wan", ifname="pw1", session_id=3, peer_session_id=4, **NO_COOKIES,
                                         sublayer=Sublayer.NONE)  # fmt: skip
    specs = {"udp": tunnel(name="udp"), "v6": tunnel(name="v6", **V6), "ip": tunnel(name="ip", encap=Encap.IP)}
    told = "".join(f"{line}\n" for spec in specs.values() for line in commands(status(spec, *two), "networkd").lines)
    files = files_of(told, tmp_path / "network")
    assert [file.name for file in files] == [
        "50-ip.netdev", "50-l2tpeth0.network", "50-pw1.network", "50-udp.netdev", "50-v6.netdev",
    ]  # fmt: skip
    (tmp_path / "network" / "99-wrong.netdev").write_text("[NetDev]\nName=wrong\nKind=l2tp\n[L2TP]\nTunnelID=1\n")
    process = networkd(host, tmp_path / "network")
    log = []
    assert process.stdout is not None
    for line in process.stdout:
        log.append(line.strip())
        if line.startswith("Enumeration completed"):
            break
    complaints = [line for line in log if line.startswith("/run/systemd/network/")]
    assert complaints and all("99-wrong" in line for line in complaints), complaints
    assert {name for name in specs if f'{name}: loaded "l2tp"' in log} == set(specs)


@needs_networkd
@pytest.mark.kernel_l2tp
@pytest.mark.root
def test_networkd_is_the_other_end(underlay: tuple[Host, Host], tmp_path: Path) -> None:
    a, b = underlay
    made = [
        f"tunnel add siteb --remote {b.v4} --id 7 --peer-id 8 --local-port 5000 --remote-port 5001 --datapath kernel",
        "session add siteb lan --id 9 --peer-id 10 --ifname pw7 --tx-cookie none --rx-cookie none --sublayer none"
        " --mtu 1400 --address 10.9.0.1/24",
    ]
    files_of(ctl_lines(a, [*made, "peer siteb --as networkd"]), tmp_path / "network")
    network = tmp_path / "network" / "50-pw7.network"
    network.write_text(network.read_text() + "Address=10.9.0.2/24\nLinkLocalAddressing=no\n")
    quiet = "LinkLocalAddressing=no\nIPv6AcceptRA=no\nLLDP=no\n"
    underlay_file = tmp_path / "network" / "10-underlay.network"
    underlay_file.write_text(f"[Match]\nName={UNDERLAY}\n[Network]\nAddress={b.v4}/24\n{quiet}")
    # Where the address is there already, networkd 252 at times sets it again and again, and fails the link.
    b.ip("addr", "flush", "dev", UNDERLAY)
    networkd(b, tmp_path / "network")
    wait_for(lambda: a.ping("10.9.0.2", check=False), "networkd has made its end", 90)
    assert "mtu 1400" in b.ip("link", "show", "pw7")
    a.ctl("tunnel", "del", "siteb")
    b.ip("l2tp", "del", "tunnel", "tunnel_id", "8")
