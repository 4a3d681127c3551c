"""A session's veth: its netdev, and the lower end under that, where programs are.

The lower end is known by its name, which has the ids, and its alias: `under l2tpv3 TUNNEL/SESSION RUNTIME`. One without
an alias was only half made; one that is down, too. Tunnel 1, session 2 has `le1-2` and, for what programs leave to the
worker, the TAP `lt1-2`. Where ids are too long for that, the 64 bits of both are written with 36 digits.
"""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path
from typing import Final

from l2tpv3.errors import ConflictError
from l2tpv3.linux.ethtool import Offload, switch
from l2tpv3.linux.netlink import veth
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netlink.veth import Pair
from l2tpv3.linux.netns import inside
from l2tpv3.model.ids import ID_MAX
from l2tpv3.model.ownership import OwnerTag
from l2tpv3.model.spec import Encap, SessionSpec, TunnelSpec

_UNDER: Final = "under "
LOWER, SLOW = "le", "lt"
"""The other end of the session's veth, and the worker's TAP."""

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_NAME_MAX: Final = 15
_LONG: Final = 13  # digits of 64 bits


def lower_name(tunnel_id: int, session_id: int) -> str:
    """The name of the other end of the session's veth."""
    return _name(LOWER, tunnel_id, session_id)


def slow_name(tunnel_id: int, session_id: int) -> str:
    """The name of the TAP."""
    return _name(SLOW, tunnel_id, session_id)


def ids_of_lower(ifname: str) -> tuple[int, int] | None:
    """The tunnel id and session id that `lower_name` made a name of; None for any other name."""
    digits = ifname.removeprefix(LOWER)
    if digits == ifname:
        return None
    one, dash, other = digits.partition("-")
    try:
        found = (int(one), int(other)) if dash else divmod(int(digits, 36), 1 << 32)
    except ValueError:
        return None
    return found if max(found) <= ID_MAX and min(found) >= 0 and lower_name(*found) == ifname else None


def _name(prefix: str, tunnel_id: int, session_id: int) -> str:
    name = f"{prefix}{tunnel_id}-{session_id}"
    if len(name) <= _NAME_MAX:
        return name
    number, digits = tunnel_id << 32 | session_id, ""
    for _ in range(_LONG):
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return prefix + digits


def all_ends(route: RouteSocket) -> list[Pair]:
    """The ends of veths in a namespace, anybody's. Raises OSError."""
    return list(veth.read(route.dump(veth.GET_LINK, veth.all_pairs())))


def lower_end(route: RouteSocket, tunnel_id: int, session_id: int) -> Pair | None:
    """The lower end of that name. Raises OSError."""
    try:
        found = route.request(veth.GET_LINK, veth.pair_named(lower_name(tunnel_id, session_id)))
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise
    return next(veth.read(found), None)


def is_ours(end: Pair, tunnel: str, runtime: Path) -> bool:
    """Whether a lower end is of a tunnel of that name of this host."""
    return not end.alias or OwnerTag(runtime, tunnel).fits(end.alias.removeprefix(_UNDER))


def make(route: RouteSocket, tunnel: TunnelSpec, session: SessionSpec, runtime: Path) -> None:
    """Make the session's veth, both ends down. Raises OSError, ConflictError (a netdev has that name)."""
    name = lower_name(tunnel.tunnel_id, session.session_id)
    try:
        route.make(veth.NEW_LINK, veth.make(session.ifname, name, session.mac))
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
        subject, problem = f"session {session.name}", f"netdev {session.ifname} exists"
        raise ConflictError(subject, problem, "give another --ifname", errno=error.errno) from error
    mark = OwnerTag(runtime, tunnel.name, session.name).alias()
    try:
        route.set_link(session.ifname, alias=mark)
        route.set_link(name, alias=f"{_UNDER}{mark}")
    except BaseException:
        with contextlib.suppress(OSError):
            route.delete_link(route.link(name).ifindex)
        raise


def mark(route: RouteSocket, tunnel: TunnelSpec, session: SessionSpec, runtime: Path) -> None:
    """Have the lower end say the tunnel's present name. Raises OSError."""
    alias = OwnerTag(runtime, tunnel.name, session.name).alias()
    route.set_link(lower_name(tunnel.tunnel_id, session.session_id), alias=f"{_UNDER}{alias}")


def delete(route: RouteSocket, end: Pair) -> None:
    """Remove both ends, if they are still there. Raises OSError."""
    try:
        route.delete_link(end.ifindex)
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise


def forward(route: RouteSocket, tunnel: TunnelSpec, end: Pair) -> bool:
    """Have programs there look up routes (bpf_ipv4_fib_lookup() in net/core/filter.c). Whether they can.

    For IPv6 it takes a writable /proc/sys.
    Raises MissingError where the namespace is not there.
    """
    try:
        if tunnel.remote.version == 4:
            route.forward_ipv4(end.ifindex)
        else:
            with inside(tunnel.netns):
                Path(f"/proc/sys/net/ipv6/conf/{end.ifname}/forwarding").write_text("1", encoding="ascii")
    except OSError:
        return False
    return True


def set_offloads(
    route: RouteSocket,
    tunnel: TunnelSpec,
    lower: Pair,
    *,
    finished: bool,
    moved: tuple[str | None, str] | None = None,
) -> None:
    """Set which offloads the session's netdev has: what the kernel may do later, and merging (GRO). Raises OSError.

    Super-frames are cut up behind an outer UDP header, but not behind IP's alone. finished: nothing may be left, not
    even checksums, since packets stay on this machine: a program with a socket there would get them as they are.
    moved: the network namespace and the name of a session's netdev that is not beside its lower end any more.
    """
    if lower.other is None and moved is None:
        return
    netns, ifname = moved if lower.other is None and moved is not None else (tunnel.netns, "")
    with inside(netns):
        ifname = ifname or route.link(lower.other or 0).ifname
        switch(ifname, Offload.TX_CHECKSUM, on=not finished)
        switch(ifname, Offload.TSO, on=not finished and tunnel.encap is Encap.UDP)
        # Without TSO at one end veth has the other merge what comes one by one (veth_skb_is_eligible_for_gro()).
        switch(ifname, Offload.GRO, on=True)
    with inside(tunnel.netns):
        switch(lower.ifname, Offload.TSO, on=False)
