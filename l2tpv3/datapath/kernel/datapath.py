"""KernelDatapath: the Protocol's methods, each a request or two to the l2tp family."""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from ipaddress import IPv6Address

from l2tpv3.datapath.base import Support
from l2tpv3.datapath.kernel import encode, errors, vlan, wait
from l2tpv3.datapath.kernel.decode import read_sessions, read_tunnels
from l2tpv3.datapath.kernel.genl import L2tpSocket
from l2tpv3.datapath.kernel.uapi import Command
from l2tpv3.errors import BusyError, L2tpError, UnavailableError
from l2tpv3.linux import modules
from l2tpv3.linux.netlink.generic import FamilyMissing
from l2tpv3.linux.netlink.socket_cache import SocketCache
from l2tpv3.model.fields import SESSION, TUNNEL, attributes_in_place, words_in_place
from l2tpv3.model.observed import Session, Tunnel
from l2tpv3.model.spec import SessionSpec, TunnelSpec

_DELETE_LIMIT_S = 30.0
_DELETE_LIMIT_PER_SESSION_S = 0.05
_TIDY_LIMIT_S = 2.0

_USER_DATAPATH = "use --datapath user"


class KernelDatapath:
    """Tunnels and sessions in the kernel (l2tp_netlink, l2tp_eth). Any thread may call.

    It holds nothing between calls, but for sockets in `busy`.

    Tunnels are unmanaged: the kernel makes their sockets, and they live until deleted, whatever process dies.

    Sequencing is as l2tp_recv_common() can do it (net/l2tp/l2tp_core.c), which adapts to what comes in:
    - `none`: never numbers, takes both. A Linux peer with `recv` or `both` therefore drops everything.
    - `send`: numbers, until an unnumbered packet comes in; from then on it does not, as the peer does not.
    - `recv` and `both` are the same: numbers, and drops what comes unnumbered. With `recv` alone a Linux peer with
      `send` would stop numbering at the first unnumbered packet it gets, and then nothing would pass.
    So `tunnels` may say send_seq for a session that was made with `recv`, and not for one made with `send`.

    A session of one VLAN is put together from several parts: see vlan.py.

    Limits of the kernel: sessions' `sublayer`, `vlan` and the netdev's present name can't be read back (`ifname` is the
    name that l2tp_eth made it with); reorder_timeout_ms is rounded up to its tick (1 to 10 ms); IPv6 scopes can't be
    expressed.
    """

    name = "kernel"
    in_place = attributes_in_place(SESSION, "kernel")
    tunnel_in_place = words_in_place(TUNNEL, "kernel")

    def __init__(self) -> None:
        self._kept = SocketCache(L2tpSocket)
        self._busy = _Busy()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """See l2tpv3.datapath.base.Busy: for the length of the block a socket for each namespace stays open."""
        outer, self._busy.made = self._busy.made, {}
        try:
            with self._kept.open():
                yield
        finally:
            self._busy.made = outer

    def probe(self) -> Support:
        """Whether ethernet pseudowires work here; loads l2tp_netlink and l2tp_eth if need be. See Datapath.probe."""
        for module in modules.NEEDED:
            if problem := modules.load(module):
                return Support(works=False, reason=problem)
        try:
            with self._kept.use(None) as netlink:
                netlink.has_tunnel(0)  # answered only to those who may make tunnels
        except FamilyMissing:
            return Support(works=False, reason="this kernel has no generic-netlink family l2tp (CONFIG_L2TP_V3)")
        except OSError as error:
            if error.errno in (errno.EPERM, errno.EACCES):
                return Support(works=False, reason="not permitted; run as root, or with CAP_NET_ADMIN")
            return Support(works=False, reason=f"the kernel refuses L2TP requests: {error.strerror}")
        return Support(works=True, reason="the kernel's l2tp_eth")

    def tunnels(self, netns: str | None) -> list[Tunnel]:
        """Every L2TP tunnel that the kernel has in `netns`, whoever made it. See Datapath.tunnels.

        Loads no module: without l2tp_netlink there are none.
        Raises L2tpError where the kernel refuses.
        """
        if not modules.loaded("l2tp_netlink"):
            return []
        try:
            with self._kept.use(netns) as netlink:
                tunnels = netlink.list(Command.TUNNEL_GET)
                sessions = read_sessions(netlink.list(Command.SESSION_GET)) if tunnels.datagrams else {}
                return read_tunnels(tunnels, sessions)
        except FamilyMissing:
            return []
        except OSError as error:
            raise errors.other_refusal("kernel tunnels", "list them", error) from error

    def some(self, netns: str | None, sessions: Mapping[int, Collection[int]]) -> list[Tunnel]:
        """See l2tpv3.datapath.base.FindsSome."""
        if not modules.loaded("l2tp_netlink"):
            return []
        found: list[Tunnel] = []
        try:
            with self._kept.use(netns) as netlink:
                for tunnel_id, ids in sessions.items():
                    there = [netlink.session(tunnel_id, one) for one in ids]
                    found += netlink.tunnel(tunnel_id, [one for one in there if one is not None])
        except FamilyMissing:
            return []
        except OSError as error:
            raise errors.other_refusal("kernel tunnels", "find them", error) from error
        return found

    def add_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.add_tunnel. UnavailableError: also a scoped IPv6 address, or a missing l2tp_ip, l2tp_ip6."""
        _refuse_scope(tunnel)
        with _open(self._kept, tunnel.netns, f"tunnel {tunnel.name}") as netlink:
            try:
                self._create_tunnel(netlink, tunnel)
            except OSError as error:
                raise errors.tunnel_refused(netlink, tunnel, error) from error
        if self._busy.made is not None:
            self._busy.made[tunnel.netns, tunnel.tunnel_id] = set()

    def _create_tunnel(self, netlink: L2tpSocket, tunnel: TunnelSpec) -> None:
        attributes = encode.tunnel_create(tunnel)
        try:
            netlink.command(Command.TUNNEL_CREATE, attributes)
        except OSError as error:
            if error.errno in errors.NO_PROTOCOL:
                # The kernel tries to load the module by an alias; a minimal system may have no alias table.
                if problem := modules.load(errors.ip_module(tunnel)):
                    raise UnavailableError(f"tunnel {tunnel.name}", problem, errno=error.errno) from error
                netlink.command(Command.TUNNEL_CREATE, attributes)
            elif error.errno != errno.ENOBUFS or not netlink.has_tunnel(tunnel.tunnel_id):
                raise
            # ENOBUFS: made, but a listener to the family's events has its queue full and asked to be told of it.

    def set_tunnel(self, old: TunnelSpec, new: TunnelSpec, sessions: Sequence[SessionSpec]) -> None:
        """See Datapath.set_tunnel: there is no such request (L2TP_CMD_TUNNEL_MODIFY changes nothing of these)."""
        raise UnavailableError(f"tunnel {new.name}", "the kernel can't change a tunnel in place")

    def del_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.del_tunnel. BusyError when the kernel takes longer than 30 s + 50 ms for each session.

        Sessions go first: a tunnel delete returns at once and works on in the background, for minutes when there are
        thousands, and all the while the tunnel's id and port are taken.
        """
        subject = f"tunnel {tunnel.name}"
        self._forget(tunnel)
        with _open_existing(self._kept, tunnel, subject) as netlink:
            try:
                if not netlink.has_tunnel(tunnel.tunnel_id):
                    raise errors.no_tunnel(tunnel)
                sessions = read_sessions(netlink.list(Command.SESSION_GET)).get(tunnel.tunnel_id, [])
                there = wait.find((tunnel.netns, session.ifname) for session in sessions if session.ifname)
                limit = _DELETE_LIMIT_S + _DELETE_LIMIT_PER_SESSION_S * len(sessions)
                self._delete_sessions(netlink, tunnel, sessions, limit)
                _delete(netlink, Command.TUNNEL_DELETE, encode.tunnel_key(tunnel.tunnel_id))
                wait.wait_until(lambda: not netlink.has_tunnel(tunnel.tunnel_id), limit, subject)
            except OSError as error:
                raise errors.other_refusal(subject, "delete it", error) from error
        wait.wait_gone(there)

    def _delete_sessions(
        self, netlink: L2tpSocket, tunnel: TunnelSpec, sessions: list[Session], limit_s: float
    ) -> None:
        """Ask for all, look what is left, and again: newer kernels work in the background, several at a time.

        Asking twice for the same does no harm, and is needed where an id is there twice (see add_session).
        """

        def none_left() -> bool:
            left = read_sessions(netlink.list(Command.SESSION_GET)).get(tunnel.tunnel_id, [])
            for session in left:
                _delete(netlink, Command.SESSION_DELETE, encode.session_key(tunnel.tunnel_id, session.session_id))
            return not left

        if sessions:
            wait.wait_until(none_left, limit_s, f"tunnel {tunnel.name}")

    def add_session(
        self, tunnel: TunnelSpec, session: SessionSpec, *, adopt: bool = False, homes: tuple[str | None, ...] = ()
    ) -> None:
        """See Datapath.add_session. `adopt` means nothing here: the netdev goes with the session."""
        vlan.check(tunnel, session)
        self._create_session(tunnel, vlan.on_wire(tunnel, session))
        if session.vlan is not None:
            try:
                vlan.complete(tunnel, session)
            except BaseException:
                with contextlib.suppress(L2tpError):
                    self.del_session(tunnel, vlan.on_wire(tunnel, session))
                raise

    def _create_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        with _open(self._kept, tunnel.netns, f"session {session.name}") as netlink:
            try:
                # From Linux 6.11 on the kernel takes the same id twice in a tunnel over UDP.
                if not self._is_free(tunnel, session) and netlink.session(tunnel.tunnel_id, session.session_id):
                    raise errors.session_taken(session)
                netlink.command(Command.SESSION_CREATE, encode.session_create(tunnel, session))
            except OSError as error:
                if error.errno == errno.ENOBUFS and netlink.session(tunnel.tunnel_id, session.session_id):
                    return  # see _create_tunnel
                refused = errors.session_refused(netlink, tunnel, session, error)
                if error.errno == errno.EEXIST:
                    # Newer kernels tidy a session up in the background when its netdev's name turns out to be taken.
                    with contextlib.suppress(BusyError):
                        _wait_no_session(netlink, tunnel, session, _TIDY_LIMIT_S)
                raise refused from error

    def _is_free(self, tunnel: TunnelSpec, session: SessionSpec) -> bool:
        """Whether the id is known to be free without asking: of a tunnel that was made in this `busy` block."""
        ids = self._busy.made.get((tunnel.netns, tunnel.tunnel_id)) if self._busy.made is not None else None
        if ids is None or session.session_id in ids:
            return False
        ids.add(session.session_id)
        return True

    def _forget(self, tunnel: TunnelSpec) -> None:
        """What is deleted may be made again by something else."""
        if self._busy.made is not None:
            self._busy.made.pop((tunnel.netns, tunnel.tunnel_id), None)

    def set_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.set_session: sequencing and the reorder timeout."""
        with _open_existing(self._kept, tunnel, f"session {session.name}") as netlink:
            try:
                _find(netlink, tunnel, session)
                netlink.command(Command.SESSION_MODIFY, encode.session_modify(tunnel, session))
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise _session_error(session, "change it", error) from error

    def del_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.del_session."""
        subject = f"session {session.name}"
        self._forget(tunnel)
        with _open_existing(self._kept, tunnel, subject) as netlink:
            try:
                there = wait.find(_paths(tunnel, session, _find(netlink, tunnel, session)))
                netlink.command(Command.SESSION_DELETE, encode.session_key(tunnel.tunnel_id, session.session_id))
                _wait_no_session(netlink, tunnel, session, _DELETE_LIMIT_S)
            except OSError as error:
                raise _session_error(session, "delete it", error) from error
        wait.wait_gone(there)


class _Busy(threading.local):
    """made: in a `busy` block, the session ids of each (netns, tunnel id) that was made in it; else None."""

    made: dict[tuple[str | None, int], set[int]] | None = None


@contextlib.contextmanager
def _open(kept: SocketCache[L2tpSocket], netns: str | None, subject: str) -> Iterator[L2tpSocket]:
    """A socket in `netns`, loading the modules if that is what it takes. Raises UnavailableError about `subject`."""
    try:
        netlink = kept.take(netns)
    except FamilyMissing as missing:
        netlink = _opened_by_loading(kept, netns, subject, missing)
    except OSError as error:
        raise _cant_ask(subject, error) from error
    try:
        yield netlink
    finally:
        kept.put_back(netns, netlink)


def _opened_by_loading(
    kept: SocketCache[L2tpSocket], netns: str | None, subject: str, missing: FamilyMissing
) -> L2tpSocket:
    for module in modules.NEEDED:
        if problem := modules.load(module):
            raise UnavailableError(subject, problem) from missing
    try:
        return kept.take(netns)
    except FamilyMissing:
        problem = "this kernel has no L2TP (CONFIG_L2TP_V3)"
        raise UnavailableError(subject, problem, _USER_DATAPATH) from missing
    except OSError as error:
        raise _cant_ask(subject, error) from error


@contextlib.contextmanager
def _open_existing(kept: SocketCache[L2tpSocket], tunnel: TunnelSpec, subject: str) -> Iterator[L2tpSocket]:
    """A socket where `tunnel` should exist. Without the family it does not: NotFoundError, and nothing is loaded."""
    try:
        netlink = kept.take(tunnel.netns)
    except FamilyMissing as missing:
        raise errors.no_tunnel(tunnel) from missing
    except OSError as error:
        raise _cant_ask(subject, error) from error
    try:
        yield netlink
    finally:
        kept.put_back(tunnel.netns, netlink)


def _cant_ask(subject: str, error: OSError) -> L2tpError:
    return errors.other_refusal(subject, "ask the kernel about L2TP", error)


def _refuse_scope(tunnel: TunnelSpec) -> None:
    """The family has no attribute for a scope id, and a link-local address means nothing without."""
    for address in (tunnel.endpoint, tunnel.remote):
        if isinstance(address, IPv6Address) and address.scope_id:
            problem = f"the kernel's L2TP can't be told the netdev of {address}"
            raise UnavailableError(f"tunnel {tunnel.name}", problem, _USER_DATAPATH)


def _delete(netlink: L2tpSocket, command: Command, key: bytes) -> None:
    """Delete it, or find that somebody else just has."""
    try:
        netlink.command(command, key)
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise


def _find(netlink: L2tpSocket, tunnel: TunnelSpec, session: SessionSpec) -> Session:
    """The session as it is, or NotFoundError about the tunnel or the session, whichever is missing."""
    seen = netlink.session(tunnel.tunnel_id, session.session_id)
    if seen is None:
        raise errors.no_session(session) if netlink.has_tunnel(tunnel.tunnel_id) else errors.no_tunnel(tunnel)
    return seen


def _wait_no_session(netlink: L2tpSocket, tunnel: TunnelSpec, session: SessionSpec, limit_s: float) -> None:
    key = tunnel.tunnel_id, session.session_id
    wait.wait_until(lambda: netlink.session(*key) is None, limit_s, f"session {session.name}")


def _paths(tunnel: TunnelSpec, session: SessionSpec, seen: Session) -> Iterator[tuple[str | None, str]]:
    """The places where the session's netdev may be: under its first name, and where the spec says that it went."""
    yield tunnel.netns, session.ifname
    if session.netns is not None:
        yield session.netns, session.ifname
    if seen.ifname:
        yield tunnel.netns, seen.ifname


def _session_error(session: SessionSpec, doing: str, error: OSError) -> L2tpError:
    """What the kernel says; ENODEV: somebody else has just deleted it."""
    if error.errno == errno.ENODEV:
        return errors.no_session(session)
    return errors.other_refusal(f"session {session.name}", doing, error)
