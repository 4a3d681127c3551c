"""Names of links where tunnels and links are named together: `link NAME`, which no tunnel can be called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from l2tpv3.model.links.record import Links


_LINK: Final = "link "


def is_link_key(name: str) -> bool:
    """Whether this name is that of a link, not of a tunnel."""
    return name.startswith(_LINK)


def link_of(name: str) -> str:
    """The link's own name, without `link `."""
    return name.removeprefix(_LINK)


def link_key(name: str) -> str:
    """The link's name among tunnels: `link NAME`."""
    return f"{_LINK}{name}"


def beneath(links: Links, key: str) -> Iterator[str]:
    """The names of all tunnels and links below a link, directly or not; empty for a tunnel and for an unknown link."""
    record = links.get(link_of(key)) if is_link_key(key) else None
    for one in record.spec.over if record is not None else ():
        tunnel, slash, _ = one.partition("/")
        if slash:
            yield tunnel
        elif one in links:
            yield link_key(one)
            yield from beneath(links, link_key(one))
