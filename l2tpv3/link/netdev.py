"""Netdevs of one network namespace through rtnetlink: find, change, move."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from ipaddress import ip_interface
from typing import Any

from l2tpv3.errors import NoAddressError, NotFoundError, from_errno
from l2tpv3.netns import inside, open_netns
from l2tpv3.spec import IPInterface
from l2tpv3.status import NetdevState

_UP = 0x1  # IFF_UP, linux/if.h
_CARRIER = 0x10000  # IFF_LOWER_UP


class Netdevs:
    """rtnetlink in one network namespace (None: the caller's). Use it in a `with` block; it is a socket.

    Every method raises L2tpError: NotFoundError for an absent netdev or bridge, ExistsError for a taken name,
    NotPermittedError, or RefusedError for what else the kernel says.
    """

    def __init__(self, netns: str | None) -> None:
        from pyroute2 import IPRoute

        self.netns = netns
        with inside(netns):
            self._route: Any = IPRoute()

    def __enter__(self) -> Netdevs:
        return self

    def __exit__(self, *exc: object) -> None:
        self._route.close()

    def all(self) -> list[NetdevState]:
        """Every netdev, with its addresses."""
        links = list(self._ask("the netdevs", "list them", self._route.link, "dump"))
        names = {link["index"]: link.get("ifname") for link in links}
        addresses: dict[int, list[IPInterface]] = {}
        for address in self._ask("the addresses", "list them", self._route.addr, "dump"):
            text = address.get("IFA_LOCAL") or address.get("IFA_ADDRESS")
            if text:
                addresses.setdefault(address["index"], []).append(ip_interface(f"{text}/{address['prefixlen']}"))
        return [self._state(link, names, addresses) for link in links]

    def _state(self, link: Any, names: dict[int, str], addresses: dict[int, list[IPInterface]]) -> NetdevState:
        info = link.get("linkinfo")
        return NetdevState(
            ifname=link.get("ifname"),
            ifindex=link["index"],
            mac=link.get("address") or "",
            mtu=link.get("mtu") or 0,
            up=bool(link["flags"] & _UP),
            carrier=bool(link["flags"] & _CARRIER),
            kind=(info.get("kind") if info else "") or "",
            alias=link.get("IFLA_IFALIAS") or "",
            bridge=names.get(link.get("master") or 0),
            netns=self.netns,
            addresses=tuple(addresses.get(link["index"], ())),
        )

    def index(self, ifname: str) -> int:
        """The ifindex of a netdev. Raises NotFoundError."""
        links = self._ask(f"netdev {ifname}", "find it", self._route.link, "get", ifname=ifname)
        return int(links[0]["index"])

    def exists(self, ifname: str) -> bool:
        """Whether a netdev of that name is here."""
        try:
            self.index(ifname)
        except NotFoundError:
            return False
        return True

    def change(self, ifindex: int, subject: str, **attributes: object) -> None:
        """Set rtnetlink attributes of a netdev: mtu, address (MAC), state, ifalias, ifname, net_ns_fd, master."""
        what = ", ".join(f"{key} {value}" for key, value in attributes.items() if key != "net_ns_fd") or "netns"
        self._ask(subject, f"set its netdev's {what}", self._route.link, "set", index=ifindex, **attributes)

    def join(self, ifindex: int, bridge: str, subject: str) -> None:
        """Make the netdev a port of a bridge. Raises NotFoundError when there is none of that name."""
        try:
            master = self.index(bridge)
        except NotFoundError as error:
            remedy = f"`ip link add {bridge} type bridge` makes it"
            raise NotFoundError(subject, f"no bridge {bridge}", remedy, errno=error.errno) from error
        self.change(ifindex, subject, master=master)

    def set_addresses(
        self, ifindex: int, subject: str, wanted: Sequence[IPInterface], drop: Sequence[IPInterface]
    ) -> None:
        """Add the addresses of `wanted` that are not there and remove those of `drop` that are not wanted."""
        for address in drop:
            if address not in wanted:
                with contextlib.suppress(NoAddressError):
                    self._address("del", ifindex, subject, address)
        for address in wanted:
            self._address("replace", ifindex, subject, address)

    def _address(self, command: str, ifindex: int, subject: str, address: IPInterface) -> None:
        fields: dict[str, object] = {
            "index": ifindex,
            "address": str(address.ip),
            "prefixlen": address.network.prefixlen,
        }
        self._ask(subject, f"{command} address {address}", self._route.addr, command, **fields)

    def move(self, ifindex: int, netns: str, subject: str) -> None:
        """Move a netdev to another namespace; it arrives down, without addresses."""
        target = open_netns(netns)
        try:
            self.change(ifindex, subject, net_ns_fd=target)
        finally:
            os.close(target)

    def _ask(self, subject: str, doing: str, call: Any, *args: object, **kwargs: object) -> list[Any]:
        from pyroute2.netlink.exceptions import NetlinkError

        try:
            return list(call(*args, **kwargs))
        except NetlinkError as error:
            raise from_errno(subject, doing, int(error.code)) from error
        except OSError as error:
            raise from_errno(subject, doing, error.errno or 0) from error
