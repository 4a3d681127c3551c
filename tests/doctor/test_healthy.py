"""No finding where nothing is wrong: pseudowires drawn at random, all of them between two hosts."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.config import load
from l2tpv3.doctor.report import Report
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.doctor.faults import harmful
from tests.here import Here
from tests.hosts import Hosts
from tests.points import sample
from tests.waiting import eventually

pytestmark = pytest.mark.root

SEED = 17
COUNT = 36
ROUNDS = 6
"""A full run draws so many times, 216 pseudowires; another one draws once, each rotation something else."""


def _drawn(draw: random.Random, number: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], int]:
    """A tunnel and the sessions of both ends as words, and the IP version. number: what makes it differ from others."""
    family = draw.choice((4, 6))
    datapath = draw.choice(("user", "ebpf"))
    encap = draw.choice(("udp", "udp", "ip"))
    port = 2000 + number
    tunnel: dict[str, Any] = {"datapath": datapath, "encap": encap, "id": number, "peer-id": number}
    if encap == "udp":
        tunnel |= {"local-port": port, "remote-port": port, "udp-checksum": draw.choice(("on", "off"))}
    cookies = [draw.choice(("none", draw.randbytes(4).hex(), draw.randbytes(8).hex())) for _ in range(2)]
    both: dict[str, Any] = {"id": number, "peer-id": number, "ifname": f"w{number}"}
    both["sublayer"] = draw.choice(("default", "default", "none"))
    if both["sublayer"] == "default":
        both["sequencing"] = draw.choice(("none", "none", "both"))
        both |= draw.choice(
            ({}, {}, {"fragment": "on", "mtu": 1500, "sequencing": "both"} if datapath == "user" else {})
        )
    if datapath == "user":
        both |= draw.choice(({}, {}, {"vlan": 100}))
    both |= draw.choice(({}, {"mtu": 1280}, {"clamp-mss": "on"}))
    here = both | {"tx-cookie": cookies[0], "rx-cookie": cookies[1], "address": [f"10.9.{number}.1/24"]}
    there = both | {"tx-cookie": cookies[1], "rx-cookie": cookies[0], "address": [f"10.9.{number}.2/24"]}
    return tunnel, here, there, family


@pytest.mark.parametrize("round_", sample(ROUNDS, 1))
def test_no_finding_on_healthy_pseudowires(hosts: Hosts, round_: int) -> None:
    draw = random.Random(f"{SEED} {round_}")
    a, b = hosts.pair()
    ends = Here(a), Here(b)
    for number in range(1, COUNT + 1):
        tunnel, *sessions, family = _drawn(draw, number)
        for end, other, session in zip(ends, (b, a), sessions, strict=True):
            end.add_tunnel(f"t{number}", {"remote": other.address(family), **tunnel})
            end.add_session(f"t{number}", "s", session)
    for number in range(1, COUNT + 1):
        a.ping(f"10.9.{number}.2", count=2)
    for number in range(1, COUNT + 1):
        a.start(["ping", "-q", "-n", "-i", "0.3", f"10.9.{number}.2"])

    def examined(mine: Here) -> Report:
        report: Report = mine.doctor(listen_s=1.0, drops=True)
        assert harmful(report) == [], (SEED, round_)
        assert {one.cause for one in report.findings} <= {"datapath", "fragments"}
        return report

    for mine in ends:
        eventually(lambda end=mine: examined(end).packets >= COUNT)  # type: ignore[misc]
        report = examined(mine)
        assert len(report.about) == COUNT
        assert report.verdict.startswith(f"{COUNT} tunnels: nothing is wrong, as far as this end can see")
        assert report.unseen == () and "name one tunnel" in report.untried[0]


def test_no_finding_on_a_healthy_bridge_nor_where_nothing_was_sent_yet(hosts: Hosts) -> None:
    a, b = hosts.pair()
    ends = Here(a), Here(b)
    for end, host, other in zip(ends, (a, b), (b, a), strict=True):
        host.ip_batch(["link add br0 type bridge", "link set br0 up"])
        end.add_tunnel("t", {"remote": other.v4, "datapath": "user"})
        end.add_session("t", "s", {"bridge": "br0", "mtu": 1500, "tx-cookie": "1" * 16, "rx-cookie": "1" * 16})
        end.add_tunnel("quiet", {"remote": "10.99.0.77", "datapath": "user", "local-port": 1800})
    for end in ends:
        report = end.doctor(listen_s=0.2)
        assert harmful(report) == []


def test_a_thousand_tunnels_are_examined_together(tmp_path: Path) -> None:
    memory = MemoryDatapath()
    manager = Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory], MemoryConfigurator(memory))
    stated = "".join(
        f'[tunnel.t{one}]\nremote = "127.0.{one // 200}.{one % 200 + 2}"\nid = {one}\npeer-id = 1\n'
        f"local-port = {10_000 + one}\n[tunnel.t{one}.session.s]\nid = {one}\npeer-id = 1\n"
        for one in range(1, 1001)
    )
    file = tmp_path / "many.toml"
    file.write_text(stated)
    manager.apply(load([file]))
    used = time.process_time()
    report = manager.doctor(listen_s=0.1)
    assert time.process_time() - used < 10.0, "what is asked of the host is asked once for all tunnels"
    assert len(report.about) == 1000 and report.findings == ()
