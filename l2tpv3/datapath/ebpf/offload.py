"""Decides which frames of a session the eBPF programs move, and which the worker does."""

from __future__ import annotations

from l2tpv3.datapath.ebpf.session_entry import DISBELIEVES, RECEIVES, SENDS, Entry
from l2tpv3.model.spec import Df, Encap, Sequencing, SessionSpec, TunnelSpec


def tasks(tunnel: TunnelSpec, session: SessionSpec, *, policies: bool, limited: bool) -> int:
    """RECEIVES, SENDS, DISBELIEVES, or none of them.

    policies: whether there are IPsec policies in the tunnel's namespace. limited: what `underlay.is_limited` says.
    The worker does what has to be numbered or kept in order, or to get a tag; what is to have UDP checksums, or
    inherits a DSCP or the DF bit from each frame; where an
    address means something on one netdev alone; and all where there are policies, which sockets heed.
    """
    scoped = getattr(tunnel.remote, "scope_id", None) is not None
    if policies or scoped or session.sequencing is not Sequencing.NONE or session.vlan is not None:
        return 0
    if tunnel.encap is Encap.UDP and tunnel.udp_checksum:
        return RECEIVES
    if tunnel.dscp is None or tunnel.df is Df.INHERIT:
        return RECEIVES
    return RECEIVES | SENDS | (0 if limited else DISBELIEVES)


def differ(entry: Entry | None, wanted: int, *, watched: bool) -> bool:
    """Whether the programs do what they should not, or don't take what they should. Sending may be the worker's;
    what they send must not depend on what was forged.

    entry: the session's in the map. watched: whether a program is where packets come in.
    """
    done = entry.tasks if entry is not None else 0
    if done & SENDS and wanted & DISBELIEVES & ~done:
        return True
    return bool(done & ~wanted) or bool(wanted & RECEIVES and not (done & RECEIVES and watched))
