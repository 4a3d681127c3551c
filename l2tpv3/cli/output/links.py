"""The output of the show commands about links: a table of several, or one as keys and values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from l2tpv3.cli.output.tunnels import attached
from l2tpv3.cli.output.width import fitted_line, fitted_pairs, fitted_table
from l2tpv3.cli.output.words import other_words
from l2tpv3.model.fields import LINK

if TYPE_CHECKING:
    from l2tpv3.model.links.status import LinkStatus


_TOLD = frozenset({"over", "ifname", "over-netns", "netns", "mac", "mtu", "address", "up"})
"""What the text of one link has lines of its own for, since what is seen is told rather than what is wanted."""


def links_table(links: Iterable[LinkStatus]) -> str:
    """A line for each link."""
    heads = ("NAME", "TYPE", "CONDITION", "IFNAME", "OVER", "MTU", "MAC", "ATTACHED")
    return fitted_table(heads, [_row(link) for link in links], right=("MTU",), spare=("MAC", "MTU", "IFNAME", "TYPE"))


def brief_links(links: Iterable[LinkStatus]) -> str:
    """A line for each link: what it is called, whether it is there, where it is put to use."""
    rows = [(link.name, link.condition.value, ifname(link), attached(link.netdev)) for link in links]
    return fitted_table(("LINK", "CONDITION", "IFNAME", "ATTACHED"), rows, spare=("IFNAME",))


def _row(link: LinkStatus) -> Sequence[object]:
    netdev = link.netdev
    return (
        link.name,
        link.spec.type,
        link.condition.value,
        ifname(link),
        ",".join(link.spec.over),
        netdev.mtu if netdev else link.spec.mtu,
        netdev.mac if netdev else link.mac,
        attached(netdev),
    )


def ifname(link: LinkStatus) -> str:
    """The netdev's name as it is now; somebody may have renamed it. Empty of a port."""
    return link.netdev.ifname if link.netdev else link.spec.ifname


def status_text(links: Sequence[LinkStatus]) -> str:
    """Links at one look, as part of what bare `l2tpctl` prints."""
    heads = ("LINK", "TYPE", "CONDITION", "IFNAME", "OVER", "MTU", "TX-PACKETS", "RX-PACKETS", "ATTACHED")
    rows = [
        (*_row(link)[:6], link.counters.get("tx_packets"), link.counters.get("rx_packets"), attached(link.netdev))
        for link in links
    ]
    spare = ("MTU", "IFNAME", "TX-PACKETS", "RX-PACKETS", "TYPE")
    text = fitted_table(heads, rows, right=("MTU", "TX-PACKETS", "RX-PACKETS"), spare=spare)
    return text + "".join(fitted_line(f"note  {link.name}: {note}") for link in links for note in link.notes)


def link_text(link: LinkStatus) -> str:
    """One link as keys and values, with its netdev and counters."""
    spec, netdev = link.spec, link.netdev
    own_netdev = spec.options.own_netdev
    wanted = spec.options.to_words()
    return fitted_pairs(
        [
            ("name", link.name),
            *other_words(LINK, spec, _TOLD),
            ("type", spec.type),
            ("condition", link.condition.value),
            ("transient", "yes: forgotten at the next boot" if link.transient else None),
            ("over", ", ".join(spec.over)),
            ("over now", ", ".join(link.over) if {*link.over} != {*spec.over} else None),
            ("over-netns", link.over_netns),
            *((word, _as_wanted(value, link.words.get(word, value))) for word, value in wanted.items()),
            ("ifname", (ifname(link) if netdev else f"{spec.ifname} (not there)") if own_netdev else None),
            ("mac", netdev.mac if netdev else link.mac),
            ("mtu", _mtu(link)),
            ("netns", netdev.netns if netdev else spec.netns),
            ("carrier", netdev.carrier if netdev else None),
            *(("address", str(address)) for address in (netdev.addresses if netdev else spec.addresses)),
            ("worker", f"pid {link.worker_pid}" if link.worker_pid else None),
            *(("note", note) for note in link.notes),
            *((name.replace("_", "-"), count) for name, count in link.counters.items()),
        ]
    )


def _as_wanted(wanted: Any, now: Any) -> Any:
    """A word's value, and what it is now where that is another: STP that is on by itself, what somebody changed."""
    return _said(wanted) if now in (wanted, None) else f"{_said(wanted)} (now {_said(now)})"


def _said(value: Any) -> Any:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def _mtu(link: LinkStatus) -> object:
    if link.netdev is None:
        return link.spec.mtu
    return link.netdev.mtu if link.spec.mtu is None else f"{link.netdev.mtu} (as asked for)"
