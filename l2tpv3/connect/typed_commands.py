"""The commands of `ip` and `wg` that make an end where there is no l2tpctl, and what undoes each of them."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from typing import Final

from l2tpv3.formats.encrypted import IFNAME, KEY_FILE
from l2tpv3.formats.mirror import far_end
from l2tpv3.formats.peer import commands
from l2tpv3.model import ids
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.encryption import EncryptionStatus
from l2tpv3.model.spec import Encrypt, SessionSpec, TunnelSpec
from l2tpv3.model.status import Condition, SessionStatus, TunnelStatus
from l2tpv3.model.wireguard import inner_address
from l2tpv3.value_class import value_class

_SECRET: Final = {"cookie", "peer_cookie"}
"""Words of `ip l2tp` that a secret follows."""


@value_class(frozen=True, slots=True, kw_only=True)
class Place:
    """Where such an end is at its host: ids of its tunnel and session there, and the session's netdev.

    wireguard: the WireGuard netdev; None where nothing is encrypted. public_key: what tells it from others, in base64.
    """

    tunnel_id: int
    session_id: int
    ifname: str
    wireguard: str | None = None
    public_key: str | None = None


@value_class(frozen=True, slots=True, kw_only=True)
class Typed:
    """A command. words: what is typed. text: the same for people, without secrets. stdin: what it reads; None: nothing.

    netdev: the one that it makes. undo: the command that takes away what it made; () for what goes with something else.
    """

    words: tuple[str, ...]
    text: str
    stdin: str | None = None
    netdev: str | None = None
    undo: tuple[str, ...] = ()


def place_of(wanted: DesiredTunnel, netdevs: Collection[str]) -> Place:
    """Where an end will be. netdevs: the names that are taken there; free ones are drawn where none was asked for."""
    (session,) = wanted.sessions
    ifname = session.words.get("ifname") or _free(ids.IFNAME_PREFIX, netdevs)
    tunnel_id, session_id = wanted.words["id"], session.words["id"]
    if wanted.words.get("encrypt", "none") == "none":
        return Place(tunnel_id=tunnel_id, session_id=session_id, ifname=ifname)
    name = IFNAME if IFNAME not in netdevs else _free(IFNAME, netdevs)
    key = ids.format_key(_spec(wanted).public_key)
    return Place(tunnel_id=tunnel_id, session_id=session_id, ifname=ifname, wireguard=name, public_key=key)


def _free(prefix: str, taken: Collection[str]) -> str:
    return next(name for number in range(len(taken) + 1) if (name := f"{prefix}{number}") not in taken)


def typed_commands(wanted: DesiredTunnel, place: Place) -> list[Typed]:
    """The commands that make an end, in their order: those of `peer --as iproute2`, then bridge and addresses.

    Raises InvalidValueError for what `ip` and `wg` have no words for.
    """
    lines = [shlex.split(line) for line in commands(_other_end(wanted, place), "iproute2").lines]
    words = wanted.sessions[0].words
    if words.get("bridge"):
        lines.append(["ip", "link", "set", "dev", place.ifname, "master", words["bridge"]])
    lines += [["ip", "address", "add", one, "dev", place.ifname] for one in words.get("address", ())]
    return [_typed(line, wanted, place) for line in lines]


def _typed(line: list[str], wanted: DesiredTunnel, place: Place) -> Typed:
    line = [(place.wireguard or word) if word == IFNAME else word for word in line]
    text = " ".join("..." if before in _SECRET else word for before, word in zip(["", *line], line, strict=False))
    tunnel_id, session_id = ("tunnel_id", str(place.tunnel_id)), ("session_id", str(place.session_id))
    if line[0] == "wg":
        words = tuple("/dev/stdin" if word == KEY_FILE else word for word in line)
        return Typed(words=words, text=" ".join(words), stdin=str(wanted.words["private-key"]))
    netdev: str | None = None
    undo: tuple[str, ...] = ()
    if line[1:4] == ["l2tp", "add", "tunnel"]:
        undo = ("ip", "l2tp", "del", "tunnel", *tunnel_id)
    elif line[1:4] == ["l2tp", "add", "session"]:
        netdev, undo = place.ifname, ("ip", "l2tp", "del", "session", *tunnel_id, *session_id)
    elif line[1:3] == ["link", "add"]:
        netdev, undo = line[3], ("ip", "link", "del", "dev", line[3])
    return Typed(words=tuple(line), text=text, netdev=netdev, undo=undo)


def _spec(wanted: DesiredTunnel) -> TunnelSpec:
    return TunnelSpec.from_words({**wanted.words, "name": wanted.name, "datapath": "auto"})


def _other_end(wanted: DesiredTunnel, place: Place) -> TunnelStatus:
    """The end that this one mirrors, as `peer` takes it: what it prints is for the end across from that."""
    spec, (session,) = _spec(wanted), wanted.sessions
    lan = SessionSpec.from_words({**session.words, "name": session.name, "ifname": place.ifname})
    encryption = None
    if spec.encrypt is Encrypt.WIREGUARD:
        encryption = EncryptionStatus(public_key=ids.format_key(spec.public_key))
    status = SessionStatus(name=lan.name, spec=lan, condition=Condition.UP)
    here = TunnelStatus(
        name=spec.name, spec=spec, condition=Condition.UP, datapath="kernel", encryption=encryption, sessions=(status,)
    )
    there = far_end(here)
    sessions = tuple(SessionStatus(name=one.spec.name, spec=one.spec, condition=Condition.UP) for one in there.sessions)
    if encryption is not None:
        assert spec.peer_public_key is not None
        encryption = EncryptionStatus(
            public_key=ids.format_key(spec.peer_public_key),
            local=str(inner_address(spec.peer_public_key)),
            remote=str(inner_address(spec.public_key)),
        )
    return TunnelStatus(
        name=spec.name, spec=there.spec, condition=Condition.UP, datapath="kernel", encryption=encryption,
        sessions=sessions,
    )  # fmt: skip
