"""The part of a host's record that is a fleet's, told from all else by the names and cookies in its documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from l2tpv3.config.document import read_sent
from l2tpv3.config.problem import ConfigError, Problem
from l2tpv3.config.reader import Findings, Reader
from l2tpv3.connect.mark import mark_of
from l2tpv3.errors import ConflictError
from l2tpv3.model.desired import Desired, DesiredLink, DesiredTunnel
from l2tpv3.model.fields import EVERY
from l2tpv3.model.host_records import HostRecords, RecordDelta
from l2tpv3.model.link_key import link_key
from l2tpv3.model.links.record import LinkRecord
from l2tpv3.model.record import TunnelRecord

_REMEDY = "bring the fleet's state file back, or remove it there by `l2tpctl {command} del {name}`"


def read_text(text: str) -> list[Desired]:
    """The tunnels and links of a document as text, which can't name files. Raises ConfigError."""
    document = read_sent(text.encode(), Path("the fleet's document"))
    if isinstance(document, Problem):
        raise ConfigError([document])
    findings = Findings()
    reader = Reader(document, ("auto", *EVERY), findings)
    tunnels, links = reader.tunnels(), reader.links()
    if findings.problems:
        raise ConfigError(findings.problems)
    return [*(one.wanted for one in tunnels), *(one.wanted for one in links)]


class OwnPart:
    """What a fleet has at a host. before: the documents that the host may have now. new: the one that it is to have."""

    def __init__(self, before: Iterable[Sequence[Desired]], new: Sequence[Desired]) -> None:
        self.new = new
        every = [*(one for document in before for one in document), *new]
        self._names = {_key(one) for one in every}
        self._marks: dict[str, set[str]] = {}
        self._overs: dict[str, list[set[str]]] = {}
        for one in every:
            if isinstance(one, DesiredTunnel):
                self._marks.setdefault(one.name, set()).add(_mark(one))
        for one in (one for document in before for one in document):
            if isinstance(one, DesiredLink):
                self._overs.setdefault(one.name, []).append({*one.words.get("over", ())})

    @property
    def removed(self) -> frozenset[str]:
        """The tunnels and links that the host is to have no more, links as model.link_key has them."""
        return frozenset(self._names - {_key(one) for one in self.new})

    def owns_tunnel(self, record: TunnelRecord) -> bool:
        """Whether a tunnel on record is the fleet's: it has a name and the cookies of one."""
        marks = self._marks.get(record.spec.name, set())
        return mark_of((one.spec.name, one.spec.tx_cookie, one.spec.rx_cookie) for one in record.sessions) in marks

    def owns_link(self, record: LinkRecord) -> bool:
        """Whether a link on record is the fleet's: it is over the fleet's sessions, or over what it was made over."""
        if any(member.partition("/")[0] in self._marks for member in record.spec.over if "/" in member):
            return True
        return {*record.spec.over} in self._overs.get(record.spec.name, [])

    def check(self, records: HostRecords) -> None:
        """Raise ConflictError where something else has a name of the fleet's. A precondition of every change."""
        for tunnel in records.tunnels.values():
            name = tunnel.spec.name
            if name in self._names and not self.owns_tunnel(tunnel):
                raise _not_ours("tunnel", name, "its sessions or their cookies are others")
        for link in records.links.values():
            if link_key(link.spec.name) in self._names and not self.owns_link(link):
                raise _not_ours("link", link.spec.name, "it is over none of its pseudowires")

    def is_about(self, change: RecordDelta) -> bool:
        """Whether a change that waits for its confirmation is about nothing but the fleet's tunnels and links.

        One that only made again what is on record is about nothing: whoever ends it takes nothing from anybody.
        """
        return {*change.tunnels, *map(link_key, change.links)} <= self._names


def _key(one: Desired) -> str:
    return link_key(one.name) if isinstance(one, DesiredLink) else one.name


def _mark(tunnel: DesiredTunnel) -> str:
    def cookies(words: Any) -> tuple[bytes, bytes]:
        return words.get("tx-cookie", b""), words.get("rx-cookie", b"")

    return mark_of((one.name, *cookies(one.words)) for one in tunnel.sessions)


def _not_ours(kind: str, name: str, why: str) -> ConflictError:
    remedy = _REMEDY.format(command=kind, name=name)
    return ConflictError(f"{kind} {name}", f"is there, and is not the one of this fleet: {why}", remedy)
