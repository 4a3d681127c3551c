"""The steps of a plan, as plain values. describe.py puts them into words; l2tpv3.reconcile.executor takes them."""

from __future__ import annotations

from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.model.spec import SessionSpec
from l2tpv3.model.status import NetdevState
from l2tpv3.plan.link_steps import LinkStep
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing done to one tunnel or session. tunnel: as wanted (of a removal: as it was). why: when not plain."""

    tunnel: TunnelRecord
    why: str = ""


@value_class(frozen=True, slots=True, kw_only=True)
class AddTunnel(Step):
    """Make the tunnel, without its sessions."""


@value_class(frozen=True, slots=True, kw_only=True)
class DelTunnel(Step):
    """Remove the tunnel with what is left of its sessions."""


@value_class(frozen=True, slots=True, kw_only=True)
class SetTunnel(Step):
    """Have the datapath change `fields` of the tunnel in place. old: the tunnel as it is, with its sessions."""

    old: TunnelRecord
    fields: tuple[str, ...]


@value_class(frozen=True, slots=True, kw_only=True)
class SetEncryption(Step):
    """Make what encrypts the tunnel as the record has it: anew, or in place, before the tunnel is made.

    new_endpoint: the record has the peer elsewhere than before, and that is told; else WireGuard knows better.
    """

    new_endpoint: bool = False


@value_class(frozen=True, slots=True, kw_only=True)
class DelEncryption(Step):
    """Remove what encrypted the tunnel, after the tunnel.

    kept: the record that has the netdev from now on: then only the route that refuses packets in the clear goes.
    guard_stays: the tunnel is still there, so that only the netdev goes, and the route stays.
    """

    kept: TunnelRecord | None = None
    guard_stays: bool = False


@value_class(frozen=True, slots=True, kw_only=True)
class AddSession(Step):
    """Make the session and configure its netdev. adopt: take over the netdev that outlived its worker. homes: the
    namespaces in which that was seen."""

    session: SessionRecord
    adopt: bool = False
    homes: tuple[str | None, ...] = ()


@value_class(frozen=True, slots=True, kw_only=True)
class DelSession(Step):
    """Remove the session and its netdev."""

    session: SessionRecord


@value_class(frozen=True, slots=True, kw_only=True)
class SetSession(Step):
    """Have the datapath change `fields` in place."""

    session: SessionRecord
    old: SessionRecord
    fields: tuple[str, ...]


@value_class(frozen=True, slots=True, kw_only=True)
class SetNetdev(Step):
    """Change `fields` of the session's netdev in place. old: the netdev as it is now, in a spec's words. netdev: which
    one that is; None where it is to be found by its mark."""

    session: SessionRecord
    old: SessionSpec
    fields: tuple[str, ...]
    netdev: NetdevState | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class ReplaceSession(Step):
    """Make the session anew in place of `old` (of `old_tunnel`); first the new one, where both can exist at once."""

    session: SessionRecord
    old_tunnel: TunnelRecord
    old: SessionRecord


AnyStep = Step | LinkStep


def subject_of(step: Step) -> tuple[str, str | None]:
    """The tunnel, and the session of it that the step is about; None where it is about the tunnel as such."""
    session: SessionRecord | None = getattr(step, "session", None)
    return step.tunnel.spec.name, session.spec.name if session is not None else None
