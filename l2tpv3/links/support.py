"""Which types of link this host can make, and why not: found out without making one, or loading what makes it."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from l2tpv3.datapath.base import Support
from l2tpv3.datapath.user.tap import TUN_DEVICE, open_tun
from l2tpv3.errors import L2tpError
from l2tpv3.links.kinds import driver_of
from l2tpv3.links.rtnetlink import LinkSocket
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netns import aside
from l2tpv3.model.links.options import LinkType

_MODULES: Final[Mapping[str, str]] = {"bond": "bonding", "vlan": "8021q"}
"""Drivers that are not called as their module."""


def link_support() -> dict[LinkType, Support]:
    """Whether each type of link works here, and why not.

    Nothing is made: loading `bonding` alone would make a bond0.
    """
    return {type_: _SPECIAL.get(type_, functools.partial(_netdev, type_))() for type_ in LinkType}


def _netdev(type_: LinkType) -> Support:
    driver = driver_of(type_)
    try:
        with RouteSocket() as route:
            if route.knows(driver):
                return Support(works=True, reason="this kernel has it")
    except OSError as error:
        return Support(works=False, reason=f"rtnetlink can't be asked: {error.strerror}")
    module, release = _MODULES.get(driver, driver), platform.release()
    tree = Path("/lib/modules", release)
    if not tree.is_dir():
        where = f"there is no {tree} to load it from: in a container, load it on the host"
        return Support(works=False, reason=f"kernel {release} has no {module} yet; {where}")
    if _ships(tree, module):
        return Support(works=True, reason=f"{module} is loaded when it is needed")
    return Support(works=False, reason=f"kernel {release} comes without {module}")


def _ships(tree: Path, module: str) -> bool:
    """Whether that module is among those that are built in, or to be loaded (modules.builtin, modules.dep)."""
    for name in ("modules.builtin", "modules.dep"):
        try:
            text = (tree / name).read_text("utf-8", "replace")
        except OSError:
            continue
        if f"/{module}.ko" in text:
            return True
    return False


def _vnic() -> Support:
    try:
        os.close(open_tun("vnic"))
    except L2tpError as error:
        return Support(works=False, reason=f"{error.problem}; {error.remedy}" if error.remedy else error.problem)
    return Support(works=True, reason=f"{TUN_DEVICE} opens")


def _port() -> Support:
    """Two filters, in a namespace that is gone afterwards: modules of tc make nothing by being loaded."""
    try:
        with aside(), LinkSocket(None) as socket:
            socket.redirect(_LOOPBACK, _LOOPBACK, "port", 1)
    except L2tpError as error:
        return Support(works=False, reason=f"{error.problem}: it takes tc's clsact, u32 and mirred")
    return Support(works=True, reason="tc redirects")


_LOOPBACK: Final = 1  # its index in every namespace
_SPECIAL: Final = {LinkType.VNIC: _vnic, LinkType.PORT: _port}
