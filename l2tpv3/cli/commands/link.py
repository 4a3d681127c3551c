"""`l2tpctl link add|show|set|del`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from l2tpv3.cli import link_options, options, selection
from l2tpv3.cli.commands.tunnel import delete_each, manager_of, print_change, print_json, tell_nothing
from l2tpv3.cli.link_options import with_words
from l2tpv3.cli.output.address_notes import print_address_notes
from l2tpv3.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l2tpv3.model.links.status import LinkStatus

EXAMPLES = {
    "group": "l2tpctl link add br0 --type bridge --over eth1,siteb/lan\nl2tpctl link ls",
    "add": """
l2tpctl link add br0 --type bridge --over eth1,siteb/lan --address 10.0.0.1/24
l2tpctl link add hub --type bridge --over siteb/lan,sitec/lan,eth1 --isolated siteb/lan,sitec/lan
l2tpctl link add bond0 --type bond --over eth1,eth2 --mode 802.3ad
l2tpctl link add lan0 --type alias --over eth1
l2tpctl link add card1 --type macvlan --over eth0 --netns guest1
l2tpctl link add v10 --type vlan --over siteb/lan --id 10
l2tpctl link add wire --type port --over eth2,siteb/wire
""",
    "show": """
l2tpctl link show
l2tpctl link show br0
l2tpctl link show --json | jq '.links[] | {name, type, condition, over}'
""",
    "set": """
l2tpctl link set br0 --over eth1,eth2,siteb/lan      # instead of those it had
l2tpctl link set lan0 --over eth2                    # the alias stays, with its addresses and connections
l2tpctl link set br0 --mtu 1400 --stp on
l2tpctl link set br0 --mtu auto --address none
""",
    "del": "l2tpctl link del br0\nl2tpctl link del v10 br0      # what is over others first",
}


@with_words
def add(
    ctx: click.Context,
    name: link_options.NewLink,
    *,
    type: link_options.Type,
    transient: options.Transient = False,
    json: options.Json = False,
    **words: Any,
) -> None:
    """Make a virtual ethernet interface over others.

    An option that says a type belongs to links of that type; the rest belong to all, but that a port has no netdev.
    """
    made = manager_of(ctx).links.add(name, {"type": type, **link_options.given(words)}, transient=transient)
    print(f"link {name}: added, {_summary(made)}", file=sys.stderr)
    print_address_notes(f"link {name}", link_options.given(words))
    _tell_notes(made)
    if json:
        print_links([made])


def _summary(made: LinkStatus) -> str:
    spec, netdev = made.spec, made.netdev
    over = f" over {', '.join(spec.over)}" if spec.over else ""
    if netdev is None:
        return f"{spec.type}{over}"
    where = f" in netns {netdev.netns}" if netdev.netns else ""
    return f"{spec.type}{over}, netdev {printable(netdev.ifname)}{where}, mac {netdev.mac}, mtu {netdev.mtu}"


def _tell_notes(link: LinkStatus) -> None:
    for note in link.notes:
        print(f"l2tpctl: note: link {link.name}: {printable(note)}", file=sys.stderr)


def show(
    ctx: click.Context,
    name: link_options.AnyLink = None,
    *,
    brief: selection.Brief = False,
    condition: selection.OnlyCondition = None,
    json: options.Json = False,
) -> None:
    """Show all links in a table, or one with everything about it.

    A name may be a pattern, as a shell's: `'v*'`.
    """
    from l2tpv3.cli.output import links as link_view

    found = selection.find_links(manager_of(ctx).links, name)
    links = selection.in_condition(found, condition)
    if json:
        print_links(links)
    elif found and not links:
        print(f"no link is {condition}", file=sys.stderr)
    elif links and brief:
        print(link_view.brief_links(links), end="")
    elif selection.are_one(name):
        print(link_view.link_text(links[0]), end="")
    elif links:
        print(link_view.links_table(links), end="")
    else:
        nothing()


@with_words
def set_(
    ctx: click.Context,
    name: link_options.LinkName,
    *,
    type: link_options.MaybeType = None,
    json: options.Json = False,
    **words: Any,
) -> None:
    """Change a link: only what is given changes.

    `none` or `auto` takes an option back to its default. What can't change in place makes the link anew, with what is
    over it; that is said on stderr.
    """
    links = manager_of(ctx).links
    wanted = options.given({"type": type}) | link_options.reset(link_options.given(words))
    tell_nothing(f"link {name}", "link", wanted)
    change = links.set(name, wanted)
    print_change(f"link {name}", change)
    print_address_notes(f"link {name}", wanted)
    now = links.get(name)
    _tell_notes(now)
    if json:
        print_links([now])


def del_(ctx: click.Context, names: link_options.LinkNames) -> None:
    """Delete links.

    They are gone when this returns; what they were over stays. Where one of them is not there, none is deleted.
    """
    links = manager_of(ctx).links
    delete_each(names, links.get, links.delete)


def nothing() -> None:
    """Say on stderr that there is no link, and how to make one."""
    print("no links; `l2tpctl link add NAME --type TYPE --over DEV` makes one", file=sys.stderr)


def print_links(links: Iterable[LinkStatus]) -> None:
    """Print links as a JSON document on stdout."""
    from l2tpv3.documents.link import links_document

    print_json(links_document(links))


COMMANDS = {"add": add, "show": show, "set": set_, "del": del_}
