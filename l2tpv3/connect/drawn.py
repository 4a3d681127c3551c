"""Draws what two ends of a pseudowire have to agree on, and states each end, one the mirror of the other."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import Any

from l2tpv3.connect.end import EndFacts
from l2tpv3.errors import ExistsError
from l2tpv3.model import ids
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.model.spec import UDP_PORT
from l2tpv3.model.wireguard import LISTEN_PORT, public_key
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class Side:
    """One end as it is asked for.

    tunnel, session: their names there. tunnel_words, session_words: what is said of this end alone.
    """

    tunnel: str
    session: str
    address: str
    tunnel_words: Mapping[str, Any]
    session_words: Mapping[str, Any]


def drawn(
    near: Side,
    far: Side,
    facts: tuple[EndFacts, EndFacts],
    *,
    tunnel_words: Mapping[str, Any],
    session_words: Mapping[str, Any],
) -> tuple[DesiredTunnel, DesiredTunnel]:
    """Both ends. facts: of the near and the far end. tunnel_words, session_words: what is the same at both.

    Ids are the lowest that are free at both ends, ports the lowest from 1701 on that are free at their end; cookies are
    random. Raises ExistsError where an end has a tunnel of that name.
    """
    for side, known in zip((near, far), facts, strict=True):
        if side.tunnel in known.tunnels:
            where = "here" if side is near else "there"
            raise ExistsError(f"tunnel {side.tunnel}", f"is {where} already", "`l2tpctl disconnect` removes both ends")
    tunnel_id = _lowest(facts[0].tunnel_ids | facts[1].tunnel_ids)
    session_id = _lowest(facts[0].session_ids | facts[1].session_ids)
    ports = [_lowest(known.ports, UDP_PORT) for known in facts]
    cookies = [ids.generate_cookie(), ids.generate_cookie()]
    udp = tunnel_words.get("encap", "udp") == "udp"
    encryption = drawn_encryption(tunnel_words, (facts[0].ports, facts[1].ports))

    def end(side: Side, other: Side, at: int) -> DesiredTunnel:
        tunnel = {"remote": other.address, "local": side.address, "id": tunnel_id, "peer-id": tunnel_id}
        if udp:
            tunnel |= {"local-port": ports[at], "remote-port": ports[1 - at]}
        tunnel |= encryption[at]
        session = {"id": session_id, "peer-id": session_id, "tx-cookie": cookies[at], "rx-cookie": cookies[1 - at]}
        words = {**session, **session_words, **side.session_words}
        sessions = (DesiredSession(name=side.session, words=words),)
        return DesiredTunnel(name=side.tunnel, words={**tunnel, **tunnel_words, **side.tunnel_words}, sessions=sessions)

    return end(near, far, 0), end(far, near, 1)


def drawn_encryption(
    tunnel_words: Mapping[str, Any], taken: tuple[Collection[int], Collection[int]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The words of the near and of the far end that say how they are encrypted; none without --encrypt.

    taken: the UDP ports that are taken at each end. WireGuard's private keys are drawn here, and each goes to its own
    end alone, by the way that cookies go; IPsec's pre-shared key goes so to both.
    """
    encrypt = tunnel_words.get("encrypt", "none")
    if encrypt == "none":
        return {}, {}
    if encrypt == "ipsec":
        key = ids.format_pre_shared_key(ids.generate_pre_shared_key())
        return {"pre-shared-key": key}, {"pre-shared-key": key}
    keys = [ids.generate_key(), ids.generate_key()]
    ports = [_lowest(ports, LISTEN_PORT) for ports in taken]

    def words(at: int) -> dict[str, Any]:
        return {
            "private-key": ids.format_key(keys[at]),
            "peer-public-key": ids.format_key(public_key(keys[1 - at])),
            "listen-port": ports[at],
            "peer-listen-port": ports[1 - at],
        }

    return words(0), words(1)


def _lowest(taken: Collection[int], least: int = 1) -> int:
    return next(number for number in itertools.count(least) if number not in taken)
