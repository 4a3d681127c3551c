"""TunnelSpec and SessionSpec: what is desired of a tunnel and of a session. Frozen values, checked when they are made.

The keys of `to_words` and `from_words` are the command line's words; the store, files and the API all use them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from ipaddress import ip_interface
from operator import itemgetter
from typing import Any, TypeVar

from l2tpv3.errors import InvalidValueError
from l2tpv3.model import wireguard
from l2tpv3.model.fields import MTU_MAX, MTU_MIN, SESSION, TUNNEL
from l2tpv3.model.probe import CARRIER, CHANNEL, NO_ADDRESS, ChannelProbe
from l2tpv3.model.values import (
    SESSION_FIELDS,
    Df,
    Egress,
    Encap,
    Encrypt,
    IkeAuth,
    IPAddress,
    IPInterface,
    Sequencing,
    Sublayer,
    address_of_nobody,
    check_name,
    check_words,
    format_words,
    parse_address,
    parse_interface,
    session_attributes,
    tunnel_attributes,
)
from l2tpv3.value_class import value_class

__all__ = [
    "MTU_MAX",
    "MTU_MIN",
    "SESSION_FIELDS",
    "UDP_PORT",
    "Df",
    "Egress",
    "Encap",
    "Encrypt",
    "IPAddress",
    "IPInterface",
    "IkeAuth",
    "Sequencing",
    "SessionSpec",
    "Sublayer",
    "TunnelSpec",
    "has_udp_checksum",
    "parse_address",
    "parse_interface",
    "session_attributes",
    "tunnel_attributes",
    "unchecked",
    "with_measures",
    "with_remote",
]

WATCH_INTERVAL_MS_MIN = 100
"""The shortest interval of probes that `l2tpctl watch` sends; a worker, which has little else to do, can keep shorter
ones."""
UDP_PORT = 1701
"""The port registered for L2TP (RFC 3931 section 4.1.2)."""


def has_udp_checksum(datapath: str, version: int) -> bool:
    """Whether a tunnel sends UDP checksums when the user does not say. version: of the IP that carries its packets.

    The programs of the ebpf datapath compute none. Over IPv6 peers refuse packets without one (RFC 6935), so workers
    send those packets.
    """
    return datapath != "ebpf" or version == 6


@value_class(frozen=True, slots=True, kw_only=True)
class TunnelSpec:
    """One static tunnel between two addresses. Raises InvalidValueError when made from what can't work.

    remote_name: the peer's DNS name, None without one; `remote` is then the address that it had last.
    local: None means the source address of the route to `remote`, chosen when the tunnel is made.
    local_port, remote_port: UDP ports, ignored over IP. datapath: "auto" or a datapath's name.
    netns: the network namespace of the underlay (a name under /run/netns or a path); None is the caller's.
    encrypt: where it is WIREGUARD, `remote` and `local` are the ends of WireGuard's packets, `peer_listen_port` and
    `listen_port` their UDP ports, and the tunnel's own packets go between addresses inside (inner_local, inner_remote).
    private_key, listen_port: None until they are chosen. peer_public_key: None as long as it is not known.
    next_private_key: what `rekey` has drawn and nobody uses yet. inner_address, peer_inner_address: the addresses
    inside; None are those that follow from the public keys.
    Where it is IPSEC, the tunnel's own packets are encrypted on their way between `remote` and `local`. pre_shared_key:
    None until it is chosen, and with certificates. ike_id, peer_ike_id: None stands for the address of that end.
    esp_in_udp: whether encrypted packets are in UDP even where there is no NAT.
    Of the outer packets: ttl, None is the host's default; dscp, None is that of the frame in each; df, whether they may
    be cut into IP fragments; fwmark, their mark in this host, 0 is none; bind_device, the only netdev that they use.
    """

    name: str
    remote: IPAddress
    remote_name: str | None = None
    local: IPAddress | None = None
    encap: Encap = Encap.UDP
    tunnel_id: int = 1
    peer_tunnel_id: int = 1
    local_port: int = UDP_PORT
    remote_port: int = UDP_PORT
    udp_checksum: bool = True
    encrypt: Encrypt = Encrypt.NONE
    private_key: bytes | None = dataclasses.field(default=None, repr=False)
    next_private_key: bytes | None = dataclasses.field(default=None, repr=False)
    peer_public_key: bytes | None = None
    listen_port: int | None = None
    peer_listen_port: int | None = None
    persistent_keepalive: int = 25
    pre_shared_key: bytes | None = dataclasses.field(default=None, repr=False)
    ike_auth: IkeAuth = IkeAuth.PRE_SHARED_KEY
    ike_id: str | None = None
    peer_ike_id: str | None = None
    esp_in_udp: bool = False
    inner_address: IPAddress | None = None
    peer_inner_address: IPAddress | None = None
    datapath: str = "auto"
    netns: str | None = None
    ttl: int | None = None
    dscp: int | None = 0
    df: Df = Df.OFF
    fwmark: int = 0
    bind_device: str | None = None
    description: str | None = None

    def __post_init__(self) -> None:
        check_name(self.name, "tunnel name")
        check_words(self, TUNNEL, f"tunnel {self.name}")
        if self.local is not None:
            self._check_local(self.local)
        if self.private_key is not None and self.public_key == self.peer_public_key:
            raise InvalidValueError(
                f"tunnel {self.name}", "--peer-public-key is this end's own key", "give the one that the peer shows",
                field="peer-public-key",
            )  # fmt: skip

        self._check_inner("inner-address", self.inner_address)
        self._check_inner("peer-inner-address", self.peer_inner_address)
        if self.inner_address is not None and self.inner_address == self.peer_inner_address:
            raise InvalidValueError(
                f"tunnel {self.name}", f"both addresses inside WireGuard are {self.inner_address}",
                "give each end one of its own", field="peer-inner-address",
            )  # fmt: skip

    def _check_inner(self, word: str, address: IPAddress | None) -> None:
        if address is not None and (address not in wireguard.INNER_NETWORK or "%" in str(address)):
            raise InvalidValueError(
                f"tunnel {self.name}", f"--{word} {address} is not a unique local IPv6 address",
                f"give one of {wireguard.INNER_NETWORK}, or auto", field=word,
            )  # fmt: skip

        for word, value in (("ike-id", self.ike_id), ("peer-ike-id", self.peer_ike_id)):
            if value is not None and ("%" in value or "*" in value):
                problem = f"--{word} {value!r} stands for more than one"
                raise InvalidValueError(f"tunnel {self.name}", problem, "give one identity in full", field=word)

    def _check_local(self, local: IPAddress) -> None:
        if local.version != self.remote.version:
            raise InvalidValueError(
                f"tunnel {self.name}", f"--local {local} is IPv{local.version} but --remote {self.remote} is not",
                "give both of one family", field="local",
            )  # fmt: skip
        if local == self.remote and (self.encap is Encap.IP or self.local_port == self.remote_port):
            raise InvalidValueError(
                f"tunnel {self.name}", f"both ends are {local}", "give the peer's address as --remote", field="remote"
            )

    @property
    def endpoint(self) -> IPAddress:
        """The local address, which has to be chosen already, as in the specs that datapaths get.

        Raises InvalidValueError where it is not.
        """
        if self.local is None:
            raise InvalidValueError(f"tunnel {self.name}", "no local address yet", "resolve the specification first")
        return self.local

    @property
    def public_key(self) -> bytes:
        """WireGuard's public key of this end. Raises InvalidValueError where the private key is not known here."""
        if self.private_key is None:
            raise InvalidValueError(f"tunnel {self.name}", "no private key yet", "resolve the specification first")
        return wireguard.public_key(self.private_key)

    @property
    def inner_local(self) -> IPAddress:
        """This end's address inside WireGuard. Raises InvalidValueError as public_key does."""
        return self.inner_address or wireguard.inner_address(self.public_key)

    @property
    def inner_remote(self) -> IPAddress:
        """The peer's address inside WireGuard; one that nobody has while its key is not known.

        Raises InvalidValueError as public_key does.
        """
        if self.peer_inner_address is not None:
            return self.peer_inner_address
        if self.peer_public_key is None:
            return wireguard.nobodys_address(self.public_key)
        return wireguard.inner_address(self.peer_public_key)

    @property
    def ip_version(self) -> int:
        """The version of the IP that the tunnel's own packets are carried by."""
        return 6 if self.is_inside else self.remote.version

    @property
    def is_inside(self) -> bool:
        """Whether the tunnel's own packets go between addresses inside of what encrypts them, not `local`, `remote`."""
        return self.encrypt is Encrypt.WIREGUARD

    def to_words(self, *, secrets: bool = True) -> dict[str, Any]:
        """JSON-ready, by the command line's words; from_words takes it back. secrets: False leaves the key out."""
        fields = TUNNEL if secrets else [field for field in TUNNEL if not field.secret]
        return {"name": self.name, **format_words(self, fields)}

    @classmethod
    def from_words(cls, words: Mapping[str, Any]) -> TunnelSpec:
        """The inverse of to_words. Raises InvalidValueError; unknown words are refused.

        A peer's name alone, without an address, stands for one that nobody has.
        """
        return cls(**with_remote(tunnel_attributes(words)))


def with_remote(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A TunnelSpec's attributes with the address of nobody where the peer's is not known, as words are checked."""
    local = fields.get("local")
    return {"remote": address_of_nobody(4 if local is None else local.version), **fields}


@value_class(frozen=True, slots=True, kw_only=True)
class SessionSpec:
    """One ethernet pseudowire in a tunnel. Raises InvalidValueError when made from what can't work.

    tx_cookie is what we send, rx_cookie what we expect: 0, 4 or 8 bytes each. mtu: bytes of payload of an
    ethernet frame, None is computed from the route. netns: where the netdev goes, None is the tunnel's.
    vlan: this end's VLAN, where it is an ethernet VLAN pseudowire (type 0x0004): every packet then carries a tag, which
    `egress` removes from what comes in, or gives this end's number. None: an ethernet pseudowire, type 0x0005.
    fragment: frames that do not fit in one packet go in several (RFC 4623).
    clamp_mss: whether the MSS that TCP announces through the session is lowered to what fits one outer packet.
    probe: `none`; or `icmp:ADDR` or `bfd:ADDR`, an address behind the session that is asked every probe_interval_ms
    milliseconds; or `bfd`, by which the other end is asked in the session's control channel.
    on_dead: `nothing`; or `carrier`, which the netdev has not while the probes find the other end dead; or `hook:NAME`,
    a program that is run when they do, and when it is alive again.
    backup: the session, as TUNNEL/SESSION, that this one's frames go by while the other end is dead, and for
    revert_delay_s seconds longer; None for none.
    """

    name: str
    ifname: str
    session_id: int = 1
    peer_session_id: int = 1
    tx_cookie: bytes = dataclasses.field(default=b"", repr=False)
    rx_cookie: bytes = dataclasses.field(default=b"", repr=False)
    sublayer: Sublayer = Sublayer.DEFAULT
    sequencing: Sequencing = Sequencing.NONE
    reorder_timeout_ms: int = 0
    vlan: int | None = None
    egress: Egress = Egress.REMOVE
    fragment: bool = False
    mtu: int | None = None
    clamp_mss: bool = False
    mac: str | None = None
    netns: str | None = None
    addresses: tuple[IPInterface, ...] = ()
    bridge: str | None = None
    up: bool = True
    probe: str = "none"
    probe_interval_ms: int = 2000
    probe_multiplier: int = 15
    on_dead: str = "nothing"
    backup: str | None = None
    revert_delay_s: int = 10
    description: str | None = None

    def __post_init__(self) -> None:
        check_name(self.name, "session name")
        here = f"session {self.name}"
        check_words(self, SESSION, here)
        if self.sublayer is Sublayer.NONE and self.sequencing is not Sequencing.NONE:
            raise InvalidValueError(
                here, f"--sequencing {self.sequencing} needs the sublayer that --sublayer none leaves out",
                "use --sublayer default, or --sequencing none", field="sequencing",
            )  # fmt: skip
        if self.fragment:
            self._check_fragment(here)
        self._check_probe(here)
        if self.vlan is None and self.egress is not Egress.REMOVE:
            raise InvalidValueError(
                here, f"--egress {self.egress} has no tag to act on without a VLAN",
                "give --vlan too, or --egress remove", field="egress",
            )  # fmt: skip
        if self.bridge is not None and self.addresses:
            raise InvalidValueError(
                here, "a member of a bridge takes no addresses",
                "give --address to the bridge, or leave --bridge out", field="address",
            )  # fmt: skip

    def _check_probe(self, here: str) -> None:
        if self.probe == CHANNEL and self.sublayer is Sublayer.NONE:
            raise InvalidValueError(
                here, "--probe bfd marks its packets in the sublayer that --sublayer none leaves out",
                "use --sublayer default at both ends, or --probe bfd:ADDR", field="probe",
            )  # fmt: skip
        if self.probe not in NO_ADDRESS and self.probe_interval_ms < WATCH_INTERVAL_MS_MIN:
            raise InvalidValueError(
                here, f"--probe-interval-ms {self.probe_interval_ms} is too short for what `l2tpctl watch` sends",
                f"give {WATCH_INTERVAL_MS_MIN} or more, or use --probe bfd", field="probe-interval-ms",
            )  # fmt: skip

        if self.backup is not None and self.probe != CHANNEL:
            raise InvalidValueError(
                here, f"with --probe {self.probe} nothing would tell when its frames have to go by the backup",
                "use --probe bfd for both sessions, at both ends", field="backup",
            )  # fmt: skip
        if self.on_dead == CARRIER and self.probe != CHANNEL:
            raise InvalidValueError(
                here, f"with --on-dead carrier and --probe {self.probe} nothing would bring the carrier back",
                "use --probe bfd, which does without it, or another --on-dead", field="on-dead",
            )  # fmt: skip

    @property
    def channel_probe(self) -> ChannelProbe | None:
        """How a worker probes the other end by itself; None where it does not."""
        if self.probe != CHANNEL:
            return None
        delay_s = 0 if self.backup is None else self.revert_delay_s
        carrier = self.on_dead == CARRIER
        return ChannelProbe(self.probe_interval_ms, self.probe_multiplier, carrier, self.backup, delay_s)

    def _check_fragment(self, here: str) -> None:
        if self.sublayer is Sublayer.NONE:
            raise InvalidValueError(
                here, "--fragment on needs the sublayer that --sublayer none leaves out",
                "use --sublayer default, or --fragment off", field="fragment",
            )  # fmt: skip
        if self.sequencing in (Sequencing.SEND, Sequencing.RECV):
            raise InvalidValueError(
                here, f"--fragment on numbers packets both ways, not only as --sequencing {self.sequencing} says",
                "use --sequencing both, or --fragment off", field="fragment",
            )  # fmt: skip

    @property
    def numbering(self) -> Sequencing:
        """Which packets are numbered: with fragments all are, which are put together by their numbers."""
        return Sequencing.BOTH if self.fragment else self.sequencing

    def to_words(self, *, secrets: bool = True) -> dict[str, Any]:
        """JSON-ready, by the command line's words, cookies in clear; from_words takes it back.

        secrets: False leaves the cookies out.
        """
        fields = SESSION if secrets else [field for field in SESSION if not field.secret]
        return {"name": self.name, **format_words(self, fields)}

    @classmethod
    def from_record(cls, words: Mapping[str, Any]) -> SessionSpec:
        """from_words for what to_words of a checked spec gave and nobody else can have changed: not checked again.

        It takes a quarter of the time, which counts with ten thousand on record. A word that is missing, as the record
        was written by a version that did not have it, has its default. Raises KeyError, ValueError.
        """
        if words.keys() != _RECORDED:
            if not words.keys() <= SESSION_FIELDS.keys():  # written by a later version
                return cls.from_words(words)
            words = {**_BLANK, **words}
        spec = object.__new__(cls)
        for put, read, value in zip(_PUT, _READ, _values(words)):  # noqa: B905 - all are of one length
            put(spec, value if read is None else read(value))
        return spec

    @classmethod
    def from_words(cls, words: Mapping[str, Any]) -> SessionSpec:
        """The inverse of to_words. Raises InvalidValueError; unknown words are refused."""
        return cls(**session_attributes(words))


_READ_QUICKLY: Mapping[str, Callable[[Any], Any]] = {
    "cookie": lambda value: b"" if value == "none" else bytes.fromhex(value),
    "Sublayer": {one.value: one for one in Sublayer}.__getitem__,  # calling the class takes five times as long
    "Sequencing": {one.value: one for one in Sequencing}.__getitem__,
    "Egress": {one.value: one for one in Egress}.__getitem__,
    "mtu": lambda value: None if value == "auto" else value,
    "on-off": {"on": True, "off": False}.__getitem__,
    "interfaces": lambda value: tuple(map(ip_interface, value)) if value else (),
}
"""How from_record reads what format_words wrote of a type; None, where a type is not among these: as it is."""
_BLANK = SessionSpec(name="blank", ifname="blank").to_words()
del _BLANK["name"], _BLANK["ifname"]  # which each has of its own
_RECORDED = {"name", *(field.word for field in SESSION)}
"""The words that to_words gives."""
_READ = [None, *(_READ_QUICKLY.get(field.type) for field in SESSION)]
_PUT = [getattr(SessionSpec, name).__set__ for name in ("name", *(field.attribute for field in SESSION))]
"""The slots' own setters: of a frozen dataclass, object.__setattr__ is the other way, and takes longer."""
_values = itemgetter("name", *(field.word for field in SESSION))

Spec = TypeVar("Spec", TunnelSpec, SessionSpec)


def unchecked(kind: type[Spec], **fields: Any) -> Spec:
    """A spec of a session that another program made. It may have what we refuse: id 0, a cookie of 5 bytes.

    Words that are left out have their default. dataclasses.replace() checks the values, so we cannot make such a
    session.
    """
    spec = object.__new__(kind)
    for field in dataclasses.fields(kind):
        default = b"" if field.default is dataclasses.MISSING else field.default
        object.__setattr__(spec, field.name, fields.get(field.name, default))
    return spec


def as_seen(spec: SessionSpec, **fields: Any) -> SessionSpec:
    """The spec with these fields as they are seen, not checked as dataclasses.replace() would.

    Root in the netdev's namespace may give it a name or an MTU that we refuse, and then we have to set that right.
    """
    seen = object.__new__(SessionSpec)
    for name in _SESSION_FIELDS:
        object.__setattr__(seen, name, getattr(spec, name))
    for name, value in fields.items():
        object.__setattr__(seen, name, value)
    return seen


def with_measures(spec: SessionSpec, mtu: int, mac: str | None) -> SessionSpec:
    """The spec with that MTU and MAC address, which come from a record: dataclasses.replace() would check all of it."""
    return spec if (spec.mtu, spec.mac) == (mtu, mac) else as_seen(spec, mtu=mtu, mac=mac)


_SESSION_FIELDS = tuple(field.name for field in dataclasses.fields(SessionSpec))


_LACKED = [
    (field, getattr(SessionSpec(name="blank", ifname="blank"), field.attribute)) for field in SESSION if field.lacked_by
]
"""What not every datapath can do, and the value that asks for nothing of it."""


def lacks(spec: SessionSpec, datapath: str) -> list[str]:
    """The words of what a session asks for, and a datapath can't do."""
    lacked = [
        field.word
        for field, default in _LACKED
        if datapath in field.lacked_by and getattr(spec, field.attribute) != default
    ]
    if datapath == "kernel" and spec.probe == CHANNEL:
        lacked.append("probe bfd")
    if datapath == "ebpf" and spec.on_dead == CARRIER:  # a veth's follows from its other end being up, alone
        lacked.append("on-dead carrier")
    return lacked


def home(tunnel: TunnelSpec, session: SessionSpec) -> str | None:
    """The network namespace that the session's netdev belongs in."""
    return session.netns if session.netns is not None else tunnel.netns


CircuitKey = tuple[str | None, int, int]
"""A session by its tunnel's network namespace, tunnel id and session id."""
