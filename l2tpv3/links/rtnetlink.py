"""rtnetlink for links, by pyroute2: makes, changes and reads netdevs of any driver in one network namespace."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from l2tpv3.errors import L2tpError, NotFoundError, RefusedError, UnavailableError, from_errno
from l2tpv3.links.kinds.base import Attributes
from l2tpv3.linux.netlink import tc
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netns import inside, open_netns

if TYPE_CHECKING:
    from pyroute2 import IPRoute

PROMISC = 0x100
"""IFF_PROMISC (linux/if.h)."""
_CLSACT = 0xFFFFFFF1  # TC_H_CLSACT
_UNKNOWN_DRIVER = (errno.EOPNOTSUPP, errno.ENOTSUP)
_MODULES = {"vlan": "8021q", "bond": "bonding"}


class Redirect(NamedTuple):
    """A filter that sends on what a netdev receives: to which one (0: it is gone), and how much it was."""

    target: int
    packets: int
    bytes: int


class LinkSocket:
    """One rtnetlink socket in a namespace (None: the caller's). Use it in a `with` block. Methods raise L2tpError."""

    def __init__(self, netns: str | None) -> None:
        self.netns = netns
        with inside(netns):
            self._route = _open()

    def __enter__(self) -> LinkSocket:
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._route.close()
        except OSError:  # an answer that nobody waits for was lost; it comes up here, and half of it is open still
            self._route.asyncore.local.event_loop.close()
            self._route.close()

    def all(self) -> dict[int, Attributes]:
        """Every netdev by its index: attributes by pyroute2's short names, `linkinfo`'s taken apart (see _flat).

        Raises RefusedError for an answer that can't be read, L2tpError by the kernel's errno. So do all methods here.
        """
        with asking("the netdevs", "list them"):
            return {message["index"]: _flat(message) for message in self._route.get_links()}

    def named(self, ifname: str) -> Attributes:
        """One netdev by its name. Raises NotFoundError."""
        with asking(f"netdev {ifname}", "find it"):
            return _flat(next(iter(self._route.link("get", ifname=ifname))))

    def make(self, subject: str, driver: str, *, netns: str | None = None, **attributes: Any) -> None:
        """A new netdev; netns: where it appears, when not here.

        Raises UnavailableError where the kernel has no such driver, MissingError where the namespace is not there,
        L2tpError about `subject`.
        """
        with contextlib.ExitStack() as stack:
            if netns is not None:
                attributes["net_ns_fd"] = descriptor = open_netns(netns)
                stack.callback(os.close, descriptor)
            try:
                with asking(subject, f"make a {driver}"):
                    self._route.link("add", kind=driver, **attributes)
            except L2tpError as error:
                if error.errno in _UNKNOWN_DRIVER:
                    problem = f"this kernel can't make such a netdev of type {driver}"
                    remedy = f"`modprobe {_MODULES.get(driver, driver)}` may help where kernels have modules"
                    if attributes.get("br_vlan_filtering"):
                        problem = "this kernel can't make a bridge that filters VLANs (--vlan-filtering on)"
                        remedy = "leave --vlan-filtering out, or take a kernel with CONFIG_BRIDGE_VLAN_FILTERING"
                    raise UnavailableError(subject, problem, remedy, errno=error.errno) from error
                raise

    def set(self, index: int, subject: str, **attributes: Any) -> None:
        """Change attributes of the netdev with that index. subject: what errors name. Raises L2tpError."""
        with asking(subject, f"set {', '.join(attributes)}"):
            if (promisc := attributes.pop("promisc", None)) is not None:
                attributes |= {"flags": PROMISC if promisc else 0, "change": PROMISC}
            self._route.link("set", index=index, **attributes)

    def delete(self, index: int, subject: str) -> None:
        """Remove a netdev; one that is gone is fine. Raises L2tpError about `subject`."""
        with contextlib.suppress(NotFoundError), asking(subject, "remove it"):
            self._route.link("del", index=index)

    def vlan(self, index: int, subject: str, low: int, high: int, *, untagged: bool = False, add: bool = True) -> None:
        """Let VLANs low..high pass a bridge's member, or (add=False) no longer. Raises L2tpError about `subject`."""
        words: Attributes = {"vid": low if low == high else f"{low}-{high}"}
        if untagged and add:
            words["flags"] = ["pvid", "untagged"]
        with asking(subject, f"{'add' if add else 'remove'} VLAN {words['vid']}"):
            self._route.vlan_filter("add" if add else "del", index=index, vlan_info=words)

    def vlans(self, index: int) -> dict[int, bool]:
        """The VLANs of a bridge's member: their number, and whether it is the untagged one. Raises what `all` does."""
        with asking("the bridge's VLANs", "list them"):
            for message in self._route.get_vlans(index=index):
                found: dict[int, bool] = {}
                for name, info in (message.get("af_spec") or {"attrs": ()})["attrs"]:
                    if name == "IFLA_BRIDGE_VLAN_INFO":
                        found[info["vid"]] = bool(info["flags"] & 2)  # BRIDGE_VLAN_INFO_PVID
                return found
        return {}

    def redirect(self, index: int, target: int, subject: str, priority: int) -> None:
        """Send whatever a netdev receives out at another netdev, by a filter of that priority (1 to 65535).

        The filter and what it hangs on are made by one call: by the filter all of it is found again, and removed.
        Raises L2tpError about `subject`.
        """
        clsact = tc.NEW_QDISC, tc.clsact(index)
        rule = tc.NEW_FILTER, tc.redirect(index, tc.Side.INGRESS, priority, target)
        with asking(subject, "take over a netdev's frames"), RouteSocket(self.netns) as route:
            hook, refused = route.make_together(clsact, rule)
            if refused is not None and hook is None:
                self._route.tc("del", "clsact", index)
            if refused is not None:
                raise refused

    def unredirect(self, index: int, subject: str, priority: int) -> None:
        """Take such a filter away, and what it hangs on where nothing else does; one that is gone is fine.

        Raises L2tpError about `subject`.
        """
        with contextlib.suppress(NotFoundError), asking(subject, "give a netdev's frames back"):
            if self._hangs_alone(index, priority):
                self._route.tc("del", "clsact", index)
            else:
                self._route.tc("del-filter", None, index, parent=tc.Side.INGRESS, prio=priority)

    def _hangs_alone(self, index: int, priority: int) -> bool:
        hooks = [one for one in self._route.get_qdiscs(index=index) if one["parent"] == _CLSACT]
        ingress, egress = ([*self._route.get_filters(index=index, parent=side)] for side in tc.Side)
        alone = not egress and all(message["info"] >> 16 == priority for message in ingress)
        return alone and [one.get("kind") for one in hooks] == ["clsact"]

    def redirected(self, links: Iterable[int], priority: int) -> dict[int, Redirect]:
        """The netdevs that have a filter of that priority. Raises what `all` does."""
        found: dict[int, Redirect] = {}
        with asking("the filters", "list them"):
            for index in links:
                for message in self._route.get_filters(index=index, parent=tc.Side.INGRESS):
                    if message["info"] >> 16 == priority and message.get("kind") == "u32":
                        found.setdefault(index, Redirect(0, 0, 0))
                        if (redirect := _redirect(message)) is not None:
                            found[index] = redirect
        return found


def _redirect(message: Any) -> Redirect | None:
    """The first action of a u32 filter's message."""
    action = _nested(_nested(_nested(message).get("tca_options")).get("tca_u32_act")).get("tca_act_prio_1")
    basic = _nested(_nested(action).get("tca_act_stats")).get("tca_stats_basic")
    parms = _nested(_nested(action).get("tca_act_options")).get("tca_mirred_parms")
    if not isinstance(basic, Mapping) or not isinstance(parms, Mapping):
        return None
    return Redirect(parms["ifindex"], basic["packets"], basic["bytes"])


def _open() -> IPRoute:
    from pyroute2 import IPRoute
    from pyroute2.netlink import nla
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

    class Ipvlan(nla):  # type: ignore[misc] # pyroute2 has no types
        """pyroute2's class with the flags that it lacks, which Linux has had since 4.15 (linux/if_link.h)."""

        prefix = "IFLA_"
        nla_map = (
            ("IFLA_IPVLAN_UNSPEC", "none"),
            ("IFLA_IPVLAN_MODE", "uint16"),
            ("IFLA_IPVLAN_FLAGS", "uint16"),
        )

    ifinfmsg.ifinfo.register_link_kind(module={"ipvlan": Ipvlan})
    with asking("rtnetlink", "open it"):
        return IPRoute()


def _flat(message: Any) -> Attributes:
    """A link message as a dict; of its linkinfo `driver`, `info` (IFLA_INFO_DATA), `member` (IFLA_INFO_SLAVE_DATA)."""
    flat: Attributes = {"index": message["index"], "flags": message["flags"]}
    flat |= _nested(message)
    linkinfo = _nested(flat.get("linkinfo"))
    flat["driver"] = linkinfo.get("info_kind", "")
    flat["info"] = _nested(linkinfo.get("info_data"))
    flat["member"] = _nested(linkinfo.get("info_slave_data"))
    return flat


def _nested(value: Any) -> Attributes:
    # What pyroute2 does not know it gives as hexadecimal text.
    attributes = value["attrs"] if isinstance(value, Mapping) and "attrs" in value else ()
    return {_short(name): _legible(one) if isinstance(one, bytes) else one for name, one in attributes}


def _legible(text: bytes) -> str:
    """What pyroute2 leaves as it is since it is not UTF-8, names and aliases; see linux.netlink.rtnetlink.Link."""
    return text.rstrip(b"\0").decode("utf-8", "backslashreplace")


def _short(name: str) -> str:
    return name.removeprefix("IFLA_").lower()


@contextlib.contextmanager
def asking(subject: str, doing: str) -> Iterator[None]:
    """Raises L2tpError about `subject` where the block raises an error of rtnetlink; `doing` says what was tried."""
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        yield
    except NetlinkError as error:
        raise from_errno(subject, doing, error.code) from error
    except OSError as error:
        raise from_errno(subject, doing, error.errno or 0) from error
    except struct.error as error:  # pyroute2, of an answer that is cut short
        raise RefusedError(subject, f"can't {doing}: the kernel's answer can't be read ({error})") from error
