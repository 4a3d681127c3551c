"""Finds out what is to be probed: the netdevs of sessions on record whose `probe` names an address."""

from __future__ import annotations

from collections.abc import Iterator

from l2tpv3.model.probe import ProbeTarget, hook_of, probe_kind, probed_address
from l2tpv3.model.record import Records, TunnelRecord
from l2tpv3.reconcile.observer import Observer
from l2tpv3.store.receptions import reception_key


def probe_targets(records: Records, observer: Observer) -> list[ProbeTarget]:
    """What to probe of these records. A session that does not run, or is to be down, is not probed."""
    return [target for record in records.values() for target in _of_tunnel(record, observer)]


def _of_tunnel(record: TunnelRecord, observer: Observer) -> Iterator[ProbeTarget]:
    probed = tuple(one for one in record.sessions if one.spec.up and probed_address(one.spec.probe) is not None)
    if not probed:
        return
    for status in observer.tunnel(record.with_sessions(probed)).sessions:
        spec, netdev = status.spec, status.netdev
        address = probed_address(spec.probe)
        if netdev is not None and address is not None:
            yield ProbeTarget(
                key=reception_key(record, spec), name=f"{record.spec.name}/{spec.name}", netns=netdev.netns,
                ifname=netdev.bridge or netdev.ifname, kind=probe_kind(spec.probe), address=address,
                interval_s=spec.probe_interval_ms / 1000, multiplier=spec.probe_multiplier,
                hook=hook_of(spec.on_dead),
            )  # fmt: skip
