"""What else of this host keeps a tunnel from working: kernel modules, and programs that manage netdevs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from l2tpv3.doctor.case import Case, Check
from l2tpv3.linux.modules import NEEDED, loaded, switched_off
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.model.spec import Encap
from l2tpv3.printable import printable

RUN: Final = Path("/run")


def _module(case: Case) -> Iterator[Finding]:
    """A tunnel of the kernel's that does not run, and a module for it that may not be loaded, or that is not there."""
    record = case.looked.record
    if record.datapath != "kernel" or case.looked.seen is not None or record.stopped is not None:
        return
    encap = {4: ("l2tp_ip",), 6: ("l2tp_ip6",)}[record.spec.ip_version] if record.spec.encap is Encap.IP else ()
    for module in (*NEEDED, *encap):
        if not loaded(module) and (why := switched_off(module)):
            problem, _, remedy = why.partition("; ")
            yield case.of_tunnel("module", Harm.STOPS, problem, remedy, (f"/sys/module/{module} is not there",))
            return


def _managed(case: Case) -> Iterator[Finding]:
    """A program that manages netdevs has one of ours, which is not as it should be, in its hands."""
    if case.spec.netns is not None:
        return
    for record, status in case.sessions():
        netdev = status.netdev
        if netdev is None or netdev.netns is not None:
            continue
        if record.spec.bridge == netdev.bridge and netdev.up == record.spec.up:
            continue
        if (manager := manager_of(netdev.ifindex, RUN)) is not None:
            name = printable(netdev.ifname)
            says = f"{manager} manages netdev {name}, and may take it away from where it belongs again"
            remedy = {
                "NetworkManager": f"`nmcli device set {name} managed no`",
                "systemd-networkd": f"a .network file with `[Match] Name={name}` and `[Link] Unmanaged=yes`",
            }[manager]
            yield case.of_session(record.spec.name, "managed", Harm.LOSES, says, remedy)


def manager_of(ifindex: int, run: Path) -> str | None:
    """The program that says below `run` (/run) that it manages a netdev; None where none does."""
    network_manager = _words(run / "NetworkManager" / "devices" / str(ifindex))
    if network_manager.get("managed") in ("1", "true"):
        return "NetworkManager"
    networkd = _words(run / "systemd" / "netif" / "links" / str(ifindex))
    if networkd.get("ADMIN_STATE", "unmanaged") != "unmanaged":
        return "systemd-networkd"
    return None


def _words(path: Path) -> dict[str, str]:
    """The KEY=VALUE lines of a file; none where it can't be read."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {key: value for key, sign, value in (line.partition("=") for line in lines) if sign}


CHECKS: Final[tuple[Check, ...]] = (_module, _managed)
