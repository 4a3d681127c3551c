"""How links are named among tunnels, as `restore` takes names: `link NAME`, which no tunnel can be called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from l2tpv3.model.links.record import Links

_LINK: Final = "link "


def is_link_key(name: str) -> bool:
    """Whether it stands for a link."""
    return name.startswith(_LINK)


def link_of(name: str) -> str:
    """The link's name."""
    return name.removeprefix(_LINK)


def link_key(name: str) -> str:
    """What a link is called among tunnels."""
    return f"{_LINK}{name}"


def beneath(links: Links, key: str) -> Iterator[str]:
    """The tunnels and links that a link is over, and what those are over. Of a tunnel, and of no link, nothing."""
    record = links.get(link_of(key)) if is_link_key(key) else None
    for one in record.spec.over if record is not None else ():
        tunnel, slash, _ = one.partition("/")
        if slash:
            yield tunnel
        elif one in links:
            yield link_key(one)
            yield from beneath(links, link_key(one))
