"""A tunnel's socket, opened with privilege in its network namespace: bound, connected, as the kernel's would be."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Final

from l2tpv3.datapath.user.outer_header import set_df, set_dscp
from l2tpv3.errors import L2tpError, from_errno
from l2tpv3.linux.capabilities import remedy
from l2tpv3.linux.netns import inside
from l2tpv3.linux.path_options import choose_path
from l2tpv3.model.spec import Df, Encap, IPAddress, TunnelSpec
from l2tpv3.wire.data import L2TP_IP_PROTOCOL

BUFFER_BYTES: Final = 4 * 1024 * 1024
"""Asked for in each direction: bursts while the worker is with another session."""

# Not in Python's socket module. asm-generic/socket.h, linux/in.h, linux/in6.h, linux/udp.h.
_SO_NO_CHECK, _SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 11, 32, 33
_IPV6_UNICAST_HOPS, _IPV6_TCLASS = 16, 67
_UDP_NO_CHECK6_TX, _UDP_NO_CHECK6_RX = 101, 102

_Address = tuple[str, int] | tuple[str, int, int, int]


def open_socket(tunnel: TunnelSpec, *, shared_port: bool) -> socket.socket:
    """The tunnel's socket, non-blocking. The tunnel is resolved.

    shared_port: another tunnel of ours has the same local port, with another remote end; the kernel then gives each
    connected socket what comes from its remote. Raises ConflictError (port taken), NoRouteError, NoAddressError,
    NotPermittedError, NotFoundError.
    """
    subject = f"tunnel {tunnel.name}"
    family = socket.AF_INET if isinstance(tunnel.remote, IPv4Address) else socket.AF_INET6
    udp = tunnel.encap is Encap.UDP
    local = _named(tunnel.endpoint, tunnel.local_port if udp else 0)
    remote = _named(tunnel.remote, tunnel.remote_port if udp else 0)
    with inside(tunnel.netns), contextlib.ExitStack() as undo:
        with _telling(subject, "open a socket"):
            kind, protocol = (socket.SOCK_DGRAM, 0) if udp else (socket.SOCK_RAW, L2TP_IP_PROTOCOL)
            sock = undo.enter_context(socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol))
            _set_options(sock, tunnel)
        with _telling(subject, _path(tunnel)):
            choose_path(sock, tunnel.fwmark, tunnel.bind_device)
        with _telling(subject, f"bind {local}"):
            if shared_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(_address(tunnel.endpoint, tunnel.local_port if udp else 0))
        with _telling(subject, f"connect to {remote}"):
            sock.connect(_address(tunnel.remote, tunnel.remote_port if udp else 0))
            if udp:  # only now: so that the bind above failed if any other program has the port
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _drain(sock)
        undo.pop_all()
    return sock


def _path(tunnel: TunnelSpec) -> str:
    options = [f"--bind-device {tunnel.bind_device}"] if tunnel.bind_device is not None else []
    return "use " + " and ".join([f"--fwmark {tunnel.fwmark}", *options])


def _named(address: IPAddress, port: int) -> str:
    return f"{address} port {port}" if port else str(address)


def _address(address: IPAddress, port: int) -> _Address:
    """The address for bind and connect. Call it in the tunnel's namespace, where a link-local scope has a meaning."""
    if isinstance(address, IPv4Address):
        return str(address), port
    scope = address.scope_id
    if not scope:
        return str(address), port, 0, 0
    return str(address).partition("%")[0], port, 0, _ifindex(scope)


def _ifindex(scope: str) -> int:
    """The index of a netdev, by its name or by the index as text. Raises OSError with an errno."""
    if scope.isdigit():
        return int(scope)
    try:
        return socket.if_nametoindex(scope)
    except OSError:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from None


def _set_options(sock: socket.socket, tunnel: TunnelSpec) -> None:
    for force, plain in ((_SO_SNDBUFFORCE, socket.SO_SNDBUF), (_SO_RCVBUFFORCE, socket.SO_RCVBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, force, BUFFER_BYTES)
        except OSError:
            sock.setsockopt(socket.SOL_SOCKET, plain, BUFFER_BYTES)  # as much as net.core.*mem_max allows
    ipv6 = sock.family == socket.AF_INET6
    if ipv6 and tunnel.encap is Encap.UDP:  # a raw IPv6 socket is never dual-stack, and refuses the option (EINVAL)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    _set_outer_header(sock, tunnel)
    if tunnel.encap is Encap.UDP and not tunnel.udp_checksum:
        if ipv6:
            sock.setsockopt(socket.IPPROTO_UDP, _UDP_NO_CHECK6_TX, 1)
            sock.setsockopt(socket.IPPROTO_UDP, _UDP_NO_CHECK6_RX, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, 1)


def _set_outer_header(sock: socket.socket, tunnel: TunnelSpec) -> None:
    """What the headers of all outer packets have; a worker sets for each what is inherited from the frame in it."""
    set_df(sock, on=tunnel.df is Df.ON)
    if tunnel.dscp:
        set_dscp(sock, tunnel.dscp)
    if tunnel.ttl is not None:
        ipv6 = sock.family == socket.AF_INET6
        option = (socket.IPPROTO_IPV6, _IPV6_UNICAST_HOPS) if ipv6 else (socket.IPPROTO_IP, socket.IP_TTL)
        sock.setsockopt(*option, tunnel.ttl)


def _drain(sock: socket.socket) -> None:
    """Drop what came before connect(), which may be from anybody."""
    for _ in range(10_000):
        try:
            sock.recv(1)
        except BlockingIOError:
            return
        except OSError:
            continue


@contextlib.contextmanager
def _telling(subject: str, doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _error(subject, doing, error) from error


def _error(subject: str, doing: str, error: OSError) -> L2tpError:
    number = error.errno or 0
    if number == errno.EPERM and "--fwmark" in doing:
        return from_errno(subject, doing, number, f"{remedy('CAP_NET_ADMIN')}; or give no --fwmark")
    if number == errno.EPERM:  # of raw sockets alone, which IP encapsulation takes
        return from_errno(subject, doing, number, f"{remedy('CAP_NET_RAW')}; or give --encap udp, which takes none")
    advice = ""
    if number == errno.ENODEV:
        bound = doing.partition("--bind-device ")[2]
        scope = "it is the scope of a link-local address: give a netdev that is here"
        advice = f"there is no netdev {bound} here: make it, or give another one" if bound else scope
    return from_errno(subject, doing, number, advice)
