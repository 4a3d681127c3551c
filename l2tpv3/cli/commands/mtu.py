"""`l2tpctl mtu`: what fits through a tunnel, and what a frame of full size costs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import click

from l2tpv3.cli import options
from l2tpv3.cli.commands.tunnel import manager_of, print_json
from l2tpv3.cli.parameters import Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.printable import printable

if TYPE_CHECKING:
    from l2tpv3.model.path_mtu import PathMtu, SessionFit

EXAMPLES = {
    "mtu": """
l2tpctl mtu siteb
l2tpctl mtu siteb --timeout 2         # where answers take long
l2tpctl mtu siteb --no-probe
l2tpctl mtu siteb --json | jq '.sessions[] | {name, fits_bytes}'
""",
}


def mtu(
    ctx: click.Context,
    tunnel: options.TunnelName,
    *,
    probe: Annotated[
        bool, Option("--probe/--no-probe", help="Ask the peer by ICMP echo what the path takes. [default: probe]")
    ] = True,
    timeout: Annotated[str, Option("--timeout", metavar="SECONDS", help="How long to wait for each answer.")] = "0.5",
    json: options.Json = False,
) -> None:
    """Show what fits through a tunnel, and what a full frame costs.

    Each byte of the overhead, what the route and the path take, how many packets a frame of full size needs. The path
    is probed with echo requests to the peer that must not be fragmented. Only its answers count: what ICMP says beside
    them can be forged. Nothing is changed.
    """
    patience_s = seconds(timeout, "--timeout", least=0.01, most=60.0)
    found = manager_of(ctx).path_mtu(tunnel, probe=probe, timeout_s=patience_s)
    if json:
        from l2tpv3.documents.path_mtu import path_mtu_document

        print_json(path_mtu_document(found))
        return
    print(_path(found))
    for one in found.sessions:
        print(f"\n{_session(found, one)}")
    if not found.sessions:
        print(f"tunnel {tunnel} has no sessions; `l2tpctl session add {tunnel} NAME` makes one", file=sys.stderr)


def _path(found: PathMtu) -> str:
    lines = [f"route to {found.remote}: {found.route} bytes"]
    if not found.probed:
        lines.append("path: not probed")
    elif found.path is None:
        lines.append(f"path: not known, since {found.remote} answers no ICMP echo request; the route's is assumed")
    else:
        less = ", less than the route says: what is longer gets lost" if found.path < found.route else ""
        lines.append(f"path: {found.path} bytes, in one piece{less}")
    return "\n".join(lines)


def _session(found: PathMtu, one: SessionFit) -> str:
    from l2tpv3.cli.output.table import table

    name = printable(f"{found.tunnel}/{one.name}")
    rows = [*((part, size) for part, size in one.parts), ("all", one.overhead)]
    lines = [f"session {name}", table(("OVERHEAD", "BYTES"), rows, right=("BYTES",), indent=2).rstrip("\n")]
    lines.append(f"  one packet has room for a frame with {one.fits} bytes of payload; the MTU is {one.mtu}")
    lines += [f"  {line}" for line in (_full(one), *_remedies(found, one))]
    return "\n".join(lines)


def _full(one: SessionFit) -> str:
    if one.full_packets == 1:
        return "a frame of full size (1500) takes 1 packet"
    kind = "IP fragments, which many firewalls and NATs drop" if one.in_fragments else "packets"
    mss = "; TCP is kept from making any" if one.clamp_mss else ""
    return f"a frame of full size (1500) would take {one.full_packets} {kind}{mss}"


def _remedies(found: PathMtu, one: SessionFit) -> list[str]:
    """What helps where a session's frames do not fit, as it is typed."""
    command = f"l2tpctl session set {found.tunnel} {one.name}"
    lines = []
    if found.path is not None and found.path < found.route and one.mtu is not None and one.mtu > one.fits:
        lines.append(f"`{command} --mtu {one.fits}` at both ends fits this path")
    if one.in_fragments:
        lines.append(f"`{command} --fragment on` at both ends sends whole packets instead (--datapath user)")
    if one.full_packets > 1 and not one.clamp_mss:
        lines.append(f"`{command} --clamp-mss on` keeps TCP from making frames that don't fit")
    return lines


COMMANDS = {"mtu": mtu}
