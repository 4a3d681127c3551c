"""Which pseudowires a change has to test: those of which both ends are at hosts of the fleet, as their files say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from l2tpv3.errors import L2tpError
from l2tpv3.fleet.own_part import read_text
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class WireEnd:
    """One end of a pseudowire, as a host's file states it.

    name: TUNNEL/SESSION. ids: of tunnel and session; peer_ids: those of the other end. local, remote: addresses of the
    underlay; None where the file gives none, or a name.
    """

    host: str
    name: str
    ids: tuple[int, int]
    peer_ids: tuple[int, int]
    local: str | None
    remote: str | None
    tunnel: DesiredTunnel

    def meets(self, other: WireEnd) -> bool:
        """Whether the other end may be that of the same pseudowire."""
        return (
            other.host != self.host
            and (self.ids, self.peer_ids) == (other.peer_ids, other.ids)
            and (None in (self.local, other.remote) or self.local == other.remote)
            and (None in (self.remote, other.local) or self.remote == other.local)
        )


def wires_to_test(before: Mapping[str, str | None], new: Mapping[str, str]) -> dict[str, list[str]]:
    """The pseudowires that are to be tested at each host, as TUNNEL/SESSION; hosts without any are left out.

    before: the file that each host has; None where it is not known, or there is none. new: the one that it is to have;
    of a host that is not to be changed it is the same. A pseudowire is tested where the tunnel of an end differs.
    """
    ends = [end for host, text in new.items() for end in _ends(host, text)]
    had = {(host, one.name): one for host, text in before.items() if text is not None for one in _tunnels(text)}
    by_ids: dict[tuple[tuple[int, int], tuple[int, int]], list[WireEnd]] = {}
    for end in ends:
        by_ids.setdefault((end.ids, end.peer_ids), []).append(end)
    found: dict[str, list[str]] = {}
    for end in ends:
        others = [one for one in by_ids.get((end.peer_ids, end.ids), []) if end.meets(one)]
        # With more than one it is not known which end is meant: none of them is called wrong for that.
        if len(others) == 1 and any(had.get((one.host, one.tunnel.name)) != one.tunnel for one in (end, others[0])):
            found.setdefault(end.host, []).append(end.name)
    return found


def _tunnels(text: str) -> list[DesiredTunnel]:
    try:
        return [one for one in read_text(text) if isinstance(one, DesiredTunnel)]
    except L2tpError:  # of another version: everything in it counts as changed
        return []


def _ends(host: str, text: str) -> Iterator[WireEnd]:
    for tunnel in _tunnels(text):
        for session in tunnel.sessions:
            ids: tuple[Any, Any] = tunnel.words.get("id"), session.words.get("id")
            peer_ids: tuple[Any, Any] = tunnel.words.get("peer-id", ids[0]), session.words.get("peer-id", ids[1])
            if all(isinstance(one, int) for one in (*ids, *peer_ids)):  # and not drawn by the host
                yield WireEnd(
                    host=host,
                    name=f"{tunnel.name}/{session.name}",
                    ids=(int(ids[0]), int(ids[1])),
                    peer_ids=(int(peer_ids[0]), int(peer_ids[1])),
                    local=_address(tunnel.words.get("local")),
                    remote=_address(tunnel.words.get("remote")),
                    tunnel=tunnel,
                )


def _address(value: Any) -> str | None:
    try:
        return str(ip_address(str(value)))
    except ValueError:
        return None
