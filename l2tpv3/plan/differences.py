"""Compares a session that is there, and its netdev, with what is wanted."""

from __future__ import annotations

from l2tpv3.model.fields import PROBED_IN_PLACE
from l2tpv3.model.observed import Session
from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.model.spec import SessionSpec, as_seen, home
from l2tpv3.model.status import NetdevState


def changed_fields(wanted: SessionRecord, mine: list[SessionRecord], seen: Session) -> list[str]:
    """SessionSpec fields, the netdev's left out, in which the session that is there may differ from what is wanted."""
    spec = wanted.spec
    changed = [
        name for name in ("peer_session_id", "tx_cookie", "rx_cookie") if getattr(seen, name) != getattr(spec, name)
    ]
    if _differs(spec, mine, "sublayer") if seen.sublayer is None else seen.sublayer is not spec.sublayer:
        changed.append("sublayer")
    # What a kernel sends follows its peer; what it requires does not.
    if seen.recv_seq != spec.numbering.recv or _differs(spec, mine, "sequencing"):
        changed.append("sequencing")
    if seen.fragment != spec.fragment:
        changed.append("fragment")
    if _differs(spec, mine, "reorder_timeout_ms"):
        changed.append("reorder_timeout_ms")
    if any((one.spec.vlan is None) != (spec.vlan is None) for one in mine):
        changed.append("pseudowire type")
    changed += _changed_probe(spec, mine, seen)
    changed += [name for name in ("vlan", "egress") if _differs(spec, mine, name)]
    if any(one.mtu != wanted.mtu for one in mine):
        changed.append("mtu")
    return changed


def _changed_probe(spec: SessionSpec, mine: list[SessionRecord], seen: Session) -> list[str]:
    """The fields by which the worker that is to probe the other end, or is not, is told so otherwise than by now."""
    if seen.channel_probe == spec.channel_probe:
        return []
    return [name for name in sorted(PROBED_IN_PLACE) if _differs(spec, mine, name)] or ["probe"]


def _differs(spec: SessionSpec, mine: list[SessionRecord], field: str) -> bool:
    """Whether the session that is there may have another value in a field that can't be seen."""
    value = getattr(spec, field)
    return any(getattr(one.spec, field) != value for one in mine)


def is_placed(tunnel: TunnelRecord, wanted: SessionRecord, mine: list[SessionRecord], netdev: NetdevState) -> bool:
    """Whether the netdev is surely as wanted. A quick test, since most of thousands of netdevs are."""
    spec = wanted.spec
    return (
        stands(wanted, netdev)
        and all(one.spec.addresses == spec.addresses for one in mine)
        and home(tunnel.spec, mine[-1].spec) == home(tunnel.spec, spec)
    )


def stands(session: SessionRecord, netdev: NetdevState) -> bool:
    """Whether name, MTU, MAC address, bridge and addresses of the netdev are those that the session asks for."""
    spec = session.spec
    return (
        (netdev.ifname, netdev.mtu, netdev.up, netdev.bridge) == (spec.ifname, session.mtu, spec.up, spec.bridge)
        and netdev.clamp_mtu == session.clamp_mtu
        and spec.mac in (None, netdev.mac)
        and all(address in netdev.addresses for address in spec.addresses)
    )


def as_netdev_shows(spec: SessionSpec, mine: list[SessionRecord], netdev: NetdevState) -> SessionSpec:
    """The session as its netdev shows it. What nobody on our side asked for (a bridge, addresses) is left out of it."""
    ours = {address for one in mine for address in one.spec.addresses} | set(spec.addresses)
    bridges = {one.spec.bridge for one in mine} | {spec.bridge}
    last = mine[-1].spec
    bridge = netdev.bridge if spec.bridge is not None or netdev.bridge in bridges else None
    addresses = tuple(address for address in netdev.addresses if address in ours)
    if bridge and addresses:  # killed between joining or leaving and the addresses: a spec can't say both
        bridge, addresses = (None, addresses) if spec.bridge else (bridge, ())
    return as_seen(
        last,
        ifname=netdev.ifname,
        mtu=netdev.mtu,
        up=netdev.up,
        bridge=bridge,
        addresses=addresses,
        clamp_mss=netdev.clamp_mtu is not None,
    )


def netdev_changes(
    tunnel: TunnelRecord, believed: SessionSpec, wanted: SessionSpec, netdev: NetdevState
) -> tuple[str, ...]:
    """The SessionSpec fields in which the netdev of a session is not as wanted. believed: see as_netdev_shows."""
    fields = [name for name in ("ifname", "mtu", "up", "bridge") if getattr(believed, name) != getattr(wanted, name)]
    if wanted.mac is not None and wanted.mac != netdev.mac:
        fields.append("mac")
    if set(believed.addresses) != set(wanted.addresses):
        fields.append("addresses")
    if home(tunnel.spec, believed) != home(tunnel.spec, wanted):
        fields.append("netns")
    return tuple(fields)
