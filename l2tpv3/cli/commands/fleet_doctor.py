"""`l2tpctl fleet doctor`: why nothing passes between the hosts of a fleet."""

from __future__ import annotations

from typing import Annotated, Any

import click

from l2tpv3.cli import options
from l2tpv3.cli.commands.doctor import exit_code, text_of
from l2tpv3.cli.commands.fleet import FleetFile, read
from l2tpv3.cli.commands.tunnel import print_json
from l2tpv3.cli.parameters import Option
from l2tpv3.cli.seconds import seconds

EXAMPLES = {"doctor": "l2tpctl fleet doctor fleet.toml\nl2tpctl fleet doctor fleet.toml --listen 10 --json"}


def doctor(
    ctx: click.Context,
    file: FleetFile,
    *,
    listen: Annotated[str, Option("--listen", metavar="SECONDS", help="How long each host listens.")] = "3",
    json: options.Json = False,
) -> None:
    """Find out what is wrong with the pseudowires of a fleet, at both ends of each.

    All hosts compare what they have, and listen while all others send test frames. Nothing is changed. What a finding
    calls "here" is the host that its subject names. Exit codes: those of `l2tpctl doctor`.
    """
    from l2tpv3.fleet.doctor import examine_fleet

    report = examine_fleet(read(file), listen_s=seconds(listen, "--listen", least=0.5, most=600.0))
    if json:
        from l2tpv3.doctor.report import to_json

        print_json(to_json(report))
    else:
        print(text_of(report), end="")
    ctx.exit(exit_code(report))


COMMANDS: dict[str, Any] = {"doctor": doctor}
