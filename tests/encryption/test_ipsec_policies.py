"""IPsec's policies of a tunnel, without strongSwan: they are there first, go last, and others' stay."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from l2tpv3.encryption.ipsec import IPsec
from l2tpv3.errors import ConflictError, UnavailableError
from l2tpv3.linux.netlink.xfrm import XfrmSocket
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.spec import Encrypt, TunnelSpec
from tests.changes import is_operation
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


def test_policies_stay_where_strongswan_does_not_run_and_go_with_the_tunnel(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    ipsec, record = IPsec(host.runtime_dir), _record(host)
    with pytest.raises(UnavailableError, match="strongSwan does not run; `apt install charon-systemd"):
        ipsec.make(record, None, new_endpoint=False)
    state, status = ipsec.state(record, None), ipsec.status(record, 1466)
    assert _policies(host) == 2 and state.guarded and not state.there
    assert status.by is None and status.lacks == state.lacks == ("strongSwan, which does not run",)
    ipsec.remove(record, guard_stays=True)
    assert _policies(host) == 2
    ipsec.remove(record)
    assert _policies(host) == 0 and not ipsec.state(record, None).guarded
    ipsec.remove(record)


def test_what_a_kill_leaves_is_known_and_removed(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    ipsec, record = IPsec(host.runtime_dir), _record(host)

    def make() -> None:
        with contextlib.suppress(UnavailableError):
            ipsec.make(record, None, new_endpoint=False)

    left: set[int] = set()
    for point in range(1, 40):
        if _killed(make, point) < point:
            break
        left.add(_policies(host))
        assert ipsec.state(record, None).guarded == bool(_policies(host))
        ipsec.remove(record)
        assert _policies(host) == 0
    assert left == {0, 1, 2}


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
