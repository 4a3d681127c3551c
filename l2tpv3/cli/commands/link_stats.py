"""`l2tpctl link stats`: links' counters once, or again and again with rates."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from l2tpv3.cli import link_options, options
from l2tpv3.cli.commands.session_stats import WATCH_MIN_S, Watch, rate_cells, stamp, watch_on
from l2tpv3.cli.commands.tunnel import manager_of, print_json
from l2tpv3.cli.output.width import fitted_table
from l2tpv3.cli.seconds import seconds
from l2tpv3.cli.selection import find_links
from l2tpv3.printable import printable_json

if TYPE_CHECKING:
    from l2tpv3.host.base import LinkHost
    from l2tpv3.model.links.status import LinkStatus

EXAMPLES = {
    "stats": """
l2tpctl link stats
l2tpctl link stats br0 --watch 1              # with rates, until Ctrl-C
l2tpctl link stats --json | jq '.links[] | {name, counters}'
"""
}

_COUNTERS = ("tx_packets", "tx_bytes", "tx_errors", "tx_dropped", "rx_packets", "rx_bytes", "rx_errors", "rx_dropped")
_TRAFFIC = ("tx_packets", "tx_bytes", "rx_packets", "rx_bytes")
_LOSSES = ("tx_errors", "tx_dropped", "rx_errors", "rx_dropped")


def stats(
    ctx: click.Context, name: link_options.AnyLink = None, *, json: options.Json = False, watch: Watch = None
) -> None:
    """Show the links' counters.

    Those of the link's netdev; a port, which has none, has a line for each of the two that it joins, with what came in
    there. With --watch the screen is refreshed on a terminal; otherwise lines (with --json a JSON document each) are
    added.
    """
    links = manager_of(ctx).links
    if watch is not None:
        _watch(links, name, as_json=json, every_s=seconds(watch, "--watch", least=WATCH_MIN_S))
        return
    found = find_links(links, name)
    if json:
        from l2tpv3.documents.stats import stats_document

        print_json(stats_document((), time=datetime.now(UTC), links=found))
    elif found:
        print(counters_table(found), end="")
    else:
        print("no links", file=sys.stderr)


def _watch(links: LinkHost, name: str | None, *, as_json: bool, every_s: float) -> None:
    before: list[LinkStatus] = []

    def look(interval_s: float | None) -> str:
        from l2tpv3.documents.stats import stats_document

        nonlocal before
        found, earlier = find_links(links, name), before
        before = found
        at = datetime.now(UTC)
        interval = round(interval_s, 3) if interval_s else None
        document = stats_document((), time=at, interval_s=interval, links=found, links_before=earlier)
        if as_json:
            import json

            return printable_json(json.dumps(document, ensure_ascii=False)) + "\n"
        return rates_table(document["links"], stamp(at))

    watch_on(look, every_s, refreshed=not as_json)


def counters_table(links: Iterable[LinkStatus]) -> str:
    """A line of counters for each netdev."""
    heads = ("NAME", "TYPE", "IFNAME", *(name.upper().replace("_", "-") for name in _COUNTERS))
    rows = [
        (link.name, link.spec.type, ifname, *(counters.get(name) for name in _COUNTERS))
        for link in links
        for ifname, counters in _by_netdev(link.spec.ifname, link.counters)
    ]
    return fitted_table(
        heads, rows, right=heads[3:], spare=("IFNAME", "TYPE", *(name.upper().replace("_", "-") for name in _LOSSES))
    )


def rates_table(links: Iterable[Mapping[str, Any]], at: str) -> str:
    """A line for each netdev of a stats document's links: rates, and what was lost in all."""
    heads = ("TIME", "NAME", "TYPE", "IFNAME", "TX-PACKETS/S", "TX-MBIT/S", "RX-PACKETS/S", "RX-MBIT/S", "DROPPED")
    rows = []
    for link in links:
        rates = dict(_by_netdev(link["ifname"] or "", link["rates"] or {}))
        for ifname, counters in _by_netdev(link["ifname"] or "", link["counters"]):
            lost = sum(counters.get(name, 0) for name in _LOSSES)
            rows.append((at, link["name"], link["type"], ifname, *rate_cells(rates.get(ifname), _TRAFFIC), lost))
    return fitted_table(heads, rows, right=heads[4:], spare=("IFNAME", "TYPE", "TIME"))


def _by_netdev(ifname: str, counters: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Netdevs and their counters: of a port, whose ifname is empty, the two by what they have received."""
    if ifname or not counters:
        yield ifname, dict(counters)
        return
    netdevs: dict[str, dict[str, Any]] = {}
    for key, value in counters.items():
        bare, per_s, _ = key.partition("_per_s")
        netdev, _, unit = bare.rpartition("_")
        netdevs.setdefault(netdev, {})[f"rx_{unit}{per_s}"] = value
    yield from netdevs.items()


COMMANDS = {"stats": stats}
