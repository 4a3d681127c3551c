"""What the privileged side tells a worker of tunnels and sessions: plain values, checked when they arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from l2tpv3.wire.vlan import VLAN_MAX

if TYPE_CHECKING:
    from l2tpv3.spec import SessionSpec, TunnelSpec

NetnsIdentity = tuple[int, int]
"""Device and inode of a network namespace: what stays the same however it is named, while somebody is in it."""


class TunnelSettings(NamedTuple):
    """A tunnel as a worker keeps it. The addresses are text that it only repeats; it has the socket."""

    name: str
    netns: NetnsIdentity
    netns_name: str | None
    tunnel_id: int
    peer_tunnel_id: int
    encap: str
    local: str
    remote: str
    local_port: int
    remote_port: int
    udp_checksum: bool

    @classmethod
    def of(cls, tunnel: TunnelSpec, netns: NetnsIdentity) -> TunnelSettings:
        """From a resolved specification."""
        udp = tunnel.encap == "udp"
        return cls(
            tunnel.name, netns, tunnel.netns, tunnel.tunnel_id, tunnel.peer_tunnel_id, tunnel.encap.value,
            str(tunnel.endpoint), str(tunnel.remote), tunnel.local_port if udp else 0,
            tunnel.remote_port if udp else 0, tunnel.udp_checksum,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """For a message."""
        return self._asdict()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TunnelSettings:
        """From a message. Raises ValueError, naming the field."""
        netns = values.get("netns")
        if not isinstance(netns, list) or [type(part) for part in netns] != [int, int]:
            raise ValueError(f"netns is {netns!r}")
        optional = values.get("netns_name")
        encap = _text(values, "encap")
        if encap not in ("udp", "ip"):
            raise ValueError(f"encap is {encap!r}")
        return cls(
            _text(values, "name"), (netns[0], netns[1]), None if optional is None else _text(values, "netns_name"),
            _number(values, "tunnel_id"), _number(values, "peer_tunnel_id"), encap, _text(values, "local"),
            _text(values, "remote"), _number(values, "local_port"), _number(values, "remote_port"),
            _flag(values, "udp_checksum"),
        )  # fmt: skip

    @property
    def socket(self) -> tuple[object, ...]:
        """What the tunnel's socket depends on."""
        ports = (self.local_port, self.remote_port, self.udp_checksum) if self.encap == "udp" else ()
        return (self.encap, self.local, self.remote, *ports)

    @property
    def same_path(self) -> tuple[object, ...]:
        """Equal for two tunnels over IP whose packets nothing tells apart but the session id: they share a socket."""
        return (self.netns, self.local, self.remote)


class SessionSettings(NamedTuple):
    """A session as a worker keeps it. Units: reorder_timeout_ms milliseconds, mtu bytes.

    vlan: this end's, of an ethernet VLAN pseudowire; 0 is an ethernet one. rewrite: it is written into tags at egress,
    which are else removed.
    """

    name: str
    session_id: int
    peer_session_id: int
    ifname: str
    tx_cookie: bytes
    rx_cookie: bytes
    sublayer: str
    send_seq: bool
    recv_seq: bool
    reorder_timeout_ms: int
    mtu: int
    vlan: int = 0
    rewrite: bool = False

    @classmethod
    def of(cls, session: SessionSpec) -> SessionSettings:
        """From a resolved specification."""
        return cls(
            session.name, session.session_id, session.peer_session_id, session.ifname, session.tx_cookie,
            session.rx_cookie, session.sublayer.value, session.sequencing.send, session.sequencing.recv,
            session.reorder_timeout_ms, session.mtu or 65535, session.vlan or 0,
            session.egress == "rewrite",
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """For a message."""
        return self._asdict() | {"tx_cookie": self.tx_cookie.hex(), "rx_cookie": self.rx_cookie.hex()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SessionSettings:
        """From a message. Raises ValueError, naming the field."""
        settings = cls(
            _text(values, "name"), _number(values, "session_id"), _number(values, "peer_session_id"),
            _text(values, "ifname"), bytes.fromhex(_text(values, "tx_cookie")),
            bytes.fromhex(_text(values, "rx_cookie")), _text(values, "sublayer"), _flag(values, "send_seq"),
            _flag(values, "recv_seq"), _number(values, "reorder_timeout_ms"), _number(values, "mtu"),
            _number(values, "vlan"), _flag(values, "rewrite"),
        )  # fmt: skip
        if settings.sublayer != "default" and (settings.send_seq or settings.recv_seq):
            raise ValueError("sequencing needs the sublayer")
        if settings.vlan > VLAN_MAX:
            raise ValueError(f"vlan is {settings.vlan}")
        return settings


def _text(values: Mapping[str, Any], field: str) -> str:
    value = values.get(field)
    if not isinstance(value, str):
        raise ValueError(f"{field} is {type(value).__name__}, not text")
    return value


def _number(values: Mapping[str, Any], field: str) -> int:
    value = values.get(field)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0xFFFF_FFFF:
        raise ValueError(f"{field} is {value!r}, not a number of 32 bits")
    return value


def _flag(values: Mapping[str, Any], field: str) -> bool:
    value = values.get(field)
    if not isinstance(value, bool):
        raise ValueError(f"{field} is {type(value).__name__}, not true or false")
    return value
