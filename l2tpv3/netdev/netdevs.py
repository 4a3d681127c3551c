"""Netdevs of one network namespace through rtnetlink: find, change, move."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from l2tpv3.errors import NoAddressError, NotFoundError, from_errno
from l2tpv3.linux.netlink.rtnetlink import CARRIER, UP, Link, RouteSocket
from l2tpv3.linux.netns import open_netns
from l2tpv3.model.spec import IPInterface
from l2tpv3.model.status import NetdevState


class Netdevs:
    """rtnetlink in one network namespace (None: the caller's). Use it in a `with` block; it is a socket.

    Every method raises L2tpError: NotFoundError for an absent netdev or bridge, ExistsError for a taken name,
    NotPermittedError, or RefusedError for what else the kernel says.
    """

    def __init__(self, netns: str | None) -> None:
        self.netns = netns
        with _asking("rtnetlink", "open it"):
            self._route = RouteSocket(netns)

    def __enter__(self) -> Netdevs:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._route.close()

    def all(self, *, addresses: bool = True) -> list[NetdevState]:
        """Every netdev. addresses: with its addresses, too. Raises L2tpError where the kernel refuses."""
        with _asking("the netdevs", "list them"):
            return self._states(self._route.links(), addresses=addresses)

    def dropped(self) -> dict[int, int]:
        """How many frames each netdev has dropped instead of sending them, by its index.

        Raises L2tpError where the kernel refuses.
        """
        with _asking("the netdevs", "list their counters"):
            return self._route.dropped()

    def named(self, ifname: str) -> NetdevState:
        """One netdev by its name, with its addresses. Raises NotFoundError."""
        with _asking(f"netdev {ifname}", "find it"):
            return self._states([self._route.link(ifname)])[0]

    def numbered(self, ifindex: int) -> NetdevState:
        """One netdev by its index, with its addresses. Raises NotFoundError."""
        with _asking(f"netdev {ifindex}", "find it"):
            return self._states([self._route.link(ifindex)])[0]

    def _states(self, links: Iterable[Link], *, addresses: bool = True) -> list[NetdevState]:
        links = list(links)
        names = {link.ifindex: link.ifname for link in links}
        found: dict[int, list[IPInterface]] = {}
        for ifindex, address in self._route.addresses(names) if addresses else ():
            found.setdefault(ifindex, []).append(address)
        none: Sequence[IPInterface] = ()
        return [
            NetdevState(
                ifname=link.ifname,
                ifindex=link.ifindex,
                mac=link.mac,
                mtu=link.mtu,
                up=link.flags & UP != 0,
                carrier=link.flags & CARRIER != 0,
                kind=link.kind,
                alias=link.alias,
                bridge=names.get(link.master) or self._name(link.master) if link.master else None,
                netns=self.netns,
                addresses=tuple(found.get(link.ifindex, none)),
            )
            for link in links
        ]

    def _name(self, ifindex: int) -> str | None:
        """The name of a bridge that was not asked for, or has just been made."""
        return next((link.ifname for link in self._route.links() if link.ifindex == ifindex), None)

    def index(self, ifname: str) -> int:
        """The ifindex of a netdev. Raises NotFoundError."""
        with _asking(f"netdev {ifname}", "find it"):
            return self._route.link(ifname).ifindex

    def exists(self, ifname: str) -> bool:
        """Whether a netdev of that name is here. Raises L2tpError where the kernel does not say."""
        try:
            self.index(ifname)
        except NotFoundError:
            return False
        return True

    def change(self, which: int | str, subject: str, **attributes: Any) -> None:
        """Set what RouteSocket.set_link can, of a netdev by its index or name, in one request.

        When that is refused they are set one by one, so that the error says which it was.
        Raises L2tpError about `subject`, by the kernel's errno.
        """
        try:
            self._route.set_link(which, **attributes)
        except OSError as refused:
            for key, value in attributes.items() if len(attributes) > 1 else ():
                with _asking(subject, _setting({key: value})):
                    self._route.set_link(which, **{key: value})
            with _asking(subject, _setting(attributes)):
                raise refused

    def set_up(self, ifnames: Sequence[str]) -> None:
        """Set netdevs up by their names. Raises L2tpError for the first that the kernel refuses."""
        with _asking("netdevs", _setting({"up": True})):
            refusals = self._route.set_up(ifnames)
        for ifname, refused in refusals:
            with _asking(f"netdev {ifname}", _setting({"up": True})):
                raise refused

    def bridge(self, bridge: str, subject: str) -> int:
        """The index of a bridge, for `change` to make it a netdev's master. Raises NotFoundError."""
        try:
            return self.index(bridge)
        except NotFoundError as error:
            remedy = f"`l2tpctl link add {bridge} --type bridge` makes it"
            raise NotFoundError(subject, f"no bridge {bridge}", remedy, errno=error.errno) from error

    def set_addresses(
        self, ifindex: int, subject: str, wanted: Sequence[IPInterface], drop: Sequence[IPInterface]
    ) -> None:
        """Add the addresses of `wanted` that are not there and remove those of `drop` that are not wanted.

        Raises L2tpError about `subject`, by the kernel's errno.
        """
        for address in drop:
            if address not in wanted:
                with contextlib.suppress(NoAddressError), _asking(subject, f"del address {address}"):
                    self._route.delete_address(ifindex, address)
        for address in wanted:
            with _asking(subject, f"replace address {address}"):
                self._route.put_address(ifindex, address)

    def clamped_to(self, ifindex: int) -> int | None:
        """See clamp_mss.clamped_to."""
        from l2tpv3.netdev import clamp_mss

        with _asking(f"netdev {ifindex}", "list its filters"):
            return clamp_mss.clamped_to(self._route, ifindex)

    def clamp_mss(self, ifindex: int, subject: str, mtu: int | None) -> None:
        """Clamp TCP's MSS on a netdev to what fits an MTU, in bytes; None: no more.

        Raises L2tpError about `subject`; UnavailableError where this kernel can't.
        """
        from l2tpv3.netdev import clamp_mss

        with _asking(subject, "clamp TCP's MSS (it takes clsact, cls_bpf and CAP_BPF)"):
            if mtu is None:
                clamp_mss.take_off(self._route, ifindex)
            else:
                clamp_mss.put(self._route, ifindex, mtu)

    def move(self, ifindex: int, netns: str, subject: str) -> None:
        """Move a netdev to another namespace; it arrives down, without addresses.

        Raises MissingError where that namespace is not there, L2tpError about `subject` where the kernel refuses.
        """
        target = open_netns(netns)
        try:
            self.change(ifindex, subject, netns_fd=target)
        finally:
            os.close(target)


def _setting(attributes: dict[str, Any]) -> str:
    return f"set its netdev's {', '.join(_attribute(*item) for item in attributes.items())}"


def _attribute(name: str, value: object) -> str:
    if name == "netns_fd":
        return "netns"
    if name == "up":
        return f"state {'up' if value else 'down'}"
    word = {"alias": "ifalias", "mac": "address"}.get(name, name)
    return f"{word} {value}"


@contextlib.contextmanager
def _asking(subject: str, doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise from_errno(subject, doing, error.errno or 0) from error
