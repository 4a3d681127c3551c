"""IPsec for one tunnel: ESP in transport mode, by SAs that strongSwan agrees on with the peer.

Nothing of the tunnel may go in the clear, whatever is killed or removed. So the policies are our own, not strongSwan's
(`policies = no`): they are in the kernel before the tunnel, and go after it. They say that the tunnel's packets need an
SA with their reqid, and are asked before all others. Without such an SA the kernel drops the packets, whether charon
runs, has failed, or was never there; and it drops what comes in without. charon is told a connection of that reqid.
Should somebody flush the policies, a rule of the packet filter still drops what would leave without IPsec.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from l2tpv3.encryption.charon import REMEDY, Association, Charon
from l2tpv3.errors import ConflictError, L2tpError, NotFoundError, NotPermittedError, UnavailableError, from_errno
from l2tpv3.linux import modules
from l2tpv3.linux.netlink.nftables import has_rule, put_rule, remove_rule
from l2tpv3.linux.netlink.xfrm import IN, OUT, Policy, XfrmSocket
from l2tpv3.model.encryption import EncryptionState, EncryptionStatus
from l2tpv3.model.ipsec import selector
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.spec import TunnelSpec
from l2tpv3.model.values import IkeAuth

POLICIES: Final = "the policies that keep packets from leaving in the clear"
RULE: Final = "the packet filter's rule that keeps packets from leaving in the clear"
_CHARON: Final = "strongSwan, which does not run"
_MODULES: Final = {4: "esp4", 6: "esp6"}
_ESP: Final = "aes256gcm16-aes128gcm16-modp2048-modpnone"
"""AES-GCM alone, which MTUs are computed for; new SAs with a new key exchange (modp2048) where the peer does that."""
_NO_CHARON: Final = frozenset((0, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT))
"""0: vici closes the connection, or waits in vain, without an errno."""


def why_not(spec: TunnelSpec) -> str:
    """Why this host can't have IPsec, and what helps; "" where it can. May load the kernel's modules."""
    return modules.load(_MODULES[spec.remote.version]) or modules.load("xfrm_user")


class IPsec:
    """IPsec of the tunnels of one host. runtime: its directory, by which its connections are known."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime

    # -- looking -----------------------------------------------------------------------------------------------------

    def state(self, record: TunnelRecord, mtu: int | None) -> EncryptionState:
        """What there is, and lacks, of a tunnel's. mtu: not used. Raises L2tpError.

        Nothing is there in a namespace that is not there.
        """
        try:
            with _refusals(record, "look at its IPsec policies"), XfrmSocket(record.spec.netns) as xfrm:
                policies = {*_policies(record)} & {*xfrm.policies()}
            with _refusals(record, "look at the packet filter"):
                rule = has_rule(record.spec.netns, _policies(record)[1])
        except (NotFoundError, NotPermittedError):
            return EncryptionState(lacks=("its network namespace",))
        guarded = bool(policies) or rule is True  # what a killed change has left has to be removed, too
        lacks = () if len(policies) == len(_policies(record)) else (POLICIES,)
        if rule is False:
            lacks = (*lacks, RULE)
        with _refusals(record, "ask strongSwan"), _charon_if_any(record) as charon:
            if charon is None:
                return EncryptionState(there=False, guarded=guarded, lacks=(*lacks, _CHARON))
            there = any(map(self._is_of(record), charon.connections()))
            return EncryptionState(there=there, guarded=guarded, lacks=(*lacks, *self._lacking(record, charon)))

    def _lacking(self, record: TunnelRecord, charon: Charon) -> Iterator[str]:
        if self._name(record) not in charon.connections():
            yield "its connection in strongSwan"
        if record.spec.pre_shared_key is not None and self._key_name(record) not in charon.key_names():
            yield "its key in strongSwan"

    def status(self, record: TunnelRecord, mtu: int | None) -> EncryptionStatus:
        """Who encrypts a tunnel, and how that goes. mtu: the longest packet, in bytes. Raises L2tpError."""
        lacks = self.state(record, mtu).lacks
        status = EncryptionStatus(local=str(record.local), remote=str(record.spec.remote), mtu=mtu, lacks=lacks)
        with _refusals(record, "ask strongSwan"), _charon_if_any(record) as charon:
            if charon is None:
                return status
            found = charon.associations(self._name(record))
            return _with_associations(dataclasses.replace(status, pid=charon.pid), found)

    # -- changing ----------------------------------------------------------------------------------------------------

    def make(self, record: TunnelRecord, mtu: int | None, *, new_endpoint: bool) -> None:
        """Make what there is as the record has it: first what refuses packets, last what agrees on keys.

        mtu: not used. new_endpoint: the record has other keys than before, so that they are agreed on anew.
        Raises L2tpError; the same again completes it.
        """
        with _refusals(record, "make a rule of the packet filter"):
            incoming, outgoing = _policies(record)
            if has_rule(record.spec.netns, outgoing) is False:
                put_rule(record.spec.netns, outgoing)
        with _refusals(record, "make its IPsec policies"), XfrmSocket(record.spec.netns) as xfrm:
            there = {*xfrm.policies()}
            for policy in (incoming, outgoing):
                if policy not in there:
                    xfrm.add(policy)
        with _refusals(record, "tell strongSwan of it"), Charon(record.spec.netns) as charon:
            wanted = self._name(record)
            for name in filter(self._is_of(record), charon.connections()):
                if name != wanted or new_endpoint:
                    charon.unload(name)
            self._load_key(record, charon)
            if wanted not in charon.connections():
                charon.load(wanted, _connection(record))

    def _load_key(self, record: TunnelRecord, charon: Charon) -> None:
        key = record.spec.pre_shared_key
        if key is not None:
            charon.load_key(self._key_name(record), key, _identities(record))
        elif self._key_name(record) in charon.key_names():
            charon.unload_key(self._key_name(record))

    def remove(self, record: TunnelRecord, kept: TunnelRecord | None = None, *, guard_stays: bool = False) -> None:
        """Remove what there is for a record whose tunnel is gone. Nothing happens where there is nothing.

        kept: the record that has the connection from now on: then only what refuses packets goes. guard_stays: the
        tunnel is still there, so that only the connection goes. Raises L2tpError.
        """
        try:
            if kept is None:
                with _refusals(record, "tell strongSwan of its end"), _charon_if_any(record) as charon:
                    if charon is not None:
                        self._forget(record, charon)
            if not guard_stays:
                with _refusals(record, "remove its IPsec policies"), XfrmSocket(record.spec.netns) as xfrm:
                    there = {*xfrm.policies()}
                    for policy in _policies(record):
                        if policy in there:
                            xfrm.remove(policy)
                with _refusals(record, "remove a rule of the packet filter"):
                    if has_rule(record.spec.netns, _policies(record)[1]):
                        remove_rule(record.spec.netns, _policies(record)[1])
        except NotFoundError:
            return  # its network namespace is gone, with all that was in it

    def _forget(self, record: TunnelRecord, charon: Charon) -> None:
        for name in filter(self._is_of(record), charon.connections()):
            charon.unload(name)
        if self._key_name(record) in charon.key_names():
            charon.unload_key(self._key_name(record))

    def rename(self, old: TunnelRecord, new: TunnelRecord) -> None:
        """Nothing is to be done: a connection's name tells the tunnel's id, not its name, so its SAs stay."""

    # -- names -------------------------------------------------------------------------------------------------------

    def _name(self, record: TunnelRecord) -> str:
        """The connection's name. Its end tells all that is in the connection, so that one with that name has it.

        The key is not in it: names are logged.
        """
        return f"{self._stem(record)}{_digest(repr(_connection(record)))}"

    def _key_name(self, record: TunnelRecord) -> str:
        return f"{self._stem(record)}key"

    def _stem(self, record: TunnelRecord) -> str:
        """How names of a tunnel's begin. No name of another tunnel's does, nor of another host's in this namespace."""
        return f"l2tpv3-{record.spec.tunnel_id}-{_digest(str(self._runtime.absolute()))}-"

    def _is_of(self, record: TunnelRecord) -> Any:
        stem, length = self._stem(record), len(_digest(""))
        return lambda name: name.startswith(stem) and len(name) == len(stem) + length


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _policies(record: TunnelRecord) -> tuple[Policy, Policy]:
    """What comes in is refused first: an answer to what goes out would find no policy yet."""
    which = selector(record.spec)
    one = Policy(IN, which.remote, which.protocol, which.local_port, which.remote_port, which.reqid)
    return one, dataclasses.replace(one, direction=OUT)


def _identities(record: TunnelRecord) -> tuple[str, str]:
    """Of this end, and of the peer."""
    spec = record.spec
    return spec.ike_id or str(record.local), spec.peer_ike_id or str(spec.remote)


def _connection(record: TunnelRecord) -> dict[str, Any]:
    """The connection as swanctl.conf(5) has it. It begins by itself, and again whenever it fails."""
    spec, which = record.spec, selector(record.spec)
    udp = which.protocol == 17
    ours, theirs = _identities(record)
    auth = "pubkey" if spec.ike_auth is IkeAuth.CERTIFICATE else "psk"
    child = {
        "mode": "transport",
        "policies": "no",
        "reqid": str(which.reqid),
        "esp_proposals": [_ESP],
        "local_ts": [f"dynamic[udp/{which.local_port}]" if udp else f"dynamic[{which.protocol}]"],
        "remote_ts": [f"dynamic[udp/{which.remote_port}]" if udp else f"dynamic[{which.protocol}]"],
        "start_action": "start",
        "close_action": "start",
        "dpd_action": "start",
    }
    return {
        "version": "0",  # it begins with IKEv2, and answers IKEv1 as well
        "local_addrs": [str(record.local)],
        "remote_addrs": [str(spec.remote)],
        "proposals": ["default"],
        "keyingtries": "0",
        "dpd_delay": "30s",
        "encap": "yes" if spec.esp_in_udp else "no",
        "local": {"auth": auth, "id": ours},
        "remote": {"auth": auth, "id": theirs},
        "children": {"l2tp": child},
    }


def _with_associations(status: EncryptionStatus, found: list[Association]) -> EncryptionStatus:
    """The status with what strongSwan tells. While nothing is agreed on, `by` stays None."""
    passing = [one for one in found if one.age_s is not None]
    if not passing:
        return dataclasses.replace(status, negotiation=found[-1].state if found else None)
    newest = min(passing, key=lambda one: one.age_s or 0)
    now = int(time.time())
    return dataclasses.replace(
        status,
        by="strongswan",
        negotiation=newest.state,
        since=now - max(one.age_s or 0 for one in passing),
        handshake=now - (newest.age_s or 0),
        endpoint=newest.endpoint,
        algorithm=newest.algorithm,
        in_udp=newest.in_udp,
        rx_bytes=sum(one.rx_bytes for one in passing),
        tx_bytes=sum(one.tx_bytes for one in passing),
    )


@contextlib.contextmanager
def _charon_if_any(record: TunnelRecord) -> Iterator[Charon | None]:
    """The charon of a tunnel's namespace; None where none answers."""
    try:
        charon = Charon(record.spec.netns)
    except OSError as error:
        if (error.errno or 0) not in _NO_CHARON:
            raise
        yield None
        return
    with charon:
        yield charon


@contextlib.contextmanager
def _refusals(record: TunnelRecord, doing: str) -> Iterator[None]:
    """What the kernel or strongSwan refuses in the block, as an error about the tunnel."""
    subject = f"tunnel {record.spec.name}"
    try:
        yield
    except L2tpError:
        raise
    except OSError as error:
        number = error.errno or 0
        if number == errno.EEXIST:
            problem = "another program has an IPsec policy for the same packets"
            raise ConflictError(subject, problem, "`ip xfrm policy` lists it", errno=number) from error
        if number in _NO_CHARON:
            raise UnavailableError(subject, "it can't be encrypted: strongSwan does not run", REMEDY) from error
        if number in (errno.EINVAL, errno.EBADMSG):
            raise UnavailableError(subject, f"can't {doing}: {error.strerror}", REMEDY, errno=number) from error
        raise from_errno(subject, doing, number) from error
