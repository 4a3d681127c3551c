"""A port pair carries through a tunnel what a bridge keeps to itself: 802.1X and LACP, by programs that speak them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.hosts import Host, Hosts
from tests.links.port_sites import two
from tests.waiting import eventually

pytestmark = pytest.mark.root

_AUTHENTICATOR = """interface=w0
driver=wired
logger_stdout=-1
logger_stdout_level=1
ieee8021x=1
eapol_version=2
use_pae_group_addr=1
eap_server=1
eap_user_file={folder}/users
"""
_SUPPLICANT = """eapol_version=2
ap_scan=0
network={{
  key_mgmt=IEEE8021X
  eap=MD5
  identity="switch"
  password="{password}"
  eapol_flags=0
}}
"""
_OVER = re.compile("CTRL-EVENT-EAP-(SUCCESS|FAILURE)")


def _log_in(authenticator: Host, supplicant: Host, folder: Path, password: str) -> tuple[str, str]:
    """What both say of it, in the end."""
    (folder / "users").write_text('"switch" MD5 "secret"\n')
    (folder / "hostapd.conf").write_text(_AUTHENTICATOR.format(folder=folder))
    (folder / "wpa.conf").write_text(_SUPPLICANT.format(password=password))
    logs = folder / "authenticator.log", folder / "supplicant.log"
    authenticator.start(["hostapd", "-f", logs[0], folder / "hostapd.conf"])
    eventually(lambda: logs[0].exists() and "AP-ENABLED" in logs[0].read_text())
    supplicant.start(["wpa_supplicant", "-D", "wired", "-i", "w0", "-c", folder / "wpa.conf", "-f", logs[1]])
    eventually(lambda: logs[1].exists() and _OVER.search(logs[1].read_text()))
    return logs[0].read_text(), logs[1].read_text()


@pytest.mark.skipif(
    not shutil.which("hostapd") or not shutil.which("wpa_supplicant"), reason="needs hostapd, wpasupplicant"
)
@pytest.mark.parametrize(
    ("datapath", "password", "outcome"),
    [("user", "secret", "SUCCESS"), ("user", "guessed", "FAILURE"), ("ebpf", "secret", "SUCCESS")],
)
def test_802_1x_between_two_sites(hosts: Hosts, tmp_path: Path, datapath: str, password: str, outcome: str) -> None:
    a, b = two(hosts, datapath=datapath)
    at_door, outside = _log_in(a.gear, b.gear, tmp_path, password)
    assert f"CTRL-EVENT-EAP-{outcome}" in outside
    assert f"CTRL-EVENT-EAP-{outcome}" in at_door


@pytest.mark.kernel_l2tp
@pytest.mark.parametrize("datapath", ["user", "kernel"])
def test_lacp_between_two_sites(hosts: Hosts, datapath: str) -> None:
    a, b = two(hosts, datapath=datapath)
    gears = a.gear, b.gear
    a.host.run(["modprobe", "bonding"])
    for number, gear in enumerate(gears, start=1):
        gear.ip_batch(
            [
                "link add bond0 type bond mode 802.3ad lacp_rate fast miimon 100",
                "link set w0 down",
                "link set w0 master bond0",
                f"addr add 10.9.0.{number}/24 dev bond0",
                "link set bond0 up",
            ]
        )
    macs = [re.findall("link/ether ([0-9a-f:]+)", gear.ip("link", "show", "bond0"))[0] for gear in gears]
    for gear, partner in zip(gears, reversed(macs), strict=True):
        eventually(lambda gear=gear, partner=partner: partner in gear.ip("-d", "link", "show", "bond0"))  # type: ignore[misc]
    assert a.gear.ping("10.9.0.2")
