"""The little of rtnetlink(7) that marking and finding TAPs needs, in the calling thread's network namespace."""

from __future__ import annotations

from l2tpv3.netlink.route import Link, RouteSocket

__all__ = ["Link", "delete", "links", "set_alias"]


def links(kind: str = "") -> list[Link]:
    """The netdevs; kind: only such (older kernels ignore that). Raises OSError."""
    with RouteSocket() as route:
        return route.links(kind)


def set_alias(ifindex: int, alias: str) -> None:
    """Give a netdev an ifalias. Raises OSError."""
    with RouteSocket() as route:
        route.set_link(ifindex, alias=alias)


def delete(ifindex: int) -> None:
    """Remove a netdev. Raises OSError."""
    with RouteSocket() as route:
        route.delete_link(ifindex)
