"""IPsec at the other end of a tunnel: what agrees on keys with this one, in the words of other systems.

Sources: swanctl.conf(5), ip-xfrm(8); RouterOS manual, "IPsec" (help.mikrotik.com/docs/spaces/ROS/pages/11993097/IPsec);
Cisco, "Security for VPNs with IPsec Configuration Guide" and "Configuring Internet Key Exchange Version 2", IOS 15M&T;
VyOS documentation, configuration/vpn/site2site_ipsec, and vyos-1x interface-definitions/vpn_ipsec.xml.in.

Each offers what strongSwan has by default here: IKEv2 with AES-256-CBC, SHA-256 and the group of 2048 bits, ESP with
AES-256-GCM in transport mode. Only what is for Linux has met its system.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.mirror import MirroredTunnel, refuse_link_local
from l2tpv3.model.ids import format_pre_shared_key
from l2tpv3.model.ipsec import selector
from l2tpv3.model.spec import TunnelSpec
from l2tpv3.model.values import IkeAuth

DIALECTS: Final = ("l2tpctl", "iproute2", "vyos", "cisco", "routeros")
"""The formats that have words for IPsec."""
_ANY: Final = {4: "0.0.0.0/0", 6: "::/0"}
_NAME: Final = re.compile(r"[A-Za-z0-9.-]+")


def ipsec_notes(name: str, spec: TunnelSpec, dialect: str) -> list[str]:
    """What who types these commands should know. Raises InvalidValueError for a dialect without words for IPsec."""
    if dialect not in DIALECTS:
        problem = f"it is encrypted by IPsec, which --as {dialect} has no words for"
        raise InvalidValueError(f"tunnel {name}", problem, f"use --as {', '.join(DIALECTS[:-1])} or {DIALECTS[-1]}")
    notes = []
    if spec.pre_shared_key is not None:
        notes.append("these commands hold the pre-shared key, and are as secret as that")
    if spec.esp_in_udp and dialect not in ("l2tpctl", "iproute2"):
        notes.append(
            "that end takes ESP in UDP since this end demands it (--esp-in-udp on): leave its NAT traversal on"
        )
    if dialect == "iproute2":
        notes.append("the policies there are gone after a reboot, as the tunnel is; strongSwan's file stays")
    return notes


def linux_lines(far: MirroredTunnel) -> list[str]:
    """Commands of ip(8) for the policies, and a file of swanctl(8) for strongSwan, before the tunnel is made."""
    spec, name = far.spec, f"l2tpv3-{far.spec.tunnel_id}"
    which = selector(spec)
    here, there = _identities(far)
    ports = ["sport", str(which.local_port), "dport", str(which.remote_port)] if far.udp else []
    back = ["sport", str(which.remote_port), "dport", str(which.local_port)] if far.udp else []
    every, peer = _ANY[spec.remote.version], f"{spec.remote}/{spec.remote.max_prefixlen}"
    need = f"priority 0 tmpl proto esp reqid {which.reqid} mode transport"
    proto = "udp" if far.udp else str(which.protocol)
    out = " ".join(["ip xfrm policy add src", every, "dst", peer, "proto", proto, *ports, "dir out", need])
    into = " ".join(["ip xfrm policy add src", peer, "dst", every, "proto", proto, *back, "dir in", need])
    auth = "pubkey" if spec.ike_auth is IkeAuth.CERTIFICATE else "psk"
    ends = (which.local_port, which.remote_port) if far.udp else (0, 0)
    ours, theirs = (f"dynamic[udp/{port}]" if port else f"dynamic[{which.protocol}]" for port in ends)
    lines = [
        into,
        out,
        f"(umask 077; cat >/etc/swanctl/conf.d/{name}.conf) <<'END'",
        "connections {",
        f" {name} {{",
        f"  local_addrs = {far.local}",
        f"  remote_addrs = {spec.remote}",
        f"  encap = {'yes' if spec.esp_in_udp else 'no'}",
        "  keyingtries = 0",
        "  dpd_delay = 30s",
        f"  local {{\n   auth = {auth}\n   id = {_quoted(here)}\n  }}",
        f"  remote {{\n   auth = {auth}\n   id = {_quoted(there)}\n  }}",
        "  children {",
        "   l2tp {",
        "    mode = transport",
        "    policies = no",
        f"    reqid = {which.reqid}",
        "    esp_proposals = aes256gcm16-aes128gcm16-modp2048-modpnone",
        f"    local_ts = {ours}",
        f"    remote_ts = {theirs}",
        *(f"    {word}_action = start" for word in ("start", "close", "dpd")),
        "   }\n  }\n }\n}",
    ]
    if spec.pre_shared_key is not None:
        lines += ["secrets {", f" ike-{name} {{", f"  id-1 = {_quoted(here)}", f"  id-2 = {_quoted(there)}"]
        lines += [f"  secret = {_quoted(_key(far))}", " }\n}"]
    return [line for some in (*lines, "END", "swanctl --load-all") for line in some.split("\n")]


def routeros_lines(far: MirroredTunnel) -> list[str]:
    """Commands of RouterOS, before the interface is made. Raises InvalidValueError."""
    _check(far, "RouterOS")
    spec, name = far.spec, f"l2tpv3-{far.spec.tunnel_id}"
    here, there = (f"{_kind(one)}:{one}" for one in _identities(far))
    bits, secret = spec.remote.max_prefixlen, _key(far).replace("$", r"\$")
    ports = f" src-port={spec.local_port} dst-port={spec.remote_port}" if far.udp else ""
    return [
        f"/ip ipsec profile add name={name} enc-algorithm=aes-256 hash-algorithm=sha256 dh-group=modp2048"
        " nat-traversal=yes",
        f"/ip ipsec proposal add name={name} auth-algorithms=null enc-algorithms=aes-256-gcm pfs-group=modp2048",
        f"/ip ipsec peer add name={name} address={spec.remote}/{bits} local-address={far.local} profile={name}"
        " exchange-mode=ike2",
        f'/ip ipsec identity add peer={name} auth-method=pre-shared-key secret="{secret}"'
        f" my-id={here} remote-id={there}",
        f"/ip ipsec policy add peer={name} tunnel=no src-address={far.local}/{bits} dst-address={spec.remote}/{bits}"
        f" protocol={'udp' if far.udp else '115'}{ports} action=encrypt level=require proposal={name}",
    ]


def cisco_lines(far: MirroredTunnel) -> list[str]:
    """Commands of Cisco IOS, OUTSIDE-INTERFACE left to be filled in. It is over IP there. Raises InvalidValueError."""
    _check(far, "Cisco IOS")
    spec, name = far.spec, f"l2tpv3-{far.spec.tunnel_id}"
    here, there = (f"{_kind(one)} {one}" for one in _identities(far))
    return [
        f"crypto ikev2 proposal {name}", " encryption aes-cbc-256", " integrity sha256", " group 14",
        f"crypto ikev2 policy {name}", f" proposal {name}",
        f"crypto ikev2 keyring {name}", f" peer {name}", f"  address {spec.remote}", f"  pre-shared-key {_key(far)}",
        f"crypto ikev2 profile {name}",
        f" match identity remote {there}{' 255.255.255.255' if there.startswith('address') else ''}",
        f" identity local {here}",
        " authentication remote pre-share", " authentication local pre-share", f" keyring local {name}",
        f"crypto ipsec transform-set {name} esp-gcm 256", " mode transport",
        f"ip access-list extended {name}", f" permit 115 host {far.local} host {spec.remote}",
        f"crypto map {name} 10 ipsec-isakmp", f" set peer {spec.remote}", f" set transform-set {name}",
        " set pfs group14", f" set ikev2-profile {name}", f" match address {name}",
        "interface OUTSIDE-INTERFACE", f" crypto map {name}", "!",
    ]  # fmt: skip


def vyos_lines(far: MirroredTunnel) -> list[str]:
    """Commands of VyOS's configuration mode. Raises InvalidValueError."""
    _check(far, "VyOS")
    spec, name = far.spec, f"l2tpv3-{far.spec.tunnel_id}"
    here, there = _identities(far)
    peer = f"site-to-site peer {name}"
    words = [
        f"esp-group {name} mode transport", f"esp-group {name} pfs dh-group14",
        f"esp-group {name} proposal 1 encryption aes256gcm128", f"esp-group {name} proposal 1 hash sha256",
        f"ike-group {name} key-exchange ikev2", f"ike-group {name} proposal 1 encryption aes256",
        f"ike-group {name} proposal 1 hash sha256", f"ike-group {name} proposal 1 dh-group 14",
        f"authentication psk {name} id '{here}'", f"authentication psk {name} id '{there}'",
        f"authentication psk {name} secret '{_key(far)}'",
        f"{peer} authentication mode pre-shared-secret",
        f"{peer} authentication local-id '{here}'", f"{peer} authentication remote-id '{there}'",
        f"{peer} connection-type initiate", f"{peer} ike-group {name}",
        f"{peer} local-address {far.local}", f"{peer} remote-address {spec.remote}",
        f"{peer} tunnel 1 esp-group {name}", f"{peer} tunnel 1 protocol {'udp' if far.udp else 'l2tp'}",
    ]  # fmt: skip
    if spec.esp_in_udp:
        words.append(f"{peer} force-udp-encapsulation")
    if far.udp:
        words += [f"{peer} tunnel 1 local port {spec.local_port}", f"{peer} tunnel 1 remote port {spec.remote_port}"]
    return [f"set vpn ipsec {word}" for word in words]


def _identities(far: MirroredTunnel) -> tuple[str, str]:
    """Of that end, and of this one."""
    return far.spec.ike_id or str(far.local), far.spec.peer_ike_id or str(far.spec.remote)


def _key(far: MirroredTunnel) -> str:
    assert far.spec.pre_shared_key is not None
    return format_pre_shared_key(far.spec.pre_shared_key)


def _quoted(text: str) -> str:
    """As strongswan.conf(5) has text in quotes."""
    return '"' + re.sub(r'["\\]', r"\\\g<0>", text) + '"'


def _kind(identity: str) -> str:
    try:
        ip_address(identity)
    except ValueError:
        return "fqdn"
    return "address"


def _check(far: MirroredTunnel, tool: str) -> None:
    refuse_link_local(far, tool)
    if far.spec.ike_auth is IkeAuth.CERTIFICATE:
        raise far.refuse(f"it has certificates, which are given by hand to {tool}", "--ike-auth pre-shared-key")
    for identity in _identities(far):
        if _kind(identity) == "fqdn" and not _NAME.fullmatch(identity):
            raise far.refuse(f"{identity!r} is no address or name, as {tool} needs", "--ike-id NAME")
