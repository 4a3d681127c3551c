"""A host's note of what it looked like when it was last found to be what its fleet wants: compared by a digest.

To find out whether a host is as committed takes the whole manager. A host that compared everything once, and found no
difference, notes digests of what it compared: its record, the netdevs and addresses, the workers and who they are. As
long as all of these are the same, the comparison would give the same. This module imports little: it is asked at every
host of a fleet for each change of a few of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import Final

from l2tpv3.errors import L2tpError
from l2tpv3.linux.boot import boot_id
from l2tpv3.linux.netlink.message import attributes
from l2tpv3.linux.netlink.sock import NetlinkSocket
from l2tpv3.paths import Paths
from l2tpv3.value_class import value_class
from l2tpv3.version import VERSION
from l2tpv3.worker.pool import WorkerPool

_NAME: Final = "fleet-noted.json"
_NOTE_MAX: Final = 4096
_NETLINK_ROUTE, _GETLINK, _GETADDR = 0, 18, 22  # linux/netlink.h, linux/rtnetlink.h
_LINK, _ADDRESS = Struct("=BxHiII"), Struct("=BBBBI")  # struct ifinfomsg, struct ifaddrmsg
_UP: Final = 0x1  # IFF_UP
_LINK_SCOPE: Final = 253  # RT_SCOPE_LINK: addresses that the kernel makes when a netdev comes up
_LINK_WORDS: Final = (1, 3, 4, 5, 10, 20)  # IFLA_ADDRESS, _IFNAME, _MTU, _LINK, _MASTER, _IFALIAS
_ADDRESS_WORDS: Final = (1, 2, 3)  # IFA_ADDRESS, IFA_LOCAL, IFA_LABEL
_LINKINFO, _KIND, _DATA, _PORT_DATA = 18, 1, 2, 5  # IFLA_LINKINFO, IFLA_INFO_KIND, _DATA, _SLAVE_DATA
_OF_BRIDGES: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9)  # IFLA_BR_FORWARD_DELAY to IFLA_BR_GROUP_FWD_MASK
_OF_PORTS: Final = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 27, 28, 29, 30, 31, 32, 33)  # IFLA_BRPORT_*, what can be set


@value_class(frozen=True, slots=True, kw_only=True)
class Note:
    """What a host noted. document: the digest of what it is to have. identity: a text that no other host has.

    on_record, alive: the digests of what it had, see seen_on_record and seen_alive.
    """

    document: str
    identity: str
    on_record: str
    alive: str


_MEMBERS: Final = ("document", "identity", "on_record", "alive")


def holds(paths: Paths, document: str) -> Note | None:
    """The note of this host, if it is about the document of that digest and all is as it was then; else None."""
    note = read_note(paths)
    if note is None or note.document != document:
        return None
    try:
        same = note.on_record == seen_on_record(paths) and note.alive == seen_alive(paths)
    except (L2tpError, OSError):
        return None
    return note if same else None


def digest_of(document: str) -> str:
    """The digest of a document's text."""
    return hashlib.sha256(document.encode()).hexdigest()


def read_note(paths: Paths) -> Note | None:
    """The note of this host; None where there is none that can be read."""
    try:
        with (paths.runtime / _NAME).open("rb") as file:
            found = json.loads(file.read(_NOTE_MAX))
        return Note(**{name: str(found[name]) for name in _MEMBERS})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_note(paths: Paths, note: Note) -> None:
    """Keep a note until the next boot. What can't be written is not there, and costs a comparison later."""
    text = json.dumps({name: getattr(note, name) for name in _MEMBERS})
    path = paths.runtime / _NAME
    new = path.with_name(path.name + ".new")
    with contextlib.suppress(OSError):
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(text)
        new.replace(path)


def seen_on_record(paths: Paths) -> str:
    """The digest of this host's record. Raises OSError where it can't be read."""
    files = [paths.state / name for name in ("l2tpv3.db", "l2tpv3.db-wal")]
    return _digest(file.read_bytes() if file.exists() else b"" for file in files)


def seen_alive(paths: Paths) -> str:
    """The digest of the netdevs here, their addresses, and the workers, each of which has to answer.

    Raises L2tpError or OSError where something can't be looked at: such a host has to be compared.
    """
    return _digest(_parts(paths))


def _digest(parts: Iterable[bytes]) -> str:
    together = hashlib.sha256()
    for part in parts:
        together.update(len(part).to_bytes(8, "big") + part)
    return together.hexdigest()


def _parts(paths: Paths) -> Iterator[bytes]:
    yield f"{VERSION} {boot_id()} {Path('/proc/self/ns/net').stat().st_ino}".encode()
    with WorkerPool(paths.runtime).live() as workers:
        yield repr(sorted((one.pid, one.program) for one in workers.require_all())).encode()
        yield repr(sorted(workers.listening.items())).encode()
    with NetlinkSocket(_NETLINK_ROUTE, None, _LINK.size) as route:
        yield from _netdevs(route)
    with NetlinkSocket(_NETLINK_ROUTE, None, _ADDRESS.size) as route:
        yield from _addresses(route)


def _netdevs(route: NetlinkSocket) -> Iterator[bytes]:
    for datagram, spans in route.dump(_GETLINK, _LINK.pack(0, 0, 0, 0, 0)).datagrams:
        for begin, end in spans:
            _, _, index, flags, _ = _LINK.unpack_from(datagram, begin - _LINK.size)
            found = attributes(datagram, begin, end)
            info = attributes(datagram, *found[_LINKINFO]) if _LINKINFO in found else {}
            yield f"{index} {flags & _UP}".encode()
            yield _chosen(datagram, found, _LINK_WORDS)
            yield _chosen(datagram, info, (_KIND,))
            if _KIND in info and datagram[slice(*info[_KIND])].startswith(b"bridge") and _DATA in info:
                yield _chosen(datagram, attributes(datagram, *info[_DATA]), _OF_BRIDGES)
            if _PORT_DATA in info:
                yield _chosen(datagram, attributes(datagram, *info[_PORT_DATA]), _OF_PORTS)


def _addresses(route: NetlinkSocket) -> Iterator[bytes]:
    for datagram, spans in route.dump(_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0)).datagrams:
        for begin, end in spans:
            family, length, _, scope, index = _ADDRESS.unpack_from(datagram, begin - _ADDRESS.size)
            if scope != _LINK_SCOPE:
                yield f"{family} {length} {index}".encode()
                yield _chosen(datagram, attributes(datagram, begin, end), _ADDRESS_WORDS)


def _chosen(datagram: bytes, found: dict[int, tuple[int, int]], words: tuple[int, ...]) -> bytes:
    """The values of some attributes, so that no two of them can be taken for one another."""
    return repr([datagram[slice(*found[word])] if word in found else None for word in words]).encode()
