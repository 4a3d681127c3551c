"""`l2tpctl hosts`: frames through a real pseudowire, and what the kernel knows."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import jsonschema
import pytest

from l2tpv3.documents.schemas import HOSTS_SCHEMA, json_schema
from l2tpv3.lan_hosts.report import HostsReport, SessionHosts
from tests.doctor.faults import Wire, bridged, wire
from tests.hosts import Hosts
from tests.lan_hosts.test_frames import ARP, DISCOVER, LLDP, MAC, MDNS, OFFER
from tests.sending import sending

pytestmark = pytest.mark.root


@contextlib.contextmanager
def _sending(pair: Wire, *frames: bytes) -> Iterator[None]:
    """Send frames at b through the session, for the length of the block."""
    with sending(pair.b.host.netns, pair.b.session("t", "s").netdev.ifname, *frames):
        yield


def _asked(pair: Wire, listen_s: float = 0.5) -> SessionHosts:
    report: HostsReport = pair.a.hosts("t", "s", listen_s=listen_s)
    assert report.unseen == ()
    (session,) = report.sessions
    return session


@pytest.mark.parametrize("datapath", ["user", "ebpf"])
def test_who_is_behind_a_wire(hosts: Hosts, datapath: str) -> None:
    pair = wire(hosts, tunnel={"datapath": datapath})
    with _sending(pair, ARP, LLDP, MDNS, DISCOVER, OFFER):
        session = _asked(pair)
    found = next(one for one in session.hosts if one.mac == MAC.hex(":"))
    assert found.far and found.addresses == ("192.0.2.7", "192.0.2.9", "fd00::9") and found.age_s is not None
    assert set(found.names) == {"switch1", "printer.local", "laptop"}
    assert session.findings == ()
    rogue = OFFER.replace(bytes([192, 0, 2, 1]), bytes([192, 0, 2, 66]))
    with _sending(pair, OFFER, rogue):
        session = _asked(pair)
    assert [one.cause for one in session.findings] == ["second-dhcp-server"]


def test_the_vlan_of_a_host(hosts: Hosts) -> None:
    pair = wire(hosts)
    with _sending(pair, ARP[:12] + bytes.fromhex("8100 0064") + ARP[12:]):
        session = _asked(pair)
    assert next(one for one in session.hosts if one.mac == MAC.hex(":")).vlans == (100,)


def test_a_storm_is_named_and_most_of_it_not_looked_at(hosts: Hosts) -> None:
    pair = wire(hosts)
    noise = b"\xff" * 6 + MAC + bytes.fromhex("88b5") + bytes(80)
    with _sending(pair, *[noise] * 200):
        session = _asked(pair, listen_s=2.0)
    assert [one.cause for one in session.findings] == ["broadcast-storm"]


def test_without_listening_the_kernel_is_asked(hosts: Hosts) -> None:
    pair = wire(hosts)
    (known,) = _asked(pair, listen_s=0).hosts  # the neighbour that the wire was made with
    assert known.far and known.addresses == ("10.9.0.2",) and known.age_s is None


def test_what_a_bridge_has_learnt(hosts: Hosts) -> None:
    pair = bridged(hosts)
    with _sending(pair, ARP):
        _asked(pair)
    found = next(one for one in _asked(pair, listen_s=0).hosts if one.mac == MAC.hex(":"))
    assert found.far and found.age_s is not None


def test_what_the_command_prints(hosts: Hosts) -> None:
    pair = wire(hosts)
    escape = LLDP.replace(b"switch1", b"\x1b[2Jxyz")
    with _sending(pair, ARP, escape):
        done = pair.a.host.ctl("hosts", "t/s", "--listen", "1")
        document = json.loads(pair.a.host.ctl("hosts", "--json", "--listen", "1").stdout)
    assert done.stdout.startswith("session t/s\nAT ") and "\x1b" not in done.stdout
    line = next(line for line in done.stdout.splitlines() if MAC.hex(":") in line)
    assert line.startswith("far end") and "192.0.2.7" in line and "\\x1b[2Jxyz" in line
    jsonschema.validate(document, json_schema(HOSTS_SCHEMA))
    assert document["sessions"][0]["hosts"]
    for wrong, code in (("nope", 3), ("t/nope", 3), ("t/", 1)):
        assert pair.a.host.ctl("hosts", wrong, "--listen", "0", check=False).returncode == code
    pair.a.host.ip("link", "del", pair.a.session("t", "s").netdev.ifname)
    done = pair.a.host.ctl("hosts", "t", "--listen", "0", check=False)
    assert done.returncode == 5 and "its netdev is not there" in done.stdout
