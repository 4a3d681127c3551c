"""IPsec's policies of a tunnel, without strongSwan: they are there first, go last, and others' stay."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from l2tpv3.encryption.ipsec import POLICIES, RULE, IPsec
from l2tpv3.errors import ConflictError, UnavailableError
from l2tpv3.linux.netlink.nftables import has_rule, remove_rule
from l2tpv3.linux.netlink.xfrm import OUT, Policy, XfrmSocket
from l2tpv3.linux.netns import inside
from l2tpv3.model.ipsec import selector
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.spec import Encap, Encrypt, TunnelSpec
from tests.changes import is_operation
from tests.encryption.underlay import Wire
from tests.hosts import Host, Hosts
from tests.traced import Call, Kill, traced

pytestmark = pytest.mark.root


def _record(host: Host) -> TunnelRecord:
    spec = TunnelSpec(
        name="t",
        remote=ip_address("192.0.2.2"),
        encrypt=Encrypt.IPSEC,
        pre_shared_key=b"correct-horse",
        netns=host.netns,
    )
    return TunnelRecord(spec=spec, local=ip_address("192.0.2.1"), datapath="user", reason="")


def _policies(host: Host) -> int:
    with XfrmSocket(host.netns) as xfrm:
        return len(xfrm.policies())


def _outgoing(record: TunnelRecord) -> Policy:
    which = selector(record.spec)
    return Policy(OUT, which.remote, which.protocol, which.local_port, which.remote_port, which.reqid)


def _rule(host: Host, record: TunnelRecord) -> bool | None:
    return has_rule(host.netns, _outgoing(record))


def test_policies_stay_where_strongswan_does_not_run_and_go_with_the_tunnel(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    ipsec, record = IPsec(host.runtime_dir), _record(host)
    with pytest.raises(UnavailableError, match="strongSwan does not run; `apt install charon-systemd"):
        ipsec.make(record, None, new_endpoint=False)
    state, status = ipsec.state(record, None), ipsec.status(record, 1466)
    assert _policies(host) == 2 and state.guarded and not state.there
    assert status.by is None and status.lacks == state.lacks == ("strongSwan, which does not run",)
    ipsec.remove(record, guard_stays=True)
    assert _policies(host) == 2 and _rule(host, record)
    ipsec.remove(record)
    assert _policies(host) == 0 and not _rule(host, record) and not ipsec.state(record, None).guarded
    ipsec.remove(record)


def test_what_a_kill_leaves_is_known_and_removed(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    ipsec, record = IPsec(host.runtime_dir), _record(host)

    def make() -> None:
        with contextlib.suppress(UnavailableError):
            ipsec.make(record, None, new_endpoint=False)

    left: set[tuple[int, bool | None]] = set()
    for point in range(1, 40):
        if _killed(make, point) < point:
            break
        left.add((_policies(host), _rule(host, record)))
        assert ipsec.state(record, None).guarded == bool(_policies(host) or _rule(host, record))
        ipsec.remove(record)
        assert _policies(host) == 0 and not _rule(host, record)
    assert left == {(0, False), (0, True), (1, True), (2, True)}


@pytest.mark.parametrize(("here", "there"), [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")])
@pytest.mark.parametrize("encap", [Encap.UDP, Encap.IP])
def test_nothing_leaves_when_somebody_flushes_the_policies(hosts: Hosts, here: str, there: str, encap: Encap) -> None:
    (host,) = hosts.add("a")
    host.ip_batch(["link add u0 type veth peer u1", "link set u0 up", "link set u1 up"])
    host.ip("address", "add", f"{here}/32", "dev", "u0", *(["nodad"] if ":" in here else []))
    host.ip("route", "add", there, "dev", "u0", "src", here)
    host.ip("neighbour", "add", there, "lladdr", "02:00:00:00:00:01", "dev", "u0")
    ipsec, record = IPsec(host.runtime_dir), _record(host)
    spec = dataclasses.replace(record.spec, remote=ip_address(there), encap=encap)
    record = dataclasses.replace(record, spec=spec, local=ip_address(here))
    with contextlib.suppress(UnavailableError):
        ipsec.make(record, None, new_endpoint=False)
    host.ip("xfrm", "policy", "flush")
    state = ipsec.state(record, None)
    assert state.guarded and POLICIES in state.lacks and RULE not in state.lacks
    with Wire(host.netns, "u0") as wire:
        with pytest.raises(PermissionError):
            _send(host, here, there, encap)
        _send(host, here, there, Encap.UDP, port=1702)  # the tunnel's packets alone are meant
        sent = [packet for _, packet in wire.packets() if PAYLOAD in packet]
        assert len(sent) == 1 and (1702).to_bytes(2, "big") in sent[0]
        with contextlib.suppress(UnavailableError):
            ipsec.make(record, None, new_endpoint=False)
        remove_rule(host.netns, _outgoing(record))
        assert RULE in ipsec.state(record, None).lacks and POLICIES not in ipsec.state(record, None).lacks
        with contextlib.suppress(OSError):
            _send(host, here, there, encap)
        assert not [packet for _, packet in wire.packets() if PAYLOAD in packet], "the policies are there again"
        ipsec.remove(record)
        _send(host, here, there, encap)
        assert [packet for _, packet in wire.packets() if PAYLOAD in packet], "nothing else keeps it here"


PAYLOAD = b"in the clear"


def _send(host: Host, here: str, there: str, encap: Encap, port: int = 1701) -> None:
    """One packet of a tunnel. Raises OSError: PermissionError where the packet filter drops it."""
    family = socket.AF_INET6 if ":" in here else socket.AF_INET
    kind, protocol = (socket.SOCK_DGRAM, 0) if encap is Encap.UDP else (socket.SOCK_RAW, 115)
    with inside(host.netns), socket.socket(family, kind, protocol) as one:
        one.bind((here, 1701 if encap is Encap.UDP else 0))
        one.sendto(PAYLOAD, (there, port if encap is Encap.UDP else 0))


def _killed(call: Callable[[], object], at: int) -> int:
    """Call, in a process that is killed at that operation. Gives how many operations there were up to then."""
    count = 0

    def on_call(one: Call) -> Kill | None:
        nonlocal count
        count += is_operation(one)
        return Kill() if count == at and is_operation(one) else None

    traced(call, on_call)
    return count


def test_another_program_s_policy_for_the_same_packets_stays(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    ipsec, record = IPsec(host.runtime_dir), _record(host)
    same = "src 192.0.2.2/32 dst 0.0.0.0/0 proto udp sport 1701 dport 1701"
    host.ip("xfrm", "policy", "add", *same.split(), "dir", "in", "action", "block")
    with pytest.raises(ConflictError, match="another program has an IPsec policy for the same packets"):
        ipsec.make(record, None, new_endpoint=False)
    ipsec.remove(record)
    assert "block" in host.ip("xfrm", "policy") and _policies(host) == 0


def test_a_namespace_that_is_gone_lacks_all(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    record = _record(host)
    gone = dataclasses.replace(record, spec=dataclasses.replace(record.spec, netns=f"{host.netns}-gone"))
    assert IPsec(host.runtime_dir).state(gone, None).lacks == ("its network namespace",)
    IPsec(host.runtime_dir).remove(gone)
