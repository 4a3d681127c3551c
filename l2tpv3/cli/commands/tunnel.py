"""`l2tpctl tunnel` and the status of everything."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import click

from l2tpv3.cli import options, selection
from l2tpv3.cli.options import given
from l2tpv3.cli.output.streams import use_utf8
from l2tpv3.cli.parameters import Argument
from l2tpv3.model.fields import TUNNEL
from l2tpv3.printable import printable, printable_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from l2tpv3.host.base import Host
    from l2tpv3.host.manager import Manager
    from l2tpv3.model.progress import ChangeResult
    from l2tpv3.model.status import TunnelStatus

EXAMPLES = {
    "group": "l2tpctl tunnel add siteb --remote 192.0.2.2\nl2tpctl tunnel ls",
    "add": """
l2tpctl tunnel add siteb --remote 192.0.2.2
l2tpctl tunnel add siteb --remote 192.0.2.2 --encap ip --id 10 --peer-id 20
l2tpctl tunnel add siteb --remote 2001:db8::2 --local-port 5000 --remote-port 5001 --datapath user
""",
    "show": """
l2tpctl tunnel show
l2tpctl tunnel show siteb
l2tpctl tunnel show --json | jq '.tunnels[] | {name, condition, datapath}'
""",
    "set": """
l2tpctl tunnel set siteb --remote 192.0.2.9
l2tpctl tunnel set siteb --local auto --udp-checksum off
""",
    "rename": "l2tpctl tunnel rename siteb headquarters",
    "del": "l2tpctl tunnel del siteb\nl2tpctl tunnel del siteb sitec",
}


@options.with_fields(TUNNEL, new=True)
def add(
    ctx: click.Context,
    name: options.NewTunnel,
    *,
    transient: options.Transient = False,
    json: options.Json = False,
    **options_given: Any,
) -> None:
    """Make a tunnel to a peer.

    The peer needs the same with the addresses, ids and ports swapped: `l2tpctl peer` prints it.
    """
    words = given(options_given)
    made = manager_of(ctx).add_tunnel(name, words, transient=transient)
    print(f"tunnel {name}: added, {_summary(made)}", file=sys.stderr)
    for note in (*_port_notes(made, words.get("local-port")), *made.notes):
        print(f"tunnel {name}: note: {printable(note)}", file=sys.stderr)
    if json:
        print_tunnels([made])


def _port_notes(made: TunnelStatus, asked: str | None) -> list[str]:
    """Notes that a port was chosen which the other end can't guess. asked: the local port that was given."""
    from l2tpv3.model.spec import UDP_PORT, Encap

    port = made.spec.local_port
    if asked is not None or made.spec.encap is not Encap.UDP or port == UDP_PORT or made.spec.is_inside:
        return []
    peer = f"`l2tpctl peer {made.name}` prints the other end's commands"
    return [f"UDP port {UDP_PORT} is taken here, so it has {port}; {peer}"]


def _summary(made: TunnelStatus) -> str:
    from l2tpv3.cli.output.tunnels import encap, local_end, remote_end

    spec = made.spec
    why = f" ({made.reason})" if made.reason else ""
    ids = f"id {spec.tunnel_id}, peer id {spec.peer_tunnel_id}"
    return f"{ids}, {encap(made)} {local_end(made)} -> {remote_end(made)}, {made.datapath} datapath{why}"


def show(
    ctx: click.Context,
    tunnel: options.AnyTunnel = None,
    *,
    brief: selection.Brief = False,
    condition: selection.OnlyCondition = None,
    json: options.Json = False,
    show_secrets: options.ShowSecrets = False,
) -> None:
    """Show all tunnels in a table, or one with everything about it.

    A name may be a pattern, as a shell's: `'site*'`.
    """
    from l2tpv3.cli.output import tunnels as view

    found = selection.find_tunnels(manager_of(ctx), tunnel, secrets=show_secrets)
    one = selection.are_one(tunnel)
    tunnels = selection.with_sessions_in(found, condition) if one else selection.in_condition(found, condition)
    if json:
        print_tunnels(tunnels, secrets=show_secrets)
    elif found and not tunnels:
        print(f"no tunnel is {condition}" if not one else f"nothing of tunnel {tunnel} is {condition}", file=sys.stderr)
    elif one:
        print(view.tunnel_text(tunnels[0], secrets=show_secrets, brief=brief), end="")
    elif tunnels and brief:
        print(view.brief_tunnels(tunnels), end="")
    elif tunnels:
        print(view.tunnels_table(tunnels), end="")
    else:
        nothing()


@options.with_fields(TUNNEL)
def set_(
    ctx: click.Context,
    tunnel: options.TunnelName,
    *,
    json: options.Json = False,
    **options_given: Any,
) -> None:
    """Change a tunnel: only what is given changes.

    `--local auto`, `--local-port auto` and `--netns none` take those back to their defaults. What can't change in place
    makes the tunnel anew with its sessions; that is said on stderr.
    """
    words = options.reset(given(options_given), TUNNEL)
    manager = manager_of(ctx)
    tell_nothing(f"tunnel {tunnel}", "tunnel", words)
    print_change(f"tunnel {tunnel}", manager.set_tunnel(tunnel, words))
    if json:
        print_tunnels([manager.tunnel(tunnel)])


def del_(ctx: click.Context, tunnels: options.TunnelNames) -> None:
    """Delete tunnels with their sessions and their netdevs.

    All are gone when this returns. Where one of them is not there, none is deleted.
    """
    manager = manager_of(ctx)
    delete_each(tunnels, manager.tunnel, manager.del_tunnel)


def delete_each(names: list[str], look: Callable[[str], object], delete: Callable[[str], None]) -> None:
    """Delete what has these names, once `look`, which raises for a name that is not there, has found all of several."""
    names = list(dict.fromkeys(names))
    for name in names if len(names) > 1 else ():
        look(name)
    for name in names:
        delete(name)


def rename(
    ctx: click.Context,
    tunnel: options.TunnelName,
    new: Annotated[str, Argument(metavar="NEW", help="What it shall be called.")],
) -> None:
    """Give a tunnel another name; nothing is interrupted.

    The record, links over its sessions and the marks on netdevs say the new name then. Files that say the old one have
    to be changed as well.
    """
    local_manager(ctx, "tunnel rename").rename_tunnel(tunnel, new)
    print(f"tunnel {tunnel}: renamed to {new}", file=sys.stderr)


def manager_of(ctx: click.Context) -> Host:
    """The host that this run commands: this one, or the one that --host says."""
    host: Host = ctx.obj.host
    return host


def local_manager(ctx: click.Context, command: str) -> Manager:
    """The manager of this host, for a command that can have no other. Raises UnavailableError where --host says one."""
    manager: Manager = ctx.obj.local_manager(command)
    return manager


def nothing() -> None:
    """Say on stderr that there is no tunnel, and how to make one."""
    print("no tunnels; `l2tpctl tunnel add NAME --remote ADDR` makes one", file=sys.stderr)


def print_tunnels(tunnels: list[TunnelStatus], *, secrets: bool = False) -> None:
    """Print tunnels as a JSON document on stdout."""
    from l2tpv3.documents.tunnel import tunnels_document

    print_json(tunnels_document(tunnels, secrets=secrets))


def print_json(document: dict[str, Any]) -> None:
    """Print a JSON document on stdout, indented for people who look."""
    import json

    use_utf8()
    print(printable_json(json.dumps(document, indent=2, ensure_ascii=False)))


def tell_nothing(subject: str, command: str, words: Mapping[str, Any]) -> None:
    """Say on stderr that no option says what to change."""
    if not words:
        print(f"{subject}: nothing to change; `l2tpctl {command} set --help` lists the options", file=sys.stderr)


def print_change(subject: str, change: ChangeResult) -> None:
    """Say on stderr when a change interrupted traffic, and what forced that."""
    if change.recreated:
        print(f"{subject}: made anew, traffic was interrupted: {change.why}", file=sys.stderr)
    for one in change.lost:
        print(printable(one), file=sys.stderr)


COMMANDS = {"add": add, "show": show, "set": set_, "rename": rename, "del": del_}
