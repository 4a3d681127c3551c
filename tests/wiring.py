"""What links have made of a namespace's netdevs, by tools that are not ours: whose, on what, filters, promiscuity."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from l2tpv3.linux.netns import inside

_TOLD = ("stp_state", "priority", "forward_delay", "vlan_filtering", "mcast_snooping", "mode", "id")


def wiring(netns: str) -> Iterator[str]:
    """A line for each netdev, and one for each of its filters; nothing in them that the kernel makes up."""
    listed = json.loads(_run("ip", "-n", netns, "-d", "-j", "link", "show"))
    names = {one["ifindex"]: one["ifname"] for one in listed}
    disciplines = _run("tc", "-n", netns, "qdisc", "show").splitlines()
    with inside(netns):
        listening = Counter(names.get(int(line.split()[4]), "") for line in _lines("packet"))
        silenced = {name for name in names.values() if _is_silenced(name)}
    for one in sorted(listed, key=lambda it: str(it["ifname"])):
        name = one["ifname"]
        ends = [line for line in disciplines if f" dev {name} " in line and line.split()[1] in ("clsact", "ingress")]
        yield " ".join(
            [
                name,
                *(f"{key}={one.get(key)}" for key in ("link", "master", "promiscuity", "allmulti")),
                *sorted(set(one["flags"]) & {"UP", "PROMISC", "ALLMULTI"}),
                *_details(one.get("linkinfo", {})),
                f"packet-sockets={listening[name]} silenced={name in silenced}",
            ]
        )
        yield from (f"{name} {line.split()[1]}" for line in ends)
        for side in ("ingress", "egress") if ends else ():
            yield from (f"{name} {side} {line}" for line in _filters(netns, name, side))


def _details(linkinfo: dict[str, Any]) -> Iterator[str]:
    yield str(linkinfo.get("info_kind"))
    yield from (f"{key}={value}" for key, value in linkinfo.get("info_data", {}).items() if key in _TOLD)
    yield f"isolated={linkinfo.get('info_slave_data', {}).get('isolated')}"


def _filters(netns: str, ifname: str, side: str) -> Iterator[str]:
    """Without handles and the actions' numbers, which count up."""
    for line in _run("tc", "-n", netns, "filter", "show", "dev", ifname, side).splitlines():
        words = line.split()
        if "pref" in words and "fh" in words:
            yield " ".join(words[words.index("pref") : words.index("fh")])
        elif "mirred" in words:
            yield " ".join(words[words.index("mirred") :])


def _lines(name: str) -> list[str]:
    return Path("/proc/thread-self/net", name).read_text("ascii").splitlines()[1:]


def _is_silenced(ifname: str) -> bool:
    switch = Path("/proc/sys/net/ipv6/conf", ifname, "disable_ipv6")
    return switch.exists() and switch.read_text("ascii").strip() == "1"


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
