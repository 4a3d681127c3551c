"""The owner tag of a session's netdev, which is its ifalias: `l2tpv3 TUNNEL/SESSION RUNTIME`.

It tells people and this program which session a netdev belongs to, and stays when the netdev is renamed or moved to
another namespace. A netdev without our owner tag is never attached to, changed or removed. Root in a network namespace
can write any ifalias there. So an owner tag is believed where the record says that the netdev is, and elsewhere only
with evidence (l2tpv3.netdev.locator).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_ALIAS_MAX = 250  # IFALIASZ is 256


class OwnerTag(NamedTuple):
    """Whose netdev it is. session None: any session of that tunnel. The runtime directory tells hosts apart that share
    a namespace or a machine; a digest of it stands for one that is too long."""

    runtime: Path
    tunnel: str
    session: str | None = None

    def alias(self) -> str:
        """The ifalias to set."""
        text = f"{self._head()}{self.session}{self._tail()}"
        assert self.session is not None and len(text.encode()) <= _ALIAS_MAX
        return text

    @staticmethod
    def is_of(runtime: Path, alias: str) -> bool:
        """Whether this ifalias is the owner tag of any session of the host with that runtime directory."""
        head, slash, _ = alias.removesuffix(OwnerTag(runtime, "")._tail()).partition("/")
        return head.startswith("l2tpv3 ") and bool(slash) and alias.endswith(OwnerTag(runtime, "")._tail())

    def fits(self, alias: str) -> bool:
        """Whether an ifalias is this owner tag."""
        if self.session is not None:
            return alias == self.alias()
        return alias.startswith(self._head()) and alias.endswith(self._tail())

    def _head(self) -> str:
        return f"l2tpv3 {self.tunnel}/"

    def _tail(self) -> str:
        return _tail(self.runtime if self.runtime.is_absolute() else self.runtime.absolute())


@lru_cache(maxsize=8)
def _tail(runtime: Path) -> str:
    text = str(runtime)
    if len(text.encode()) > 100:  # "l2tpv3 " and two names of 63 take the rest
        import hashlib

        text = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f" {text}"


def session_in(alias: str) -> str | None:
    """TUNNEL/SESSION from the owner tag of a session; None where the ifalias is not one."""
    words = alias.split(" ")
    return words[1] if len(words) >= 3 and words[0] == "l2tpv3" and words[1].count("/") == 1 else None


def link_alias(runtime: Path, name: str) -> str:
    """The owner tag of a link: `l2tpv3 link NAME RUNTIME`. No session has it, since a session's has a slash."""
    return f"l2tpv3 link {name}{_tail(runtime.absolute())}"


class EncryptionTag(NamedTuple):
    """The owner tag of the netdev that encrypts a tunnel: `l2tpv3 encryption TUNNEL SINCE RUNTIME`.

    since: when it was made, in seconds since the epoch. No session has such a tag, since a session's has a slash.
    """

    runtime: Path
    tunnel: str

    def alias(self, since: int) -> str:
        """The ifalias to set."""
        return f"{self._head()}{since}{_tail(self.runtime.absolute())}"

    def since(self, alias: str) -> int | None:
        """When the netdev with this ifalias was made; None where it is not this tunnel's."""
        number = alias.removeprefix(self._head()).removesuffix(_tail(self.runtime.absolute()))
        fits = (
            number.isascii() and number.isdigit() and alias == f"{self._head()}{number}{_tail(self.runtime.absolute())}"
        )
        return int(number) if fits else None

    def ifnames(self, netns: str | None) -> Iterator[str]:
        """Names for the netdev in that namespace, the first the best: the same on each boot, and no other host's.

        They differ by namespace, since the names of wireguard-go's sockets are those of netdevs in all namespaces.
        """
        import zlib

        for attempt in itertools.count():
            text = f"{self.alias(attempt)} {netns or ''}"
            yield f"l2tpwg{zlib.crc32(text.encode()):08x}"

    def _head(self) -> str:
        return f"l2tpv3 encryption {self.tunnel} "


def netns_alias(runtime: Path) -> str:
    """The owner tag of a network namespace that was made on demand, on its loopback: `l2tpv3 netns RUNTIME`."""
    return f"l2tpv3 netns{_tail(runtime.absolute())}"
