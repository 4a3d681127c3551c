"""`l2tpctl session add|show|set|del`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import click

from l2tpv3.cli import options, selection
from l2tpv3.cli.commands.tunnel import delete_each, local_manager, manager_of, print_change, print_json, tell_nothing
from l2tpv3.cli.options import given
from l2tpv3.cli.output.address_notes import print_address_notes
from l2tpv3.cli.parameters import Argument
from l2tpv3.model.fields import SESSION

if TYPE_CHECKING:
    from l2tpv3.model.status import SessionStatus

EXAMPLES = {
    "group": "l2tpctl session add siteb lan --address 10.0.0.1/24\nl2tpctl session stats --watch 1",
    "add": """
l2tpctl session add siteb lan --address 10.0.0.1/24
l2tpctl session add siteb lan --ifname pw0 --bridge br0 --mtu 1400
l2tpctl session add siteb lan --id 7 --peer-id 8 --tx-cookie @/etc/l2tp/tx --rx-cookie @/etc/l2tp/rx
l2tpctl session add siteb lan --sublayer none --tx-cookie none --rx-cookie none     # a Cisco or RouterOS peer
l2tpctl session add siteb voice --vlan 100                          # one VLAN, untagged at this netdev
""",
    "show": """
l2tpctl session show
l2tpctl session show siteb lan --show-secrets
l2tpctl session show siteb --json | jq -r '.sessions[].ifname'
""",
    "set": """
l2tpctl session set siteb lan --mtu 1400
l2tpctl session set siteb lan --address 10.0.0.1/24 --address 2001:db8::1/64     # instead of those it had
l2tpctl session set siteb lan --address none --bridge br0
""",
    "rename": "l2tpctl session rename siteb lan office",
    "del": "l2tpctl session del siteb lan\nl2tpctl session del siteb lan voice",
}


@options.with_fields(SESSION, new=True)
def add(
    ctx: click.Context,
    tunnel: options.TunnelName,
    name: options.NewSession,
    *,
    json: options.Json = False,
    show_secrets: options.ShowSecrets = False,
    **options_given: Any,
) -> None:
    """Make an ethernet pseudowire in a tunnel, and its netdev.

    Cookies guard against packets from elsewhere: by default they are 64 random bits, and the peer must be told
    them: `l2tpctl peer TUNNEL` prints the other end's commands, cookies included.
    """
    words = given(options_given)
    made = manager_of(ctx).add_session(tunnel, name, words)
    print(f"session {tunnel}/{name}: added, {_summary(made)}", file=sys.stderr)
    if "tx-cookie" not in words or "rx-cookie" not in words:
        print(
            f"session {tunnel}/{name}: cookies were generated; `l2tpctl peer {tunnel}` prints the other end's commands",
            file=sys.stderr,
        )
    print_address_notes(f"session {tunnel}/{name}", words)
    _tell_notes(tunnel, made)
    if json:
        print_sessions([(tunnel, made)], secrets=show_secrets)


def _tell_notes(tunnel: str, session: SessionStatus) -> None:
    for note in session.notes:
        print(f"session {tunnel}/{session.name}: note: {note}", file=sys.stderr)


def _summary(made: SessionStatus) -> str:
    spec = made.spec
    where = f" in netns {spec.netns}" if spec.netns else ""
    return f"netdev {spec.ifname}{where}, id {spec.session_id}, peer id {spec.peer_session_id}, mtu {made.mtu}"


def show(
    ctx: click.Context,
    tunnel: options.AnyTunnel = None,
    name: options.AnySession = None,
    *,
    brief: selection.Brief = False,
    condition: selection.OnlyCondition = None,
    json: options.Json = False,
    show_secrets: options.ShowSecrets = False,
) -> None:
    """Show sessions in a table, or one with everything about it.

    Names may be patterns, as a shell's: `'site*'`.
    """
    from l2tpv3.cli.output import tunnels

    found = selection.find_sessions(manager_of(ctx), tunnel, name, secrets=show_secrets)
    sessions = [(where, session) for where, session in found if selection.in_condition([session], condition)]
    if json:
        print_sessions(sessions, secrets=show_secrets)
    elif found and not sessions:
        print(f"no session is {condition}", file=sys.stderr)
    elif sessions and brief:
        print(tunnels.brief_sessions(sessions), end="")
    elif tunnel is not None and selection.are_one(tunnel, name):
        print(tunnels.session_text(tunnel, sessions[0][1], secrets=show_secrets), end="")
    elif sessions:
        print(tunnels.sessions_table(sessions, secrets=show_secrets), end="")
    elif tunnel is not None:
        print(f"no sessions in tunnel {tunnel}; `l2tpctl session add {tunnel} NAME` makes one", file=sys.stderr)
    else:
        print("no sessions; `l2tpctl session add TUNNEL NAME` makes one", file=sys.stderr)


@options.with_fields(SESSION)
def set_(
    ctx: click.Context,
    tunnel: options.TunnelName,
    name: options.SessionName,
    *,
    json: options.Json = False,
    show_secrets: options.ShowSecrets = False,
    **options_given: Any,
) -> None:
    """Change a session: only what is given changes.

    `none` takes --mac, --bridge, --netns and --address back to their defaults. What can't change in place makes the
    session anew, with its netdev; that is said on stderr.
    """
    words = options.reset(given(options_given), SESSION)
    manager = manager_of(ctx)
    tell_nothing(f"session {tunnel}/{name}", "session", words)
    print_change(f"session {tunnel}/{name}", manager.set_session(tunnel, name, words))
    print_address_notes(f"session {tunnel}/{name}", words)
    now = manager.session(tunnel, name, secrets=show_secrets)
    _tell_notes(tunnel, now)
    if json:
        print_sessions([(tunnel, now)], secrets=show_secrets)


def del_(ctx: click.Context, tunnel: options.TunnelName, names: options.SessionNames) -> None:
    """Delete sessions of a tunnel, and their netdevs.

    All are gone when this returns. Where one of them is not there, none is deleted.
    """
    manager = manager_of(ctx)
    delete_each(names, lambda name: manager.session(tunnel, name), lambda name: manager.del_session(tunnel, name))


def rename(
    ctx: click.Context,
    tunnel: options.TunnelName,
    name: options.SessionName,
    new: Annotated[str, Argument(metavar="NEW", help="What it shall be called.")],
) -> None:
    """Give a session another name; nothing is interrupted. Its netdev keeps its own."""
    local_manager(ctx, "session rename").rename_session(tunnel, name, new)
    print(f"session {tunnel}/{name}: renamed to {new}", file=sys.stderr)


def print_sessions(sessions: list[tuple[str, SessionStatus]], *, secrets: bool = False) -> None:
    """Print sessions as a JSON document on stdout."""
    from l2tpv3.documents.tunnel import sessions_document

    print_json(sessions_document(sessions, secrets=secrets))


COMMANDS = {"add": add, "show": show, "set": set_, "rename": rename, "del": del_}
