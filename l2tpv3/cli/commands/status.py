"""`l2tpctl status`, and `l2tpctl` alone: everything at one look."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from l2tpv3.cli import options, selection
from l2tpv3.cli.commands.tunnel import manager_of, nothing, print_json

if TYPE_CHECKING:
    from l2tpv3.model.links.status import LinkStatus
    from l2tpv3.model.status import TunnelStatus

EXAMPLES = {
    "status": """
l2tpctl status                           # the same as l2tpctl alone
l2tpctl status 'site*' --brief           # a line for each tunnel whose name begins so
l2tpctl status --condition missing       # only what is not there
"""
}


def status(
    ctx: click.Context,
    tunnel: options.AnyTunnel = None,
    *,
    brief: selection.Brief = False,
    condition: selection.OnlyCondition = None,
    json: options.Json = False,
) -> None:
    """Show everything at one look: what bare `l2tpctl` does.

    Tunnels with their sessions and counters, and links.
    """
    show_status(ctx, tunnel, brief=brief, condition=condition, as_json=json)


def show_status(
    ctx: click.Context,
    tunnel: str | None = None,
    *,
    brief: bool = False,
    condition: str | None = None,
    as_json: bool = False,
) -> None:
    """Print it; tunnel: only that one, or those that a pattern names, without links.

    Raises NotFoundError, InvalidValueError for an unknown condition.
    """
    host = manager_of(ctx)
    tunnels = selection.with_sessions_in(selection.find_tunnels(host, tunnel), condition)
    links = selection.in_condition(host.links.all() if tunnel is None else [], condition)
    if as_json:
        from l2tpv3.documents.link import status_document

        print_json(status_document(tunnels, links))
    elif tunnels or links:
        print(_text(tunnels, links, brief=brief), end="")
    elif condition is not None:
        print(f"nothing is {condition}", file=sys.stderr)
    else:
        nothing()


def _text(tunnels: list[TunnelStatus], links: list[LinkStatus], *, brief: bool) -> str:
    from l2tpv3.cli.output import links as link_view
    from l2tpv3.cli.output import tunnels as view

    show_tunnels, show_links = (
        (view.brief_tunnels, link_view.brief_links) if brief else (view.status_text, link_view.status_text)
    )
    texts = ([show_tunnels(tunnels)] if tunnels else []) + ([show_links(links)] if links else [])
    return "\n".join(texts)


COMMANDS = {"status": status}
