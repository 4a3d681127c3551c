"""Rates of flows from what was counted: keys in bytes, as the program writes them."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import jsonschema
import pytest

from l2tpv3.documents.schemas import FLOWS_SCHEMA, json_schema
from l2tpv3.errors import NotPermittedError, UnavailableError
from l2tpv3.flows import counting
from l2tpv3.flows.program import KEY, REST
from l2tpv3.flows.report import rates, to_json
from l2tpv3.linux.bpf import syscall
from l2tpv3.model.status import NetdevState

NETDEV = NetdevState(ifname="l2tpeth0", ifindex=7, mac="02:00:00:00:00:01", mtu=1500, up=True, carrier=True)


def _key(kind: int, protocol: int, source: bytes, target: bytes, *, out: bool = True, vlan: int | None = None) -> bytes:
    ports = (b"\x00\x50", b"\x1f\x90") if protocol == 6 else (b"\0\0", b"\0\0")
    tag = (0, 0) if vlan is None else (vlan, 1)
    return KEY.pack(out, protocol, socket.htons(kind), *tag, source, target, *ports)


TCP = _key(0x0800, 6, ip_address("192.0.2.1").packed, ip_address("192.0.2.2").packed)
PING = _key(0x86DD, 58, ip_address("fd00::1").packed, ip_address("fd00::2").packed, out=False, vlan=100)
ARP = _key(0x0806, 0, bytes.fromhex("020000000001"), b"\xff" * 6)


def test_flows_by_rate() -> None:
    before = {TCP: (10, 1000), ARP: (1, 60), REST: (0, 0)}
    now = {TCP: (30, 9000), ARP: (1, 60), PING: (2, 200), REST: (3, 400)}
    found = rates(before, now, 2.0, 9)
    tcp, ping = found.flows
    assert (tcp.out, tcp.protocol, tcp.source, tcp.source_port) == (True, "tcp", "192.0.2.1", 80)
    assert (tcp.destination, tcp.destination_port, tcp.vlan) == ("192.0.2.2", 8080, None)
    assert (tcp.packets_per_s, tcp.bytes_per_s) == (10.0, 4000.0)
    assert (ping.out, ping.protocol, ping.destination, ping.vlan) == (False, "icmpv6", "fd00::2", 100)
    assert ping.source_port is None and found.rest_bytes_per_s == 200.0 and found.bytes_per_s == 4300.0
    document = to_json("t", "s", rates(before, now, 2.0, 1))
    jsonschema.validate(document, json_schema(FLOWS_SCHEMA))
    assert (document["count"], len(document["flows"])) == (2, 1)


def test_other_frames_and_a_flow_that_is_counted_anew() -> None:
    (arp,) = rates({ARP: (100, 6000)}, {ARP: (2, 120)}, 1.0, 9).flows
    assert (arp.protocol, arp.source, arp.destination) == ("arp", "02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff")
    assert arp.packets_per_s == 2.0
    kinds = {0x0026: "802.2", 0x88B5: "0x88b5"}
    for kind, name in kinds.items():
        assert rates({}, {_key(kind, 0, b"", b""): (1, 60)}, 1.0, 9).flows[0].protocol == name
    assert rates({}, {_key(0x0800, 99, b"", b""): (1, 60)}, 1.0, 9).flows[0].protocol == "IP protocol 99"


def test_a_kernel_without_bpf_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(number: int) -> None:
        def create_map(*_: object) -> int:
            raise OSError(number, "no")

        monkeypatch.setattr(syscall, "create_map", create_map)

    refuse(38)  # ENOSYS
    with pytest.raises(UnavailableError, match="no eBPF that can count") as raised, counting.FlowCounter(NETDEV):
        pass
    assert "`l2tpctl capture`" in raised.value.remedy
    refuse(1)  # EPERM
    with pytest.raises(NotPermittedError, match="not allowed"), counting.FlowCounter(NETDEV):
        pass
    monkeypatch.setattr(syscall, "available", lambda: False)
    with pytest.raises(UnavailableError, match="no number"), counting.FlowCounter(NETDEV):
        pass
