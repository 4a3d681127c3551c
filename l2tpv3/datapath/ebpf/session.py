"""Makes and removes the netdevs of a session and the programs on them.

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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from l2tpv3.datapath.ebpf import veth
from l2tpv3.datapath.ebpf.offload import differ, tasks
from l2tpv3.datapath.ebpf.programs.encapsulate import Outgoing, transmit
from l2tpv3.datapath.ebpf.programs.redirect import backhaul, guard
from l2tpv3.datapath.ebpf.session_entry import DISBELIEVES, RECEIVES, SENDS, Entry, key
from l2tpv3.datapath.ebpf.session_map import PRIORITY, SessionMap, create, of_lower
from l2tpv3.datapath.ebpf.underlay import (
    attach,
    detach,
    is_attached,
    is_limited,
    leaves_unfinished,
    reached_by,
    watched_by,
)
from l2tpv3.errors import ConflictError, MissingError, UnavailableError, from_errno
from l2tpv3.linux.bpf import syscall
from l2tpv3.linux.netlink import xfrm
from l2tpv3.linux.netlink.message import NLM_F_CREATE, NLM_F_REPLACE
from l2tpv3.linux.netlink.rtnetlink import Link, RouteSocket
from l2tpv3.linux.netlink.tc import ANY, NEW_FILTER, NEW_QDISC, Side, clsact
from l2tpv3.linux.netlink.tc_bpf import run
from l2tpv3.linux.netlink.veth import Pair
from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import MTU_MAX, SessionSpec, TunnelSpec

_MISSING: Final = (errno.ENOENT, errno.EOPNOTSUPP, errno.EAFNOSUPPORT)
"""What a kernel says that has no such netdev, scheduler or filter."""
_LONGEST: Final = MTU_MAX - 14
"""A TAP's greatest MTU: the session's netdev has the one that counts."""


def make(tunnel: TunnelSpec, session: SessionSpec, runtime: Path) -> None:
    """Make what is missing of a session whose TAP there is, and have the programs do what the session says.

    Raises ConflictError (a netdev of that name exists), UnavailableError, NotPermittedError.
    """
    with _asking(tunnel, f"session {session.name}", "make what carries it") as route:
        limited = is_limited(route, tunnel, tunnel.netns)
        ours = tasks(tunnel, session, policies=xfrm.is_used(tunnel.netns), limited=limited)
        out = reached_by(route, tunnel)
        lower = _lower(route, tunnel, session, runtime, out)
        slow = route.link(veth.slow_name(tunnel.tunnel_id, session.session_id)).ifindex
        for ifindex in (lower.ifindex, slow):
            route.without_ipv6(ifindex)
        if not veth.forward(route, tunnel, lower):
            ours &= RECEIVES
        with _find(route, tunnel, lower, out) or create(tunnel.remote.version) as sessions:
            _put(sessions, tunnel, session, lower.ifindex, ours)
            _run(route, Outgoing(tunnel, session, lower.ifindex, slow, sessions.fd, bool(ours & DISBELIEVES)), ours)
            if out is not None and ours & RECEIVES:
                attach(route, out, sessions)
            for ifindex in (slow, lower.ifindex):  # the last step: what is whole is up
                route.set_link(ifindex, mtu=_LONGEST, up=True)


def move(old: TunnelSpec, new: TunnelSpec, session: SessionSpec, runtime: Path) -> None:
    """Have a session's programs send to where `new` says, and take what comes from there instead; counters go on.

    A session that is not whole is left for `make`. Raises what `make` raises.
    """
    with _asking(new, f"session {session.name}", "move it") as route, contextlib.ExitStack() as stack:
        lower = veth.lower_end(route, old.tunnel_id, session.session_id)
        if lower is None or not lower.up:
            return
        if old.name != new.name:
            veth.mark(route, new, session, runtime)
        before = of_lower(route, lower.ifindex, old.remote.version)
        counted = stack.enter_context(before).get(key(old, session.session_id)) if before is not None else None
        out = reached_by(route, new)
        with inside(new.netns):
            finished = out is not None and leaves_unfinished(out)
        veth.set_offloads(route, new, lower, finished=finished, moved=(session.netns, session.ifname))
        make(new, session, runtime)
        if before is None or key(old, session.session_id) == key(new, session.session_id):
            return
        after = of_lower(route, lower.ifindex, new.remote.version)
        if after is not None and counted is not None:
            entry = stack.enter_context(after).get(key(new, session.session_id))
            if entry is not None:
                after.put(key(new, session.session_id), entry.with_counts(counted))
        before.remove(key(old, session.session_id))
        _detach_if_empty(route, before)


def _lower(route: RouteSocket, tunnel: TunnelSpec, session: SessionSpec, runtime: Path, out: Link | None) -> Pair:
    """The lower end of the session's veth, which is made if it is not there, or only half."""
    there = veth.lower_end(route, tunnel.tunnel_id, session.session_id)
    if there is not None and not veth.is_ours(there, tunnel.name, runtime):
        problem = f"netdev {there.ifname} is not this session's: its alias is {there.alias!r}"
        raise ConflictError(f"session {session.name}", problem, "give another --id")
    if there is not None and not there.alias:
        veth.delete(route, there)
        there = None
    if there is None:
        veth.make(route, tunnel, session, runtime)
        there = veth.lower_end(route, tunnel.tunnel_id, session.session_id)
        if there is None:
            raise OSError(errno.ENODEV, "the netdev that was made is gone")
    if not there.up:  # it is new, or was cut short before this
        with inside(tunnel.netns):
            finished = out is not None and leaves_unfinished(out)
        veth.set_offloads(route, tunnel, there, finished=finished)
    return there


def _find(route: RouteSocket, tunnel: TunnelSpec, lower: Pair | None, out: Link | None) -> SessionMap | None:
    """The map of the namespace, by way of the programs that use it: where one is likely to be, else anywhere."""
    version = tunnel.remote.version
    if lower is not None and (found := of_lower(route, lower.ifindex, version)) is not None:
        return found
    if out is not None and (found := watched_by(route, out, version)) is not None:
        return found
    for one in _lower_ends(route).values():
        if (found := of_lower(route, one.ifindex, version)) is not None:
            return found
    return None


def _lower_ends(route: RouteSocket) -> dict[tuple[int, int], Pair]:
    """All lower ends in this namespace, of whatever host, by tunnel id and session id."""
    return {ids: one for one in veth.all_ends(route) if (ids := veth.ids_of_lower(one.ifname)) is not None}


def _put(sessions: SessionMap, tunnel: TunnelSpec, session: SessionSpec, lower: int, ours: int) -> None:
    """The session's entry, with what it has counted."""
    where = key(tunnel, session.session_id)
    before = sessions.get(where)
    wanted = Entry.of(tunnel, session, lower, ours)
    sessions.put(where, wanted.with_counts(before) if before is not None and before.lower == lower else wanted)


def _run(route: RouteSocket, out: Outgoing, ours: int) -> None:
    """Put the programs in their places, or in those of earlier ones."""
    for ifindex in (out.lower, out.slow):
        with contextlib.suppress(FileExistsError):
            route.make(NEW_QDISC, clsact(ifindex))
    code = transmit(out) if ours & SENDS else backhaul(out.slow, out.sessions)
    _load_and_run(route, guard(), (out.lower, Side.EGRESS), (out.slow, Side.EGRESS))
    _load_and_run(route, backhaul(out.lower, out.sessions), (out.slow, Side.INGRESS))
    _load_and_run(route, code, (out.lower, Side.INGRESS))


def _load_and_run(route: RouteSocket, code: bytes, *paths: tuple[int, Side]) -> None:
    program = syscall.load("l2tpv3", code)
    try:
        for ifindex, side in paths:
            route.request(NEW_FILTER, run(ifindex, side, PRIORITY, ANY, program), NLM_F_CREATE | NLM_F_REPLACE)
    finally:
        os.close(program)


def remove_session(tunnel: TunnelSpec, session_id: int, runtime: Path) -> bool:
    """Remove the session's netdev and what is on the one under it. Whether there was any. Raises NotPermittedError."""

    def remove(route: RouteSocket) -> bool:
        lower = veth.lower_end(route, tunnel.tunnel_id, session_id)
        if lower is not None and not veth.is_ours(lower, tunnel.name, runtime):
            return False
        sessions = _find(route, tunnel, lower, reached_by(route, tunnel))
        if lower is not None:
            veth.delete(route, lower)
        if sessions is not None:
            with sessions:
                sessions.remove(key(tunnel, session_id))
                _detach_if_empty(route, sessions)
        return lower is not None

    return _where_it_is(tunnel, remove)


def remove_tunnel(tunnel: TunnelSpec, runtime: Path) -> bool:
    """Remove all sessions of the tunnel, and what is left of sessions whose netdevs somebody deleted.

    Raises L2tpError where the kernel refuses, UnavailableError where it lacks a part.
    """

    def remove(route: RouteSocket) -> bool:
        there = _lower_ends(route)
        gone = [one for ids, one in there.items() if ids[0] == tunnel.tunnel_id]
        gone = [one for one in gone if veth.is_ours(one, tunnel.name, runtime)]
        sessions = _find(route, tunnel, gone[0] if gone else None, reached_by(route, tunnel))
        for lower in gone:
            veth.delete(route, lower)
        if sessions is not None:
            with sessions:
                sessions.keep({one.ifindex for one in there.values()} - {one.ifindex for one in gone})
                _detach_if_empty(route, sessions)
        return bool(gone)

    return _where_it_is(tunnel, remove)


def _where_it_is(tunnel: TunnelSpec, remove: Callable[[RouteSocket], bool]) -> bool:
    """What that gives in the tunnel's namespace; False when it is gone, and all with it."""
    try:
        with _asking(tunnel, f"tunnel {tunnel.name}", "remove its netdevs") as route:
            return remove(route)
    except MissingError:
        return False


def _detach_if_empty(route: RouteSocket, sessions: SessionMap) -> None:
    if sessions.empty:
        detach(route, sessions.version)


def outdated(tunnel: TunnelSpec, sessions: Sequence[SessionSpec]) -> list[SessionSpec]:
    """The sessions for which `make` would have the programs do less than now, or take packets that they do not take
    now.
    Raises MissingError where the namespace is not there, L2tpError where the kernel does not say.
    """
    with _asking(tunnel, f"tunnel {tunnel.name}", "look at what it depends on") as route:
        lowers = _lower_ends(route)
        there = [(one, lowers.get((tunnel.tunnel_id, one.session_id))) for one in sessions]
        whole = [(one, lower) for one, lower in there if lower is not None and lower.up]
        if not whole:
            return []
        out = reached_by(route, tunnel)
        known = _find(route, tunnel, whole[0][1], out)
        if known is None:
            return [one for one, _ in whole]
        with known:
            watched, policies = out is None or is_attached(route, out, known), xfrm.is_used(tunnel.netns)
            entries = [(one, known.get(key(tunnel, one.session_id))) for one, _ in whole]
            limited = is_limited(route, tunnel, tunnel.netns)
            wanted = {one.session_id: tasks(tunnel, one, policies=policies, limited=limited) for one, _ in whole}
            return [one for one, entry in entries if differ(entry, wanted[one.session_id], watched=watched)]


def is_there(tunnel: TunnelSpec, session_id: int) -> bool:
    """Whether the session's netdev is there, whole or not. Raises L2tpError where the kernel does not say."""
    with _asking(tunnel, f"tunnel {tunnel.name}", "look at its netdevs") as route:
        return veth.lower_end(route, tunnel.tunnel_id, session_id) is not None


def is_whole(tunnel: TunnelSpec, session_id: int) -> bool:
    """Whether all of a session's is there, which was not cut short while it was made.

    Raises L2tpError where the kernel does not say.
    """
    with _asking(tunnel, f"tunnel {tunnel.name}", "look at its netdevs") as route:
        lower = veth.lower_end(route, tunnel.tunnel_id, session_id)
        return lower is not None and lower.up


@contextlib.contextmanager
def _asking(tunnel: TunnelSpec, subject: str, doing: str) -> Iterator[RouteSocket]:
    """rtnetlink in the tunnel's namespace; what the kernel refuses in the block is an error about `subject`."""
    try:
        with RouteSocket(tunnel.netns) as route:
            yield route
    except OSError as error:
        if error.errno in _MISSING:
            problem = "this kernel lacks a part (veth, clsact, cls_bpf): " + os.strerror(error.errno or 0)
            raise UnavailableError(subject, problem, "use --datapath user", errno=error.errno) from error
        raise from_errno(subject, doing, error.errno or 0) from error
