"""The other end in other tools' formats, in full, and what each can't say.

The expected texts were written from each tool's documentation (see the modules' docstrings), not by running ours.
"""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given

from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.names import PEER_FORMATS
from l2tpv3.formats.peer import commands
from l2tpv3.model.spec import Encap, Sequencing, Sublayer, parse_address
from l2tpv3.model.status import TunnelStatus
from tests.cli.command_line import CommandLine
from tests.formats.status_cases import NO_COOKIES, V6, session, status, tunnel, tunnels
from tests.properties import SOME

NETWORKD = """\
# /etc/systemd/network/50-siteb.netdev
[NetDev]
Name=siteb
Kind=l2tp

[L2TP]
TunnelId=20
PeerTunnelId=10
Local=192.0.2.2
Remote=192.0.2.1
EncapsulationType=udp
UDPSourcePort=5001
UDPDestinationPort=5000
UDPCheckSum=yes

[L2TPSession]
Name=l2tpeth0
SessionId=2
PeerSessionId=1
Layer2SpecificHeader=default

[L2TPSession]
Name=pw1
SessionId=4
PeerSessionId=3
Layer2SpecificHeader=none

# /etc/systemd/network/50-l2tpeth0.network
[Match]
Name=l2tpeth0

[Link]
MTUBytes=1400

[Network]
# Address= or Bridge= goes here

# /etc/systemd/network/50-pw1.network
[Match]
Name=pw1

[Link]
MTUBytes=1446

[Network]
# Address= or Bridge= goes here
"""

VYOS = """\
# VyOS has the 4-byte sublayer, no cookies and no sequencing
set interfaces l2tpv3 l2tpeth0 encapsulation 'udp'
set interfaces l2tpv3 l2tpeth0 source-address '192.0.2.2'
set interfaces l2tpv3 l2tpeth0 remote '192.0.2.1'
set interfaces l2tpv3 l2tpeth0 tunnel-id '20'
set interfaces l2tpv3 l2tpeth0 peer-tunnel-id '10'
set interfaces l2tpv3 l2tpeth0 session-id '2'
set interfaces l2tpv3 l2tpeth0 peer-session-id '1'
set interfaces l2tpv3 l2tpeth0 source-port '5001'
set interfaces l2tpv3 l2tpeth0 destination-port '5000'
set interfaces l2tpv3 l2tpeth0 mtu '1400'
"""

CISCO = """\
! the sublayer is there only with sequencing
pseudowire-class l2tpv3-siteb
 encapsulation l2tpv3
 protocol none
 ip local interface LOCAL-INTERFACE
!
pseudowire-class l2tpv3-siteb-sequenced
 encapsulation l2tpv3
 protocol none
 sequencing both
 ip local interface LOCAL-INTERFACE
!
interface PORT-lan
 xconnect 192.0.2.1 2 encapsulation l2tpv3 manual pw-class l2tpv3-siteb
  l2tp id 2 1
  l2tp cookie local 8 1146447479 1122867
  l2tp cookie remote 8 3437096703 2291772091
!
interface PORT-wan
 xconnect 192.0.2.1 4 encapsulation l2tpv3 manual pw-class l2tpv3-siteb-sequenced
  l2tp id 4 3
  l2tp cookie local 4 16909060
  l2tp cookie remote 4 84281096
!
"""

ROUTEROS = (
    "/interface l2tp-ether add name=l2tpeth0 connect-to=192.0.2.1 local-address=192.0.2.2"
    " l2tp-proto-version=l2tpv3-udp unmanaged-mode=yes local-tunnel-id=20 remote-tunnel-id=10 local-session-id=2"
    " remote-session-id=1 send-cookie=8899aabbccddeeff peer-cookie=0011223344556677 use-l2-specific-sublayer=yes"
    " mtu=1400 disabled=no\n"
)

QEMU = """\
# counter=on is the 4-byte sublayer
ip tuntap add dev l2tpeth0 mode tap
ip link set dev l2tpeth0 up mtu 1400
qemu-system-x86_64 -M none -nodefaults -display none -monitor none -serial none -netdev \
l2tpv3,id=l0,src=192.0.2.2,dst=192.0.2.1,udp=on,srcport=5001,dstport=5000,rxsession=2,txsession=1,cookie64=on,\
rxcookie=0x0011223344556677,txcookie=0x8899aabbccddeeff,counter=on,pincounter=on \
-netdev tap,id=t0,ifname=l2tpeth0,script=no,downscript=no \
-netdev hubport,id=hl0,hubid=0,netdev=l0 -netdev hubport,id=ht0,hubid=0,netdev=t0
"""

QL2TPD = """\
[tunnel.siteb]
version = "l2tpv3"
encap = "udp"
local = "192.0.2.2:5001"
peer = "192.0.2.1:5000"
tid = 20
ptid = 10

[tunnel.siteb.session.lan]
pseudowire = "eth"
sid = 2
psid = 1
interface_name = "l2tpeth0"
l2spec_type = "default"
seqnum = true
reorder_timeout = 50 # milliseconds
"""

SECOND: dict[str, Any] = {"name": "wan", "ifname": "pw1", "session_id": 3, "peer_session_id": 4}
SHORT: dict[str, Any] = {"tx_cookie": bytes([1, 2, 3, 4]), "rx_cookie": bytes([5, 6, 7, 8])}
PORT_1701: dict[str, Any] = {"local_port": 1701, "remote_port": 1701}


@pytest.mark.parametrize(
    ("format_", "seen", "text"),
    [
        ("networkd", status(tunnel(), session(**NO_COOKIES),
                            session(**SECOND, **NO_COOKIES, sublayer=Sublayer.NONE, mtu=None)), NETWORKD),
        ("vyos", status(tunnel(), session(**NO_COOKIES)), VYOS),
        ("cisco", status(tunnel(encap=Encap.IP), session(sublayer=Sublayer.NONE),
                         session(**SECOND, **SHORT, sequencing=Sequencing.BOTH)), CISCO),
        ("routeros", status(tunnel(**PORT_1701), session()), ROUTEROS),
        ("qemu", status(tunnel(), session()), QEMU),
        ("ql2tpd", status(tunnel(), session(**NO_COOKIES, sequencing=Sequencing.BOTH, reorder_timeout_ms=50)), QL2TPD),
    ],
    ids=lambda value: value if value in PEER_FORMATS else "",
)  # fmt: skip
def test_in_full(format_: str, seen: TunnelStatus, text: str) -> None:
    assert "".join(f"{line}\n" for line in commands(seen, format_).lines) == text


@pytest.mark.parametrize(
    ("format_", "spec", "changes", "lines"),
    [
        ("networkd", tunnel(encap=Encap.IP), NO_COOKIES, ["EncapsulationType=ip", "[L2TPSession]"]),
        ("networkd", tunnel(udp_checksum=False), NO_COOKIES, ["UDPCheckSum=no"]),
        # what is said is whether there are none
        ("networkd", tunnel(**V6), NO_COOKIES, ["UDP6CheckSumTx=no", "UDP6CheckSumRx=no"]),
        ("networkd", tunnel(**V6, udp_checksum=False), NO_COOKIES, ["UDP6CheckSumTx=yes", "UDP6CheckSumRx=yes"]),
        ("networkd", tunnel(name="a-very-long-tunnel"), NO_COOKIES, ["Name=l2tp20"]),
        ("networkd", tunnel(name="l2tpeth0"), NO_COOKIES, ["Name=l2tp20"]),
        ("vyos", tunnel(encap=Encap.IP), NO_COOKIES, ["set interfaces l2tpv3 l2tpeth0 encapsulation 'ip'"]),
        ("vyos", tunnel(), {**NO_COOKIES, "ifname": "pw0"}, ["set interfaces l2tpv3 l2tpeth20 mtu '1400'"]),
        ("ql2tpd", tunnel(**V6), {**NO_COOKIES, "sublayer": Sublayer.NONE},
         ['local = "[2001:db8::2]:5001"', 'l2spec_type = "none"', "seqnum = false"]),
        ("ql2tpd", tunnel(name="site.b"), NO_COOKIES, ['[tunnel."site.b"]', '[tunnel."site.b".session.lan]']),
    ],
)  # fmt: skip
def test_lines(format_: str, spec: Any, changes: dict[str, Any], lines: list[str]) -> None:
    told = commands(status(spec, session(**changes)), format_).lines
    assert set(lines) <= set(told)


def test_words_of_one_line() -> None:
    routeros = commands(status(tunnel(encap=Encap.IP), session(**NO_COOKIES, sublayer=Sublayer.NONE)), "routeros")
    assert " l2tp-proto-version=l2tpv3-ip " in routeros.lines[0]
    assert ' send-cookie="" peer-cookie="" use-l2-specific-sublayer=no ' in routeros.lines[0]
    qemu = commands(status(tunnel(**V6, encap=Encap.IP), session(**SHORT, sublayer=Sublayer.NONE)), "qemu").lines[-1]
    words = "src=2001:db8::2,dst=2001:db8::1,ipv6=on,rxsession=2,txsession=1,rxcookie=0x01020304,txcookie=0x05060708"
    assert f"l2tpv3,id=l0,{words} " in qemu


def test_qemu_joins_many_sessions_over_ip() -> None:
    seen = status(tunnel(encap=Encap.IP), session(), session(**SECOND))
    assert commands(seen, "qemu").lines[-1].count("hubport") == 4


V6_UNCHECKED = tunnel(**V6, **PORT_1701, udp_checksum=False)
IP = tunnel(encap=Encap.IP)
LINK_LOCAL = tunnel(remote=parse_address("fe80::2%eth0", ""), local=parse_address("fe80::1%eth0", ""))
ONE_SIDED: dict[str, Any] = {"rx_cookie": b""}


@pytest.mark.parametrize(
    ("format_", "spec", "changes", "says"),
    [
        ("networkd", tunnel(), {}, "cookies.*session set siteb lan --tx-cookie none --rx-cookie none"),
        ("networkd", tunnel(), {**NO_COOKIES, "sequencing": Sequencing.BOTH}, "numbered.*--sequencing none"),
        ("vyos", tunnel(), {}, "cookies.*--tx-cookie none"),
        ("vyos", tunnel(), {**NO_COOKIES, "sublayer": Sublayer.NONE}, "no sublayer.*--sublayer default"),
        ("vyos", tunnel(), {**NO_COOKIES, "sequencing": Sequencing.RECV}, "numbered.*--sequencing none"),
        ("vyos", V6_UNCHECKED, NO_COOKIES, "checksums.*--udp-checksum on"),
        ("vyos", tunnel(tunnel_id=429496730), NO_COOKIES, "429496730 is more than"),
        ("vyos", tunnel(), {**NO_COOKIES, "peer_session_id": 429496730}, "429496730 is more than"),
        ("vyos", tunnel(), {**NO_COOKIES, "mtu": 16001}, "16001.*--mtu 16000"),
        ("cisco", tunnel(), {"sublayer": Sublayer.NONE}, "UDP.*tunnel set siteb --encap ip"),
        ("cisco", tunnel(**V6, encap=Encap.IP), {"sublayer": Sublayer.NONE}, "IPv6"),
        ("cisco", IP, {}, "sublayer without sequencing.*--sublayer none"),
        ("cisco", IP, {"sequencing": Sequencing.SEND}, "one direction.*--sequencing both"),
        ("cisco", IP, {**ONE_SIDED, "sublayer": Sublayer.NONE}, "8 and 0 bytes"),
        ("routeros", tunnel(), {}, "5001 there and 5000 here.*--local-port 1701 --remote-port 1701"),
        ("routeros", V6_UNCHECKED, {}, "checksums.*--udp-checksum on"),
        ("routeros", IP, {"sequencing": Sequencing.SEND}, "sequencing.*--sequencing none"),
        ("qemu", tunnel(), {"mtu": 2035}, "2035.*--mtu 2034"),
        ("qemu", tunnel(), ONE_SIDED, "8 and 0 bytes"),
        ("qemu", tunnel(), {"sequencing": Sequencing.RECV}, "numbered.*--sequencing none"),
        ("qemu", V6_UNCHECKED, {}, "checksums"),
        ("ql2tpd", tunnel(), {**NO_COOKIES, "sequencing": Sequencing.RECV}, "--sequencing both"),
        ("ql2tpd", tunnel(), {}, "cookies.*--tx-cookie none --rx-cookie none"),
        ("ql2tpd", V6_UNCHECKED, {}, "checksums"),
        *((format_, LINK_LOCAL, NO_COOKIES, "link-local.*--as l2tpctl") for format_ in PEER_FORMATS[1:]),
    ],
)
def test_what_a_format_can_not_say(format_: str, spec: Any, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidValueError, match=says):
        commands(status(spec, session(**changes)), format_)


@pytest.mark.parametrize("format_", ["vyos", "routeros", "qemu"])
def test_one_session_in_a_tunnel(format_: str) -> None:
    spec = tunnel(**PORT_1701)
    with pytest.raises(InvalidValueError, match=r"2 sessions.*tunnel with ids"):
        commands(status(spec, session(**NO_COOKIES), session(**SECOND, **NO_COOKIES)), format_)
    with pytest.raises(InvalidValueError, match="no sessions"):
        commands(status(spec), format_)


@pytest.mark.parametrize(
    ("format_", "spec", "changes", "note"),
    [
        ("networkd", tunnel(), NO_COOKIES, "192.0.2.2"),
        ("networkd", tunnel(), {**NO_COOKIES, "sequencing": Sequencing.SEND}, "numbers what it sends"),
        ("vyos", tunnel(), {**NO_COOKIES, "ifname": "pw0"}, "pw0 is l2tpeth20"),
        ("cisco", IP, {"sublayer": Sublayer.NONE}, "rx_cookie_discards"),
        ("qemu", tunnel(), {"sequencing": Sequencing.SEND}, "whatever order"),
        ("ql2tpd", tunnel(), NO_COOKIES, "mtu 1400"),
        ("qemu", tunnel(), {}, "cookies in clear"),
    ],
)
def test_notes(format_: str, spec: Any, changes: dict[str, Any], note: str) -> None:
    assert note in "\n".join(commands(status(spec, session(**changes)), format_).notes)


@SOME
@given(tunnels())
def test_told_or_refused_in_one_line(seen: TunnelStatus) -> None:
    for format_ in PEER_FORMATS:
        try:
            told = commands(seen, format_)
        except InvalidValueError as error:
            assert error.remedy and "\n" not in str(error)
            continue
        assert not any("\n" in line for line in told.lines)
        if format_ == "ql2tpd":
            tomllib.loads("\n".join(told.lines))


def test_on_the_command_line(ctl: CommandLine) -> None:
    ctl.ok("tunnel add siteb --remote 127.0.0.2 --local 127.0.0.1")
    ctl.ok("session add siteb lan --ifname l2tpeth7 --mtu 1400")
    refused = ctl("peer siteb --as vyos")
    assert (refused.code, refused.out) == (1, "") and "--tx-cookie none" in refused.err
    ctl.ok("session set siteb lan --tx-cookie none --rx-cookie none")
    told = ctl.ok("peer siteb --as vyos")
    assert "set interfaces l2tpv3 l2tpeth7 source-port '1701'" in told.out.splitlines()
    assert "l2tpctl: note: type these in configuration mode" in told.err
    unknown = ctl("peer siteb --as juniper")
    assert unknown.code == 1 and all(format_ in unknown.err for format_ in PEER_FORMATS)
