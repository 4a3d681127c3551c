"""Finds out what is probed: sessions on record that have a `probe`, and what is known of those that a worker probes."""

from __future__ import annotations

from collections.abc import Iterator

from l2tpv3.model.probe import NONE, ProbeKind, ProbeReport, ProbeTarget, hook_of, probe_kind, probed_address
from l2tpv3.model.record import Records, TunnelRecord
from l2tpv3.reconcile.observer import Observer
from l2tpv3.store.receptions import reception_key


def probe_targets(records: Records, observer: Observer) -> list[tuple[ProbeTarget, ProbeReport | None]]:
    """What to probe of these records, each with what its worker has found, where it is a worker that probes.

    A session that does not run, or is to be down, is not probed; a worker probes also one that is down.
    """
    return [found for record in records.values() for found in _of_tunnel(record, observer)]


def _of_tunnel(record: TunnelRecord, observer: Observer) -> Iterator[tuple[ProbeTarget, ProbeReport | None]]:
    probed = tuple(one for one in record.sessions if one.spec.probe != NONE and (one.spec.up or one.spec.channel_probe))
    if not probed:
        return
    for status in observer.tunnel(record.with_sessions(probed)).sessions:
        spec, netdev = status.spec, status.netdev
        address = probed_address(spec.probe)
        kind = ProbeKind.BFD if address is None else probe_kind(spec.probe)
        if netdev is not None:
            target = ProbeTarget(
                key=reception_key(record, spec), name=f"{record.spec.name}/{spec.name}", netns=netdev.netns,
                ifname=netdev.bridge or netdev.ifname, kind=kind, address=address,
                interval_s=spec.probe_interval_ms / 1000, multiplier=spec.probe_multiplier,
                hook=hook_of(spec.on_dead),
            )  # fmt: skip
            yield target, status.probing if address is None else None
