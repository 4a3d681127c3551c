"""The means of encryption behind one interface: each tunnel's is what its record says."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from l2tpv3.model.encryption import EncryptionState, EncryptionStatus
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.spec import Encrypt, TunnelSpec


class Means(Protocol):
    """What encrypts tunnels of one host. A new one is added to `means` and `why_not`. All methods raise L2tpError."""

    def state(self, record: TunnelRecord, mtu: int | None) -> EncryptionState:
        """What there is, and lacks, of a tunnel's. mtu: the longest packet of the tunnel, in bytes; None: any will do.

        Nothing is there in a namespace that is not there.
        """

    def status(self, record: TunnelRecord, mtu: int | None) -> EncryptionStatus:
        """Who encrypts a tunnel, and how that goes. mtu: as for `state`."""

    def make(self, record: TunnelRecord, mtu: int | None, *, new_endpoint: bool) -> None:
        """Make what there is as the record has it: first what refuses packets, last what lets them through.

        mtu: as for `state`. new_endpoint: the record has another peer or other keys than before. After an error, the
        same again completes it.
        """

    def remove(self, record: TunnelRecord, kept: TunnelRecord | None = None, *, guard_stays: bool = False) -> None:
        """Remove what there is for a record whose tunnel is gone. Nothing happens where there is nothing.

        kept: the record that has the means from now on: then only what refuses packets goes. guard_stays: the tunnel is
        still there, so that what refuses packets stays.
        """

    def rename(self, old: TunnelRecord, new: TunnelRecord) -> None:
        """Have it know the tunnel's new name. Nothing happens where there is nothing."""


def means(encrypt: Encrypt, runtime: Path) -> Means:
    """What encrypts so. runtime: the host's directory, by which what is its own is known."""
    if encrypt is Encrypt.IPSEC:
        from l2tpv3.encryption.ipsec import IPsec

        return IPsec(runtime)
    from l2tpv3.encryption.wireguard import WireGuard

    return WireGuard(runtime)


def why_not(spec: TunnelSpec) -> str:
    """Why this host can't encrypt a tunnel so, and what helps; "" where it can. May load the kernel's modules."""
    if spec.encrypt is Encrypt.IPSEC:
        from l2tpv3.encryption import ipsec

        return ipsec.why_not(spec)
    from l2tpv3.encryption import wireguard

    return wireguard.why_not()
