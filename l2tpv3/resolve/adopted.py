"""The record of a tunnel that something else made, when it is taken over as it is."""

from __future__ import annotations

import dataclasses

from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.model.spec import IPInterface, session_attributes
from l2tpv3.model.status import NetdevState, TunnelStatus


def adopted(status: TunnelStatus, name: str, sublayer: str) -> TunnelRecord:
    """The record of a foreign tunnel as it is, under a name of ours; its sessions are called as their netdevs.

    sublayer: that of its sessions, as `--sublayer` says it, since the kernel does not tell it. Raises
    InvalidValueError where such a name can't be one of ours.
    """
    spec = dataclasses.replace(status.spec, name=name)
    fields = session_attributes({"sublayer": sublayer})
    sessions = []
    for session in status.sessions:
        netdev = session.netdev
        own = dataclasses.replace(
            session.spec,
            name=session.spec.ifname,
            mtu=session.mtu,
            up=netdev.up if netdev else True,
            bridge=netdev.bridge if netdev else None,
            addresses=_without_link_local(netdev) if netdev and netdev.bridge is None else (),
            **fields,
        )
        sessions.append(SessionRecord(spec=own, mtu=session.mtu or 0, mac=netdev.mac if netdev else None))
    record = TunnelRecord(spec=spec, local=status.local or spec.endpoint, datapath=status.datapath, reason="adopted")
    return record.with_sessions(tuple(sessions))


def _without_link_local(netdev: NetdevState) -> tuple[IPInterface, ...]:
    """The netdev's addresses without those that the kernel gives every netdev by itself."""
    return tuple(address for address in netdev.addresses if not address.ip.is_link_local)
