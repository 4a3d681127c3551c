"""What a scenario may need of the machine, by name, and how to tell whether it is here."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from labrunner.errors import MissingNeedError, ScenarioError

_ELSEWHERE = "`netns-lab/guest netns-lab/lab ...` runs it on a kernel that has it"


def require(names: Iterable[str]) -> None:
    """Raises MissingNeedError, saying which need is missing and how to meet it."""
    missing = [f"{name}: {why}" for name in names if (why := lacking(name))]
    if missing:
        raise MissingNeedError("this machine lacks " + "; ".join(missing))


def lacking(name: str) -> str:
    """Why a need is not met here, with the remedy; empty when it is met."""
    if name not in _NEEDS:
        raise ScenarioError(f"needs = {name!r} is not known; there are {', '.join(_NEEDS)}")
    return _NEEDS[name]()


def _kernel_l2tp() -> str:
    """A kernel with l2tp_eth. Modules are loaded where that is allowed; the family must then answer."""
    modules = ["l2tp_eth", "l2tp_ip", "l2tp_ip6"]
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "-qa", *modules], capture_output=True, check=False)
    answers = subprocess.run(["ip", "l2tp", "show", "tunnel"], capture_output=True, check=False).returncode == 0
    if answers and (not Path("/proc/modules").exists() or Path("/sys/module/l2tp_eth").is_dir()):
        return ""
    return (
        f"the kernel {os.uname().release} has no l2tp_eth; `netns-lab/guest netns-lab/lab ...` runs it on one that has"
    )


def _qemu() -> str:
    if not shutil.which("qemu-system-x86_64"):
        return "install it with `apt install qemu-system-x86`"
    return "" if Path("/dev/net/tun").exists() else "there is no /dev/net/tun for its TAP; `modprobe tun`"


def _scapy() -> str:
    return _importable("scapy", extra="scapy")


def _api() -> str:
    return _importable("fastapi, uvicorn", extra="api")


def _ppp() -> str:
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "-qa", "ppp_generic"], capture_output=True, check=False)
    try:
        os.close(os.open("/dev/ppp", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return f"the kernel {os.uname().release} has no ppp; {_ELSEWHERE}"
    return ""


def _importable(modules: str, *, extra: str) -> str:
    from labrunner.identity import bin_folder

    done = subprocess.run([bin_folder() / "python", "-c", f"import {modules}"], capture_output=True, check=False)
    return "" if done.returncode == 0 else f"install it with `.venv/bin/pip install -e '.[{extra}]'`"


def _program(name: str, package: str) -> Callable[[], str]:
    return lambda: "" if shutil.which(name) else f"install it with `apt install {package}`"


def _netdev(kind: str, module: str) -> Callable[[], str]:
    """A kernel that makes such netdevs; tried in a namespace that goes at once."""

    def lacks() -> str:
        if shutil.which("modprobe"):
            subprocess.run(["modprobe", "-qa", module], capture_output=True, check=False)
        command = ["unshare", "-n", "sh", "-c", f"ip link add u type veth && ip link add link u name x type {kind}"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return ""
        return f"the kernel {os.uname().release} has no {module}; {_ELSEWHERE}"

    return lacks


def _wireguard() -> str:
    """WireGuard: the kernel's, or wireguard-go."""
    if shutil.which("wireguard-go") or not _netdev("wireguard", "wireguard")():
        return ""
    return f"the kernel {os.uname().release} has no WireGuard; install it with `apt install wireguard-go`"


_NEEDS: dict[str, Callable[[], str]] = {
    "kernel-l2tp": _kernel_l2tp,
    "qemu": _qemu,
    "scapy": _scapy,
    "api": _api,
    "dnsmasq": _program("dnsmasq", "dnsmasq-base"),
    "busybox": _program("busybox", "busybox"),
    "iperf3": _program("iperf3", "iperf3"),
    "arping": _program("arping", "iputils-arping"),
    "sshd": _program("sshd", "openssh-server"),
    "hostapd": _program("hostapd", "hostapd"),
    "wpa_supplicant": _program("wpa_supplicant", "wpasupplicant"),
    "pppd": _program("pppd", "ppp"),
    "pppoe-server": _program("pppoe-server", "pppoe"),
    "ppp": _ppp,
    "8021q": _netdev("vlan id 1", "8021q"),
    "bonding": _netdev("bond", "bonding"),
    "ipvlan": _netdev("ipvlan", "ipvlan"),
    "wireguard": _wireguard,
}
