"""Ports: two netdevs wired together, every frame of one to the other (RFC 4719 section 2.1, port mode).

tc takes the frames at ingress, before bridges, VLANs, LLDP or the host itself see them, so that 802.1X, LACP and STP
pass as well. u32, since the shorter matchall is in fewer kernels.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from l2tpv3.errors import L2tpError, NotFoundError
from l2tpv3.links.check import check_over
from l2tpv3.links.kind import Attributes, Below
from l2tpv3.links.options import PortCarrier, PortOptions
from l2tpv3.links.rtnl import LinkSocket
from l2tpv3.links.sight import Sight
from l2tpv3.links.spec import LinkSpec
from l2tpv3.links.state import LinkState
from l2tpv3.netlink.route import CARRIER, UP
from l2tpv3.netns import inside


class PortMaker:
    """The LinkMaker of ports. They have no netdev: a filter's priority tells whose it is."""

    def check(self, spec: LinkSpec, below: Below, mark: str, *, ours: Iterable[str] = ()) -> None:
        """See LinkMaker.check."""
        check_over(spec, below, mark, ours=ours)

    def make(self, spec: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """See LinkMaker.make."""
        try:
            with LinkSocket(spec.over_netns) as socket:
                one, other = (socket.named(below[name])["index"] for name in spec.over)
                for ifname in below.values():
                    _silence(spec.over_netns, ifname)
                for here, there in ((one, other), (other, one)):
                    socket.redirect(here, there, f"link {spec.name}", _priority(mark))
                    socket.set(here, f"link {spec.name}", state="up")
                    socket.set(here, f"link {spec.name}", promisc=True)  # alone: both are flags
        except BaseException:
            with contextlib.suppress(L2tpError):
                self.remove(spec, mark)
            raise

    def change(self, old: LinkSpec, new: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """See LinkMaker.change. Over other netdevs it is made anew; whether it follows is nothing of the kernel's."""

    def find(self, spec: LinkSpec, mark: str, sight: Sight | None = None) -> LinkState | None:
        """See LinkMaker.find. Counters: what each of the two has received."""
        links = (sight or Sight()).links(spec.over_netns)
        if not links:
            return None
        with LinkSocket(spec.over_netns) as socket:
            wired = socket.redirected(links, _priority(mark))
        if not wired:
            return None
        names = [links[index]["ifname"] for index in wired]
        counters = {
            f"{links[index]['ifname']}_{key}": value for index, one in wired.items() for key, value in one.items()
        }
        told = tuple(_told(spec, [links[index] for index in wired]))
        return LinkState(over=tuple(names), counters=counters, notes=told)

    def lacking(self, spec: LinkSpec, ifnames: Iterable[str], sight: Sight) -> frozenset[str]:
        """See LinkMaker.lacking."""
        return sight.lacking(spec.over_netns, ifnames)

    def remove(self, spec: LinkSpec, mark: str) -> None:
        """See LinkMaker.remove."""
        with contextlib.suppress(NotFoundError), LinkSocket(spec.over_netns) as socket:
            links = socket.all()
            for index in socket.redirected(links, _priority(mark)):
                socket.unredirect(index, f"link {spec.name}", _priority(mark))
                with contextlib.suppress(NotFoundError):
                    socket.set(index, f"link {spec.name}", promisc=False)
                _silence(spec.over_netns, links[index]["ifname"], quiet=False)


def _told(spec: LinkSpec, ends: Sequence[Attributes]) -> Iterator[str]:
    """What is to be known of its two ends."""
    silent = [one["ifname"] for one in ends if one["flags"] & UP and not one["flags"] & CARRIER]
    follows = isinstance(spec.options, PortOptions) and spec.options.carrier is PortCarrier.FOLLOW
    for one in ends:
        if not one["flags"] & UP:
            yield f"{one['ifname']} is down" + (", as the far end is" if follows and silent else "")
    yield from (f"{ifname} has no carrier" for ifname in silent)


def _priority(mark: str) -> int:
    """A filter's priority, which is all of it that we can choose: 16 bits, never 0."""
    return zlib.crc32(mark.encode()) % 0xFFFE + 1


def _silence(netns: str | None, ifname: str, *, quiet: bool = True) -> None:
    """Stop the host from saying something of its own on the wire: IPv6 does, unasked."""
    with inside(netns), contextlib.suppress(OSError):
        conf = Path("/proc/sys/net/ipv6/conf")
        usual = (conf / "default" / "disable_ipv6").read_text("ascii").strip()
        (conf / ifname / "disable_ipv6").write_text("1" if quiet else usual, "ascii")
