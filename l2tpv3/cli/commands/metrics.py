"""`l2tpctl metrics`: tunnels and sessions for Prometheus, without a service."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

import click

from l2tpv3.cli.commands.tunnel import manager_of
from l2tpv3.cli.output.streams import use_utf8
from l2tpv3.cli.parameters import Files, Option
from l2tpv3.errors import from_errno

EXAMPLES = {
    "metrics": """
l2tpctl metrics
l2tpctl metrics -o /var/lib/prometheus/node-exporter/l2tpv3.prom
"""
}


def _replace(output: str, text: str) -> None:
    path = Path(output)
    try:
        # Beside it, so that the rename is within a file system; not *.prom, so that it is not collected.
        fd, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(text)
                os.fchmod(file.fileno(), 0o644)  # no secrets are in it, and node_exporter is not root
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise from_errno(str(path), "write it", error.errno or 0, "give another -o FILE") from error


def metrics(
    ctx: click.Context,
    *,
    output: Annotated[
        str | None,
        Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write there, all at once. [default: stdout]",
            files=Files.WRITTEN,
            keep=_replace,
        ),
    ] = None,
) -> None:
    """Print what the service's /metrics has of this host.

    In Prometheus' text format: with -o for node_exporter's textfile collector, which never sees half a file.
    """
    from l2tpv3.metrics.host import exposition, families
    from l2tpv3.version import VERSION

    host = manager_of(ctx)
    text = exposition(families(host.tunnels(), VERSION, links=host.links.all()))
    if output is None:
        use_utf8()
        print(text, end="")
    else:
        _replace(output, text)


COMMANDS = {"metrics": metrics}
