"""The kernel's WireGuard over generic netlink (include/uapi/linux/wireguard.h): read a netdev, configure it.

pyroute2 has a helper for it, the import of which takes longer than all that is done here.
"""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import Final

from l2tpv3.linux.netlink.generic import FamilyMissing, FamilySocket
from l2tpv3.linux.netlink.message import NLA_F_NESTED, attribute, attributes, u8, u16, u32, unsigned, zero_terminated
from l2tpv3.linux.wireguard import Device, Endpoint, Peer, Settings

_NAME, _VERSION = "wireguard", 1  # WG_GENL_NAME, WG_GENL_VERSION
_GET_DEVICE, _SET_DEVICE = 0, 1  # WG_CMD_*
_IFNAME, _PRIVATE_KEY, _PUBLIC_KEY, _FLAGS, _LISTEN_PORT, _PEERS = 2, 3, 4, 5, 6, 8  # WGDEVICE_A_*
_P_PUBLIC_KEY, _P_FLAGS, _P_ENDPOINT, _P_KEEPALIVE, _P_HANDSHAKE, _P_RX, _P_TX, _P_ALLOWED = 1, 3, 4, 5, 6, 7, 8, 9
_REPLACE_ALLOWED, _REMOVE = 2, 1  # WGPEER_F_REPLACE_ALLOWEDIPS, WGPEER_F_REMOVE_ME
_A_FAMILY, _A_ADDRESS, _A_MASK = 1, 2, 3  # WGALLOWEDIP_A_*
_TIME: Final = Struct("=qq")  # struct __kernel_timespec


class WireGuardSocket(FamilySocket):
    """Requests to the wireguard family in a namespace. Use in a `with` block.

    Raises OSError with ENOENT where the kernel has no WireGuard, NotFoundError, NotPermittedError (the namespace).
    """

    def __init__(self, netns: str | None) -> None:
        try:
            super().__init__(_NAME, _VERSION, netns)
        except FamilyMissing as missing:
            raise OSError(errno.ENOENT, "the kernel has no WireGuard") from missing

    def device(self, ifname: str) -> Device:
        """What a netdev is configured with and does. Raises OSError: ENODEV, EOPNOTSUPP (it is no WireGuard's)."""
        answer = self.list(_GET_DEVICE, attribute(_IFNAME, zero_terminated(ifname)))
        key, port, peers = b"", 0, []
        for datagram, spans in answer.datagrams:
            for begin, end in spans:
                found = attributes(datagram, begin, end)
                if _PUBLIC_KEY in found:
                    key = datagram[slice(*found[_PUBLIC_KEY])]
                port = unsigned(datagram, found.get(_LISTEN_PORT)) or port
                start, stop = found.get(_PEERS, (0, 0))
                peers += [_peer(datagram, *one) for one in _items(datagram, start, stop)]
        return Device(key, port, tuple(peers))

    def configure(self, ifname: str, wanted: Settings) -> None:
        """Set a netdev's key, port and peers to what is wanted; peers that stay keep their session. Raises OSError."""
        there = self.device(ifname)
        body = attribute(_IFNAME, zero_terminated(ifname))
        if there.public_key != wanted.public_key:
            body += attribute(_PRIVATE_KEY, wanted.private_key)
        if there.listen_port != wanted.listen_port:
            body += attribute(_LISTEN_PORT, u16(wanted.listen_port))
        gone = [one.public_key for one in there.peers if one.public_key != wanted.peer]
        # The new peer takes the address over from the old one, so that no packet to it ever finds no peer.
        peers = [_wanted_peer(wanted.peer, wanted)] if wanted.peer is not None else []
        peers += [_removed(key) for key in gone]
        items = b"".join(attribute(NLA_F_NESTED, one) for one in peers)
        body += attribute(_PEERS | NLA_F_NESTED, items) if peers else b""
        self.command(_SET_DEVICE, body)


def _items(datagram: bytes, start: int, stop: int) -> list[tuple[int, int]]:
    """Where the values of a list's items begin and end: all have the same number, so `attributes` gives one."""
    found = []
    while start + 4 <= stop:
        length = int.from_bytes(datagram[start : start + 2], "little" if _LITTLE else "big")
        if length < 4 or start + length > stop:
            break
        found.append((start + 4, start + length))
        start += (length + 3) & ~3
    return found


_LITTLE: Final = Struct("=H").pack(1)[0] == 1


def _peer(datagram: bytes, begin: int, end: int) -> Peer:
    found = attributes(datagram, begin, end)
    start, stop = found.get(_P_HANDSHAKE, (0, 0))
    seconds = _TIME.unpack_from(datagram, start)[0] if stop - start >= _TIME.size else 0
    where = found.get(_P_ENDPOINT)
    return Peer(
        public_key=datagram[slice(*found.get(_P_PUBLIC_KEY, (0, 0)))],
        endpoint=_endpoint(datagram[slice(*where)]) if where is not None else None,
        keepalive_s=unsigned(datagram, found.get(_P_KEEPALIVE)),
        handshake=seconds or None,
        rx_bytes=unsigned(datagram, found.get(_P_RX)),
        tx_bytes=unsigned(datagram, found.get(_P_TX)),
        allowed=tuple(_allowed(datagram, *one) for one in _items(datagram, *found.get(_P_ALLOWED, (0, 0)))),
    )


def _allowed(datagram: bytes, begin: int, end: int) -> str:
    found = attributes(datagram, begin, end)
    address = ip_address(datagram[slice(*found[_A_ADDRESS])]) if _A_ADDRESS in found else "?"
    return f"{address}/{unsigned(datagram, found.get(_A_MASK))}"


def _endpoint(value: bytes) -> Endpoint | None:
    """A struct sockaddr_in or sockaddr_in6: the family in host order, the port in that of the network."""
    family = int.from_bytes(value[:2], "little" if _LITTLE else "big")
    port = int.from_bytes(value[2:4], "big")
    if family == socket.AF_INET:
        return Endpoint(IPv4Address(value[4:8]), port)
    return Endpoint(IPv6Address(value[8:24]), port) if family == socket.AF_INET6 and len(value) >= 24 else None


def _sockaddr(endpoint: Endpoint) -> bytes:
    address, port = endpoint.address, endpoint.port.to_bytes(2, "big")
    if address.version == 4:
        return Struct("=H").pack(socket.AF_INET) + port + address.packed + bytes(8)
    return Struct("=H").pack(socket.AF_INET6) + port + bytes(4) + address.packed + u32(endpoint.scope)


def _removed(key: bytes) -> bytes:
    return attribute(_P_PUBLIC_KEY, key) + attribute(_P_FLAGS, u32(_REMOVE))


def _wanted_peer(key: bytes, wanted: Settings) -> bytes:
    body = attribute(_P_PUBLIC_KEY, key) + attribute(_P_FLAGS, u32(_REPLACE_ALLOWED))
    if wanted.endpoint is not None:
        body += attribute(_P_ENDPOINT, _sockaddr(wanted.endpoint))
    body += attribute(_P_KEEPALIVE, u16(wanted.keepalive_s))
    inner = attribute(_A_FAMILY, u16(socket.AF_INET6)) + attribute(_A_ADDRESS, wanted.allowed.packed)
    inner += attribute(_A_MASK, u8(128))
    return body + attribute(_P_ALLOWED | NLA_F_NESTED, attribute(NLA_F_NESTED, inner))
