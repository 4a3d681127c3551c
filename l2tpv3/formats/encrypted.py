"""The other end of an encrypted tunnel: options of l2tpctl, or commands of ip(8) and wg(8)."""

from __future__ import annotations

from ipaddress import IPv6Address

from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.ipsec import ipsec_notes
from l2tpv3.model.encryption import EncryptionStatus
from l2tpv3.model.ids import format_pre_shared_key
from l2tpv3.model.spec import IPAddress, TunnelSpec
from l2tpv3.model.status import TunnelStatus

KEY_FILE = "wireguard.key"
"""The file of the private key, in the commands for the other end."""
IFNAME = "wg-l2tp"
"""The WireGuard netdev, in the commands for the other end."""


def encryption_options(tunnel: TunnelStatus) -> list[str]:
    """The options of `l2tpctl tunnel add` at the other end; none where the tunnel is not encrypted."""
    spec, status = tunnel.spec, tunnel.encryption
    if status is None:
        return []
    if not spec.is_inside:
        return _ipsec_options(spec)
    line = ["--encrypt", spec.encrypt.value, "--peer-public-key", status.public_key]
    line += ["--listen-port", str(spec.peer_listen_port), "--peer-listen-port", str(spec.listen_port)]
    if spec.peer_inner_address is not None:
        line += ["--inner-address", str(spec.peer_inner_address)]
    if spec.inner_address is not None:
        line += ["--peer-inner-address", str(spec.inner_address)]
    return [*line, "--persistent-keepalive", str(spec.persistent_keepalive)]


def _ipsec_options(spec: TunnelSpec) -> list[str]:
    line = ["--encrypt", spec.encrypt.value, "--esp-in-udp", "on" if spec.esp_in_udp else "off"]
    line += ["--ike-auth", spec.ike_auth.value]
    if spec.pre_shared_key is not None:
        line += ["--pre-shared-key", format_pre_shared_key(spec.pre_shared_key)]
    line += ["--ike-id", spec.peer_ike_id] if spec.peer_ike_id is not None else []
    return [*line, *(["--peer-ike-id", spec.ike_id] if spec.ike_id is not None else [])]


def encryption_notes(tunnel: TunnelStatus, dialect: str) -> list[str]:
    """What who types these commands should know. Raises InvalidValueError for a dialect without words for WireGuard."""
    if tunnel.encryption is None:
        return []
    if not tunnel.spec.is_inside:
        return ipsec_notes(tunnel.name, tunnel.spec, dialect)
    if dialect not in ("l2tpctl", "iproute2"):
        problem = f"it is encrypted by {tunnel.spec.encrypt}, which --as {dialect} has no words for"
        raise InvalidValueError(f"tunnel {tunnel.name}", problem, "use --as l2tpctl, or --as iproute2")
    if dialect == "iproute2":
        return [
            f"{KEY_FILE} there holds the private key of the public one that this end knows",
            "without that netdev there, nothing keeps its packets from leaving in the clear",
        ]
    give = f"`l2tpctl tunnel set {tunnel.name} --peer-public-key KEY`"
    if tunnel.spec.peer_public_key is not None:
        return [f"a tunnel that is made by these has a new key: give what `l2tpctl tunnel show` shows there by {give}"]
    return [f"the other end then shows a public key (`l2tpctl tunnel show`): give it here by {give}"]


def inner_addresses(tunnel: TunnelStatus) -> tuple[IPAddress, IPAddress]:
    """The addresses inside of WireGuard: the other end's, and this one's.

    Raises InvalidValueError where this end's private key is not known here.
    """
    status = _require_peer_key(tunnel)
    return IPv6Address(status.remote), IPv6Address(status.local)


def wireguard_commands(tunnel: TunnelStatus) -> list[list[str]]:
    """What makes the WireGuard netdev at the other end. Raises InvalidValueError while its key is not known."""
    spec, status = tunnel.spec, _require_peer_key(tunnel)
    there, here = inner_addresses(tunnel)
    address = str(tunnel.local or spec.endpoint)
    endpoint = f"[{address}]:{spec.listen_port}" if ":" in address else f"{address}:{spec.listen_port}"
    peer = ["peer", status.public_key, "endpoint", endpoint, "allowed-ips", f"{here}/128"]
    keepalive = ["persistent-keepalive", str(spec.persistent_keepalive)]
    listen = ["listen-port", str(spec.peer_listen_port), "private-key", KEY_FILE]
    mtu = ["mtu", str(status.mtu)] if status.mtu is not None else []
    return [
        ["ip", "link", "add", IFNAME, *mtu, "type", "wireguard"],
        ["wg", "set", IFNAME, *listen, *peer, *keepalive],
        ["ip", "address", "add", f"{there}/128", "dev", IFNAME],
        ["ip", "link", "set", "dev", IFNAME, "up"],
        ["ip", "route", "add", f"{here}/128", "dev", IFNAME],
    ]


def _require_peer_key(tunnel: TunnelStatus) -> EncryptionStatus:
    """Raises InvalidValueError while the other end's key is not known: its address inside follows from that."""
    if tunnel.encryption is None or tunnel.spec.peer_public_key is None:
        problem = "the other end's public key is not known yet, and its address follows from that"
        give = f"`l2tpctl tunnel set {tunnel.name} --peer-public-key KEY`"
        remedy = f"there `wg genkey | tee {KEY_FILE} | wg pubkey` prints it, here {give} takes it"
        raise InvalidValueError(f"tunnel {tunnel.name}", problem, remedy)
    return tunnel.encryption
