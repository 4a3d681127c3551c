"""What `l2tpctl doctor --both` runs at the far end: `doctor-facts` and `doctor-end`. They are not for people."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import click

from l2tpv3.cli import options
from l2tpv3.cli.commands.end import Nonce, nonce_of
from l2tpv3.cli.commands.tunnel import local_manager
from l2tpv3.cli.parameters import Argument
from l2tpv3.cli.seconds import seconds

EXAMPLES: dict[str, str] = {}


def doctor_facts(ctx: click.Context, nonce: Nonce) -> None:
    """Print what this host has of tunnels, as JSON, secrets by their digests."""
    from l2tpv3.doctor.ends import end_of

    told = end_of(local_manager(ctx, "doctor-facts").tunnels(), nonce_of(nonce))
    print(json.dumps(dataclasses.asdict(told)))


def doctor_end(
    ctx: click.Context,
    duration: Annotated[str, Argument(metavar="SECONDS", help="How long to listen.")],
    tunnel: options.TunnelName,
    session: Annotated[str | None, Argument(metavar="[SESSION]", help="Only this one.")] = None,
) -> None:
    """Examine a tunnel while frames are sent through its sessions, and print what was found, as JSON."""
    from l2tpv3.connect.both_ends import sending
    from l2tpv3.connect.wire_test import LISTENING
    from l2tpv3.doctor.report import to_json

    manager = local_manager(ctx, "doctor-end")
    netdevs = [one.netdev for one in manager.tunnel(tunnel).sessions if one.netdev is not None]
    with sending(netdevs):
        print(LISTENING.decode(), flush=True)
        report = manager.doctor((tunnel,), session=session, listen_s=seconds(duration, "SECONDS"))
    print(json.dumps(to_json(report)))


def doctor_ends(
    ctx: click.Context,
    duration: Annotated[str, Argument(metavar="SECONDS", help="How long to listen.")],
    tunnels: Annotated[list[str], Argument(metavar="TUNNEL...", help="The tunnels.")],
) -> None:
    """The same of several tunnels at once, as a fleet has them. Those that are not there are left out."""
    from l2tpv3.connect.both_ends import sending
    from l2tpv3.connect.wire_test import LISTENING
    from l2tpv3.doctor.report import to_json

    manager = local_manager(ctx, "doctor-ends")
    there = [one for one in manager.tunnels() if one.name in tunnels and not one.foreign]
    names = [one.name for one in there]
    netdevs = [session.netdev for one in there for session in one.sessions if session.netdev is not None]
    with sending(netdevs):
        print(LISTENING.decode(), flush=True)
        report = manager.doctor(names, listen_s=seconds(duration, "SECONDS")) if names else None
    document: dict[str, object] = {"report": None, "arrived": {}}
    if report is not None:
        document = {"report": to_json(report), "arrived": dict(report.arrived)}
    print(json.dumps(document))


COMMANDS = {"doctor-facts": doctor_facts, "doctor-end": doctor_end, "doctor-ends": doctor_ends}
"""The commands of this module, by name."""
