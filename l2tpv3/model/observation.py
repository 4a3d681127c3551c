"""This host as it is observed at one moment: tunnels by datapath and network namespace, netdevs by session."""

from __future__ import annotations

import errno
from collections.abc import Hashable, Mapping
from dataclasses import field

from l2tpv3.errors import WorkerError
from l2tpv3.model.encryption import EncryptionState
from l2tpv3.model.ipsec import selector
from l2tpv3.model.links.observed import LinksSeen
from l2tpv3.model.observed import Tunnel
from l2tpv3.model.record import TunnelRecord, ends, is_same
from l2tpv3.model.spec import Encrypt
from l2tpv3.model.status import NetdevState
from l2tpv3.value_class import value_class


def encryption_key(record: TunnelRecord) -> Hashable:
    """What makes the encryption of a record the one that it is. The record has to be of an encrypted tunnel."""
    spec = record.spec
    if spec.encrypt is Encrypt.IPSEC:
        known = (spec.ike_auth, spec.ike_id, spec.peer_ike_id, spec.esp_in_udp)
        return spec.name, spec.netns, record.local, guarded(record), known
    return spec.name, spec.netns, ends(record), spec.listen_port, spec.persistent_keepalive


def guarded(record: TunnelRecord) -> Hashable:
    """Which packets are refused where they would go in the clear. The record has to be of an encrypted tunnel."""
    return selector(record.spec) if record.spec.encrypt is Encrypt.IPSEC else record.spec.inner_remote


@value_class(frozen=True, slots=True, kw_only=True)
class Observation:
    """tunnels: (datapath, netns) → tunnel id → Tunnel. netdevs: (tunnel name, session name) → its netdev.

    faults: of a datapath, why some of its workers can't be worked with; what those carry is not in `tunnels`.
    attached: of a datapath, the names of netdevs that those workers have open, as far as it can be told.
    lost: by datapath and name, tunnels that run in network namespaces which have lost their names.
    encryption: what there is of each encrypted tunnel's, by encryption_key.
    """

    tunnels: Mapping[tuple[str, str | None], Mapping[int, Tunnel]] = field(default_factory=dict)
    netdevs: Mapping[tuple[str, str], NetdevState] = field(default_factory=dict)
    faults: Mapping[str, tuple[WorkerError, ...]] = field(default_factory=dict)
    attached: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lost: frozenset[tuple[str, str]] = frozenset()
    encryption: Mapping[Hashable, EncryptionState] = field(default_factory=dict)
    links: LinksSeen = field(default_factory=LinksSeen)

    def tunnel(self, record: TunnelRecord) -> Tunnel | None:
        """The tunnel on record as its datapath reports it; None when it does not."""
        there = self.tunnels.get((record.datapath, record.spec.netns), {})
        seen = there.get(record.spec.tunnel_id)
        return seen if seen is not None and is_same(record, seen) else None

    def encryption_of(self, record: TunnelRecord) -> EncryptionState:
        """What there is of an encrypted tunnel's encryption."""
        return self.encryption.get(encryption_key(record), EncryptionState())

    def may_be_carried(self, record: TunnelRecord, *, by_strays: bool = True) -> WorkerError | None:
        """Why it can't be told whether a tunnel that `tunnel` does not find runs all the same; None: it does not.

        A worker that can't be worked with may carry it. Then its netdevs have their carrier, or are down, or the worker
        has them open and took their carrier away, as the far end told it to.
        by_strays: whether workers that have lost their control sockets count as well.
        """
        faults = self.faults.get(record.datapath, ())
        fault = next((one for one in faults if by_strays or one.errno != errno.ENOTCONN), None)
        netdevs = [self.netdevs.get((record.spec.name, one.spec.name)) for one in record.sessions]
        attached = self.attached.get(record.datapath, frozenset())
        if any(one is not None and one.up and not one.carrier and one.ifname not in attached for one in netdevs):
            return None
        return fault
