"""`l2tpctl hosts`: who is behind a pseudowire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import click

from l2tpv3.cli.commands.doctor import FOUND, PARTLY_SEEN, Subject, subject_of
from l2tpv3.cli.commands.tunnel import manager_of, print_json
from l2tpv3.cli.options import Json
from l2tpv3.cli.parameters import Option
from l2tpv3.cli.seconds import seconds
from l2tpv3.printable import printable

if TYPE_CHECKING:
    from l2tpv3.lan_hosts.report import HostsReport, SessionHosts
    from l2tpv3.lan_hosts.table import LanHost

EXAMPLES = {
    "hosts": """
l2tpctl hosts siteb/lan
l2tpctl hosts siteb --listen 60       # names and DHCP servers show up rarely
l2tpctl hosts --json | jq '.sessions[].hosts[] | select(.far) | {mac, addresses}'
""",
}


def hosts(
    ctx: click.Context,
    subject: Subject = None,
    *,
    listen: Annotated[
        str, Option("--listen", metavar="SECONDS", help="How long to listen to what hosts say; 0: not at all.")
    ] = "2",
    json: Json = False,
) -> None:
    """Show who is behind a session.

    Hosts say of themselves who they are, by ARP, neighbour discovery, DHCP, mDNS and LLDP: that is listened to at the
    session's netdev, and the kernel is asked which neighbours it knows. Nothing is sent. What is wrong on that LAN (one
    address or MAC address at two hosts, two DHCP servers, a broadcast storm) stands below. Exit codes: 0 nothing is
    wrong, 11 something is, 5 some of it may not be looked at.
    """
    tunnel, session = subject_of(subject)
    listen_s = seconds(listen, "--listen", least=0.0, most=3600.0)
    report = manager_of(ctx).hosts(tunnel, session, listen_s=listen_s)
    if json:
        from l2tpv3.lan_hosts.report import to_json

        print_json(to_json(report))
    else:
        print(_text(report), end="")
    wrong = any(one.findings for one in report.sessions)
    ctx.exit(FOUND if wrong else PARTLY_SEEN if report.unseen else 0)


def _text(report: HostsReport) -> str:
    from l2tpv3.cli.output.width import fitted_line

    parts = [_session(one) for one in report.sessions]
    if not report.sessions and not report.unseen:
        parts.append("no sessions\n")
    if report.unseen:
        lines = ["could not be looked at:", *(f"  {printable(one)}" for one in report.unseen)]
        parts.append("".join(fitted_line(line) for line in lines))
    return "\n".join(parts)


def _session(one: SessionHosts) -> str:
    from l2tpv3.cli.output.width import fitted_line, fitted_table

    text = fitted_line(printable(f"session {one.tunnel}/{one.name}"))
    heads = ("AT", "MAC", "ADDRESSES", "NAMES", "VLANS", "VENDOR", "AGE")
    if one.hosts:
        text += fitted_table(heads, map(_cells, one.hosts), right=("AGE",), spare=("VENDOR", "VLANS"))
    else:
        text += "nobody was heard\n"
    for found in one.findings:
        text += fitted_line(printable(f"{found.harm}: {found.says}"))
        text += fitted_line(printable(f"  remedy  {found.remedy}"))
    return text


def _cells(one: LanHost) -> tuple[str, ...]:
    lists = (one.addresses, one.names, map(str, one.vlans))
    shown = [printable(", ".join(texts)) or "-" for texts in lists]
    age = "-" if one.age_s is None else f"{one.age_s:.0f} s"
    return ("far end" if one.far else "here", printable(one.mac), *shown, printable(one.vendor) or "-", age)


COMMANDS = {"hosts": hosts}
