"""The fleet's state: what was drawn, and what was committed at each host. A file beside the fleet's file, mode 0600.

It holds cookies and keys. Who loses it can't change the fleet any more: its tunnels at the hosts would be others'.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Any, Final

from l2tpv3.errors import RefusedError, file_error
from l2tpv3.fleet.draws import Drawn
from l2tpv3.fleet.model import Fleet
from l2tpv3.linux.filelock import locked
from l2tpv3.linux.read_file import read_file
from l2tpv3.linux.write_file import write_durably

STATE_MAX: Final = 256 << 20
"""Bytes of a state file at most."""
_FORMAT: Final = 1
_LOCK_S: Final = 1.0


@dataclass(slots=True, kw_only=True)
class FleetState:
    """drawn: by the key of a pair. numbers: of hosts in each mesh, from 1 on, which their addresses follow.

    made: the keys of pairs that have been committed at a host, and keep what was drawn. committed: the document
    of each host by the last commit record, as text. prepared: those of a change that began, and for which there is no
    commit record: the hosts go back. owed: of hosts that are not known to have confirmed what is committed: the
    documents that they may have instead. reaches: how each of these hosts was reached then.
    """

    drawn: dict[str, Drawn] = field(default_factory=dict)
    numbers: dict[str, dict[str, int]] = field(default_factory=dict)
    committed: dict[str, str] = field(default_factory=dict, repr=False)
    reaches: dict[str, str] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    prepared: dict[str, str] = field(default_factory=dict, repr=False)
    owed: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def before(self, host: str) -> tuple[str, ...]:
        """The documents that a host may have now."""
        committed = [self.committed[host]] if host in self.committed else []
        return (*committed, *self.owed.get(host, ()))

    def number_hosts(self, fleet: Fleet) -> None:
        """Give each host of each mesh the lowest number that no host of the mesh has had, or keep what it has."""
        for mesh in fleet.meshes.values():
            numbers = self.numbers.setdefault(mesh.name, {})
            for host in mesh.hosts:
                if host not in numbers:
                    taken = set(numbers.values())
                    numbers[host] = next(number for number in range(1, len(taken) + 2) if number not in taken)

    def addresses(self, fleet: Fleet, mesh: str, host: str) -> list[IPv4Interface | IPv6Interface]:
        """The addresses of a host's bridge in a mesh. Raises RefusedError where the network has no such address."""
        number = self.numbers[mesh][host]
        found: list[IPv4Interface | IPv6Interface] = []
        for network in fleet.meshes[mesh].networks:
            if number >= network.num_addresses - (1 if network.version == 4 else 0):
                problem = f"{network} has no address number {number} for host {host}"
                raise RefusedError(f"mesh {mesh}", problem, "give a larger network")
            address = network.network_address + number
            kind = IPv4Interface if network.version == 4 else IPv6Interface
            found.append(kind(f"{address}/{network.prefixlen}"))
        return found


def state_path(fleet_file: Path) -> Path:
    """The path of the state of the fleet that a file states."""
    return fleet_file.with_name(fleet_file.name + ".state")


@contextlib.contextmanager
def holding(fleet_file: Path) -> Iterator[None]:
    """Hold the fleet's lock for the block: one change at a time. Raises LockedError while another one goes on."""
    lock = fleet_file.with_name(fleet_file.name + ".lock")
    with locked(lock, os.O_CREAT | os.O_RDWR, timeout_s=_LOCK_S):
        yield


def read_state(fleet_file: Path) -> FleetState:
    """The fleet's state; an empty one where there is none yet. Raises RefusedError for a file that is none."""
    path = state_path(fleet_file)
    try:
        text = read_file(path, STATE_MAX)
    except FileNotFoundError:
        return FleetState()
    except OSError as error:
        raise file_error(path, "read the fleet's state", error) from error
    try:
        return state_from_json(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        remedy = "bring it back from a backup: what it has drawn is in use at the hosts"
        raise RefusedError(str(path), "is not the state of a fleet", remedy) from error


def write_state(fleet_file: Path, state: FleetState) -> None:
    """Write the fleet's state, so that it outlives a crash. Raises NotPermittedError, RefusedError."""
    write_durably(state_path(fleet_file), json.dumps(state_to_json(state), indent=1).encode() + b"\n")


def state_to_json(state: FleetState) -> dict[str, Any]:
    """JSON-ready, secrets included."""
    return {
        "format": _FORMAT,
        "drawn": {key: _drawn_to_json(one) for key, one in sorted(state.drawn.items())},
        "numbers": state.numbers,
        "committed": state.committed,
        "reaches": state.reaches,
        "made": sorted(state.made),
        "prepared": state.prepared,
        "owed": state.owed,
    }


def state_from_json(document: Mapping[str, Any]) -> FleetState:
    """The inverse. Raises ValueError, KeyError, TypeError or AttributeError for what is no such document."""
    if document["format"] != _FORMAT:
        raise ValueError(f"format {document['format']!r}")
    return FleetState(
        drawn={str(key): _drawn_from_json(one) for key, one in document["drawn"].items()},
        numbers={
            str(mesh): {str(host): int(number) for host, number in numbers.items()}
            for mesh, numbers in document["numbers"].items()
        },
        committed={str(host): str(text) for host, text in document["committed"].items()},
        reaches={str(host): str(reach) for host, reach in document["reaches"].items()},
        made=set(map(str, document["made"])),
        prepared={str(host): str(text) for host, text in document["prepared"].items()},
        owed={str(host): [str(text) for text in texts] for host, texts in document["owed"].items()},
    )


def _drawn_to_json(one: Drawn) -> dict[str, Any]:
    return {
        "tunnel-id": one.tunnel_id,
        "session-id": one.session_id,
        "ports": one.ports,
        "cookies": [cookie.hex() for cookie in one.cookies],
        "encrypt": one.encrypt,
        "encryption": one.encryption,
    }


def _drawn_from_json(one: Mapping[str, Any]) -> Drawn:
    a, b = map(int, one["ports"])
    cookies = [bytes.fromhex(text) for text in one["cookies"]]
    encryption = [dict(words) for words in one["encryption"]]
    return Drawn(
        tunnel_id=int(one["tunnel-id"]),
        session_id=int(one["session-id"]),
        ports=(a, b),
        cookies=(cookies[0], cookies[1]),
        encrypt=str(one["encrypt"]),
        encryption=(encryption[0], encryption[1]),
    )
