"""Looks up the addresses of a name as every program of this host does: /etc/hosts, DNS, what nsswitch.conf(5) says.

By getaddrinfo(3), and not by a DNS client of our own: the host's resolver knows its caches, its search domains, and
names that are in no DNS. That tells no time to live; a caching resolver heeds it, and is asked often.
"""

from __future__ import annotations

import socket
import threading
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

IPAddress = IPv4Address | IPv6Address
_ADDRESSES_MAX: Final = 64


class LookupFailedError(Exception):
    """A name that has no address now. Its text says why."""


def look_up(name: str) -> tuple[IPAddress, ...]:
    """The addresses of a name that a peer can have, in the order of getaddrinfo(3) (RFC 6724), each once.

    Takes as long as the resolver does: half a minute where none answers. Raises LookupFailedError.
    """
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except socket.gaierror as error:
        raise LookupFailedError((error.strerror or str(error)).lower()) from error
    except (OSError, UnicodeError) as error:
        raise LookupFailedError(str(error)) from error
    addresses = dict.fromkeys(ip_address(entry[4][0]) for entry in found)
    usable = tuple(one for one in addresses if _is_usable(one))[:_ADDRESSES_MAX]
    if not usable:
        raise LookupFailedError("it has no address that a host can have")
    return usable


def look_up_within(name: str, limit_s: float) -> tuple[IPAddress, ...]:
    """What look_up gives within so many seconds; what comes later is lost. Raises LookupFailedError."""
    found: list[tuple[IPAddress, ...] | LookupFailedError] = []

    def ask() -> None:
        try:
            found.append(look_up(name))
        except LookupFailedError as error:
            found.append(error)

    # It can't be interrupted; as a daemon it does not keep this process from ending.
    thread = threading.Thread(target=ask, name=f"look up {name}", daemon=True)
    thread.start()
    thread.join(limit_s)
    if not found:
        raise LookupFailedError(f"the resolver does not answer within {limit_s:g} s")
    if isinstance(found[0], LookupFailedError):
        raise found[0]
    return found[0]


def _is_usable(address: IPAddress) -> bool:
    """Whether a peer can have this address: who answers for a name may say anything."""
    odd = address.is_multicast or address.is_unspecified or address.is_link_local
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    return not odd and not mapped and str(address) != "255.255.255.255"
