"""Faults of this host, of the path and of the peer that no packet of the tunnel shows: each is made on purpose."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.doctor.case import Case, PathAnswers
from l2tpv3.doctor.checks import SYMPTOMS
from l2tpv3.doctor.checks.surroundings import manager_of
from l2tpv3.doctor.firewall import read_rules
from l2tpv3.documents.schemas import DOCTOR_SCHEMA, json_schema
from l2tpv3.linux.modules import loaded
from l2tpv3.linux.netlink import xfrm
from l2tpv3.linux.netns import inside
from l2tpv3.model.finding import Harm
from l2tpv3.model.hearing import Hearing
from l2tpv3.reconcile.notes import LookedAt
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.doctor.faults import Wire, harmful, the, wire
from tests.here import Here
from tests.hosts import Hosts
from tests.packet_filter import chain_policy
from tests.waiting import eventually

pytestmark = pytest.mark.root


def _ip(line: str) -> Callable[[Wire], object]:
    return lambda pair: pair.a.host.ip(*line.split())


def _leave_the_bridge(pair: Wire) -> None:
    pair.a.host.ip_batch(["link add br0 type bridge", "link set br0 up"])
    pair.a.set_session("t", "s", {"address": [], "bridge": "br0"})
    pair.a.host.ip("link", "set", "l2tpeth0", "nomaster")


@pytest.mark.parametrize(
    ("fault", "cause", "said", "remedy"),
    [
        (_ip("link set u0 down"), "outer-path", "netdev u0, which has local address 10.99.0.1, is set down", "u0 up`"),
        (_ip("addr flush dev u0"), "outer-path", "local address 10.99.0.1 is not on this host any more", "--local"),
        (_ip("route replace blackhole 10.99.0.2/32"), "outer-path", "a route keeps packets from 10.99.0.2", "ip route"),
        (_ip("route replace 10.99.0.2/32 via 10.9.0.2"), "into-itself", "leads through its own session", "ip route"),
        (_ip("link del u0"), "outer-path", "local address 10.99.0.1 is not on this host any more", "--local"),
        (lambda pair: pair.b.host.ip("link", "set", "u0", "down"), "no-carrier", "netdev u0, by which", "cable"),
        (_ip("link set l2tpeth0 down"), "netdev-differs", "it is set down", "`l2tpctl restore t`"),
        (_ip("link set l2tpeth0 mtu 1000"), "netdev-differs", "its MTU is 1000, not 1438", "`l2tpctl restore t`"),
        (_leave_the_bridge, "netdev-differs", "it is no port of bridge br0", "`l2tpctl restore t`"),
        (lambda pair: os.kill(pair.a.host.workers()[0], signal.SIGKILL), "not-running", "not running", "restore t`"),
    ],
)  # fmt: skip
def test_faults_of_this_host(hosts: Hosts, fault: Callable[[Wire], object], cause: str, said: str, remedy: str) -> None:
    pair = wire(hosts)
    fault(pair)
    report = pair.a.doctor(("t",), listen_s=0.05, probe=False)
    found = the(report, cause)
    assert said in found.says and remedy in found.remedy
    assert found in report.findings[:2]


def test_faults_of_this_host_on_the_ebpf_datapath(hosts: Hosts) -> None:
    pair = wire(hosts, tunnel={"datapath": "ebpf"})
    assert harmful(pair.asked(pair.a)) == []
    os.kill(pair.a.host.workers()[0], signal.SIGKILL)
    found = the(pair.asked(pair.a), "no-worker")
    assert found.harm is Harm.LOSES and "still passes" in found.says
    pair.a.restore("t")
    pair.a.host.ip("route", "replace", "10.99.0.2/32", "via", "10.9.0.2")
    assert the(pair.a.doctor(("t",), listen_s=0, probe=False), "into-itself").harm is Harm.STOPS
    pair.a.host.ip("route", "del", "10.99.0.2/32")
    pair.a.host.ip("link", "set", "u0", "down")
    assert "netdev u0" in the(pair.a.doctor(("t",), listen_s=0, probe=False), "outer-path").says


def test_a_worker_that_hangs(hosts: Hosts) -> None:
    pair = wire(hosts)
    (worker,) = pair.a.host.workers()
    os.kill(worker, signal.SIGSTOP)
    found = the(pair.a.doctor(("t",), listen_s=0.05, probe=False), "not-running")
    os.kill(worker, signal.SIGCONT)
    assert str(worker) in found.says and found.harm is Harm.STOPS


def test_a_tentative_address(hosts: Hosts) -> None:
    pair = wire(hosts, family=6)
    pair.a.host.ip("addr", "del", "fd99::1/64", "dev", "u0")
    pair.b.host.ip("link", "set", "u0", "down")  # without a carrier the detection is never done
    pair.a.host.ip("addr", "add", "fd99::1/64", "dev", "u0")
    found = the(pair.a.doctor(("t",), listen_s=0.05, probe=False), "outer-path")
    assert "local address fd99::1 is tentative" in found.says


def test_a_firewall_of_this_host(hosts: Hosts) -> None:
    pair = wire(hosts)
    with inside(pair.a.host.netns):
        chain_policy("INPUT", "drop")
    found = the(pair.asked(pair.a), "firewall")
    assert "arrive at this host and do not reach the tunnel" in found.says
    assert "let UDP port 1701 from 10.99.0.2 in" in found.remedy and "rx_packets did not grow" in found.evidence[0]


def test_rules_that_dropped_something() -> None:
    ruleset = """\
table ip filter {
\tchain INPUT {
\t\ttype filter hook input priority filter; policy drop;
\t\tudp dport 1701 counter packets 12 bytes 1032 drop
\t\tudp dport 1702 counter packets 0 bytes 0 drop
\t\ttcp dport 22 counter packets 9 bytes 90 accept
\t\tudp dport 1701 masquerade to :5000
\t}
}
"""
    chain = "nft, table ip filter, chain INPUT:"
    found = [(one.text, one.packets, one.changes) for one in read_rules(ruleset)]
    assert found == [
        (f"{chain} type filter hook input priority filter; policy drop;", None, False),
        (f"{chain} udp dport 1701 counter packets 12 bytes 1032 drop", 12, False),
        (f"{chain} udp dport 1702 counter packets 0 bytes 0 drop", 0, False),
        (f"{chain} udp dport 1701 masquerade to :5000", None, True),
    ]
    assert {one.hook for one in read_rules(ruleset)} == {"input"}


def sent(end: Here) -> int:
    """How many packets its session has sent: none until the kernel has noticed that the netdev is up."""
    return int(end.session("t", "s").counters.tx_packets)


def test_nothing_ever_comes_from_a_peer_that_is_there(hosts: Hosts) -> None:
    a, b = hosts.pair()
    with inside(b.netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind((b.v4, 1701))
        end = Here(a)
        end.add_tunnel("t", {"remote": b.v4, "datapath": "user"})
        end.add_session("t", "s", {"address": ["10.9.0.1/24"]})
        eventually(lambda: a.ping("10.9.0.2", "-W", "0.1", check=False) or sent(end) >= 4, "it never sends")
        report = end.doctor(("t",), listen_s=0.3)
    found = the(report, "silence")
    assert "UDP port 1701 is filtered on the way" in found.says
    assert any("answers ICMP echo requests: the host is there" in line for line in found.evidence)
    assert report.findings == (found,)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("action block", "what goes out is blocked"),
        ("tmpl proto esp mode transport", "no keys (security associations) for what goes out"),
    ],
)
def test_ipsec_policies_that_drop_what_is_sent(hosts: Hosts, policy: str, said: str) -> None:
    a, b = hosts.pair()
    end = Here(a)
    end.add_tunnel("t", {"remote": b.v4, "datapath": "user"})
    end.add_session("t", "s", {"address": ["10.9.0.1/24"]})
    a.ip("xfrm", "policy", "add", "src", a.v4, "dst", b.v4, "dir", "out", *policy.split())
    eventually(lambda: a.ping("10.9.0.2", "-W", "0.1", check=False) or any(xfrm.drops(a.netns).values()))
    report = end.doctor(("t",), listen_s=0.1, probe=False)
    found = the(report, "ipsec")
    assert said in found.says and "xfrm_stat" in found.evidence[0] and "xfrm policy" in found.remedy
    assert report.unseen == ()


def test_nothing_comes_any_more(tmp_path: Path) -> None:
    memory = MemoryDatapath()
    manager = Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory], MemoryConfigurator(memory))
    manager.add_tunnel("t", {"remote": "127.0.0.2"})
    manager.add_session("t", "s", {})
    status = manager.tunnel("t")
    (session,) = status.sessions
    counters = dataclasses.replace(session.counters, rx_packets=7, tx_packets=9)
    silent = dataclasses.replace(session, counters=counters, hearing=Hearing.UNHEARD, last_received_s=61.0)
    looked = LookedAt(
        record=manager.records()["t"],
        seen=None,
        status=dataclasses.replace(status, sessions=(silent,)),
        host=None,  # type: ignore[arg-type]  # these checks ask nothing of it
    )
    for path, harm in ((None, Harm.LOSES), (PathAnswers(short=False, full=False, full_bytes=1500), Harm.STOPS)):
        (found,) = (one for check in SYMPTOMS for one in check(Case(looked=looked, path=path)))
        assert (found.cause, found.harm) == ("silence", harm)
        assert "nothing has come from 127.0.0.2 for 61 s, though packets are sent" in found.says
    heard = dataclasses.replace(looked, status=status)
    assert [one for check in SYMPTOMS for one in check(Case(looked=heard))] == []


@pytest.mark.skipif(loaded("l2tp_eth"), reason="the module is loaded here")
def test_a_module_that_may_not_be_loaded_is_named_with_the_line_and_its_file(tmp_path: Path) -> None:
    code = "from l2tpv3.linux.modules import switched_off; print(switched_off('l2tp_eth'))"
    line = "mount -t tmpfs none /etc/modprobe.d && echo 'install l2tp_eth /bin/false' > /etc/modprobe.d/hard.conf"
    command = ["unshare", "-m", "sh", "-c", f'{line} && exec "$0" -c "$1"', sys.executable, code]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "l2tp_eth is switched off in /etc/modprobe.d/hard.conf ('install l2tp_eth /bin/false')" in said
    assert "take that line out" in said


def test_a_peer_that_is_not_there(hosts: Hosts) -> None:
    pair = wire(hosts)
    pair.a.set_tunnel("t", {"remote": "10.99.0.77"})
    pair.shout(pair.a)
    found = the(pair.a.doctor(("t",), listen_s=3.5, probe=False), "refused")
    assert "nobody answers this host's questions for 10.99.0.77" in found.says


def test_a_path_that_takes_less_than_its_first_netdev(hosts: Hosts) -> None:
    pair = wire(hosts)
    pair.b.host.ip("link", "set", "u0", "mtu", "1400")
    found = the(pair.a.doctor(("t",), listen_s=0), "path-mtu")
    assert "packets of 1500 bytes" in found.says and "`l2tpctl mtu t`" in found.remedy
    assert found.harm is Harm.LOSES


def test_who_manages_a_netdev(tmp_path: Path) -> None:
    for folder, text in (("NetworkManager/devices", "[device]\nmanaged=true\n"), ("systemd/netif/links", "")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "7").write_text(text)
    assert manager_of(7, tmp_path) == "NetworkManager"
    (tmp_path / "NetworkManager/devices/7").write_text("[device]\nmanaged=false\n")
    assert manager_of(7, tmp_path) is None
    (tmp_path / "systemd/netif/links/7").write_text("ADMIN_STATE=configured\nOPER_STATE=routable\n")
    assert manager_of(7, tmp_path) == "systemd-networkd"


def test_who_may_not_listen_is_told_and_learns_the_rest(hosts: Hosts) -> None:
    pair = wire(hosts)
    pair.a.host.ip("link", "set", "l2tpeth0", "down")
    without = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]
    command = [*without, str(Path(sys.executable).with_name("l2tpctl")), "doctor", "--listen", "0.1"]
    done = pair.a.host.run(command, check=False)
    assert done.returncode == 11, done.stderr
    assert "it is set down" in done.stdout
    assert "could not be looked at:\n  what arrives at this host: can't listen to it" in done.stdout
    pair.a.host.ip("link", "set", "l2tpeth0", "up")
    done = pair.a.host.run(command, check=False)
    assert done.returncode == 5 and "some could not" in done.stdout


def test_what_the_command_prints(hosts: Hosts) -> None:
    pair = wire(hosts)
    healthy = pair.a.host.ctl("doctor", "t/s", "--listen", "0.1")
    assert healthy.stdout.startswith("session t/s: nothing is wrong, as far as this end can see")
    pair.a.host.ip("link", "set", "l2tpeth0", "down")
    done = pair.a.host.ctl("doctor", "t", "--listen", "0", "--no-probe", check=False)
    assert (done.returncode, done.stderr) == (11, "")
    assert (
        done.stdout
        == """\
session t/s: nothing passes: its netdev l2tpeth0 is not as wanted: it is set down

session t/s: its netdev l2tpeth0 is not as wanted: it is set down
  harm    nothing passes
  seen    netdev l2tpeth0 is down, with an MTU of 1438 bytes
  remedy  `l2tpctl restore t` mends that

was not tried:
  what arrives at this host: `--listen 2` listens for two seconds
  whether the peers are there, and what the paths take: `--probe` asks them
"""
    )
    document = json.loads(pair.a.host.ctl("doctor", "--json", "--listen", "0", "--no-probe", check=False).stdout)
    jsonschema.validate(document, json_schema(DOCTOR_SCHEMA))
    (found,) = document["findings"]
    assert document["verdict"] in done.stdout and found["says"] in done.stdout and found["remedy"] in done.stdout
    assert "`l2tpctl doctor t` looks closer" in pair.a.host.ctl("tunnel", "show", "t").stdout
    for wrong, code in (("nope", 3), ("t/nope", 3), ("t/", 1), ("/s", 1)):
        assert pair.a.host.ctl("doctor", wrong, "--listen", "0", check=False).returncode == code


def test_nothing_is_changed_by_looking(hosts: Hosts) -> None:
    pair = wire(hosts)
    before = [pair.a.host.ip("-d", "addr"), pair.a.host.ip("route", "show", "table", "all"), pair.a.records()]
    assert harmful(pair.a.doctor(listen_s=0.2)) == []
    assert [pair.a.host.ip("-d", "addr"), pair.a.host.ip("route", "show", "table", "all"), pair.a.records()] == before
