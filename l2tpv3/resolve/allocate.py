"""Chooses what the user left open: the lowest free ids, free netdev names, random cookies, a datapath."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv6Address
from operator import attrgetter
from typing import Any, NamedTuple

from l2tpv3.datapath.base import Datapath
from l2tpv3.errors import InvalidValueError, L2tpError, NotPermittedError, UnavailableError
from l2tpv3.linux.capabilities import lacking
from l2tpv3.linux.capabilities import remedy as capabilities_remedy
from l2tpv3.model import ids
from l2tpv3.model.fields import ENCRYPTION, ENCRYPTION_WORDS, TUNNEL
from l2tpv3.model.fields import lacking as lacking_words
from l2tpv3.model.record import OUTER
from l2tpv3.model.spec import (
    SESSION_FIELDS,
    Encap,
    Encrypt,
    IkeAuth,
    SessionSpec,
    TunnelSpec,
    has_udp_checksum,
    session_attributes,
    tunnel_attributes,
)
from l2tpv3.model.values import IPAddress, formatted

AUTO_ORDER = ("kernel", "user")
"""The datapaths that `--datapath auto` tries, in this order."""
NOT_BY_ITSELF = frozenset({"ebpf"})
"""The datapaths that it never tries: their packets bypass netfilter and IPsec policies, so the user has to ask for
them.
"""


def choose_datapath(
    spec: TunnelSpec, datapaths: Mapping[str, Datapath], present: str | None = None
) -> tuple[Datapath, str]:
    """The datapath for a tunnel, and one line that says why that one.

    present: the one that was chosen for it before, which `auto` keeps as long as it works: a better one that appears
    (a kernel module that gets installed) must not change how a tunnel is carried, and which ports can be shared.
    Raises UnavailableError when the one asked for, or every one, does not work here.
    """
    if spec.datapath != "auto":
        return _named_datapath(spec, datapaths), "as asked"
    reasons: list[str] = []
    order = [*([present] if present is not None else []), *AUTO_ORDER, *datapaths]
    for name in dict.fromkeys(order):
        if name not in datapaths or name in NOT_BY_ITSELF:
            continue
        if name == "kernel" and isinstance(spec.remote, IPv6Address) and spec.remote.scope_id:
            reasons.append("the kernel's API has no place for a link-local address's netdev")
            continue
        if lacked := _lacked(spec, name):
            reasons.append(f"the {name} datapath has no {lacked}")
            continue
        support = datapaths[name].probe()
        if support.works:
            # What would help is said where somebody asked for that datapath; here the other one works.
            return datapaths[name], "; ".join(reason.partition(";")[0] for reason in reasons) or support.reason
        reasons.append(f"no {name} datapath: {support.reason}")
    raise _does_not_work(f"tunnel {spec.name}", "; ".join(reasons) or "no datapath", "")


def _named_datapath(spec: TunnelSpec, datapaths: Mapping[str, Datapath]) -> Datapath:
    """The datapath that is asked for. Raises InvalidValueError, UnavailableError, NotPermittedError."""
    subject = f"tunnel {spec.name}"
    if spec.datapath not in datapaths:
        known = ", ".join(("auto", *datapaths))
        problem = f"{spec.datapath!r} is unknown"
        raise InvalidValueError(f"{subject}: --datapath", problem, f"give one of {known}", field="datapath")
    if lacked := _lacked(spec, spec.datapath):
        problem = f"the {spec.datapath} datapath can't do {lacked}"
        raise UnavailableError(subject, problem, "use --datapath user")
    support = datapaths[spec.datapath].probe()
    if not support.works:
        problem = f"the {spec.datapath} datapath does not work here: {support.reason}"
        others = [datapaths[name] for name in AUTO_ORDER if name in datapaths and name != spec.datapath]
        works = any(other.probe().works for other in others)
        raise _does_not_work(subject, problem, "use --datapath auto" if works else "")
    return datapaths[spec.datapath]


def _lacked(spec: TunnelSpec, datapath: str) -> str:
    """The options of a tunnel that a datapath can't carry out, as they are typed; "" where there is none."""
    return ", ".join(f"--{word}" for word in lacking_words(TUNNEL, spec.to_words(), datapath))


def _does_not_work(subject: str, problem: str, remedy: str) -> L2tpError:
    """Why no datapath works: for want of privilege, when the caller could not make a netdev with any of them."""
    if lacking("CAP_NET_ADMIN"):
        return NotPermittedError(subject, problem, capabilities_remedy("CAP_NET_ADMIN"))
    return UnavailableError(subject, problem, remedy)


def resolve_tunnel(
    name: str,
    words: Mapping[str, Any],
    old: TunnelSpec | None,
    free_id: Callable[[str | None], int],
    free_port: Callable[[str | None], int],
    address_of: Callable[[str, IPAddress | None], IPAddress],
) -> TunnelSpec:
    """A TunnelSpec from the words given. What `old` has of ids, ports and private key stays.

    Else the ids are the lowest free one, and the same as `id`; ports.py chooses the ports, if `port_is_open`. What else
    the words leave open is the default. free_id, free_port: give the lowest free tunnel id, and port for WireGuard, of
    a namespace. address_of: gives the address of a peer's name, of the family of a local address. Whether the tunnel
    can be beside others is for conflicts.py to say. Raises InvalidValueError, ConflictError, and what the three do.
    """
    given = {word: value for word, value in words.items() if word != "local-port" or value is not None}
    fields = tunnel_attributes({"name": name, **given})
    if old is not None and "local_port" not in fields and not port_is_open(words, old):
        fields["local_port"] = old.local_port
        fields.setdefault("remote_port", old.remote_port)
    if "tunnel_id" not in fields:
        if old is not None:
            fields["tunnel_id"] = old.tunnel_id
            fields.setdefault("peer_tunnel_id", old.peer_tunnel_id)
        else:
            fields["tunnel_id"] = free_id(fields.get("netns"))
    fields.setdefault("peer_tunnel_id", fields["tunnel_id"])
    if fields.get("remote_name") is not None:
        fields["remote"] = _address_of_peer(fields, old, address_of)
    spec = TunnelSpec(**fields)
    _check_other_words(spec)
    match spec.encrypt:
        case Encrypt.WIREGUARD:
            _check_outer(spec)
            spec = _with_keys(spec, old, free_port)
        case Encrypt.IPSEC:
            _check_ipsec(spec)
            spec = _with_pre_shared_key(spec, old)
    if "udp_checksum" in fields:
        return spec
    return dataclasses.replace(spec, udp_checksum=has_udp_checksum(spec.datapath, spec.ip_version))


def _address_of_peer(
    fields: Mapping[str, Any], old: TunnelSpec | None, address_of: Callable[[str, IPAddress | None], IPAddress]
) -> IPAddress:
    """The address of a peer that has a name: what `old` has of that name, else the name is looked up."""
    name, local = fields["remote_name"], fields.get("local")
    if old is not None and old.remote_name == name and (local is None or local.version == old.remote.version):
        return old.remote
    return address_of(name, local)


def _check_other_words(spec: TunnelSpec) -> None:
    """Raise InvalidValueError where a tunnel says something of an encryption that it has not."""
    for field in TUNNEL:
        other = field.word in ENCRYPTION_WORDS and field.word not in ENCRYPTION.get(spec.encrypt, ())
        if other and formatted(field, getattr(spec, field.attribute)) != field.default:
            needed = next(one for one, words in ENCRYPTION.items() if field.word in words)
            has = "without encryption" if spec.encrypt is Encrypt.NONE else f"with --encrypt {spec.encrypt}"
            problem, remedy = f"--{field.word} means nothing {has}", f"give --encrypt {needed}, too"
            raise InvalidValueError(f"tunnel {spec.name}", problem, remedy, field=field.word)


def _check_ipsec(spec: TunnelSpec) -> None:
    """Raise InvalidValueError for what strongSwan can't agree on with a peer."""
    subject = f"tunnel {spec.name}"
    if isinstance(spec.remote, IPv6Address) and spec.remote.is_link_local:
        problem = "IPsec has no place for a link-local address's netdev"
        raise InvalidValueError(subject, problem, "give other addresses, or --encrypt wireguard", field="remote")
    if spec.ike_auth is IkeAuth.PRE_SHARED_KEY:
        return
    if spec.pre_shared_key is not None:
        problem = "--pre-shared-key means nothing with certificates"
        raise InvalidValueError(subject, problem, "give --ike-auth pre-shared-key", field="pre-shared-key")
    for word, value in (("ike-id", spec.ike_id), ("peer-ike-id", spec.peer_ike_id)):
        if value is None:
            problem = f"certificates need --{word}"
            raise InvalidValueError(subject, problem, "give the subject of that end's certificate", field=word)


def _with_pre_shared_key(spec: TunnelSpec, old: TunnelSpec | None) -> TunnelSpec:
    """The spec with the key that it leaves open: the one that `old` has, else a new one."""
    if spec.ike_auth is IkeAuth.CERTIFICATE or spec.pre_shared_key is not None:
        return spec
    key = old.pre_shared_key if old is not None else None
    return dataclasses.replace(spec, pre_shared_key=key or ids.generate_pre_shared_key())


def _check_outer(spec: TunnelSpec) -> None:
    """Raise InvalidValueError where an encrypted tunnel says how its outer packets shall be: WireGuard sends those."""
    for field in TUNNEL:
        if field.attribute in OUTER and formatted(field, getattr(spec, field.attribute)) != field.default:
            problem = f"--{field.word} is not for an encrypted tunnel, whose outer packets WireGuard sends"
            remedy = f"leave --{field.word} out, or use --encrypt none"
            raise InvalidValueError(f"tunnel {spec.name}", problem, remedy, field=field.word)


def _with_keys(spec: TunnelSpec, old: TunnelSpec | None, free_port: Callable[[str | None], int]) -> TunnelSpec:
    """The spec with what it leaves open of WireGuard: what `old` has, else a new key and the lowest free port."""
    if old is None or old.private_key is None:
        private, port, peer_port = ids.generate_key(), None, None
    else:
        private, port, peer_port = old.private_key, old.listen_port, old.peer_listen_port
    listen_port = spec.listen_port or port or free_port(spec.netns)
    return dataclasses.replace(
        spec,
        private_key=spec.private_key or private,
        listen_port=listen_port,
        peer_listen_port=spec.peer_listen_port or peer_port or listen_port,
    )


def port_is_open(words: Mapping[str, Any], old: TunnelSpec | None) -> bool:
    """Whether a local port has to be chosen: none is given, and there is none from before. Over IP there is none.

    None in the words means that it is to be chosen anew.
    """
    if words.get("encap", Encap.UDP) != Encap.UDP:
        return False
    if "local-port" in words:
        return words["local-port"] is None
    return old is None or old.encap is not Encap.UDP


def resolve_session(
    name: str,
    words: Mapping[str, Any],
    old: SessionSpec | None,
    free_id: Callable[[], int],
    free_ifname: Callable[[str | None], str],
) -> SessionSpec:
    """A SessionSpec from the words given. What `old` has of ids, netdev name and cookies stays.

    Else they are the lowest free id, the same peer id, l2tpethN, random 64-bit cookies. What else the words leave open
    is the default. free_id, free_ifname: give the lowest free session id, and netdev name (for the session's netns).
    Whether the session can be beside others is for conflicts.py to say. Raises InvalidValueError, ConflictError.
    """
    fields = session_attributes({"name": name, **words})
    if old is not None:
        if "session_id" not in fields:
            fields["session_id"] = old.session_id
            fields.setdefault("peer_session_id", old.peer_session_id)
        for field in ("ifname", "tx_cookie", "rx_cookie"):
            fields.setdefault(field, getattr(old, field))
    if "session_id" not in fields:
        fields["session_id"] = free_id()
    fields.setdefault("peer_session_id", fields["session_id"])
    if fields.get("ifname") is None:
        fields["ifname"] = free_ifname(fields.get("netns"))
    for cookie in ("tx_cookie", "rx_cookie"):
        if cookie not in fields:
            fields[cookie] = ids.generate_cookie()
    return SessionSpec(**fields)


_DEFAULTS = {
    field.name: field.default for field in dataclasses.fields(SessionSpec) if field.default is not dataclasses.MISSING
}
_STAYING = frozenset({"name", "ifname", "id", "tx-cookie", "rx-cookie"})
"""Words of a session that keep their value when they are not given."""


class _Shape(NamedTuple):
    """What is compared of a session whose words are those of one set: the same set for thousands, as a rule.

    given: gets the values of the given words. others, defaults: gets the values that have to be the default, and that.
    peer_follows: whether the peer's id has to be the session's own.
    """

    given: Callable[[SessionSpec], tuple[Any, ...]]
    others: Callable[[SessionSpec], tuple[Any, ...]]
    defaults: tuple[Any, ...]
    peer_follows: bool


@functools.lru_cache(maxsize=64)
def _shape(words: tuple[str, ...]) -> _Shape | None:
    """None for words that no session has."""
    if not SESSION_FIELDS.keys() >= {*words}:
        return None
    given = [SESSION_FIELDS[word].attribute for word in words]
    left = [field.attribute for word, field in SESSION_FIELDS.items() if word not in {*words, *_STAYING, "peer-id"}]
    defaults = tuple(_DEFAULTS[name] for name in left)
    return _Shape(_getter(given), _getter(left), defaults, "id" in words and "peer-id" not in words)


def _getter(names: Sequence[str]) -> Callable[[SessionSpec], tuple[Any, ...]]:
    """attrgetter gives no tuple for fewer than two."""
    return attrgetter(*names) if len(names) > 1 else lambda spec: tuple(getattr(spec, name) for name in names)


def is_settled(words: Mapping[str, Any], old: SessionSpec) -> bool:
    """Whether resolve_session would give `old` back, as far as a quick look tells; it may do so after False as well.

    Thousands of sessions are looked at for each that has changed; parsing a session's words costs ten times as much.
    """
    shape = _shape(tuple(words))
    if shape is None or shape.others(old) != shape.defaults:
        return False
    if shape.peer_follows and old.peer_session_id != old.session_id:
        return False
    for given, value in zip(words.values(), shape.given(old), strict=True):
        if given != value and not (isinstance(value, bytes) and value and given == value.hex()):
            return False
    return True
