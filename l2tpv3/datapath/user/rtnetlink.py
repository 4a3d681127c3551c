"""The little of rtnetlink(7) that marking and finding TAPs needs, in the calling thread's network namespace."""

from __future__ import annotations

from l2tpv3.linux.netlink.rtnetlink import Link, RouteSocket

__all__ = ["Link", "delete", "links", "mark"]


def links(kind: str = "") -> list[Link]:
    """The netdevs; kind: only such (older kernels ignore that). Raises OSError."""
    with RouteSocket() as route:
        return route.links(kind)


def mark(ifindex: int, alias: str, mac: str | None, queue: int) -> None:
    """Give a netdev an ifalias, a MAC address (None: it keeps its own) and a queue of so many frames. Raises OSError.

    By netlink: the ioctl for a queue's length is refused in user namespaces.
    """
    with RouteSocket() as route:
        route.set_link(ifindex, alias=alias, mac=mac, queue=queue)


def delete(ifindex: int) -> None:
    """Remove a netdev. Raises OSError."""
    with RouteSocket() as route:
        route.delete_link(ifindex)
