"""The netdevs under a session's, and the programs on them.

    pw1 ══ le1-2 ─┬─ transmit ──────────> the netdev by which the peer is reached
          (veth)  └─ the rest ── lt1-2 ──> the worker, its socket
                                 (TAP)
    pw1 <── le1-2 <── receive ──────────── the netdev by which packets come in
                  <── lt1-2 <── the rest ─ the worker

All of it is in the tunnel's network namespace, but for the session's netdev, which may be moved; and goes with that.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from l2tpv3.datapath.ebpf import ipsec, names, syscall
from l2tpv3.datapath.ebpf.backhaul import backhaul, guard
from l2tpv3.datapath.ebpf.entry import RECEIVES, SENDS, Entry, key
from l2tpv3.datapath.ebpf.sessions import PRIORITY, Sessions, create, find, of_lower
from l2tpv3.datapath.ebpf.transmit import Outgoing, transmit
from l2tpv3.datapath.ebpf.underlay import attach, detach, leaves_unfinished, reached_by
from l2tpv3.errors import ConflictError, L2tpError, MissingError, UnavailableError, from_errno
from l2tpv3.marks import Mark
from l2tpv3.netlink import veth
from l2tpv3.netlink.ethtool import Offload, switch
from l2tpv3.netlink.message import NLM_F_CREATE, NLM_F_REPLACE
from l2tpv3.netlink.route import Link, RouteSocket
from l2tpv3.netlink.traffic import ANY, NEW_FILTER, NEW_QDISC, Side, clsact, run
from l2tpv3.netlink.veth import Pair
from l2tpv3.netns import inside
from l2tpv3.spec import MTU_MAX, Encap, Sequencing, SessionSpec, TunnelSpec

_MISSING: Final = (errno.ENOENT, errno.EOPNOTSUPP, errno.EAFNOSUPPORT)
"""What a kernel says that has no such netdev, scheduler or filter."""
_LONGEST: Final = MTU_MAX - 14
"""A TAP's greatest MTU: the session's netdev has the one that counts."""
_CARRIES: Final = re.compile(r"carries (\S+), l2tpv3 ")


def tasks(tunnel: TunnelSpec, session: SessionSpec) -> int:
    """What the programs do for a session: RECEIVES, SENDS.

    The worker does what has to be numbered or kept in order, or to get a tag; what is to have UDP checksums; where an
    address means something on one netdev alone; and all where there are IPsec policies, which sockets heed.
    """
    scoped = getattr(tunnel.remote, "scope_id", None) is not None
    if session.sequencing is not Sequencing.NONE or session.vlan is not None or scoped or ipsec.is_used(tunnel.netns):
        return 0
    return RECEIVES | (SENDS if tunnel.encap is Encap.IP or not tunnel.udp_checksum else 0)


def pairs(route: RouteSocket) -> list[Pair]:
    """The ends of veths in a namespace. Raises OSError."""
    return list(veth.read(route.dump(veth.GET_LINK, veth.all_pairs())))


def make(tunnel: TunnelSpec, session: SessionSpec, runtime: Path) -> None:
    """Make what is missing of a session whose TAP there is, and have the programs do what the session says.

    Raises ConflictError (a netdev of that name exists), UnavailableError, NotPermittedError.
    """
    subject, ours = f"session {session.name}", tasks(tunnel, session)
    with RouteSocket(tunnel.netns) as route:
        try:
            lower = _pair(route, tunnel, session, runtime)
            slow = route.link(names.slow(tunnel.tunnel_id, session.session_id)).ifindex
            for ifindex in (lower.ifindex, slow):
                route.without_ipv6(ifindex)
            _forward(tunnel, lower.ifname)
            with _sessions(route, tunnel.remote.version) as sessions:
                _put(sessions, tunnel, session, lower.ifindex, ours)
                _run(route, Outgoing(tunnel, session, lower.ifindex, slow, sessions.fd), ours)
                for ifindex in (lower.ifindex, slow):
                    route.set_link(ifindex, mtu=_LONGEST, up=True)
                out = reached_by(route, tunnel)
                if out is not None and ours & RECEIVES:
                    attach(route, out, sessions)
            _offload(tunnel, session, lower.ifname, out, ours)
        except OSError as error:
            raise _refusal(subject, error) from error


def _pair(route: RouteSocket, tunnel: TunnelSpec, session: SessionSpec, runtime: Path) -> Pair:
    """The other end of the session's netdev; made if it is not there."""
    name = names.lower(tunnel.tunnel_id, session.session_id)
    alias = _alias(session, tunnel.name, runtime)
    there = _end(route, name)
    if there is None:
        try:
            route.make(veth.NEW_LINK, veth.make(session.ifname, name, session.mac))
        except OSError as error:
            if error.errno == errno.EEXIST:
                problem = f"netdev {session.ifname} exists"
                raise ConflictError(
                    f"session {session.name}", problem, "give another --ifname", errno=error.errno
                ) from error
            raise
        try:
            route.set_link(session.ifname, alias=Mark(runtime, tunnel.name, session.name).alias())
            there = _end(route, name)
            assert there is not None
        except BaseException:
            with contextlib.suppress(OSError):
                route.delete_link(route.link(name).ifindex)
            raise
    elif there.alias and there.alias.partition(", ")[2] != alias.partition(", ")[2]:
        problem = f"netdev {name} is not of this session: its alias is {there.alias!r}"
        raise ConflictError(f"session {session.name}", problem, "give another --id")
    if not there.alias:  # it keeps the name that the session's netdev was made with
        route.set_link(there.ifindex, alias=alias)
    return there


def carried_name(alias: str) -> str:
    """The name that the session's netdev was made with, from the alias of the one under it; "" if it tells none."""
    return match[1] if (match := _CARRIES.match(alias)) else ""


def _end(route: RouteSocket, name: str) -> Pair | None:
    return next((one for one in pairs(route) if one.ifname == name), None)


def _alias(session: SessionSpec, tunnel: str, runtime: Path) -> str:
    return f"carries {session.ifname}, {Mark(runtime, tunnel, session.name).alias()}"


def _forward(tunnel: TunnelSpec, ifname: str) -> None:
    """Let a program look up routes for what comes in there (bpf_ipv4_fib_lookup() in net/core/filter.c)."""
    family = "ipv4" if tunnel.remote.version == 4 else "ipv6"
    with inside(tunnel.netns):
        Path(f"/proc/sys/net/{family}/conf/{ifname}/forwarding").write_text("1", encoding="ascii")


@contextlib.contextmanager
def _sessions(route: RouteSocket, version: int) -> Iterator[Sessions]:
    """The map of the namespace; a new one where there is none yet."""
    lowers = [one.ifindex for one in pairs(route) if names.ids_of_lower(one.ifname) is not None]
    with find(route, lowers, version) or create(version) as sessions:
        yield sessions


def _put(sessions: Sessions, tunnel: TunnelSpec, session: SessionSpec, lower: int, ours: int) -> None:
    """The session's entry, with what it has counted."""
    where = key(tunnel, session.session_id)
    before = sessions.get(where)
    wanted = Entry.of(tunnel, session, lower, ours)
    sessions.put(where, wanted.with_counts(before) if before is not None else wanted)


def _run(route: RouteSocket, out: Outgoing, ours: int) -> None:
    """Put the programs in their places, or in those of earlier ones."""
    for ifindex in (out.lower, out.slow):
        with contextlib.suppress(FileExistsError):
            route.make(NEW_QDISC, clsact(ifindex))
    code = transmit(out) if ours & SENDS else backhaul(out.slow, out.sessions)
    _load_and_run(route, guard(), (out.lower, Side.EGRESS), (out.slow, Side.EGRESS))
    _load_and_run(route, backhaul(out.lower, out.sessions), (out.slow, Side.INGRESS))
    _load_and_run(route, code, (out.lower, Side.INGRESS))


def _load_and_run(route: RouteSocket, code: bytes, *places: tuple[int, Side]) -> None:
    program = syscall.load("l2tpv3", code)
    try:
        for ifindex, side in places:
            route.request(NEW_FILTER, run(ifindex, side, PRIORITY, ANY, program), NLM_F_CREATE | NLM_F_REPLACE)
    finally:
        os.close(program)


def _offload(tunnel: TunnelSpec, session: SessionSpec, lower: str, out: Link | None, ours: int) -> None:
    """What the session's netdev may leave to be done later, and that it merges what comes in.

    Its super-frames are cut up behind the outer UDP header, but not behind IP's alone. Where packets go to another
    netdev of this machine as they are, nothing may be left to do: a program with a socket there would get them so.
    """
    with inside(tunnel.netns):
        later = not (out is not None and leaves_unfinished(out))
        with contextlib.suppress(OSError):  # it has been moved, or renamed
            switch(session.ifname, Offload.TX_CHECKSUM, on=later)
            switch(session.ifname, Offload.TSO, on=later and tunnel.encap is Encap.UDP and bool(ours & SENDS))
            switch(session.ifname, Offload.GRO, on=True)
        # So that veth has its other end merge what comes one by one (veth_skb_is_eligible_for_gro()).
        switch(lower, Offload.TSO, on=False)


def remove(tunnel: TunnelSpec, session_id: int | None = None) -> bool:
    """Remove the netdevs of a session (None: of all of the tunnel's), but for TAPs. Whether there were any.

    Raises NotPermittedError.
    """
    try:
        opened = RouteSocket(tunnel.netns)
    except MissingError:  # the namespace has no name any more, and may be gone
        return False
    with opened as route:
        try:
            ends = [(one, ids) for one in pairs(route) if (ids := names.ids_of_lower(one.ifname)) is not None]
            gone = [(one, ids[1]) for one, ids in ends if ids[0] == tunnel.tunnel_id and session_id in (None, ids[1])]
            for end, number in gone:
                _forget(route, tunnel, end, number)
                with contextlib.suppress(OSError):
                    route.delete_link(end.ifindex)
            if gone:
                left = [one.ifindex for one, _ in ends if all(one is not other for other, _ in gone)]
                _tidy(route, left)
        except OSError as error:
            raise from_errno(f"tunnel {tunnel.name}", "remove its netdevs", error.errno or 0) from error
    return bool(gone)


def _forget(route: RouteSocket, tunnel: TunnelSpec, end: Pair, session_id: int) -> None:
    with contextlib.suppress(OSError):
        sessions = of_lower(route, end.ifindex, tunnel.remote.version)
        if sessions is not None:
            with sessions:
                sessions.remove(key(tunnel, session_id))


def _tidy(route: RouteSocket, left: list[int]) -> None:
    """Take the receiving programs off where no session is left for them."""
    for version in (4, 6):
        with contextlib.suppress(OSError):
            sessions = find(route, left, version)
            if sessions is not None:
                os.close(sessions.fd)
            else:
                detach(route, version)


def is_there(tunnel: TunnelSpec, session_id: int) -> bool:
    """Whether a session's netdev and the one under it are there."""
    with RouteSocket(tunnel.netns) as route:
        return _end(route, names.lower(tunnel.tunnel_id, session_id)) is not None


def _refusal(subject: str, error: OSError) -> L2tpError:
    if error.errno in _MISSING:
        problem = "this kernel lacks a part (veth, clsact, cls_bpf): " + os.strerror(error.errno or 0)
        return UnavailableError(subject, problem, "use --datapath user", errno=error.errno)
    return from_errno(subject, "make what carries it", error.errno or 0)
