"""WireGuard around one tunnel: a netdev of its own, made before the tunnel and removed after it.

Nothing of the tunnel may go in the clear, whatever is killed or removed. So before the netdev there is a route that
refuses packets to the peer's address inside (unreachable), and it goes last. While the netdev is up, a better route
leads there. Both are in the table `local`, which the kernel asks before any other and before the rules of policy
routing: no other route leads to that address, whatever routes this host has.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import socket
import time
from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Interface
from pathlib import Path
from typing import Final

from l2tpv3.encryption import wireguard_go
from l2tpv3.errors import ConflictError, L2tpError, NotFoundError, NotPermittedError, UnavailableError, from_errno
from l2tpv3.linux import modules
from l2tpv3.linux.netlink.host_routes import HostRoute, delete_route, host_routes, put_route
from l2tpv3.linux.netlink.rtnetlink import UP, Link, RouteSocket
from l2tpv3.linux.netlink.wireguard import WireGuardSocket
from l2tpv3.linux.netns import inside
from l2tpv3.linux.wireguard import Device, Endpoint, Settings
from l2tpv3.model import ids
from l2tpv3.model.encryption import EncryptionState, EncryptionStatus
from l2tpv3.model.ownership import EncryptionTag
from l2tpv3.model.record import TunnelRecord, ends
from l2tpv3.value_class import value_class

_KIND: Final = "wireguard"
_GO_KIND: Final = "tun"
_MTU_DEFAULT: Final = 1420
_NOBODY_TELLS: Final = frozenset((
    *(errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP),  # no socket, or no such family; the netdev is gone; no WireGuard's
    *(errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE),  # its process was killed
    *(errno.ETIMEDOUT, errno.EBADMSG),  # its process hangs, or says what it should not
))  # fmt: skip
"""What is said where nothing answers for a netdev. All else, such as EMFILE, is a fault of who asks."""


def why_not() -> str:
    """Why this host can't have WireGuard, and what helps; "" where it can. May load the kernel's module."""
    reason = modules.load(_KIND)
    if not reason or wireguard_go.program() is not None:
        return ""
    return f"{reason}; or `apt install wireguard-go`, which does it outside of the kernel"


@value_class(frozen=True, slots=True)
class _Seen:
    """What there is of a tunnel's encryption. link: its netdev. device: None where nobody tells of it."""

    link: Link | None
    device: Device | None
    addresses: frozenset[IPv6Interface]
    routes: frozenset[HostRoute]


class WireGuard:
    """WireGuard of the tunnels of one host. runtime: its directory, by which its netdevs are known."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime

    # -- looking -----------------------------------------------------------------------------------------------------

    def state(self, record: TunnelRecord, mtu: int | None) -> EncryptionState:
        """What there is, and lacks, of a tunnel's. mtu: the netdev's, in bytes; None: any will do.

        Nothing is there in a namespace that is not there. Raises L2tpError.
        """
        local, remote = _inner(record)
        try:
            seen = self._look(record)
        except (NotFoundError, NotPermittedError):
            return EncryptionState(lacks=("its network namespace",))
        guarded = HostRoute(remote, 0) in seen.routes
        lacks = tuple(_lacking(record, seen, local, remote, mtu))
        return EncryptionState(there=seen.link is not None, guarded=guarded, lacks=lacks)

    def status(self, record: TunnelRecord, mtu: int | None) -> EncryptionStatus:
        """Who encrypts a tunnel, and how that goes. mtu: as for `state`. Raises L2tpError."""
        local, remote = _inner(record)
        public = ids.format_key(record.spec.public_key)
        status = EncryptionStatus(public_key=public, local=str(local), remote=str(remote), lacks=("its netdev",))
        try:
            seen = self._look(record)
        except (NotFoundError, NotPermittedError):
            return status
        lacks = tuple(_lacking(record, seen, local, remote, mtu))
        status = _with_peer(dataclasses.replace(status, lacks=lacks), record, seen.device)
        return status if seen.link is None else self._with_netdev(status, record, seen.link, seen.device)

    def _with_netdev(
        self, status: EncryptionStatus, record: TunnelRecord, link: Link, device: Device | None
    ) -> EncryptionStatus:
        kernel = link.kind == _KIND
        return dataclasses.replace(
            status,
            by=None if device is None else "wireguard" if kernel else "wireguard-go",
            pid=None if kernel else wireguard_go.pid_of(link.ifname, record.spec.netns),
            ifname=link.ifname,
            mtu=link.mtu,
            since=self._tag(record).since(link.alias),
        )

    def _look(self, record: TunnelRecord) -> _Seen:
        netns = record.spec.netns
        with _refusals(record, "look at its WireGuard netdev"), RouteSocket(netns) as route:
            link = self._find(route, record)
            addresses = route.addresses({link.ifindex}) if link is not None else ()
            found = frozenset(one for _, one in addresses if isinstance(one, IPv6Interface))
            return _Seen(link, _device(link, netns), found, frozenset(host_routes(route)))

    def _find(self, route: RouteSocket, record: TunnelRecord) -> Link | None:
        """The netdev with the tunnel's owner tag: one that can encrypt, whatever else somebody gave that tag."""
        tag = self._tag(record)
        able = (link for link in route.links() if link.kind in (_KIND, _GO_KIND))
        return next((link for link in able if tag.since(link.alias) is not None), None)

    def _tag(self, record: TunnelRecord) -> EncryptionTag:
        return EncryptionTag(self._runtime, record.spec.name)

    # -- changing ----------------------------------------------------------------------------------------------------

    def make(self, record: TunnelRecord, mtu: int | None, *, new_endpoint: bool) -> None:
        """Make what there is as the record has it: first what refuses packets, last what lets them through.

        mtu: as for `state`. new_endpoint: tell WireGuard where the record has the peer; else that is left as it is,
        since it follows the peer, unless it knows none. Raises L2tpError; the same again completes it.
        """
        spec = record.spec
        local, remote = _inner(record)
        with _refusals(record, "make its WireGuard netdev"), RouteSocket(spec.netns) as route:
            _put_route(route, record, HostRoute(remote, 0))
            link = self._find(route, record) or self._add(route, record)
            if link.kind == _GO_KIND and _device(link, spec.netns) is None:
                _require_wireguard_go(record)
                wireguard_go.end(link.ifname, spec.netns)
                wireguard_go.start(link.ifname, spec.netns)
            endpoint = _endpoint(record, remote, _device(link, spec.netns), new_endpoint=new_endpoint)
            self._configure(record, link, _settings(record, remote, endpoint))
            _put_address(route, link, local, spec.netns)
            route.set_link(link.ifindex, up=True, mtu=mtu or (link.mtu if link.flags & UP else _MTU_DEFAULT))
            for other in list(host_routes(route)):
                if other.ifindex == link.ifindex and other.target != remote:
                    delete_route(route, other)
            _put_route(route, record, HostRoute(remote, link.ifindex))

    def _add(self, route: RouteSocket, record: TunnelRecord) -> Link:
        """Make the netdev, with its owner tag: the kernel's, or where it has none, wireguard-go's.

        Killed anywhere in here, there is no netdev, or one with the tag.
        """
        netns = record.spec.netns
        ifname = self._free_name(route, record)
        alias = self._tag(record).alias(int(time.time()))
        if not modules.load(_KIND):
            route.make_marked(_KIND, ifname, alias)
        else:
            _require_wireguard_go(record)
            with wireguard_go.new_tun(ifname, netns):
                route.set_link(route.link(ifname).ifindex, alias=alias)
        return route.link(ifname)

    def _free_name(self, route: RouteSocket, record: TunnelRecord) -> str:
        """A name for a new netdev: another tunnel's may have the first one, from before that tunnel was renamed."""
        taken = {link.ifname for link in route.links()}
        names = self._tag(record).ifnames(record.spec.netns)
        return next(name for name in names if name not in taken and not wireguard_go.is_name_in_use(name))

    def _configure(self, record: TunnelRecord, link: Link, wanted: Settings) -> None:
        if link.kind == _GO_KIND:
            wireguard_go.configure(link.ifname, record.spec.netns, wanted)
            return
        with WireGuardSocket(record.spec.netns) as wireguard:
            wireguard.configure(link.ifname, wanted)

    def remove(self, record: TunnelRecord, kept: TunnelRecord | None = None, *, guard_stays: bool = False) -> None:
        """Remove what there is for a record whose tunnel is gone. Nothing happens where there is nothing.

        kept: the record that has the netdev from now on: then only the route that refuses packets goes. guard_stays:
        the tunnel is still there, so that only the netdev goes. Raises L2tpError.
        """
        _, remote = _inner(record)
        try:
            with _refusals(record, "remove its WireGuard netdev"), RouteSocket(record.spec.netns) as route:
                link = self._find(route, record) if kept is None else None
                if link is not None:
                    if link.kind == _GO_KIND:
                        wireguard_go.end(link.ifname, record.spec.netns)
                    route.delete_link(link.ifindex)
                if not guard_stays:
                    delete_route(route, HostRoute(remote, 0))
        except NotFoundError:
            return  # its network namespace is gone, with all that was in it

    def rename(self, old: TunnelRecord, new: TunnelRecord) -> None:
        """Have the owner tag say the new name. Nothing happens where there is no netdev. Raises L2tpError."""
        with contextlib.suppress(NotFoundError), _refusals(new, "rename it"), RouteSocket(old.spec.netns) as route:
            link = self._find(route, old)
            if link is not None:
                since = self._tag(old).since(link.alias)
                assert since is not None
                route.set_link(link.ifindex, alias=self._tag(new).alias(since))


def _require_wireguard_go(record: TunnelRecord) -> None:
    """Raise UnavailableError where this host does not have it."""
    if wireguard_go.program() is None:
        problem = "it can't be encrypted: wireguard-go is not installed"
        raise UnavailableError(f"tunnel {record.spec.name}", problem, "`apt install wireguard-go`")


def _put_route(route: RouteSocket, record: TunnelRecord, wanted: HostRoute) -> None:
    """Make one of the two routes. Raises ConflictError where another program has one in its place, which stays."""
    try:
        put_route(route, wanted)
    except FileExistsError as error:
        problem = f"another program has a route to {wanted.target}, its peer's address inside, in the table local"
        remedy = f"`ip -6 route del {wanted.target} table local metric {wanted.metric}` removes that"
        raise ConflictError(f"tunnel {record.spec.name}", problem, remedy, errno=error.errno) from error


def _with_peer(status: EncryptionStatus, record: TunnelRecord, device: Device | None) -> EncryptionStatus:
    """The status with what WireGuard tells of the record's peer."""
    peers = device.peers if device is not None else ()
    for peer in peers:
        if peer.public_key == record.spec.peer_public_key:
            endpoint = str(peer.endpoint) if peer.endpoint is not None else None
            return dataclasses.replace(
                status, handshake=peer.handshake, endpoint=endpoint, rx_bytes=peer.rx_bytes, tx_bytes=peer.tx_bytes
            )
    return status


def _inner(record: TunnelRecord) -> tuple[IPv6Address, IPv6Address]:
    local, remote = ends(record)
    assert isinstance(local, IPv6Address) and isinstance(remote, IPv6Address)
    return local, remote


def _device(link: Link | None, netns: str | None) -> Device | None:
    """What a netdev is configured with; None where there is none, or nobody tells. Raises OSError (EMFILE)."""
    if link is None:
        return None
    try:
        if link.kind == _GO_KIND:
            return wireguard_go.device(link.ifname, netns)
        with WireGuardSocket(netns) as wireguard:
            return wireguard.device(link.ifname)
    except OSError as error:
        if error.errno in _NOBODY_TELLS:
            return None
        raise


def _lacking(
    record: TunnelRecord, seen: _Seen, local: IPv6Address, remote: IPv6Address, mtu: int | None
) -> Iterator[str]:
    """What is not as the record has it, in words. Where WireGuard has the peer now is its own business."""
    spec, link = record.spec, seen.link
    if HostRoute(remote, 0) not in seen.routes:
        yield "the route that refuses packets in the clear"
    if link is None:
        yield "its netdev"
        return
    if seen.device is None:
        yield "WireGuard"
        return
    device = seen.device
    if device.public_key != spec.public_key:
        yield "its private key"
    if device.listen_port != spec.listen_port:
        yield "its port"
    wanted = [(spec.peer_public_key, spec.persistent_keepalive, (f"{remote}/128",))] if spec.peer_public_key else []
    if [(one.public_key, one.keepalive_s, one.allowed) for one in device.peers] != wanted:
        yield "its peer"
    if IPv6Interface((local, 128)) not in seen.addresses:
        yield "its address"
    if mtu is not None and link.mtu != mtu:
        yield f"an MTU of {mtu}"
    if not link.flags & UP:
        yield "being up"
    if HostRoute(remote, link.ifindex) not in seen.routes:
        yield "the route to the peer"


def _settings(record: TunnelRecord, remote: IPv6Address, endpoint: Endpoint | None) -> Settings:
    spec = record.spec
    assert spec.private_key is not None and spec.listen_port is not None
    return Settings(
        private_key=spec.private_key,
        public_key=spec.public_key,
        listen_port=spec.listen_port,
        peer=spec.peer_public_key,
        endpoint=endpoint,
        keepalive_s=spec.persistent_keepalive,
        allowed=remote,
    )


def _scope(record: TunnelRecord) -> int:
    """The index of the netdev of a link-local remote address; 0 for others."""
    scope = getattr(record.spec.remote, "scope_id", None)
    if not scope:
        return 0
    with inside(record.spec.netns):
        return int(scope) if scope.isdigit() else socket.if_nametoindex(scope)


def _endpoint(
    record: TunnelRecord, remote: IPv6Address, device: Device | None, *, new_endpoint: bool
) -> Endpoint | None:
    """Where WireGuard is to look for the peer; None where it knows that already.

    A peer that gets a new key, and keeps its address inside, is where it was with the old one.
    """
    spec = record.spec
    if not new_endpoint:
        for one in device.peers if device is not None else ():
            if one.endpoint is not None and spec.peer_public_key == one.public_key:
                return None
            if one.endpoint is not None and one.allowed == (f"{remote}/128",) and not _is_link_local(one.endpoint):
                return one.endpoint
    assert spec.peer_listen_port is not None
    return Endpoint(spec.remote, spec.peer_listen_port, _scope(record))


def _is_link_local(endpoint: Endpoint) -> bool:
    """Whether its address says nothing without the netdev, which WireGuard does not tell."""
    return endpoint.address.version == 6 and endpoint.address.is_link_local


def _put_address(route: RouteSocket, link: Link, local: IPv6Address, netns: str | None) -> None:
    """Give the netdev this end's address inside, in the place of one that it may have had with another key."""
    _allow_ipv6(link.ifname, netns)
    for _, other in list(route.addresses({link.ifindex})):
        if isinstance(other, IPv6Interface) and not other.is_link_local and other.ip != local:
            route.delete_address(link.ifindex, other)
    route.put_address(link.ifindex, IPv6Interface((local, 128)), detect=False)


def _allow_ipv6(ifname: str, netns: str | None) -> None:
    """Where new netdevs get no IPv6 on this host, this one does: the addresses inside are IPv6's."""
    with inside(netns):
        setting = Path("/proc/sys/net/ipv6/conf", ifname, "disable_ipv6")
        with contextlib.suppress(FileNotFoundError):
            if setting.read_text("ascii").strip() == "1":
                setting.write_text("0", "ascii")


@contextlib.contextmanager
def _refusals(record: TunnelRecord, doing: str) -> Iterator[None]:
    """What the kernel or wireguard-go refuses in the block, as an error about the tunnel."""
    subject = f"tunnel {record.spec.name}"
    try:
        yield
    except L2tpError:
        raise
    except OSError as error:
        number = error.errno or 0
        if number == errno.EADDRINUSE:
            problem = f"WireGuard's UDP port {record.spec.listen_port} is taken by another program"
            raise ConflictError(subject, problem, "give another --listen-port", errno=number) from error
        raise from_errno(subject, doing, number) from error
