"""The sessions' TAPs, from the privileged side: make one, find it again, attach to it, remove it.

A TAP of ours is marked: its ifalias says `l2tpv3 TUNNEL/SESSION RUNTIME`. It keeps that through renames and moves to
other namespaces. Nothing that does not have our mark is ever attached to or removed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.datapath.user.tunnel_socket import BUFFER_BYTES
from l2tpv3.errors import ConflictError, L2tpError, NotFoundError, NotPermittedError, UnavailableError, from_errno
from l2tpv3.linux.netlink.rtnetlink import Link, RouteSocket
from l2tpv3.linux.netns import inside, netns_names, same_netns
from l2tpv3.linux.tap import TUNSETPERSIST
from l2tpv3.model.ownership import OwnerTag

TUN_DEVICE: Final = "/dev/net/tun"

_TUNSETIFF, _TUNSETSNDBUF = 0x400454CA, 0x400454D4  # linux/if_tun.h
_IFF_NAPI: Final = 0x0010  # Linux 4.15; older ones ignore it
_IFF_TAP, _IFF_NO_PI, _IFF_TUN_EXCL = 0x0002, 0x1000, 0x8000
_ifreq = Struct("16sH22x")

QUEUE_FRAMES: Final = 500
"""How many frames wait in a netdev for its worker at most, unless somebody sets another txqueuelen.

Half of the usual 1,000: as much throughput, with half the delay.
"""


class FoundTap(NamedTuple):
    """A TAP with our mark: where it is, and what it is called there now."""

    netns: str | None
    ifindex: int
    ifname: str


def create(netns: str | None, ifname: str, mark: OwnerTag, mac: str | None = None, *, merging: bool) -> int:
    """Make a TAP, down, and give its open file. It vanishes when that is closed, until it is made persistent.

    mac: its MAC address, which it has as soon as it has the mark; None is one that the kernel makes up.
    merging: have it merge what is written to it, as far as it can.
    Raises ConflictError (a netdev of that name exists), UnavailableError, NotPermittedError, NotFoundError.
    """
    subject = f"session {mark.session}"
    with inside(netns):
        try:
            tun = _open_attached(subject, ifname, _IFF_TUN_EXCL, merging=merging)
        except OSError as error:
            raise _create_error(subject, ifname, error) from error
        try:
            # By netlink: the ioctl for a queue's length is refused in user namespaces.
            with RouteSocket() as route:
                route.set_link(socket.if_nametoindex(ifname), alias=mark.alias(), mac=mac, queue=QUEUE_FRAMES)
        except OSError as error:
            os.close(tun)
            raise _create_error(subject, ifname, error) from error
        except BaseException:
            os.close(tun)
            raise
    return tun


def _open_attached(subject: str, ifname: str, flags: int = 0, *, merging: bool) -> int:
    """A file that is attached to a TAP of that name; if it is to be `merging`, by IFF_NAPI, where that can have a
    thread of its own: without one it costs more than it saves. Raises OSError, and what open_tun does."""
    from l2tpv3.linux.napi import make_threaded

    for how in (_IFF_NAPI, 0) if merging else (0,):
        tun = open_tun(subject)
        try:
            _attach(tun, ifname, flags | how)
            # What is written waits in memory for that thread; beyond this it is refused, and counted.
            fcntl.ioctl(tun, _TUNSETSNDBUF, BUFFER_BYTES.to_bytes(4, sys.byteorder))
            if not how or make_threaded(tun, ifname):
                return tun
        except BaseException:
            os.close(tun)
            raise
        os.close(tun)
    raise AssertionError("unreachable")


def _create_error(subject: str, ifname: str, error: OSError) -> L2tpError:
    if error.errno in (errno.EBUSY, errno.EEXIST):
        return ConflictError(subject, f"netdev {ifname} exists", "give another --ifname", errno=error.errno)
    return from_errno(subject, f"make netdev {ifname}", error.errno or 0)


def open_tun(subject: str) -> int:
    """/dev/net/tun, in the calling thread's network namespace. Raises UnavailableError, NotPermittedError."""
    try:
        return os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            raise UnavailableError(subject, *tun_missing(error.errno), errno=error.errno) from error
        raise from_errno(subject, f"open {TUN_DEVICE}", error.errno or 0) from error


def tun_missing(number: int) -> tuple[str, str]:
    """The problem and the remedy when /dev/net/tun can't be opened, by the errno."""
    if number == errno.ENOENT:
        remedy = "`modprobe tun`; in a container: --device /dev/net/tun, or mknod /dev/net/tun c 10 200"
        return f"{TUN_DEVICE} is missing", remedy
    return f"{TUN_DEVICE} is there, but not its driver", "`modprobe tun` (on the host, if this is a container)"


def _attach(tun: int, ifname: str, flags: int = 0) -> None:
    fcntl.ioctl(tun, _TUNSETIFF, _ifreq.pack(os.fsencode(ifname), _IFF_TAP | _IFF_NO_PI | flags))


def find(mark: OwnerTag, places: Iterable[str | None], *, elsewhere: bool = False) -> list[FoundTap]:
    """The TAPs with that mark in these network namespaces; one that does not exist is passed over.

    elsewhere: then also in all others that have a name, as far as they may be entered.
    Raises L2tpError where a namespace can't be looked into.
    """
    taps: list[FoundTap] = []
    seen: list[str | None] = []
    places = list(places)
    for number, netns in enumerate([*places, *(_everywhere() if elsewhere else ())]):
        try:
            if any(same_netns(netns, other) for other in seen):
                continue
            with inside(netns):
                links = _taps()
        except NotFoundError:
            continue
        except NotPermittedError:
            if number < len(places):
                raise
            continue
        except OSError as error:
            raise from_errno(f"network namespace {netns}", "list its netdevs", error.errno or 0) from error
        seen.append(netns)
        taps += [FoundTap(netns, link.ifindex, link.ifname) for link in links if mark.fits(link.alias)]
    return taps


def _taps() -> list[Link]:
    """The TUNs and TAPs in the calling thread's network namespace. Raises OSError."""
    with RouteSocket() as route:
        return route.links("tun")


def all_marked(runtime: Path) -> set[str]:
    """The names of all TAPs of sessions of ours, in the namespaces that may be entered."""
    found: set[str] = set()
    for netns in _everywhere():
        with contextlib.suppress(L2tpError, OSError), inside(netns):
            found |= {link.ifname for link in _taps() if OwnerTag.is_of(runtime, link.alias)}
    return found


def _everywhere() -> list[str | None]:
    """The caller's network namespace and all that have a name."""
    return [None, *netns_names()]


def attach(found: FoundTap, subject: str, *, merging: bool) -> int | None:
    """An open file of a TAP that was found; None when it has vanished since, or is of a kind that we never make.

    Raises ConflictError when it is in use.
    """
    with inside(found.netns):
        try:
            ifname = socket.if_indextoname(found.ifindex)  # its name of this moment; one that is not UTF-8, too
        except OSError:
            return None
        try:
            tun = _open_attached(subject, ifname, merging=merging)
        except OSError as error:
            if error.errno == errno.EBUSY:
                remedy = "end the process that has it (`fuser /dev/net/tun`)"
                raise ConflictError(subject, f"netdev {ifname} is in use", remedy, errno=error.errno) from error
            if error.errno == errno.EINVAL:  # a TUN, or one with several queues: anybody may have marked it
                return None
            raise from_errno(subject, f"attach to netdev {ifname}", error.errno or 0) from error
        with contextlib.suppress(OSError):  # renamed or deleted just now
            if socket.if_nametoindex(ifname) == found.ifindex:
                return tun
        # It vanished, and a new one was made by attaching, which goes with its file.
        os.close(tun)
        return None


def is_attached(found: FoundTap, subject: str) -> bool:
    """Whether a process has a TAP that was found. Raises what `attach` does, but for ConflictError."""
    try:
        tun = attach(found, subject, merging=False)
    except ConflictError:
        return True
    if tun is not None:
        os.close(tun)
    return False


def remove(found: FoundTap) -> None:
    """Remove a TAP that was found; nothing happens when it has vanished since. Raises NotPermittedError."""
    try:
        with inside(found.netns), RouteSocket() as route:
            route.delete_link(found.ifindex)
    except NotFoundError:
        return
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise from_errno(f"netdev {found.ifname}", "remove it", error.errno or 0) from error


def discard(tun: int) -> None:
    """Close a TAP's file such that the netdev goes."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(tun, TUNSETPERSIST, 0)
    os.close(tun)
