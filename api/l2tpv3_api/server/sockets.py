"""Makes the sockets that the service listens on, and leaves the sockets of other programs alone."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import grp
import ipaddress
import os
import socket
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from l2tpv3.errors import ConflictError, InvalidValueError, L2tpError, NotFoundError, from_errno
from l2tpv3_api.auth.local_users import GROUP
from l2tpv3_api.settings import Address

_BACKLOG = 1024


@contextlib.contextmanager
def unix_socket(path: Path, *, others: bool, option: str = "--unix") -> Iterator[socket.socket]:
    """A socket that listens at `path` for a `with` block, at whose end the path is gone.

    Root, the group l2tpv3 and, with `others`, everyone can connect. What a service that was killed left there is
    replaced. Raises ConflictError where another one answers, or it is something else; NotPermittedError.
    """
    if len(os.fsencode(path)) > 107:  # unix(7)
        raise InvalidValueError(option, f"{path} is longer than 107 bytes", "give a shorter path")
    with _alone(path, option):
        _clear(path, option)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            os.fchmod(sock.fileno(), 0o600)  # bind() gives the file this mode: nobody's until it is everyone's who may
            sock.bind(str(path))
            _hand_over(path, others=others)
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            raise from_errno(str(path), "make this socket", error.errno or 0, "run as root") from error
        ours = path.stat().st_ino
        try:
            yield sock
        finally:
            sock.close()
            with contextlib.suppress(OSError):
                if path.stat().st_ino == ours:
                    path.unlink()


@contextlib.contextmanager
def _alone(path: Path, option: str) -> Iterator[None]:
    """Hold the lock that says that this socket is served, or being replaced."""
    lock = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        file = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise from_errno(str(path), "make this socket", error.errno or 0, f"run as root, or give {option}") from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _served(path, option) from error
        yield
    finally:
        os.close(file)


def _clear(path: Path, option: str) -> None:
    """Remove the file of a socket on which no process answers."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConflictError(str(path), "exists and is no socket", f"move it away, or give another {option}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
        except OSError as error:  # EAGAIN: its backlog is full
            raise _served(path, option) from error
    raise _served(path, option)


def is_at(sock: socket.socket, path: Path | None) -> bool:
    """Whether this is the unix socket at `path`."""
    return path is not None and sock.family == socket.AF_UNIX and sock.getsockname() == str(path)


def _served(path: Path, option: str) -> L2tpError:
    remedy = f"`fuser {path}` shows which: stop it, or give another {option}"
    return ConflictError(str(path), "another service answers there", remedy)


def _hand_over(path: Path, *, others: bool) -> None:
    """Let the group connect, or everyone."""
    try:
        group = grp.getgrnam(GROUP).gr_gid
    except KeyError:
        group = -1  # there is nobody to let in
    if group != -1:
        with contextlib.suppress(PermissionError):  # not root, nor of that group: then it is its own user's
            os.chown(path, -1, group)
    path.chmod(0o666 if others else 0o660)


def tcp_sockets(addresses: Iterable[Address], *, tls: bool, insecure: bool) -> list[socket.socket]:
    """Sockets that listen at these addresses; a name's are all taken.

    Raises InvalidValueError where that would be plain HTTP beyond loopback, and that was not said to be meant;
    NotFoundError for unknown names; ConflictError, NoAddressError.
    """
    made: list[socket.socket] = []
    try:
        for address in addresses:
            for family, place in _resolve(address):
                if not tls and not insecure:
                    refuse_plain(str(place[0]), f"--listen {address}")
                made.append(_listening(family, place, address))
    except BaseException:
        for sock in made:
            sock.close()
        raise
    return made


def refuse_plain(host: str, subject: str) -> None:
    """Raise InvalidValueError unless this address is this machine's own: beyond, tokens could be read on the way."""
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    if not (mapped or address).is_loopback:
        problem = "would send tokens and cookies over the network in clear"
        remedy = "give --tls-cert and --tls-key, or say --insecure-plain-http if something else encrypts this"
        raise InvalidValueError(subject, problem, remedy)


def _resolve(address: Address) -> list[tuple[int, tuple[Any, ...]]]:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise NotFoundError(f"--listen {address}", f"{address.host} has no address here: {error}") from error
    return list(dict.fromkeys((family, place) for family, _, _, _, place in found))


def _listening(family: int, place: tuple[Any, ...], address: Address) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # an IPv4 client then has an IPv4 address
        sock.bind(place)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        remedy = f"`ss -ltnp` shows who has port {address.port}" if error.errno == errno.EADDRINUSE else ""
        raise from_errno(f"--listen {address}", "listen there", error.errno or 0, remedy) from error
    return sock
