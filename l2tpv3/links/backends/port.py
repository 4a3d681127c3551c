"""Ports: two netdevs wired together, every frame of one to the other (RFC 4719 section 2.1, port mode).

tc takes the frames at ingress, before bridges, VLANs, LLDP or the host itself see them, so that 802.1X, LACP and STP
pass as well. u32, since the shorter matchall is in fewer kernels.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from l2tpv3.errors import L2tpError, NotFoundError
from l2tpv3.links.inventory import NetdevInventory
from l2tpv3.links.kinds.base import Attributes
from l2tpv3.links.preflight import check_over
from l2tpv3.links.rtnetlink import PROMISC, LinkSocket, Redirect
from l2tpv3.linux.netlink.rtnetlink import CARRIER, UP
from l2tpv3.linux.netns import inside
from l2tpv3.model.links.observed import LinkState
from l2tpv3.model.links.options import PortCarrier, PortOptions
from l2tpv3.model.links.spec import Below, LinkSpec


class PortBackend:
    """The LinkBackend of ports. They have no netdev: a filter's priority tells whose it is."""

    def check(self, spec: LinkSpec, below: Below, mark: str, *, ours: Iterable[str] = ()) -> None:
        """See LinkBackend.check."""
        check_over(spec, below, mark, ours=ours)

    def make(self, spec: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """See LinkBackend.make."""
        try:
            with LinkSocket(spec.over_netns) as socket:
                _wire(socket, spec, below, mark)
        except BaseException:
            with contextlib.suppress(L2tpError):
                self.remove(spec, mark)
            raise

    def change(self, old: LinkSpec, new: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """See LinkBackend.change. Over other netdevs it is made anew; whether it follows is nothing of the kernel's."""
        with LinkSocket(new.over_netns) as socket:
            ends = _wire(socket, new, below, mark)
            if _follows(old) and not _follows(new):
                _set_up(socket, ends, new)

    def find(self, spec: LinkSpec, mark: str, sight: NetdevInventory | None = None) -> LinkState | None:
        """See LinkBackend.find. Counters: what each of the two has received."""
        links = (sight or NetdevInventory()).links(spec.over_netns)
        if not links:
            return None
        with LinkSocket(spec.over_netns) as socket:
            wired = socket.redirected(links, _priority(mark))
        if not wired:
            return None
        counters: dict[str, int] = {}
        for index, one in wired.items():
            ifname = links[index]["ifname"]
            counters |= {f"{ifname}_packets": one.packets, f"{ifname}_bytes": one.bytes}
        told = tuple(_told(spec, [links[index] for index in wired]))
        return LinkState(
            over=tuple(links[index]["ifname"] for index in wired),
            words={"over": []} if _is_half(links, wired) else {},
            counters=counters,
            notes=told,
        )

    def lacking(self, spec: LinkSpec, ifnames: Iterable[str], sight: NetdevInventory) -> frozenset[str]:
        """See LinkBackend.lacking."""
        return sight.lacking(spec.over_netns, ifnames)

    def remove(self, spec: LinkSpec, mark: str) -> None:
        """See LinkBackend.remove."""
        with contextlib.suppress(NotFoundError), LinkSocket(spec.over_netns) as socket:
            links = socket.all()
            wired = socket.redirected(links, _priority(mark))
            ends = [links[index] for index in {*wired, *(one.target for one in wired.values())} if index in links]
            for end in ends:
                with contextlib.suppress(NotFoundError):
                    socket.set(end["index"], f"link {spec.name}", promisc=False)
                _silence(spec.over_netns, end["ifname"], quiet=False)
            if _follows(spec):
                _set_up(socket, ends, spec)
            for index in wired:  # last: by them it is found
                socket.unredirect(index, f"link {spec.name}", _priority(mark))


def _wire(socket: LinkSocket, spec: LinkSpec, below: Below, mark: str) -> list[Attributes]:
    """Complete a port, and return its two ends.

    A filter comes first, by which it is found when this is interrupted, the other one last: with both it is whole.
    """
    subject, priority = f"link {spec.name}", _priority(mark)
    one, other = ends = [socket.named(below[name]) for name in spec.over]
    redirects = socket.redirected([one["index"], other["index"]], priority)
    wired = {here: redirect.target for here, redirect in redirects.items()}
    targets = {one["index"]: other["index"], other["index"]: one["index"]}
    if wired == targets and all(end["flags"] & PROMISC for end in ends):
        return ends
    lacking = [(here, there) for here, there in targets.items() if here not in wired]
    # A netdev that went and came is another one.
    stale = [(here, there) for here, there in targets.items() if wired.get(here, there) != there]
    if not wired:
        socket.redirect(*lacking.pop(0), subject, priority)
    for end in ends:
        _silence(spec.over_netns, end["ifname"])
        socket.set(end["index"], subject, state="up")
        socket.set(end["index"], subject, promisc=True)  # alone: both are flags
    for here, there in (*lacking, *stale):
        if here in wired:
            socket.unredirect(here, subject, priority)
        socket.redirect(here, there, subject, priority)
    return ends


def _is_half(links: Mapping[int, Attributes], wired: Mapping[int, Redirect]) -> bool:
    """Whether only some filters of the port are there, though both ends are."""
    targets = [one.target for one in wired.values()]
    if len(wired) == 1:
        return targets[0] in links
    return any(one not in wired for one in targets) or not all(links[one]["flags"] & PROMISC for one in wired)


def _set_up(socket: LinkSocket, ends: Iterable[Attributes], spec: LinkSpec) -> None:
    """Give the ends of a port that follows no more their links back: whoever held one down may be away."""
    for end in ends:
        if not end["flags"] & UP:
            with contextlib.suppress(NotFoundError):
                socket.set(end["index"], f"link {spec.name}", state="up")


def _follows(spec: LinkSpec) -> bool:
    return isinstance(spec.options, PortOptions) and spec.options.carrier is PortCarrier.FOLLOW


def _told(spec: LinkSpec, ends: Sequence[Attributes]) -> Iterator[str]:
    """Notes about the two ends."""
    silent = [one["ifname"] for one in ends if one["flags"] & UP and not one["flags"] & CARRIER]
    for one in ends:
        if not one["flags"] & UP:
            yield f"{one['ifname']} is down" + (", as the far end is" if _follows(spec) and silent else "")
    yield from (f"{ifname} has no carrier" for ifname in silent)


def _priority(mark: str) -> int:
    """The priority of the port's filters, which tells whose they are: 16 bits, never 0.

    Nothing else of a filter can be chosen.
    """
    return zlib.crc32(mark.encode()) % 0xFFFE + 1


def _silence(netns: str | None, ifname: str, *, quiet: bool = True) -> None:
    """Stop the host from saying something of its own on the wire: IPv6 does, unasked."""
    with inside(netns), contextlib.suppress(OSError):
        conf = Path("/proc/sys/net/ipv6/conf")
        usual = (conf / "default" / "disable_ipv6").read_text("ascii").strip()
        (conf / ifname / "disable_ipv6").write_text("1" if quiet else usual, "ascii")
