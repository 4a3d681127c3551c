"""The tables of `l2tpctl fleet status`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from l2tpv3.cli.output.hearing import age
from l2tpv3.cli.output.table import table
from l2tpv3.printable import printable

if TYPE_CHECKING:
    from l2tpv3.fleet.overview import Overview, WireEnd


def print_overview(found: Overview) -> None:
    """Print the hosts and the pseudowires on stdout, and on stderr what hosts say of ends that are not well."""
    hosts = [(one.name, one.reach, one.version, one.state) for one in found.hosts]
    print(table(("HOST", "REACH", "VERSION", "STATE"), hosts), end="")
    print()
    wires = [
        (one.key, near.host, near.condition, _heard(near), far.host, far.condition, _heard(far))
        for one in found.wires
        for near, far in [one.ends]
    ]
    print(table(("WIRE", "END", "CONDITION", "HEARING", "END", "CONDITION", "HEARING"), wires), end="")
    sys.stdout.flush()
    for one in found.wires:
        for end in one.ends:
            if not one.good:
                for note in end.notes:
                    print(printable(f"{one.key} at {end.host}: {note}"), file=sys.stderr)


def _heard(end: WireEnd) -> str | None:
    when = "" if end.last_received_s is None else f" {age(end.last_received_s)}"
    return None if end.hearing is None else f"{end.hearing}{when}"
