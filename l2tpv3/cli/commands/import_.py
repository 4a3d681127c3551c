"""`l2tpctl import`: other tools' configurations become a file for apply."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from l2tpv3.cli import completion
from l2tpv3.cli.output.streams import use_utf8
from l2tpv3.cli.parameters import Argument, Files, Option
from l2tpv3.formats.names import IMPORT_FORMATS

if TYPE_CHECKING:
    from l2tpv3.config import Problem

NETBOX = "netbox"
"""The format that is a fleet's: see l2tpv3.fleet.netbox."""

EXAMPLES = {
    "import": """
l2tpctl import --from networkd /etc/systemd/network/*.net* > siteb.toml
l2tpctl import --from iproute2 tunnels.sh | tee siteb.toml
l2tpctl import --from vyos config.boot > siteb.toml && l2tpctl plan -f siteb.toml
l2tpctl import --from netbox tunnels.json terminations.json > fleet.toml && l2tpctl fleet check fleet.toml
"""
}


def import_(
    files: Annotated[
        list[str], Argument(metavar="FILE...", help="The other tool's files, read as one.", files=Files.READ)
    ],
    *,
    from_: Annotated[
        str,
        Option(
            "--from",
            metavar="FORMAT",
            help=f"Whose files they are: {', '.join((*IMPORT_FORMATS, NETBOX))}.",
            complete=completion.choice(*IMPORT_FORMATS, NETBOX),
        ),
    ],
) -> None:
    """Print what another tool's files say as a file for apply.

    Of netbox it is a fleet's file, for `fleet apply`. Nothing is done with it. What can't be taken over is told at
    once, with file and line. The cookies in it are in clear.
    """
    from l2tpv3.config import dump
    from l2tpv3.formats.importer import import_files

    def warn(problem: Problem) -> None:
        print(f"l2tpctl: warning: {problem}", file=sys.stderr)

    if from_ == NETBOX:
        from l2tpv3.fleet.netbox import fleet_from_netbox

        text = fleet_from_netbox(map(Path, files), warn)
    else:
        text = dump(import_files(from_, files, warn=warn))
    use_utf8()
    print(text, end="")


COMMANDS = {"import": import_}
