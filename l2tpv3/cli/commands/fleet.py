"""`l2tpctl fleet`: tunnels between many hosts, from one file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from l2tpv3.cli import options
from l2tpv3.cli.output.streams import use_utf8
from l2tpv3.cli.parameters import Argument, Files

if TYPE_CHECKING:
    from l2tpv3.fleet.model import Fleet

EXAMPLES = {
    "group": "l2tpctl fleet check fleet.toml",
    "check": "l2tpctl fleet check fleet.toml",
    "render": "l2tpctl fleet render fleet.toml siteb\nl2tpctl fleet render fleet.toml siteb --show-secrets",
}

FleetFile = Annotated[str, Argument(metavar="FILE", help="The file that states the fleet.", files=Files.READ)]


def check(file: FleetFile) -> None:
    """Check a fleet's file, and touch nothing.

    Every problem is told at once, with file, line and remedy. No host is asked for anything.
    """
    from l2tpv3.fleet.pairs import all_pairs

    fleet = read(file)
    counts = [_count(len(fleet.hosts), "host"), _count(len(all_pairs(fleet)), "pseudowire")]
    print(f"good: {', '.join(counts)}", file=sys.stderr)


def render(
    file: FleetFile,
    host: Annotated[str, Argument(metavar="HOST", help="The host, by its name in the file.")],
    *,
    show_secrets: options.ShowSecrets = False,
) -> None:
    """Print what one host of a fleet is to have, as a file for apply.

    No host is asked for anything, and nothing is written: ids, ports and cookies that are not drawn yet are drawn anew
    each time until `l2tpctl fleet apply` keeps them.
    """
    from l2tpv3.config import dump
    from l2tpv3.fleet.documents import host_document, without_secrets
    from l2tpv3.fleet.draws import draw
    from l2tpv3.fleet.pairs import all_pairs
    from l2tpv3.fleet.state import read_state

    fleet = read(file)
    state = read_state(fleet.file)
    new = [pair.key for pair in all_pairs(fleet) if pair.key not in state.drawn and host in pair.hosts]
    state.drawn = draw(all_pairs(fleet), state.drawn, {}, settled=state.drawn)
    state.number_hosts(fleet)
    document = host_document(fleet, state, host)
    use_utf8()
    print(dump(document if show_secrets else without_secrets(document)), end="")
    if new:
        which = f"{', '.join(new[:5])}{' ...' if len(new) > 5 else ''}"
        print(f"l2tpctl: note: not drawn for good yet: {which}", file=sys.stderr)


def read(file: str) -> Fleet:
    """The fleet that a file states. Raises ConfigError."""
    from l2tpv3.fleet.reader import read_fleet

    return read_fleet(Path(file))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


COMMANDS: dict[str, Any] = {"check": check, "render": render}
