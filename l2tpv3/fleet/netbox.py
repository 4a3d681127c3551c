"""Reads tunnels from NetBox, as its REST API gives them, and writes them as a fleet's file.

Of `/api/vpn/tunnels/` and `/api/vpn/tunnel-terminations/` (NetBox 4): a tunnel with two terminations is a wire, one
with more is a mesh, full or with a hub by the terminations' roles. Hosts are the devices and virtual machines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_interface
from pathlib import Path
from typing import Any, Final

from l2tpv3.config.document import FILE_MAX
from l2tpv3.config.problem import ConfigError, Problem
from l2tpv3.fleet.model import Shape
from l2tpv3.linux.read_file import read_file
from l2tpv3.model.source import format_text

_NAME_MAX: Final = 30
_REMEDY: Final = "give what `curl` gets of /api/vpn/tunnels/?limit=0 and /api/vpn/tunnel-terminations/?limit=0"


@dataclass(slots=True)
class _Read:
    """What the files have. names: of all hosts, wires and meshes so far, by what NetBox calls them."""

    tunnels: list[Mapping[str, Any]] = field(default_factory=list)
    terminations: dict[int, list[Mapping[str, Any]]] = field(default_factory=dict)
    hosts: dict[str, dict[int, IPv4Address | IPv6Address]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def fleet_from_netbox(paths: Iterable[Path], warn: Callable[[Problem], None]) -> str:
    """The fleet's file, as text. warn: is called with what is left out. Raises ConfigError with all that is wrong."""
    files = list(paths)
    read = _Read()
    for file in files:
        _read_file(file, read, warn)
    blocks = [] if read.problems else [_shape(tunnel, read, files[0], warn) for tunnel in read.tunnels]
    if not read.problems and not any(blocks):
        read.problems.append(
            Problem(files[0], 0, "", "there is no tunnel of encapsulation L2TP with its ends", _REMEDY)
        )
    if read.problems:
        raise ConfigError(read.problems)
    hosts = [_host_table(name, addresses) for name, addresses in read.hosts.items()]
    return "\n".join([*hosts, *(block for block in blocks if block)])


def _read_file(file: Path, read: _Read, warn: Callable[[Problem], None]) -> None:
    try:
        document = json.loads(read_file(file, FILE_MAX))
        objects = document["results"] if isinstance(document, dict) else document
        if isinstance(document, dict) and document.get("next"):
            warn(Problem(file, 0, "", "it is one page of several", "ask with ?limit=0"))
        for one in objects:
            if "termination_type" in one:
                read.terminations.setdefault(int(one["tunnel"]["id"]), []).append(one)
            elif "encapsulation" in one:
                read.tunnels.append(one)
            else:
                raise KeyError("termination_type")
    except OSError as error:
        read.problems.append(Problem(file, 0, "", f"can't read it: {error.strerror}", "give a readable file"))
    except (ValueError, KeyError, TypeError, RecursionError):
        read.problems.append(Problem(file, 0, "", "not what NetBox answers", _REMEDY))


def _shape(tunnel: Mapping[str, Any], read: _Read, file: Path, warn: Callable[[Problem], None]) -> str:
    """The table of a tunnel; "" for one that is left out."""
    called = str(tunnel.get("name"))
    key = f"tunnel {called}"[:200]
    if (kind := _value(tunnel["encapsulation"])) != "l2tp":
        warn(Problem(file, 0, key, f"left out: its encapsulation is {kind[:40]}", "l2tp is taken"))
        return ""
    ends: dict[str, str] = {}
    try:
        for one in read.terminations.get(int(tunnel["id"]), []):
            ends[_host(one, read)] = _value(one["role"])
    except (ValueError, KeyError, TypeError) as error:
        problem = f"an end of it can't be read: {type(error).__name__} {error}"[:200]
        read.problems.append(
            Problem(file, 0, key, problem, "each needs a device or virtual machine, and an outside IP")
        )
        return ""
    hubs = [name for name, role in ends.items() if role == "hub"]
    if len(ends) < 2 or len(hubs) > 1:
        count = f"{len(ends)} ends" if len(hubs) < 2 else f"{len(hubs)} hubs"
        warn(Problem(file, 0, key, f"left out: it has {count}", "two ends at least, and one hub at most, are taken"))
        return ""
    name, hosts = _name(called, f"tunnel {called}", read), ", ".join(map(format_text, ends))
    if len(ends) == 2:
        return f"[wire.{name}]\nends = [{hosts}]\n"
    hub = f'shape = "{Shape.HUB}"\nhub = {format_text(hubs[0])}\n' if hubs else ""
    return f"[mesh.{name}]\nhosts = [{hosts}]\n{hub}"


def _host(termination: Mapping[str, Any], read: _Read) -> str:
    """The name of the host of a termination, with its address noted. Raises ValueError, KeyError, TypeError."""
    interface = termination["termination"]
    parent = interface.get("device") or interface["virtual_machine"]
    name = _name(str(parent["name"]), f"host {parent['name']}", read)
    address = ip_interface(termination["outside_ip"]["address"]).ip
    known = read.hosts.setdefault(name, {})
    if known.setdefault(address.version, address) != address:
        raise ValueError(f"{parent['name']} has the outside IPs {known[address.version]} and {address}")
    return name


def _name(called: str, what: str, read: _Read) -> str:
    """A name that a fleet's file takes, and that nothing else has. what: by which it is known again."""
    if what not in read.names:
        base = re.sub(r"[^A-Za-z0-9_-]+", "-", called).strip("-_")[:_NAME_MAX] or "x"
        taken, name, number = {*read.names.values()}, base, 1
        while name in taken:
            number += 1
            name = f"{base[: _NAME_MAX - len(str(number)) - 1]}-{number}"
        read.names[what] = name
    return read.names[what]


def _value(choice: object) -> str:
    """What NetBox says of a choice: `{"value": ..., "label": ...}`, or the value alone."""
    return str(choice.get("value") if isinstance(choice, dict) else choice)


def _host_table(name: str, addresses: Mapping[int, IPv4Address | IPv6Address]) -> str:
    texts = [format_text(str(one)) for one in addresses.values()]
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return f"[host.{name}]\nreach = {format_text(f'ssh://{name}')}\naddress = {said}\n"
