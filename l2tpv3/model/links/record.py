"""The records of links: the desired spec of each, and the values that were chosen for what it leaves open."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from l2tpv3.errors import MissingError
from l2tpv3.model.links.options import PortCarrier, PortOptions
from l2tpv3.model.links.spec import Below, LinkSpec
from l2tpv3.model.record import Records
from l2tpv3.model.spec import CircuitKey, home
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class LinkRecord:
    """A link on record. mac: what its netdev is made with each time; None where it has that of what it is over.

    over_netns: where what it is over is: `spec.over_netns`, else where the first of it that is ours is.
    boot: of a transient one, the boot that it does not outlive; None for one that lasts.
    stopped: the boot in which `down` stopped it; None otherwise.
    """

    spec: LinkSpec
    mac: str | None = None
    over_netns: str | None = None
    boot: str | None = None
    stopped: str | None = None

    @property
    def resolved(self) -> LinkSpec:
        """The spec that the link is made from, with everything chosen."""
        return dataclasses.replace(self.spec, over_netns=self.over_netns)


Links = Mapping[str, LinkRecord]
"""Links on record by name."""


def specs_of(links: Links) -> dict[str, LinkSpec]:
    """The spec of each link."""
    return {name: record.spec for name, record in links.items()}


class FollowingPort(NamedTuple):
    """A port that follows its far end: `nic` in `netns` is wired to a session, which `key` names to its datapath."""

    link: str
    netns: str | None
    nic: str
    session_ifname: str
    key: CircuitKey


def following_ports(tunnels: Records, links: Links) -> list[FollowingPort]:
    """The ports on record that follow their far end, without those that `down` stopped.

    Raises MissingError for a port over a session that is not on record.
    """
    found = []
    for name, record in links.items():
        options = record.spec.options
        if (
            not isinstance(options, PortOptions)
            or options.carrier is not PortCarrier.FOLLOW
            or record.stopped is not None
        ):
            continue
        ifnames = below(record.spec, tunnels, links)
        over = next(one for one in record.spec.over if "/" in one)
        nic = next(ifname for one, ifname in ifnames.items() if one != over)
        tunnel, _, session = over.partition("/")
        there = tunnels[tunnel].session(session)
        assert there is not None  # below() has found it
        spec = tunnels[tunnel].spec
        key = (spec.netns, spec.tunnel_id, there.spec.session_id)
        found.append(FollowingPort(name, record.over_netns, nic, ifnames[over], key))
    return found


def below(spec: LinkSpec, tunnels: Records, links: Links) -> Below:
    """The netdevs that a link is over. Raises MissingError for a session that is not on record."""
    found = {}
    for name in spec.over:
        tunnel, slash, session = name.partition("/")
        if slash:
            record = tunnels.get(tunnel)
            there = record.session(session) if record is not None else None
            if there is None:
                remedy = f"`l2tpctl session add {tunnel} {session}` makes it"
                raise MissingError(f"link {spec.name}: --over", f"no session {name}", remedy)
            found[name] = there.spec.ifname
        else:
            found[name] = links[name].spec.ifname if name in links else name
    return found


def place_of(spec: LinkSpec, tunnels: Records, links: Links) -> str | None:
    """The namespace of what a link is over, where that is not stated: that of the first which is ours."""
    if spec.over_netns is not None:
        return spec.over_netns
    for name in spec.over:
        tunnel, slash, session = name.partition("/")
        if slash and tunnel in tunnels and (there := tunnels[tunnel].session(session)) is not None:
            return home(tunnels[tunnel].spec, there.spec)
        if name in links and links[name].spec.options.own_netdev:
            return links[name].resolved.home
    return None
