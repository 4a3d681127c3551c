"""Checks that a link can be made, before anything is touched."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from l2tpv3.errors import ConflictError, InvalidValueError, MissingError
from l2tpv3.links.kinds.base import Attributes
from l2tpv3.links.kinds.bond import check_lacp
from l2tpv3.links.rtnetlink import LinkSocket
from l2tpv3.model.links.options import LinkType
from l2tpv3.model.links.spec import Below, LinkSpec
from l2tpv3.model.status import NetdevState
from l2tpv3.netdev.netdevs import Netdevs

_EXCLUSIVE = ("macvlan", "macvtap", "ipvlan", "ipvtap", "bridge", "bond", "team")  # each wants a netdev's rx_handler


def check_name(spec: LinkSpec, mark: str, *, ours: Iterable[str] = ()) -> None:
    """Check that the name of the link's netdev is free, or its own already.

    ours: names that a change is about to make or to free.
    Raises ConflictError where it is not, MissingError where the namespace is not there.
    """
    with LinkSocket(spec.home) as home:
        found = next((one for one in home.all().values() if one["ifname"] == spec.ifname), None)
    if found is not None and found.get("ifalias") != mark and spec.ifname not in set(ours):
        remedy = "give another --ifname"
        session = next((one.replace("/", " ") for one in spec.over if "/" in one), None)
        if spec.type is LinkType.BRIDGE and found.get("driver") == "bridge" and session is not None:
            remedy += f", or have the session join it: `l2tpctl session set {session} --bridge {spec.ifname}`"
        raise ConflictError(f"link {spec.name}", f"netdev {spec.ifname} exists already", remedy)


def check_over(spec: LinkSpec, below: Below, mark: str, *, ours: Iterable[str] = ()) -> None:
    """Check that the netdevs beneath exist and are free. ours: netdevs that a change is about to make.

    Raises ConflictError (in use, with addresses), MissingError, InvalidValueError (MTU, no LACP).
    """
    ours = set(ours)
    with contextlib.ExitStack() as stack:
        links = stack.enter_context(LinkSocket(spec.over_netns)).all()
        states = {one.ifindex: one for one in stack.enter_context(Netdevs(spec.over_netns)).all()}
    by_name = {one["ifname"]: one for one in links.values()}
    for name in spec.over:
        ifname = below[name]
        one = by_name.get(ifname)
        # Between the two dumps a netdev may go, or get another name: its index is what both have.
        state = states.get(one["index"]) if one is not None else None
        if one is None or state is None:
            if ifname in ours:
                continue
            problem = f"no netdev {ifname} to be over"
            raise MissingError(f"link {spec.name}", problem, "`ip link` shows those that there are")
        # What of ours has it gives it up in the same change, or check_links() has refused it.
        strangers = {index: link for index, link in links.items() if link["ifname"] not in ours}
        _check_one(spec, name, one, state, strangers, mark)
        check_lacp(spec, ifname)


def _check_one(
    spec: LinkSpec, name: str, one: Attributes, state: NetdevState, links: Mapping[int, Attributes], mark: str
) -> None:
    """name: as it is called in `over`. links: the netdevs that may have it, but for our own."""
    subject, ifname = f"link {spec.name}", state.ifname
    if spec.mtu is not None and spec.mtu > state.mtu:
        problem = f"{spec.mtu} is more than {state.mtu}, the MTU of {ifname}"
        raise InvalidValueError(f"{subject}: --mtu", problem, f"give {state.mtu} at most, or auto", field="mtu")
    master = links.get(one.get("master") or 0)
    if spec.type in (LinkType.VLAN, LinkType.VNIC) or (master is not None and master.get("ifalias") == mark):
        return
    if master is not None:
        problem = f"{ifname} is a member of {master['ifname']}"
        raise ConflictError(subject, problem, f"`ip link set {ifname} nomaster` takes it out of there")
    alike = () if spec.options.exclusive else (str(spec.type),)
    user = next((other for other in _users(one, links) if other["driver"] not in alike), None)
    if user is not None:
        problem = f"{ifname} is in use by {user['ifname']} ({user['driver']})"
        raise ConflictError(subject, problem, f"be over {user['ifname']}, or remove that first")
    if spec.options.exclusive:
        _check_addresses(spec, name, state)


def _check_addresses(spec: LinkSpec, name: str, state: NetdevState) -> None:
    """Check that a netdev has no address but link-local ones. name: as it is called in `over`. Raises ConflictError."""
    lasting = [address for address in state.addresses if not address.ip.is_link_local]
    if not lasting:
        return
    problem = f"{state.ifname} has the address {lasting[0]}, which would stop working"
    tunnel, found, session = name.partition("/")
    taking = f"ip addr del {lasting[0]} dev {state.ifname}"
    if found:
        taking = f"l2tpctl session set {tunnel} {session} --address none"
    heir = f", and `--address {lasting[0]}` gives it to {spec.name}" if spec.options.own_netdev else ""
    raise ConflictError(f"link {spec.name}", problem, f"`{taking}` takes it away{heir}")


def _users(one: Attributes, links: Mapping[int, Attributes]) -> list[Attributes]:
    """What receives a netdev's frames instead of the host."""
    return [
        other
        for other in links.values()
        if other.get("link") == one["index"] and other["driver"] in _EXCLUSIVE and "link_netnsid" not in other
    ]
