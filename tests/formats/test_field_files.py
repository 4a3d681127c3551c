"""Files as they are found in the field: what is plain is taken, and nothing that changes the meaning is passed over."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.config import ConfigError, dump
from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.importer import import_files, import_from
from l2tpv3.formats.iproute2.command import parse, take_options
from l2tpv3.formats.networkd.match import match_section
from tests.formats.field_files import INTERFACES, OPENWRT, ROUTEROS, UNIT

ADD = "ip l2tp add tunnel tunnel_id 1 peer_tunnel_id 2 encap ip local 10.0.0.1 remote 10.0.0.2\n"
SESSION = "ip l2tp add session tunnel_id 1 session_id {0} peer_session_id {0} name pw{0}\n"
TWO = ADD + SESSION.format(1) + SESSION.format(2)
BRIDGE = "ip link add br0 type bridge\n"
PORTS = "ip link set dev pw1 master br0\nip link set pw2 master br0\n"


def imported(format_: str, text: str) -> tuple[dict[str, Any], list[str]]:
    """The file that import prints, as a document, and its warnings."""
    warnings: list[str] = []
    wanted = import_from(format_, text, "f", warn=lambda problem: warnings.append(str(problem)))
    return tomllib.loads(dump(wanted)), warnings


def refused(format_: str, text: str) -> list[str]:
    """The complaints for which nothing is imported."""
    with pytest.raises(ConfigError) as caught:
        import_from(format_, text, "f")
    return str(caught.value).splitlines()


# -- ip-link(8)'s grammar ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "ip link set pw1 up", "ip link set dev pw1 up", "ip link set up pw1", "ip link set up dev pw1",
        "ip link set mtu 1400 up pw1", "ip l set up mtu 1400 dev pw1", "ifconfig pw1 up", "ifconfig pw1 10.0.0.1",
        "ifconfig pw1 10.0.0.1 netmask 255.255.255.0 up", "/sbin/ifconfig pw1 mtu 1400 up",
    ],
)  # fmt: skip
def test_a_netdev_is_named_anywhere(command: str) -> None:
    document, warnings = imported("iproute2", ADD + SESSION.format(1) + command)
    assert "up" not in document["tunnel"]["t1"]["session"]["s1"], "the default is up"
    assert warnings == []


def test_what_a_tool_leaves_down_is_said_once() -> None:
    _, warnings = imported("iproute2", TWO)
    assert len(warnings) == 1 and "up = false for s1, s2" in warnings[0]


@pytest.mark.parametrize(
    "command",
    [
        "ip route add 10.0.0.0/8 dev pw1", "ip -6 route add default dev pw1", "dhclient pw1",
        "ip link add link pw1 name v type vlan id 5", "tc qdisc add dev pw1 root fq", "ovs-vsctl add-port br0 pw1",
        "iptables -A FORWARD -i pw1 -j DROP",
        "sysctl -w net.ipv4.conf.pw1.rp_filter=0", "echo 1 > /proc/sys/net/ipv6/conf/pw1/disable_ipv6",
        "bridge fdb add 02:00:00:00:00:01 dev pw1", "ethtool -K pw1 tso off", "brctl setpathcost br0 pw1 5",
    ],
)  # fmt: skip
def test_a_command_that_names_our_netdev_is_never_passed_over(command: str) -> None:
    for script in (TWO + "ip link set pw1 up; ip link set pw2 up\n" + command, command + "\n" + TWO):
        _, warnings = imported("iproute2", script)
        assert any("is not imported" in one and "pw1" in one for one in warnings), warnings


def test_other_netdevs_are_nobodys_business() -> None:
    noise = (
        "ip route add default via 10.0.0.9\ntc qdisc add dev eth0 root fq\nip link set eth0 up\niptables -P INPUT DROP"
    )
    _, warnings = imported("iproute2", TWO + "ip link set pw1 up; ip link set pw2 up\n" + noise)
    assert warnings == []


def test_an_address_with_a_peer_is_that_of_a_host() -> None:
    document, warnings = imported("iproute2", ADD + SESSION.format(1) + "ip addr add 10.42.1.1 peer 10.42.1.2 dev pw1")
    assert document["tunnel"]["t1"]["session"]["s1"]["address"] == ["10.42.1.1/32"]
    assert "10.42.1.2" in warnings[0]


INIT = """\
case "$1" in
  start)
    {0}    ;;
  stop|restart)
    ip l2tp del tunnel tunnel_id 1
    ;;
esac
"""


def test_what_stands_under_a_condition_is_told() -> None:
    up = "ip link set pw1 up; ip link set pw2 up\n"
    for condition in ("[ -e /x ] && ip link set pw1 mtu 1300", "if true; then\n ip link set pw1 mtu 1300\nfi\n"):
        document, warnings = imported("iproute2", TWO + up + condition)
        assert document["tunnel"]["t1"]["session"]["s1"]["mtu"] == 1300
        assert len(warnings) == 1 and "condition" in warnings[0]
    _, warnings = imported("iproute2", "modprobe l2tp_eth && " + TWO.replace("\n", " || exit 1\n") + up)
    assert warnings == []


def test_what_stops_things_is_left_out() -> None:
    document, _ = imported("iproute2", INIT.format(TWO.replace("\n", "\n    ")))
    assert list(document["tunnel"]["t1"]["session"]) == ["s1", "s2"]
    document, _ = imported("iproute2", TWO + "ip link set pw1 up\nexit 0\nip l2tp del tunnel tunnel_id 1\n")
    assert "up" not in document["tunnel"]["t1"]["session"]["s1"]


def test_what_a_netdev_loses_on_its_way_to_another_namespace() -> None:
    move = "ip link set pw1 up; ip addr add 10.0.0.1/24 dev pw1; ip link set pw1 netns blue\n"
    document, warnings = imported("iproute2", ADD + SESSION.format(1) + move)
    assert document["tunnel"]["t1"]["session"]["s1"]["up"] is False
    assert "address" not in document["tunnel"]["t1"]["session"]["s1"]
    assert any("loses its address" in one for one in warnings)


def test_a_session_in_what_is_no_bridge_is_refused() -> None:
    (line,) = refused("iproute2", TWO + "ip link add bond0 type bond\nip link set pw1 master bond0\n")
    assert "a bond" in line
    (line,) = refused("iproute2", TWO + "ip link del pw1\n")
    assert "ip l2tp del session" in line


# -- bridges -----------------------------------------------------------------------------------------------------------

NETDEV = """\
[NetDev]
Name=t
Kind=l2tp
[L2TP]
TunnelId=1
PeerTunnelId=2
Local=10.0.0.1
Remote=10.0.0.2
EncapsulationType=ip
[L2TPSession]
Name=pw1
SessionId=1
PeerSessionId=1
[L2TPSession]
Name=pw2
SessionId=2
PeerSessionId=2
"""
NETWORKD_BRIDGE = "[NetDev]\nName=br0\nKind=bridge\n"
NETWORKD_ISOLATED = "[Match]\nName=pw*\n[Network]\nBridge=br0\n[Bridge]\nIsolated=True\n"
VYOS = """\
set interfaces l2tpv3 l2tpeth{0} remote 10.0.0.2
set interfaces l2tpv3 l2tpeth{0} tunnel-id {0}
set interfaces l2tpv3 l2tpeth{0} peer-tunnel-id {0}
set interfaces l2tpv3 l2tpeth{0} session-id {0}
set interfaces l2tpv3 l2tpeth{0} peer-session-id {0}
set interfaces l2tpv3 l2tpeth{0} source-port 500{0}
set interfaces bridge br0 member interface l2tpeth{0} isolated
"""
HORIZON = "/interface bridge port\nadd bridge=bridge1 interface=ether2 horizon=1\n"


@pytest.mark.parametrize(
    ("format_", "text", "isolated"),
    [
        ("iproute2", TWO + BRIDGE + PORTS + "bridge link set dev pw1 isolated on\n", ["t1/s1"]),
        ("iproute2", TWO + BRIDGE + PORTS + "ip link set pw2 type bridge_slave isolated on\n", ["t1/s2"]),
        ("iproute2", TWO + "brctl addbr br0\nbrctl addif br0 pw1 pw2\nbridge link set dev pw1 isolated on", ["t1/s1"]),
        ("networkd", NETDEV + NETWORKD_BRIDGE + NETWORKD_ISOLATED, ["t/pw1", "t/pw2"]),
        ("vyos", VYOS.format(1) + VYOS.format(2), ["l2tpeth1/l2tpeth1", "l2tpeth2/l2tpeth2"]),
        ("routeros", ROUTEROS, ["l2tp-ether1/l2tp-ether1"]),
    ],
)
def test_split_horizon_stays(format_: str, text: str, isolated: list[str]) -> None:
    document, _ = imported(format_, text)
    (link,) = document["link"].values()
    assert link["type"] == "bridge" and link["isolated"] == isolated and set(isolated) <= set(link["over"])
    sessions = [one for tunnel in document["tunnel"].values() for one in tunnel["session"].values()]
    assert all("bridge" not in session for session in sessions)


@pytest.mark.parametrize(
    ("format_", "text", "complaint"),
    [
        (
            "iproute2",
            TWO + PORTS + "bridge link set dev pw1 isolated on\n",
            "isolated in a bridge that is not made here",
        ),
        ("iproute2", TWO + PORTS + "bridge vlan add dev pw1 vid 10\n", "VLANs in a bridge that is not made here"),
        ("networkd", NETDEV + NETWORKD_ISOLATED, "isolated in a bridge that is not made here"),
        ("networkd", NETDEV + "[Match]\nName=pw1\n[BridgeVLAN]\nVLAN=5\n", "[BridgeVLAN] VLAN= of pw1"),
        ("routeros", ROUTEROS + HORIZON.replace("=1\n", "=2\n"), "several horizons"),
        ("routeros", ROUTEROS.replace("name=bridge1", "name=bridge1 vlan-filtering=yes"), "vlan-filtering"),
    ],
)
def test_what_a_bridge_can_not_have_is_refused(format_: str, text: str, complaint: str) -> None:
    lines = refused(format_, text)
    assert len(lines) == 1 and complaint in lines[0]


def test_vlans_of_a_bridges_ports() -> None:
    bridge = (
        "ip link add br0 type bridge vlan_filtering 1 stp_state 1\nip link set br0 up\nip link set eth1 master br0\n"
    )
    vlans = (
        "bridge vlan del dev pw1 vid 1\nbridge vlan add dev pw1 vid 10 pvid untagged\n"
        "bridge vlan add dev pw1 vid 20-22\nbridge vlan add dev eth1 vid 30\n"
    )
    document, _ = imported("iproute2", TWO + bridge + PORTS + vlans)
    assert document["link"]["br0"] == {
        "type": "bridge", "over": ["eth1", "t1/s1", "t1/s2"], "stp": "on", "vlan-filtering": True,
        "vlan": ["eth1=1u+30", "t1/s1=10u+20-22"],
    }  # fmt: skip
    assert (
        "frames without a tag"
        in refused("iproute2", TWO + bridge + PORTS + "bridge vlan add dev pw1 vid 9 pvid untagged")[0]
    )


def test_a_bridges_addresses_and_nics() -> None:
    text = TWO + BRIDGE + PORTS + "ip link set br0 up mtu 1400\nip addr add 10.8.0.1/24 dev br0\n"
    document, _ = imported("iproute2", text)
    assert document["link"]["br0"] == {
        "type": "bridge", "over": ["t1/s1", "t1/s2"], "stp": "off", "mtu": 1400, "address": ["10.8.0.1/24"],
    }  # fmt: skip
    nics = "[Match]\nName=eth1\n[Network]\nBridge=br0\n"
    document, warnings = imported("networkd", NETDEV + NETWORKD_BRIDGE + NETWORKD_ISOLATED + nics)
    assert document["link"]["br0"]["over"] == ["t/pw1", "t/pw2", "eth1"]
    assert len(warnings) == 1 and "'pw*'" in warnings[0], "other netdevs may match the pattern"


# -- networkd's [Match] ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ([("Name", "pw*")], True), ([("Name", "eth* pw1")], True), ([("Name", "eth*")], False),
        ([("Name", "!eth* lo")], True), ([("Name", "!eth* pw1")], False), ([("Name", "eth*"), ("Name", "pw1")], True),
        ([("Name", "pw1"), ("Name", "")], False), ([("Name", "pw*"), ("Kind", "bridge")], False),
        ([("Name", "pw*"), ("Kind", "!bridge")], True), ([("Name", "pw*"), ("Type", "ether")], "Type"),
        ([("Name", "eth*"), ("Type", "ether")], False), ([("MACAddress", "02:00:00:00:00:01")], "MACAddress"),
        ([("Name", "*"), ("Host", "a")], "Host"), ([], False),
    ],
)  # fmt: skip
def test_match_sections(settings: list[tuple[str, str]], found: object) -> None:
    assert match_section(settings, "pw1", None) == found


def test_the_first_file_that_matches_is_applied_and_no_other(tmp_path: Path) -> None:
    def network(match: str, address: str) -> str:
        return f"[Match]\n{match}\n[Network]\nAddress={address}\n"

    files = {
        "20-b.network": network("Name=pw1", "10.0.2.1/24"), "10-a.network": network("Name=pw*", "10.0.1.1/24"),
        "05-x.network": network("Name=pw2\nType=ether", "10.0.3.1/24"), "t.netdev": NETDEV,
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text("\ufeff" + text)  # with a byte order mark
    warnings: list[str] = []
    paths = [tmp_path / name for name in files]
    document = tomllib.loads(dump(import_files("networkd", paths, warn=lambda one: warnings.append(str(one)))))
    sessions = document["tunnel"]["t"]["session"]
    assert sessions["pw1"]["address"] == ["10.0.1.1/24"]
    assert "address" not in sessions["pw2"]
    assert len(warnings) == 1 and "Type= is true of pw2 can't be decided" in warnings[0]


def test_where_the_address_comes_from_is_said() -> None:
    _, warnings = imported("networkd", NETDEV.replace("Local=10.0.0.1", "Local=dynamic"))
    assert len(warnings) == 1 and "Local=dynamic" in warnings[0]


# -- what is plain is taken --------------------------------------------------------------------------------------------


def test_the_remedy_for_variables_works(tmp_path: Path) -> None:
    (complaint,) = refused("iproute2", "L=10.0.0.1\n" + ADD.replace("10.0.0.1", "$L"))
    assert "`sh -x SCRIPT 2> FILE`" in complaint
    trace = "+ L=10.0.0.1\n" + "".join(f"+ {line}\n" for line in (TWO + BRIDGE + PORTS).splitlines())
    assert imported("iproute2", trace) == imported("iproute2", "\n" + TWO + BRIDGE + PORTS)


def test_interfaces_of_ifupdown() -> None:
    document, warnings = imported("iproute2", INTERFACES)
    sessions = document["tunnel"]["t1"]["session"]
    assert sessions["s1"]["address"] == ["10.0.0.1/24"] and sessions["s1"]["mtu"] == 1400 and "up" not in sessions["s1"]
    assert document["link"]["br0"] == {
        "type": "bridge", "over": ["eth1", "t1/s3"], "stp": "off", "isolated": ["t1/s3"],
    }  # fmt: skip
    assert len(warnings) == 1 and "ip route add 10.5.0.0/16 dev l2tpeth0" in warnings[0]
    _, warnings = imported("iproute2", INTERFACES.replace("    mtu 1400", "    ttl 64"))
    assert any("ttl" in one for one in warnings)


def test_a_units_commands() -> None:
    document, _ = imported("iproute2", UNIT)
    assert document["tunnel"]["t1"]["session"]["s1"]["address"] == ["10.42.1.1/32"]
    assert "variables" in refused("iproute2", UNIT.replace("tunnel_id 1", "tunnel_id %i"))[0]


def test_openwrt() -> None:
    document, warnings = imported("openwrt", OPENWRT)
    assert document["tunnel"]["t101"]["udp-checksum"] == "off"
    assert document["tunnel"]["t101"]["session"]["s11"]["ifname"] == "l2tpv3-l2tp1"
    assert document["link"]["br-lan"]["over"] == ["lan1", "t101/s11"]
    assert document["link"]["br-lan"]["address"] == ["192.168.1.1/24"]
    assert warnings == []
    other = OPENWRT.replace("option remote", "option peeraddr").replace("option local ", "option localaddr ")
    document, _ = imported("openwrt", other.replace("'l2tpv3-l2tp1'", "'l2v3-l2tp1'") + "\toption foo '1'\n")
    assert document["link"]["br-lan"]["over"] == ["lan1", "t101/s11"]


def test_routeros() -> None:
    document, warnings = imported("routeros", ROUTEROS)
    tunnel = document["tunnel"]["l2tp-ether1"]
    assert [tunnel[word] for word in ("id", "peer-id", "local-port", "udp-checksum")] == [10, 20, 1701, "off"]
    session = tunnel["session"]["l2tp-ether1"]
    assert [session[word] for word in ("tx-cookie", "rx-cookie", "sublayer")] == ["44556677", "00112233", "default"]
    assert warnings == []
    document, _ = imported("routeros", ROUTEROS.replace("disabled=no ", "").replace(" mtu=1500", ""))
    assert document["tunnel"]["l2tp-ether1"]["session"]["l2tp-ether1"]["mtu"] == 1420
    assert document["tunnel"]["l2tp-ether1"]["session"]["l2tp-ether1"]["up"] is False
    assert "control protocol" in refused("routeros", ROUTEROS.replace("unmanaged-mode=yes", "unmanaged-mode=no"))[0]


def test_l2tpv3tun_is_what_ip_l2tp_was() -> None:
    assert imported("iproute2", TWO.replace("ip l2tp", "l2tpv3tun")) == imported("iproute2", TWO)


def test_words_of_vyos_that_are_lost_are_said() -> None:
    document, warnings = imported("vyos", VYOS.format(1) + "set interfaces l2tpv3 l2tpeth1 disable-flow-control\n")
    assert list(document["tunnel"]) == ["l2tpeth1"] and "disable-flow-control" in warnings[0]


# -- one error for one cause -------------------------------------------------------------------------------------------

DANOS = "set interfaces l2tpeth lttp0 l2tp-session local-ip 10.0.0.1\nset interfaces l2tpeth lttp0 l2tp-session mtu 5\n"
PPP = """\
[tunnel.t1]
version = "l2tpv2"
encap = "udp"
peer = "10.0.0.2:1701"
[tunnel.t1.session.s1]
pseudowire = "ppp"
"""
TWICE = f"f() {{ {SESSION.format(1).strip()}; }}\ng() {{ {SESSION.format(1).strip()}; }}"


@pytest.mark.parametrize(
    ("format_", "text", "complaint"),
    [
        ("iproute2", ADD.replace("encap ip", "upd_port 5000") + SESSION.format(1), "'upd_port' is unknown"),
        ("iproute2", ADD.replace("encap", "encapp") + SESSION.format(1), "did you mean encap?"),
        ("iproute2", ADD + TWICE, "session_id 1"),
        ("vyos", DANOS, "DANOS"),
        ("ql2tpd", PPP, "PPP"),
        ("iproute2", ADD.replace("remote 10.0.0.2", "remote siteb.example.net") + SESSION.format(1), "not resolved"),
        ("ql2tpd", '[tunnel.t]\nversion="l2tpv3"\nencap="ip"\nlocal="10.0.0.1:1"\npeer="10.0.0.2:1"\ntid=1\nptid=1\n'
                   '[tunnel.t.session.s]\npseudowire="eth"\nsid=1\npsid=1\nseqnum=true\n', "seqnum = true needs"),
    ],
)  # fmt: skip
def test_one_error_for_one_cause(format_: str, text: str, complaint: str) -> None:
    lines = refused(format_, text)
    assert len(lines) == 1 and complaint in lines[0], lines


@pytest.mark.parametrize(
    ("format_", "text", "remedy"),
    [
        ("iproute2", OPENWRT, "--from openwrt"), ("iproute2", ROUTEROS, "--from routeros"),
        ("vyos", NETDEV, "--from networkd"),
        ("iproute2", VYOS.format(1), "--from vyos"), ("ql2tpd", TWO, "--from iproute2"), ("openwrt", UNIT, "iproute2"),
        ("iproute2", 'l2tptunnel_net1="remote 10.0.0.2 local 10.0.0.1"\n', "(Gentoo)"),
        ("networkd", "interface gi0\n xconnect 10.0.0.2 1 encapsulation l2tpv3 manual\n", "Cisco"),
        ("iproute2", '[tunnel.t]\nremote = "10.0.0.2"\n', "l2tpctl plan -f FILE"),
    ],
)  # fmt: skip
def test_another_systems_file_is_named(format_: str, text: str, remedy: str) -> None:
    lines = refused(format_, text)
    assert len(lines) == 1 and remedy in lines[0], lines


# -- ip-l2tp -----------------------------------------------------------------------------------------------------------


def test_ips_own_options_stand_before_the_verb() -> None:
    assert take_options(["-netns", "red", "-s", "show", "tunnel"]) == ("red", ["show", "tunnel"])
    assert take_options(["add", "tunnel"]) == (None, ["add", "tunnel"])
    for words in (["-n"], ["-x", "show"]):
        with pytest.raises(InvalidValueError):
            take_options(words)
    with pytest.raises(InvalidValueError, match="did you mean udp_dport"):
        parse(["add", "tunnel", "tunnel_id", "1", "udp_dprt", "5"])
