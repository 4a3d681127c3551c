"""What one end of pseudowires is like, as it is told to the other end. Secrets are in it by their digests alone."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final

from l2tpv3.model import ids
from l2tpv3.model.spec import Encap, Encrypt, Sequencing, Sublayer
from l2tpv3.model.status import SessionStatus, TunnelStatus
from l2tpv3.value_class import value_class
from l2tpv3.version import VERSION

_DIGEST, _KEY, _MAC = "(?:[0-9a-f]{64})?", "[A-Za-z0-9+/=]{0,64}", "[0-9a-f]{2}(?::[0-9a-f]{2}){5}"
_VERSION: Final = r"[0-9A-Za-z.+-]{1,64}"


@value_class(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """A session. tx_cookie, rx_cookie: digests, "" for none. sends, takes: whether it numbers what it sends, and
    refuses what has no number. mtu (bytes), mac: of its netdev; None where that is not there.
    """

    name: str
    id: int
    peer_id: int
    tx_cookie: str
    rx_cookie: str
    sublayer: bool
    sends: bool
    takes: bool
    fragment: bool
    vlan: int | None
    mtu: int | None
    mac: str | None


@value_class(frozen=True, slots=True, kw_only=True)
class TunnelEnd:
    """A tunnel. Ports are 0 over IP. keys: its own public key and the one that its peer has to have, as text; "" where
    they are not known. shared_key: the digest of the pre-shared key, "" for none.
    """

    name: str
    encap: str
    local: str
    remote: str
    local_port: int
    remote_port: int
    udp_checksum: bool
    encrypt: str
    keys: tuple[str, str]
    shared_key: str
    sessions: tuple[SessionEnd, ...]


@value_class(frozen=True, slots=True, kw_only=True)
class HostEnd:
    """A host. clock: seconds since 1970, when it was asked. version: of l2tpv3."""

    version: str
    clock: float
    tunnels: tuple[TunnelEnd, ...]


def end_of(tunnels: Iterable[TunnelStatus], nonce: bytes) -> HostEnd:
    """This host, as it is now. nonce: what digests are made with, the same at both ends."""
    ours = (one for one in tunnels if not one.foreign)
    return HostEnd(version=VERSION, clock=time.time(), tunnels=tuple(_tunnel(one, nonce) for one in ours))


def _tunnel(status: TunnelStatus, nonce: bytes) -> TunnelEnd:
    spec = status.spec
    udp = spec.encap.value == "udp"
    keys = ("", "")
    if spec.encrypt is Encrypt.WIREGUARD:
        keys = (ids.format_key(spec.public_key), ids.format_key(spec.peer_public_key) if spec.peer_public_key else "")
    return TunnelEnd(
        name=status.name,
        encap=spec.encap.value,
        local=str(status.local or spec.local or ""),
        remote=str(spec.remote),
        local_port=spec.local_port if udp else 0,
        remote_port=spec.remote_port if udp else 0,
        udp_checksum=spec.udp_checksum,
        encrypt=spec.encrypt.value,
        keys=keys,
        shared_key=_digest(spec.pre_shared_key or b"", nonce),
        sessions=tuple(_session(one, nonce) for one in status.sessions if not one.foreign),
    )


def _session(status: SessionStatus, nonce: bytes) -> SessionEnd:
    spec, netdev = status.spec, status.netdev
    return SessionEnd(
        name=status.name,
        id=spec.session_id,
        peer_id=spec.peer_session_id,
        tx_cookie=_digest(spec.tx_cookie, nonce),
        rx_cookie=_digest(spec.rx_cookie, nonce),
        sublayer=spec.sublayer is Sublayer.DEFAULT,
        sends=spec.numbering in (Sequencing.SEND, Sequencing.BOTH),
        takes=spec.numbering in (Sequencing.RECV, Sequencing.BOTH),
        fragment=spec.fragment,
        vlan=spec.vlan,
        mtu=netdev.mtu if netdev is not None else None,
        mac=netdev.mac if netdev is not None else None,
    )


def _digest(secret: bytes, nonce: bytes) -> str:
    return hmac.new(nonce, secret, hashlib.sha256).hexdigest() if secret else ""


def end_from_json(document: Mapping[str, Any]) -> HostEnd:
    """The inverse of dataclasses.asdict. What stands in it ends up in commands that people type: nothing odd passes.

    Raises InvalidValueError, KeyError, TypeError, ValueError, OverflowError for what is no such document.
    """
    version, clock = _text(document["version"], _VERSION), float(document["clock"])
    return HostEnd(version=version, clock=clock, tunnels=tuple(map(_tunnel_from_json, document["tunnels"])))


def _tunnel_from_json(document: Mapping[str, Any]) -> TunnelEnd:
    own, peers = (_text(key, _KEY) for key in document["keys"])
    return TunnelEnd(
        name=ids.parse_name(document["name"], "name"),
        encap=Encap(document["encap"]).value,
        local=_address(document["local"]),
        remote=_address(document["remote"]),
        local_port=int(document["local_port"]),
        remote_port=int(document["remote_port"]),
        udp_checksum=bool(document["udp_checksum"]),
        encrypt=Encrypt(document["encrypt"]).value,
        keys=(own, peers),
        shared_key=_text(document["shared_key"], _DIGEST),
        sessions=tuple(map(_session_from_json, document["sessions"])),
    )


def _session_from_json(document: Mapping[str, Any]) -> SessionEnd:
    vlan, mtu, mac = (document[name] for name in ("vlan", "mtu", "mac"))
    return SessionEnd(
        name=ids.parse_name(document["name"], "name"),
        id=int(document["id"]),
        peer_id=int(document["peer_id"]),
        tx_cookie=_text(document["tx_cookie"], _DIGEST),
        rx_cookie=_text(document["rx_cookie"], _DIGEST),
        sublayer=bool(document["sublayer"]),
        sends=bool(document["sends"]),
        takes=bool(document["takes"]),
        fragment=bool(document["fragment"]),
        vlan=None if vlan is None else int(vlan),
        mtu=None if mtu is None else int(mtu),
        mac=None if mac is None else _text(mac, _MAC),
    )


def _address(text: object) -> str:
    return str(ip_address(str(text))) if text else ""


def _text(value: object, form: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(form, value):
        raise ValueError(f"{value!r} is not of the form {form}")
    return value
