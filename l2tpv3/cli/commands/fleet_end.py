"""`l2tpctl fleet-end`: what `l2tpctl fleet` runs at each host. It is not for people."""

from __future__ import annotations

from typing import Annotated

import click

from l2tpv3.cli.commands.tunnel import local_manager
from l2tpv3.cli.parameters import Argument

EXAMPLES: dict[str, str] = {}


def fleet_end(
    ctx: click.Context,
    ssh_connection: Annotated[
        str | None, Argument(metavar="[SSH_CONNECTION]", help="The variable of ssh, which sudo does not pass on.")
    ] = None,
) -> None:
    """Do what comes over standard input, a JSON document a line, until its end."""
    from l2tpv3.cli.fleet_requests import serve

    serve(lambda: local_manager(ctx, "fleet-end"), ssh_connection)


COMMANDS = {"fleet-end": fleet_end}
"""The commands of this module, by name."""
