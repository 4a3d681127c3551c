"""The settings of tunnels and sessions that a worker is sent: plain values, which protocol.py checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from l2tpv3.model.spec import SessionSpec, TunnelSpec

INHERIT: Final = 64
"""Stands in place of a DSCP, which is less, and means that of the IP packet in each frame."""

NetnsIdentity = tuple[int, int]
"""Device and inode of a network namespace: what stays the same however it is named, while somebody is in it."""


class TunnelSettings(NamedTuple):
    """A tunnel as a worker keeps it. The addresses are text that it only repeats; it has the socket.

    ttl, fwmark: 0 for none. dscp: see INHERIT. bind_device: "" for none.
    """

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
    ttl: int = 0
    dscp: int = 0
    df: str = "off"
    fwmark: int = 0
    bind_device: str = ""

    @classmethod
    def of(cls, tunnel: TunnelSpec, netns: NetnsIdentity) -> TunnelSettings:
        """Make the settings from a resolved specification."""
        udp = tunnel.encap == "udp"
        return cls(
            tunnel.name, netns, tunnel.netns, tunnel.tunnel_id, tunnel.peer_tunnel_id, tunnel.encap.value,
            str(tunnel.endpoint), str(tunnel.remote), tunnel.local_port if udp else 0,
            tunnel.remote_port if udp else 0, tunnel.udp_checksum, tunnel.ttl or 0,
            INHERIT if tunnel.dscp is None else tunnel.dscp, tunnel.df.value, tunnel.fwmark, tunnel.bind_device or "",
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Give the settings as JSON, for a message to a worker."""
        return self._asdict()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TunnelSettings:
        """Read the settings from a message that protocol.py has checked. Other fields are ignored."""
        device, inode = values["netns"]
        return cls(**{field: values[field] for field in cls._fields} | {"netns": (device, inode)})

    @property
    def socket(self) -> tuple[object, ...]:
        """The values that the tunnel's socket is made with: when one of them changes, it needs another socket."""
        ports = (self.local_port, self.remote_port, self.udp_checksum) if self.encap == "udp" else ()
        return (self.encap, self.local, self.remote, *ports, *self._outer)

    @property
    def far_end(self) -> tuple[object, ...]:
        """Who the tunnel's packets come from, and go to."""
        return self.encap, self.remote, self.remote_port, self.peer_tunnel_id

    @property
    def _outer(self) -> tuple[object, ...]:
        return self.ttl, self.dscp, self.df, self.fwmark, self.bind_device

    @property
    def same_path(self) -> tuple[object, ...]:
        """Equal for two tunnels over IP whose packets nothing tells apart but the session id: they share a socket."""
        return (self.netns, self.local, self.remote, *self._outer)


class SessionSettings(NamedTuple):
    """A session as a worker keeps it. Units: reorder_timeout_ms milliseconds, mtu bytes.

    probe_interval_ms, probe_multiplier: of probes in the control channel (see ChannelProbe); 0 for none.
    carrier: whether the netdev has none while the other end is dead. backup: the session that the frames then go by, as
    TUNNEL/SESSION, "" for none; revert_delay_s: for how long after that, in seconds.
    vlan: this end's, of an ethernet VLAN pseudowire; 0 is an ethernet one. rewrite: it is written into tags at egress,
    which are else removed. fragment: frames go in several packets where they have to, all of which are numbered.
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
    fragment: bool = False
    probe_interval_ms: int = 0
    probe_multiplier: int = 0
    carrier: bool = False
    backup: str = ""
    revert_delay_s: int = 0

    @classmethod
    def of(cls, session: SessionSpec) -> SessionSettings:
        """Make the settings from a resolved specification."""
        probe = session.channel_probe
        return cls(
            session.name, session.session_id, session.peer_session_id, session.ifname, session.tx_cookie,
            session.rx_cookie, session.sublayer.value, session.numbering.send, session.numbering.recv,
            session.reorder_timeout_ms, session.mtu or 65535, session.vlan or 0,
            session.egress == "rewrite", session.fragment, probe.interval_ms if probe else 0,
            probe.multiplier if probe else 0, probe is not None and probe.carrier,
            (probe.backup or "") if probe else "", probe.revert_delay_s if probe else 0,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Give the settings as JSON, for a message to a worker."""
        return self._asdict() | {"tx_cookie": self.tx_cookie.hex(), "rx_cookie": self.rx_cookie.hex()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SessionSettings:
        """Read the settings from a message that protocol.py has checked. Raises ValueError where values contradict each
        other.
        """
        cookies = {field: bytes.fromhex(values[field]) for field in ("tx_cookie", "rx_cookie")}
        settings = cls(**{field: values[field] for field in cls._fields} | cookies)
        if settings.sublayer != "default" and (settings.send_seq or settings.recv_seq):
            raise ValueError("sequencing needs the sublayer")
        if settings.sublayer != "default" and settings.probe_interval_ms:
            raise ValueError("a control channel needs the sublayer")
        if bool(settings.probe_interval_ms) != bool(settings.probe_multiplier):
            raise ValueError("a probe has an interval and a multiplier")
        if settings.fragment and not (settings.send_seq and settings.recv_seq):
            raise ValueError("fragments need sequencing")
        return settings
