"""Every word of a tunnel, a session and a link: the one table that all else is made from.

A field is added here, and as an attribute of its class (TunnelSpec, SessionSpec, LinkSpec, a link type's options).
From this table come the options of the command line and their completion (l2tpv3/cli/options.py), the keys of files and
their JSON schema (l2tpv3/config/schema.py), the words of the record, of `show` and of the API, the forms of the
dashboard, the manual pages, the tables of docs/files.md (docs/tables), and what a datapath changes in place.
l2tpv3/model/values.py reads and writes the values.

This module holds data only, and imports nothing but value_class: every run of `l2tpctl` reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from l2tpv3.value_class import value_class

WORKERS = ("user", "ebpf")
"""The datapaths whose frames, or some of them, a process of ours moves."""
EVERY = ("kernel", *WORKERS)
"""All datapaths."""


@value_class(frozen=True, slots=True, kw_only=True)
class Field:
    """One word of a tunnel, a session or a link.

    word: as a user types it, a file's key, a member of JSON. attribute: what it is called in Python.
    type: how values are read and written: a key of l2tpv3.model.values.TYPES, or of l2tpv3.model.links.options.TYPES.
    choices: all values, where they are few: those of the enumeration that `type` names.
    low, high: bounds of a number, both included; of a text, `high` is its longest length in characters.
    unit: that of a number.
    optional: None is a value too, and means that there is none.
    required: it has to be given. many: it is a list, and the option may be repeated.

    default: the value that leaving it out means, as JSON has it; None where there is none, or where it is chosen.
    default_text: what else to say of the default: how it is chosen, or on what it depends.
    unset: what `set` takes to go back to the default, where the default is no value that can be given.

    label: what a form calls it. metavar: what stands for the value in help. help: what it is, in one sentence.
    details: more sentences, for whoever reads more than a line. choice_text: what a form calls some of the choices.
    example: a value to show. rare: few need it, and a form folds it away. complete: the function of
    l2tpv3/cli/completion.py that offers values; "": the words of `metavar`.

    secret: its value is neither shown nor logged. applied_by: what carries a change out: the "datapath", the "netdev"
    that it made, the "encryption" around the tunnel, "watch" (`l2tpctl watch`), or nothing but the "record", which is
    the same at both ends. in_place: the datapaths on which a change interrupts no traffic; of a link, EVERY or ().
    lacked_by: the datapaths that can do no more than the default. info: it is a label of the info metric. elsewhere:
    what other tools, by the names of l2tpv3/formats/names.py, call it, where they take the same value.
    """

    word: str
    attribute: str
    type: str
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    unit: str = ""
    optional: bool = False
    required: bool = False
    many: bool = False

    default: Any = None
    default_text: str = ""
    unset: str = ""

    label: str
    metavar: str
    help: str
    details: str = ""
    choice_text: Mapping[str, str] | None = None
    example: str = ""
    rare: bool = False
    complete: str = ""

    secret: bool = False
    applied_by: str = "datapath"
    in_place: tuple[str, ...] = ()
    lacked_by: tuple[str, ...] = ()
    info: bool = False
    elsewhere: Mapping[str, str] | None = None

    @property
    def said_default(self) -> str:
        """The default in words; "" where there is nothing to say of it."""
        if self.default_text or self.default is None or self.many:
            return self.default_text
        if isinstance(self.default, bool):
            return "on" if self.default else "off"
        return str(self.default)


ID_MAX = 0xFFFF_FFFF
"""Tunnel (control connection) and session ids have 32 bits; 0 is reserved (RFC 3931 sections 3.1, 4.1)."""
PROBED_IN_PLACE = frozenset({"probe", "probe_interval_ms", "probe_multiplier", "on_dead", "backup", "revert_delay_s"})
"""The attributes of a session whose values a worker follows at once, where it is the worker that probes."""
PORT_MAX = 0xFFFF
"""The highest UDP port (RFC 768)."""
VLAN_ID_MAX = 4094
"""The highest VLAN number that a frame's tag may carry (IEEE 802.1Q)."""
DSCP_MAX = 63
"""A DSCP has 6 bits (RFC 2474 section 3)."""
FWMARK_MAX = 0xFFFF_FFFF
"""A packet's mark has 32 bits (SO_MARK, socket(7))."""
MTU_MIN, MTU_MAX = 68, 65535
"""Bounds of a netdev's MTU in bytes: ETH_MIN_MTU, and what an outer packet can hold at the very most."""

DESCRIPTION = Field(
    word="description",
    attribute="description",
    type="text",
    high=255,
    optional=True,
    unset="none",
    label="Description",
    metavar="TEXT",
    help="What people should know of it: up to 255 characters.",
    example="Fibre of carrier A, contract 4711",
    applied_by="record",
    in_place=EVERY,
    info=True,
    elsewhere={"vyos": "description", "routeros": "comment", "networkd": "Description", "cisco": "description"},
)

TUNNEL = (
    Field(
        word="remote",
        attribute="remote",
        type="address",
        required=True,
        label="Peer address",
        metavar="ADDR|NAME",
        help="The peer's IPv4 or IPv6 address, or its DNS name, which is looked up.",
        details="A link-local one is given with its netdev, as fe80::1%eth0.",
        example="198.51.100.1",
        in_place=WORKERS,
        info=True,
    ),
    Field(
        word="remote-name",
        attribute="remote_name",
        type="host-name",
        optional=True,
        default_text="none; what --remote is, where that is no address",
        unset="none",
        label="Peer’s name",
        metavar="NAME",
        help="The peer's DNS name; `l2tpctl watch` looks it up again and again, and the tunnel follows.",
        details="--remote is then the address that it had last.",
        example="siteb.example.net",
        rare=True,
        applied_by="record",
        in_place=EVERY,
        info=True,
    ),
    Field(
        word="local",
        attribute="local",
        type="address",
        optional=True,
        default_text="that of the route to the peer",
        unset="auto",
        label="Local address",
        metavar="ADDR",
        help="This end's address.",
        in_place=WORKERS,
        info=True,
    ),
    Field(
        word="encap",
        attribute="encap",
        type="Encap",
        choices=("udp", "ip"),
        default="udp",
        label="Carried over",
        metavar="udp|ip",
        help="Over UDP, or over IP protocol 115.",
        choice_text={"udp": "UDP", "ip": "IP, protocol 115"},
        in_place=WORKERS,
        info=True,
    ),
    Field(
        word="id",
        attribute="tunnel_id",
        type="id",
        low=1,
        high=ID_MAX,
        default_text="the lowest free",
        label="Tunnel id",
        metavar="N",
        help="This end's id.",
        details="It is unique in its network namespace.",
        rare=True,
        info=True,
    ),
    Field(
        word="peer-id",
        attribute="peer_tunnel_id",
        type="id",
        low=1,
        high=ID_MAX,
        default_text="as --id",
        label="Peer’s tunnel id",
        metavar="N",
        help="The peer's id.",
        rare=True,
        in_place=WORKERS,
        info=True,
    ),
    Field(
        word="local-port",
        attribute="local_port",
        type="port",
        low=1,
        high=PORT_MAX,
        default=1701,
        default_text="the lowest free from 1701",
        unset="auto",
        label="Local UDP port",
        metavar="N",
        help="This end's UDP port.",
        rare=True,
        in_place=WORKERS,
        info=True,
    ),
    Field(
        word="remote-port",
        attribute="remote_port",
        type="port",
        low=1,
        high=PORT_MAX,
        default=1701,
        label="Peer’s UDP port",
        metavar="N",
        help="The peer's UDP port.",
        rare=True,
        in_place=WORKERS,
        info=True,
    ),
    Field(
        word="udp-checksum",
        attribute="udp_checksum",
        type="on-off",
        choices=("on", "off"),
        default_text="on; off with --datapath ebpf over IPv4",
        label="UDP checksum",
        metavar="on|off",
        help="UDP checksums.",
        rare=True,
        in_place=WORKERS,
    ),
    Field(
        word="encrypt",
        attribute="encrypt",
        type="Encrypt",
        choices=("none", "wireguard", "ipsec"),
        default="none",
        label="Encryption",
        metavar="none|wireguard|ipsec",
        help="Encrypt the tunnel's packets: by a WireGuard netdev of its own, or by IPsec (ESP) with strongSwan.",
        details="With wireguard --remote and --local are those of WireGuard's packets.",
        choice_text={"none": "none", "wireguard": "WireGuard", "ipsec": "IPsec"},
        info=True,
        applied_by="encryption",
    ),
    Field(
        word="private-key",
        attribute="private_key",
        type="key",
        optional=True,
        default_text="drawn at random",
        label="WireGuard private key",
        metavar="KEY",
        help="WireGuard's private key of this end: 44 characters of base64, or @FILE.",
        rare=True,
        secret=True,
        applied_by="encryption",
        in_place=EVERY,
    ),
    Field(
        word="next-private-key",
        attribute="next_private_key",
        type="key",
        optional=True,
        default_text="none",
        unset="none",
        label="WireGuard’s next private key",
        metavar="KEY",
        help="A key that `l2tpctl tunnel rekey` has drawn, and that is not in use yet.",
        rare=True,
        secret=True,
        applied_by="encryption",
        in_place=EVERY,
    ),
    Field(
        word="peer-public-key",
        attribute="peer_public_key",
        type="key",
        optional=True,
        default_text="unknown yet, and nothing passes",
        unset="none",
        label="Peer’s WireGuard public key",
        metavar="KEY",
        help="WireGuard's public key of the peer: 44 characters of base64.",
        rare=True,
        applied_by="encryption",
        in_place=EVERY,
    ),
    Field(
        word="listen-port",
        attribute="listen_port",
        type="port",
        low=1,
        high=PORT_MAX,
        optional=True,
        default_text="the lowest free from 51820",
        unset="auto",
        label="WireGuard port",
        metavar="N",
        help="WireGuard's UDP port of this end.",
        rare=True,
        applied_by="encryption",
        in_place=EVERY,
    ),
    Field(
        word="peer-listen-port",
        attribute="peer_listen_port",
        type="port",
        low=1,
        high=PORT_MAX,
        optional=True,
        default_text="as --listen-port",
        unset="auto",
        label="Peer’s WireGuard port",
        metavar="N",
        help="WireGuard's UDP port of the peer.",
        details="WireGuard follows a peer that comes to send from another address or port.",
        rare=True,
        applied_by="encryption",
        in_place=EVERY,
    ),
    Field(
        word="persistent-keepalive",
        attribute="persistent_keepalive",
        type="number",
        low=0,
        high=65535,
        unit="seconds",
        default=25,
        label="WireGuard keepalive, seconds",
        metavar="N",
        help="Seconds after which WireGuard sends a packet where none was sent, which keeps NAT open; 0 is never.",
        rare=True,
        applied_by="encryption",
        in_place=EVERY,
    ),
    Field(
        word="inner-address",
        attribute="inner_address",
        type="address",
        optional=True,
        default_text="follows from the public key",
        unset="auto",
        label="Address inside WireGuard",
        metavar="ADDR",
        help="This end's address inside WireGuard, of fc00::/7; the peer has the same as its --peer-inner-address.",
        details="`l2tpctl tunnel rekey` keeps it when it gives both ends new keys.",
        rare=True,
        applied_by="encryption",
        in_place=EVERY,
    ),
    Field(
        word="peer-inner-address",
        attribute="peer_inner_address",
        type="address",
        optional=True,
        default_text="follows from the peer's public key",
        unset="auto",
        label="Peer’s address inside WireGuard",
        metavar="ADDR",
        help="The peer's address inside WireGuard, of fc00::/7.",
        rare=True,
        applied_by="encryption",
        in_place=EVERY,
    ),
    Field(
        word="pre-shared-key",
        attribute="pre_shared_key",
        type="pre-shared-key",
        optional=True,
        default_text="drawn at random",
        label="IPsec pre-shared key",
        metavar="KEY",
        help="IPsec's key that both ends have: 8 to 128 characters without spaces and quotes, or @FILE.",
        rare=True,
        secret=True,
        applied_by="encryption",
        in_place=EVERY,
    ),
    Field(
        word="ike-auth",
        attribute="ike_auth",
        type="IkeAuth",
        choices=("pre-shared-key", "certificate"),
        default="pre-shared-key",
        label="IPsec authentication",
        metavar="pre-shared-key|certificate",
        help="How the two ends know each other: by a key, or by certificates that strongSwan has loaded.",
        choice_text={"pre-shared-key": "pre-shared key", "certificate": "certificates"},
        rare=True,
        applied_by="encryption",
        in_place=EVERY,
    ),
    Field(
        word="ike-id",
        attribute="ike_id",
        type="text",
        high=255,
        optional=True,
        default_text="the local address",
        unset="none",
        label="IPsec identity",
        metavar="ID",
        help="Who this end says that it is: an address, a name, or the subject of its certificate.",
        rare=True,
        applied_by="encryption",
        in_place=EVERY,
    ),
    Field(
        word="peer-ike-id",
        attribute="peer_ike_id",
        type="text",
        high=255,
        optional=True,
        default_text="the peer's address",
        unset="none",
        label="Peer’s IPsec identity",
        metavar="ID",
        help="Who the peer has to be: an address, a name, or the subject of its certificate.",
        rare=True,
        applied_by="encryption",
        in_place=EVERY,
    ),
    Field(
        word="esp-in-udp",
        attribute="esp_in_udp",
        type="on-off",
        choices=("on", "off"),
        default="off",
        label="IPsec in UDP always",
        metavar="on|off",
        help="Send IPsec's packets in UDP (port 4500) even where no NAT is found.",
        details="Behind a NAT they are sent so in any case; then have it on, and MTUs are right.",
        rare=True,
        applied_by="encryption",
        in_place=EVERY,
    ),
    Field(
        word="datapath",
        attribute="datapath",
        type="text",
        choices=("auto", *EVERY),
        default="auto",
        label="Datapath",
        metavar="auto|kernel|user|ebpf",
        help="Who moves the frames; auto is kernel where it works, else user; never ebpf.",
        details="The packets of ebpf go past this host's netfilter.",
        rare=True,
        info=True,
    ),
    Field(
        word="netns",
        attribute="netns",
        type="netns",
        optional=True,
        default_text="the present one",
        unset="none",
        label="Network namespace",
        metavar="NETNS",
        help="Network namespace of the addresses.",
        details="A name under /run/netns, or a path.",
        rare=True,
        complete="netns",
        info=True,
    ),
    Field(
        word="ttl",
        attribute="ttl",
        type="integer",
        low=1,
        high=255,
        optional=True,
        default_text="this host's own, mostly 64",
        unset="auto",
        label="TTL",
        metavar="N",
        help="TTL or hop limit of the outer packets.",
        rare=True,
        in_place=WORKERS,
        lacked_by=("kernel",),
    ),
    Field(
        word="dscp",
        attribute="dscp",
        type="dscp",
        low=0,
        high=DSCP_MAX,
        default=0,
        label="DSCP",
        metavar="N|inherit",
        help="DSCP of the outer packets, 0 to 63; inherit takes that of the IP packet in each frame.",
        details="It is found behind VLAN tags, too. The outer packets say that they know nothing of ECN.",
        example="46",
        rare=True,
        in_place=WORKERS,
        lacked_by=("kernel",),
    ),
    Field(
        word="df",
        attribute="df",
        type="Df",
        choices=("off", "on", "inherit"),
        default="off",
        label="Don’t fragment",
        metavar="off|on|inherit",
        help="Whether outer packets may never be cut into IP fragments; inherit: as the packet in each frame says.",
        details="IPv6 packets in frames say so always. What is too long then is dropped, and counted.",
        rare=True,
        in_place=WORKERS,
        lacked_by=("kernel",),
    ),
    Field(
        word="fwmark",
        attribute="fwmark",
        type="integer",
        low=0,
        high=FWMARK_MAX,
        default=0,
        default_text="0, none",
        label="Firewall mark",
        metavar="N",
        help="Mark of the outer packets, for routing rules and the packet filter of this host.",
        example="0x10",
        rare=True,
        in_place=("user",),
        lacked_by=("kernel", "ebpf"),
    ),
    Field(
        word="bind-device",
        attribute="bind_device",
        type="ifname",
        optional=True,
        default_text="none, whatever the routes say",
        unset="none",
        label="Bound to netdev",
        metavar="DEV",
        help="Send and receive the outer packets by this netdev alone.",
        details="A VRF's netdev will do.",
        example="eth1",
        complete="netdevs",
        rare=True,
        in_place=("user",),
        lacked_by=("kernel", "ebpf"),
    ),
    DESCRIPTION,
)
"""The words of a tunnel; its name is not among them: see NAME."""

SESSION = (
    Field(
        word="ifname",
        attribute="ifname",
        type="ifname",
        default_text="the lowest free l2tpethN",
        label="Netdev",
        metavar="IF",
        help="The netdev's name.",
        example="l2tpeth0",
        rare=True,
        applied_by="netdev",
        in_place=EVERY,
        info=True,
    ),
    Field(
        word="id",
        attribute="session_id",
        type="id",
        low=1,
        high=ID_MAX,
        default_text="the lowest free",
        label="Session id",
        metavar="N",
        help="This end's id.",
        details="It is unique in a tunnel over UDP, in the network namespace over IP.",
        rare=True,
        info=True,
    ),
    Field(
        word="peer-id",
        attribute="peer_session_id",
        type="id",
        low=1,
        high=ID_MAX,
        default_text="as --id",
        label="Peer’s session id",
        metavar="N",
        help="The peer's id.",
        rare=True,
        in_place=WORKERS,
        info=True,
    ),
    Field(
        word="tx-cookie",
        attribute="tx_cookie",
        type="cookie",
        default_text="64 random bits",
        label="Cookie sent",
        metavar="HEX|none",
        help="Cookie that is sent: 8 or 16 hex digits, none, or @FILE.",
        details="It is the peer's rx-cookie.",
        rare=True,
        secret=True,
        in_place=WORKERS,
    ),
    Field(
        word="rx-cookie",
        attribute="rx_cookie",
        type="cookie",
        default_text="64 random bits",
        label="Cookie expected",
        metavar="HEX|none",
        help="Cookie that is expected: as for --tx-cookie.",
        details="It is the peer's tx-cookie.",
        rare=True,
        secret=True,
        in_place=WORKERS,
    ),
    Field(
        word="sublayer",
        attribute="sublayer",
        type="Sublayer",
        choices=("default", "none"),
        default="default",
        label="L2-specific sublayer",
        metavar="default|none",
        help="The 4-byte L2-specific sublayer; both ends must agree.",
        choice_text={"default": "default (4 bytes)"},
        rare=True,
        in_place=WORKERS,
    ),
    Field(
        word="sequencing",
        attribute="sequencing",
        type="Sequencing",
        choices=("none", "send", "recv", "both"),
        default="none",
        label="Sequencing",
        metavar="none|send|recv|both",
        help="Number the packets sent, require numbers on those received.",
        details="It needs the sublayer.",
        choice_text={"recv": "receive"},
        rare=True,
        in_place=EVERY,
    ),
    Field(
        word="reorder-timeout-ms",
        attribute="reorder_timeout_ms",
        type="integer",
        low=0,
        high=60_000,
        unit="ms",
        default=0,
        default_text="0, drop it",
        label="Reorder timeout, ms",
        metavar="N",
        help="Wait so long for a packet that is late.",
        rare=True,
        in_place=EVERY,
    ),
    Field(
        word="vlan",
        attribute="vlan",
        type="integer",
        low=1,
        high=VLAN_ID_MAX,
        optional=True,
        default_text="none, every frame as it is",
        unset="none",
        label="VLAN",
        metavar="VID|none",
        help="Carry one VLAN, with this number at this end (RFC 4719).",
        details="Every packet then carries a tag (pseudowire type 0x0004).",
        rare=True,
        in_place=WORKERS,
    ),
    Field(
        word="egress",
        attribute="egress",
        type="Egress",
        choices=("remove", "rewrite"),
        default="remove",
        label="Tags that come in",
        metavar="remove|rewrite",
        help="With --vlan, the tag of what comes in: taken off, or given this end's number.",
        choice_text={"rewrite": "rewrite to this VLAN"},
        rare=True,
        in_place=WORKERS,
    ),
    Field(
        word="fragment",
        attribute="fragment",
        type="on-off",
        choices=("on", "off"),
        default="off",
        label="Fragments",
        metavar="on|off",
        help="Send frames that do not fit in one packet in several (RFC 4623); both ends need it.",
        details="IP fragments are then not needed for any MTU. It takes the user datapath at both ends, and the"
        " sublayer; packets are numbered both ways.",
        rare=True,
        in_place=("user",),
        lacked_by=("kernel", "ebpf"),
    ),
    Field(
        word="mtu",
        attribute="mtu",
        type="mtu",
        low=MTU_MIN,
        high=MTU_MAX,
        unit="bytes",
        default="auto",
        label="MTU",
        metavar="auto|N",
        help="The netdev's MTU in bytes; auto fits the route.",
        applied_by="netdev",
        in_place=EVERY,
    ),
    Field(
        word="clamp-mss",
        attribute="clamp_mss",
        type="on-off",
        choices=("on", "off"),
        default="off",
        label="Clamp TCP’s MSS",
        metavar="on|off",
        help="Have TCP, either way, announce segments that fit one outer packet.",
        details="It is done to SYN packets on their way through the netdev, behind VLAN tags too.",
        rare=True,
        applied_by="netdev",
        in_place=EVERY,
    ),
    Field(
        word="mac",
        attribute="mac",
        type="mac",
        optional=True,
        default_text="random, and then kept",
        unset="none",
        label="MAC address",
        metavar="MAC",
        help="The netdev's MAC address.",
        rare=True,
        applied_by="netdev",
        in_place=EVERY,
    ),
    Field(
        word="netns",
        attribute="netns",
        type="netns",
        optional=True,
        default_text="the tunnel's",
        unset="none",
        label="Network namespace",
        metavar="NETNS",
        help="Network namespace for the netdev; it is made if need be.",
        rare=True,
        complete="netns",
        applied_by="netdev",
        in_place=EVERY,
        info=True,
    ),
    Field(
        word="address",
        attribute="addresses",
        type="interfaces",
        many=True,
        default=(),
        unset="none",
        label="Addresses",
        metavar="CIDR",
        help="An address of the netdev; may be repeated.",
        details="It has a prefix length; a bridge's member takes none.",
        example="10.9.0.1/24",
        applied_by="netdev",
        in_place=EVERY,
    ),
    Field(
        word="bridge",
        attribute="bridge",
        type="ifname",
        optional=True,
        unset="none",
        label="Bridge",
        metavar="BRIDGE",
        help="Make the netdev a port of this bridge.",
        details="The bridge has to exist.",
        example="br0",
        complete="bridges",
        applied_by="netdev",
        in_place=EVERY,
    ),
    Field(
        word="up",
        attribute="up",
        type="boolean",
        default=True,
        label="Set up",
        metavar="",
        help="Set the netdev up or down.",
        rare=True,
        applied_by="netdev",
        in_place=EVERY,
    ),
    Field(
        word="probe",
        attribute="probe",
        type="probe",
        default="none",
        label="Probe",
        metavar="none|bfd|icmp:ADDR|bfd:ADDR",
        help="Find out again and again whether the other end, or an address behind the session, is there.",
        details="bfd asks the other end, which has to be l2tpctl's with --probe bfd, too, below the netdev: of both the"
        " datapath is user or ebpf. With ADDR `l2tpctl watch` asks, from the netdev or its bridge: by ICMP echo"
        " requests, or by BFD with a router or an l2tpctl there that speaks it, too.",
        example="icmp:10.9.0.2",
        rare=True,
        applied_by="watch",
        in_place=EVERY,
    ),
    Field(
        word="probe-interval-ms",
        attribute="probe_interval_ms",
        type="integer",
        low=5,
        high=60_000,
        unit="ms",
        default=2000,
        label="Probe interval, ms",
        metavar="N",
        help="Time from one probe to the next; 100 is the least for probes of an address.",
        rare=True,
        applied_by="watch",
        in_place=EVERY,
    ),
    Field(
        word="probe-multiplier",
        attribute="probe_multiplier",
        type="integer",
        low=1,
        high=255,
        default=15,
        label="Probe multiplier",
        metavar="N",
        help="Unanswered probes in a row that mean that it is dead.",
        rare=True,
        applied_by="watch",
        in_place=EVERY,
    ),
    Field(
        word="on-dead",
        attribute="on_dead",
        type="on-dead",
        default="nothing",
        label="When it is dead",
        metavar="nothing|carrier|hook:NAME",
        help="What follows when probes find it dead, or alive again: nothing, its netdev's carrier goes and comes, or a"
        " program is run.",
        details="carrier needs --probe bfd and the user datapath. `l2tpctl watch` runs NAME of /etc/l2tpv3/hooks, which"
        " has to be root's.",
        example="hook:page-us",
        rare=True,
        applied_by="watch",
        in_place=EVERY,
    ),
    Field(
        word="backup",
        attribute="backup",
        type="session-name",
        optional=True,
        default_text="none",
        unset="none",
        label="Backup",
        metavar="TUNNEL/SESSION",
        help="The session by which this one's frames go while probes find it dead.",
        details="Both have --probe bfd and the user datapath, at both ends. The backup's own netdev has no carrier.",
        example="fibre2/lan",
        rare=True,
        in_place=WORKERS,
        lacked_by=("kernel", "ebpf"),
    ),
    Field(
        word="revert-delay-s",
        attribute="revert_delay_s",
        type="integer",
        low=0,
        high=86_400,
        unit="seconds",
        default=10,
        label="Revert delay, seconds",
        metavar="N",
        help="How long it has to be alive again before its frames go by itself again, not by the backup.",
        rare=True,
        applied_by="watch",
        in_place=EVERY,
    ),
    DESCRIPTION,
)
"""The words of a session; its name is not among them: see NAME."""

SECRETS = tuple(field.word for field in (*TUNNEL, *SESSION) if field.secret)
"""The words whose values are neither shown nor logged: cookies of sessions, keys of tunnels."""
ENCRYPTION = {
    "wireguard": (
        *("private-key", "next-private-key", "peer-public-key", "listen-port", "peer-listen-port"),
        *("persistent-keepalive", "inner-address", "peer-inner-address"),
    ),
    "ipsec": ("pre-shared-key", "ike-auth", "ike-id", "peer-ike-id", "esp-in-udp"),
}
"""The words of a tunnel that say something only where it is encrypted, by what encrypts it."""
ENCRYPTION_WORDS = frozenset(word for words in ENCRYPTION.values() for word in words)
"""All of them."""

LINK = (
    Field(
        word="over",
        attribute="over",
        type="devices",
        many=True,
        default=(),
        label="Over",
        metavar="DEV,...",
        help="What it is layered on: netdevs, sessions as TUNNEL/NAME, other links; may be repeated.",
        example="eth1 siteb/lan",
        complete="devices",
        in_place=EVERY,
    ),
    Field(
        word="ifname",
        attribute="ifname",
        type="ifname",
        default_text="the link's name",
        label="Netdev",
        metavar="IF",
        help="Its netdev's name.",
        rare=True,
        in_place=EVERY,
        info=True,
    ),
    Field(
        word="over-netns",
        attribute="over_netns",
        type="netns",
        optional=True,
        default_text="where the first of it that is ours is",
        unset="none",
        label="Namespace beneath",
        metavar="NETNS",
        help="Network namespace of what it is over.",
        rare=True,
        complete="netns",
    ),
    Field(
        word="netns",
        attribute="netns",
        type="netns",
        optional=True,
        default_text="as --over-netns",
        unset="none",
        label="Network namespace",
        metavar="NETNS",
        help="Network namespace for its netdev; it is made if need be.",
        rare=True,
        complete="netns",
        info=True,
    ),
    Field(
        word="mac",
        attribute="mac",
        type="mac",
        optional=True,
        default_text="its own one, the same at each boot",
        unset="none",
        label="MAC address",
        metavar="MAC",
        help="Its MAC address.",
        rare=True,
        in_place=EVERY,
    ),
    Field(
        word="mtu",
        attribute="mtu",
        type="link-mtu",
        low=MTU_MIN,
        high=MTU_MAX,
        unit="bytes",
        default="auto",
        label="MTU",
        metavar="auto|N",
        help="Its MTU in bytes; auto is what those beneath allow.",
        in_place=EVERY,
    ),
    Field(
        word="address",
        attribute="addresses",
        type="link-interfaces",
        many=True,
        default=(),
        unset="none",
        label="Addresses",
        metavar="CIDR",
        help="An address of the netdev; may be repeated.",
        details="It has a prefix length.",
        example="10.9.0.1/24",
        in_place=EVERY,
    ),
    Field(
        word="up",
        attribute="up",
        type="switch",
        default=True,
        label="Set up",
        metavar="",
        help="Set the netdev up or down.",
        rare=True,
        in_place=EVERY,
    ),
    DESCRIPTION,
)
"""The words that each link has, whatever its type; neither its name (see NAME) nor its type is among them."""

BRIDGE = (
    Field(
        word="stp",
        attribute="stp",
        type="Stp",
        choices=("auto", "on", "off"),
        default="auto",
        label="Spanning tree",
        metavar="auto|on|off",
        help="spanning tree; auto is on where two members or more hear each other.",
        choice_text={"auto": "auto: where a loop can be"},
        in_place=EVERY,
    ),
    Field(
        word="priority",
        attribute="priority",
        type="number",
        low=0,
        high=65535,
        default=32768,
        label="Priority",
        metavar="N",
        help="the lowest becomes the spanning tree's root.",
        rare=True,
        in_place=EVERY,
    ),
    Field(
        word="forward-delay-ms",
        attribute="forward_delay_ms",
        type="number",
        low=4000,
        high=30_000,
        unit="ms",
        default=4000,
        label="Forward delay, ms",
        metavar="N",
        help="with STP a new member listens, then learns, so long.",
        rare=True,
        in_place=EVERY,
    ),
    Field(
        word="ageing-s",
        attribute="ageing_s",
        type="number",
        low=0,
        high=1_000_000,
        unit="seconds",
        default=300,
        label="Ageing, seconds",
        metavar="N",
        help="an address that is silent so long is forgotten.",
        rare=True,
        in_place=EVERY,
    ),
    Field(
        word="igmp-snooping",
        attribute="igmp_snooping",
        type="switch",
        default=True,
        label="IGMP snooping",
        metavar="on|off",
        help="multicast goes where it is asked for.",
        in_place=EVERY,
    ),
    Field(
        word="vlan-filtering",
        attribute="vlan_filtering",
        type="switch",
        default=False,
        label="VLAN filtering",
        metavar="on|off",
        help="keep VLANs apart.",
        in_place=EVERY,
    ),
    Field(
        word="vlan",
        attribute="vlans",
        type="member-vlans",
        many=True,
        default=(),
        label="VLANs of members",
        metavar="DEV=VLANS",
        help="a member's VLANs, as eth1=10u+20-29, `u` for the untagged one; may be repeated.",
        example="eth1=10u+20-29",
        in_place=EVERY,
    ),
    Field(
        word="isolated",
        attribute="isolated",
        type="members",
        many=True,
        default=(),
        label="Isolated members",
        metavar="DEV,...",
        help="members that hear only the others (split horizon); may be repeated.",
        example="siteb/lan sitec/lan",
        complete="members",
        in_place=EVERY,
    ),
)

BOND = (
    Field(
        word="mode",
        attribute="mode",
        type="BondMode",
        choices=("round-robin", "xor", "active-backup", "802.3ad"),
        default="active-backup",
        label="Mode",
        metavar="MODE",
        help="how members are used.",
        complete="modes",
    ),
    Field(
        word="hash",
        attribute="hash",
        type="Hash",
        choices=("layer2", "layer2+3", "layer3+4"),
        default="layer3+4",
        label="Flows by",
        metavar="layer2|layer2+3|layer3+4",
        help="what chooses a flow's member in xor and 802.3ad.",
        in_place=EVERY,
    ),
    Field(
        word="miimon-ms",
        attribute="miimon_ms",
        type="number",
        low=0,
        high=60_000,
        unit="ms",
        default=100,
        label="Look at carriers, ms",
        metavar="N",
        help="how often members' carrier is looked at.",
        in_place=EVERY,
    ),
    Field(
        word="lacp-rate",
        attribute="lacp_rate",
        type="LacpRate",
        choices=("slow", "fast"),
        default="fast",
        label="LACP rate",
        metavar="slow|fast",
        help="LACP each 30 s, or each second.",
        rare=True,
    ),
    Field(
        word="min-links",
        attribute="min_links",
        type="number",
        low=0,
        high=255,
        default=0,
        label="Members at least",
        metavar="N",
        help="no carrier with fewer members than that.",
        rare=True,
        in_place=EVERY,
    ),
    Field(
        word="arp-interval-ms",
        attribute="arp_interval_ms",
        type="number",
        low=0,
        high=60_000,
        unit="ms",
        default=0,
        label="Ask every, ms",
        metavar="N",
        help="ask --arp-target so often, instead of looking at carriers.",
        in_place=EVERY,
    ),
    Field(
        word="arp-target",
        attribute="arp_targets",
        type="ipv4-list",
        many=True,
        default=(),
        label="Ask these hosts",
        metavar="ADDR,...",
        help="whom to ask, by IPv4; may be repeated. Sessions need it: see docs/links.md.",
        example="192.0.2.1",
    ),
    Field(
        word="primary",
        attribute="primary",
        type="member",
        optional=True,
        label="Primary",
        metavar="DEV",
        help="the member to prefer in active-backup.",
        complete="members",
        in_place=EVERY,
    ),
)

MACVLAN = (
    Field(
        word="mode",
        attribute="mode",
        type="MacvlanMode",
        choices=("private", "vepa", "bridge", "passthru", "source"),
        default="bridge",
        label="Mode",
        metavar="MODE",
        help="what cards on one NIC see of each other.",
        complete="modes",
    ),
    Field(
        word="source-mac",
        attribute="sources",
        type="macs",
        many=True,
        default=(),
        label="Source MACs",
        metavar="MAC,...",
        help="in mode source, whose frames it gets; may be repeated.",
        in_place=EVERY,
    ),
)

IPVLAN = (
    Field(
        word="mode",
        attribute="mode",
        type="IpvlanMode",
        choices=("l2", "l3", "l3s"),
        default="l2",
        label="Mode",
        metavar="MODE",
        help="as a switch (l2) or as a router.",
        complete="modes",
    ),
    Field(
        word="flag",
        attribute="flag",
        type="IpvlanFlag",
        choices=("bridge", "private", "vepa"),
        default="bridge",
        label="Among themselves",
        metavar="bridge|private|vepa",
        help="what those on one NIC see of each other.",
    ),
)

VLAN = (
    Field(
        word="id",
        attribute="id",
        type="number",
        low=1,
        high=VLAN_ID_MAX,
        required=True,
        label="VLAN",
        metavar="N",
        help="its number, 1 to 4094.",
        example="10",
    ),
    Field(
        word="protocol",
        attribute="protocol",
        type="VlanProtocol",
        choices=("802.1q", "802.1ad"),
        default="802.1q",
        label="Tag",
        metavar="802.1q|802.1ad",
        help="the customer's tag, or the provider's.",
    ),
)

PORT = (
    Field(
        word="carrier",
        attribute="carrier",
        type="PortCarrier",
        choices=("alone", "follow"),
        default="alone",
        label="Carrier",
        metavar="alone|follow",
        help="follow has a cable pulled at one end show at the other.",
        rare=True,
        in_place=EVERY,
    ),
)

LINK_TYPES: Mapping[str, tuple[Field, ...]] = {
    "bridge": BRIDGE,
    "bond": BOND,
    "alias": (),
    "macvlan": MACVLAN,
    "ipvlan": IPVLAN,
    "vlan": VLAN,
    "vnic": (),
    "port": PORT,
}
"""The words that links of one type have beside those of LINK, by the type."""

NO_NETDEV = frozenset({"ifname", "netns", "mac", "mtu", "address"})
"""The words of LINK that mean nothing for a port, which has no netdev of its own."""

NAME = Field(
    word="name",
    attribute="name",
    type="text",
    required=True,
    label="Name",
    metavar="NAME",
    help="A letter or digit, then up to 62 letters, digits, '.', '_' or '-'.",
    applied_by="record",
    in_place=EVERY,
)
"""What a tunnel, a session or a link is called."""

TYPE = Field(
    word="type",
    attribute="type",
    type="LinkType",
    choices=tuple(LINK_TYPES),
    required=True,
    label="Type",
    metavar="TYPE",
    help=f"What it is: {', '.join(LINK_TYPES)}.",
    choice_text={
        "bridge": "bridge: one broadcast domain",
        "bond": "bond: etherchannel",
        "alias": "alias: in front of an exchangeable NIC",
        "macvlan": "macvlan: a card of its own on a NIC",
        "ipvlan": "ipvlan: a share of a NIC by address",
        "vlan": "vlan: one VLAN of what is beneath",
        "vnic": "vnic: a card relayed in user space",
        "port": "port: two netdevs wired together",
    },
)
"""The type of a link, which says what other words it has."""


def by_word(fields: Iterable[Field]) -> dict[str, Field]:
    """The fields by their words, in their order."""
    return {field.word: field for field in fields}


def link_fields(type_: str) -> dict[str, Field]:
    """All words that a link of that type has, by the word. Raises KeyError where there is no such type."""
    return by_word((*LINK, *LINK_TYPES[type_]))


def attributes_in_place(fields: Iterable[Field], datapath: str) -> frozenset[str]:
    """The attributes that a datapath itself changes without an interruption; those of netdevs are not among them."""
    return frozenset(
        field.attribute for field in fields if field.applied_by == "datapath" and datapath in field.in_place
    )


def words_in_place(fields: Iterable[Field], datapath: str) -> frozenset[str]:
    """The words of the fields that a datapath itself changes without an interruption; see attributes_in_place."""
    return frozenset(field.word for field in fields if field.applied_by == "datapath" and datapath in field.in_place)


def lacking(fields: Iterable[Field], words: Mapping[str, Any], datapath: str) -> list[str]:
    """The words of the fields whose value, another one than the default, asks for what a datapath can't do.

    words: values by the words, as JSON has them (l2tpv3.model.values.format_words).
    """
    return [field.word for field in fields if datapath in field.lacked_by and words[field.word] != field.default]
