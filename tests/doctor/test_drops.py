"""What the kernel says of the packets that it drops: `doctor --drops`."""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path

import pytest

from l2tpv3.doctor.drops.program import KEY
from l2tpv3.errors import UnavailableError
from l2tpv3.linux.bpf.btf import OF_KERNEL, KernelTypes, kernel_types
from l2tpv3.linux.kernel_symbols import functions_at
from l2tpv3.linux.netns import inside
from l2tpv3.model.finding import Harm
from tests.doctor.faults import bridged, harmful, the, wire
from tests.hosts import Hosts
from tests.packet_filter import chain_policy

pytestmark = pytest.mark.root

BRIDGES = 7
"""NFPROTO_BRIDGE (linux/netfilter.h)."""


@pytest.mark.parametrize("datapath", ["user", "ebpf"])
def test_a_healthy_wire_drops_nothing(hosts: Hosts, datapath: str) -> None:
    pair = wire(hosts, tunnel={"datapath": datapath})
    report = pair.asked(pair.a, listen_s=1.0, drops=True)
    assert harmful(report) == [] and report.unseen == () and report.packets


def test_what_a_packet_filter_drops_is_told_with_the_kernels_reason(hosts: Hosts) -> None:
    pair = wire(hosts, family=6)
    with inside(pair.a.host.netns):
        chain_policy("INPUT", "drop", family=10)
    report = pair.asked(pair.a, listen_s=1.0, drops=True)
    assert the(report, "firewall") is report.findings[0]
    found = the(report, "dropped")
    assert found.harm is Harm.LOSES and "a rule of the packet filter" in found.says and "that come" in found.says
    assert re.search(r"\d+ packets within 1 s, NETFILTER_DROP in \w+: fd99::2 > fd99::1$", found.evidence[0])


def test_frames_that_a_bridge_has_from_the_wire_are_told_of_its_session(hosts: Hosts) -> None:
    pair = bridged(hosts)
    pair.b.host.ip("neigh", "flush", "dev", "l2tpeth0", "nud", "permanent")  # so that it asks by broadcasts
    with inside(pair.a.host.netns):
        chain_policy("INPUT", "drop", family=BRIDGES)
    report = pair.asked(pair.a, listen_s=1.5, drops=True)
    found = the(report, "dropped")
    assert (found.subject, found.harm) == ("session t/s", Harm.LOSES)
    assert "drops frames of session s: a rule of the packet filter" in found.says
    assert "NETFILTER_DROP" in found.evidence[0]


def test_what_belongs_to_no_tunnel_is_not_told(hosts: Hosts) -> None:
    pair = wire(hosts)
    pair.b.del_tunnel("t")  # which would send what its netdev has to say
    pair.b.host.start(["ping", "-q", "-n", "-i", "0.05", "10.99.0.1"])
    with inside(pair.a.host.netns):
        chain_policy("INPUT", "drop")
    report = pair.a.doctor(("t",), listen_s=0.5, probe=False, drops=True)
    assert all(one.cause != "dropped" for one in report.findings)


def test_who_may_not_ask_the_kernel_is_told_and_learns_the_rest(hosts: Hosts) -> None:
    pair = wire(hosts)
    without = ["setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin", "--inh-caps", "-bpf,-perfmon,-sys_admin"]
    command = [*without, str(Path(sys.executable).with_name("l2tpctl")), "doctor", "--drops", "--listen", "0.1"]
    done = pair.a.host.run(command, check=False)
    assert done.returncode == 5, done.stdout + done.stderr
    assert "what the kernel drops: can't be asked: eBPF is not allowed to this process; run as root" in done.stdout


def test_types_of_the_kernel() -> None:
    types = kernel_types()
    assert "SKB_DROP_REASON_NO_SOCKET" in types.enum("skb_drop_reason").values() and types.enum("no such") == {}
    assert types.offset("net_device", "nd_net", "net") > 0
    with pytest.raises(UnavailableError, match="struct sk_buff has no member nothing"):
        types.offset("sk_buff", "nothing")
    raw = OF_KERNEL.read_bytes()
    for broken in (b"", raw[:100], b"\0" * 64, raw[:20] + b"\xff" * 4000):
        with pytest.raises(UnavailableError, match="the kernel's types: can't be read"):
            KernelTypes(broken)


def test_functions_by_their_addresses() -> None:
    assert functions_at({0}) == {}
    assert KEY.size == struct.calcsize("=8Q"), "the program clears the key by words of eight bytes"
