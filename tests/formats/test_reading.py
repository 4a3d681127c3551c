"""Other tools' files in: what they mean, what is wrong with them and where, and that our own output comes back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from l2tpv3.config import ConfigError, Problem, dump, load
from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.importer import import_files, import_from, import_texts
from l2tpv3.formats.names import IMPORT_FORMATS
from l2tpv3.formats.peer import commands
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.spec import Encap
from l2tpv3.model.status import TunnelStatus
from tests.formats.field_files import OPENWRT, ROUTEROS
from tests.formats.status_cases import mirrored, mirrored_session, tunnels
from tests.properties import MANY, SOME

SCRIPT = """\
#!/bin/sh
# the way to site B
modprobe l2tp_eth
ip l2tp del tunnel tunnel_id 7 2>/dev/null
sudo ip l2tp add tunnel tunnel_id 7 peer_tunnel_id 8 \\
    encap udp local 192.0.2.1 remote 192.0.2.2 udp_sport 5000 udp_dport 5001 || exit 1
ip l2tp add session tunnel_id 7 session_id 1 peer_session_id 2 cookie 0011223344556677 peer_cookie 8899aabb
ip link add name $NAME type bridge
ip link set l2tpeth0 up mtu 1400 && ip addr add 10.0.0.1/24 brd + dev l2tpeth0
/sbin/ip address add 2001:db8::1/64 dev l2tpeth0 nodad
ip l2tp add session name pw1 tunnel_id 7 session_id 3 peer_session_id 4 l2spec_type none
ip link set dev pw1 address 02:00:5e:00:53:01 master br0
ip link set pw1 name lan7
ip l2tp add session name lan9 tunnel_id 7 session_id 9 peer_session_id 9 seq both
ip link set lan9 netns blue
ip netns exec blue ip link set up dev lan9
ip l2tp show session
"""

SCRIPT_MEANS = """\
[tunnel.t7]
remote = "192.0.2.2"
local = "192.0.2.1"
encap = "udp"
id = 7
peer-id = 8
local-port = 5000
remote-port = 5001
udp-checksum = "off"

[tunnel.t7.session.s1]
ifname = "l2tpeth0"
id = 1
peer-id = 2
tx-cookie = "0011223344556677"
rx-cookie = "8899aabb"
sublayer = "default"
mtu = 1400
address = ["10.0.0.1/24", "2001:db8::1/64"]

[tunnel.t7.session.s3]
ifname = "lan7"
id = 3
peer-id = 4
tx-cookie = "none"
rx-cookie = "none"
sublayer = "none"
mac = "02:00:5e:00:53:01"
bridge = "br0"
up = false

[tunnel.t7.session.s9]
ifname = "lan9"
id = 9
peer-id = 9
tx-cookie = "none"
rx-cookie = "none"
sublayer = "default"
sequencing = "both"
netns = "blue"
"""

SCRIPT_WITH_BRIDGE = SCRIPT.replace("$NAME", "br0")
SCRIPT_WITH_BRIDGE_MEANS = f"""\
{SCRIPT_MEANS.replace('bridge = "br0"' + chr(10), "")}
[link.br0]
type = "bridge"
over = ["t7/s3"]
up = false
stp = "off"
"""

BATCH = """\
-n red l2tp add tunnel tunnel_id 1 peer_tunnel_id 1 encap ip local any remote 2001:db8::2
l2tp add session tunnel_id 1 session_id 1 peer_session_id 1
"""

NETDEV = """\
[NetDev]
Name=siteb
Kind=l2tp

[L2TP]
TunnelId=10
PeerTunnelId=11
Local=auto@eth0
Remote=2001:db8::2
UDPSourcePort=3000
# the last one counts
UDPDestinationPort=1
UDPDestinationPort=4000

[L2TPSession]
Name=pw0
SessionId=15
PeerSessionId=16

[L2TPSession]
SessionId=17
PeerSessionId=18
Layer2SpecificHeader=none
Name=\\
  pw1
"""

NETWORK = """\
[Match]
Name=eth* pw0

[Link]
MTUBytes=1300

[Network]
Address=10.1.0.1/24
DHCP=no

[Address]
Address=10.1.0.2/24
"""

NETWORKD_MEANS = """\
[tunnel.siteb]
remote = "2001:db8::2"
encap = "udp"
id = 10
peer-id = 11
local-port = 3000
remote-port = 4000
udp-checksum = "off"

[tunnel.siteb.session.pw0]
ifname = "pw0"
id = 15
peer-id = 16
tx-cookie = "none"
rx-cookie = "none"
sublayer = "default"
mtu = 1300
address = ["10.1.0.1/24", "10.1.0.2/24"]

[tunnel.siteb.session.pw1]
ifname = "pw1"
id = 17
peer-id = 18
tx-cookie = "none"
rx-cookie = "none"
sublayer = "none"
"""

VYOS = """\
set system host-name 'r1'
set interfaces bridge br0 member interface 'l2tpeth1'
set interfaces l2tpv3 l2tpeth0 address '10.2.0.1/24'
set interfaces l2tpv3 l2tpeth0 description "the other l2tp's end"
set interfaces l2tpv3 l2tpeth0 remote '192.0.2.2'
set interfaces l2tpv3 l2tpeth0 source-address '192.0.2.1'
set interfaces l2tpv3 l2tpeth0 tunnel-id '10'
set interfaces l2tpv3 l2tpeth0 peer-tunnel-id '20'
set interfaces l2tpv3 l2tpeth0 session-id '1'
set interfaces l2tpv3 l2tpeth0 peer-session-id '2'
set interfaces l2tpv3 l2tpeth1 encapsulation 'ip'
set interfaces l2tpv3 l2tpeth1 destination-port '5000'
set interfaces l2tpv3 l2tpeth1 disable
set interfaces l2tpv3 l2tpeth1 mtu '1500'
set interfaces l2tpv3 l2tpeth1 remote-ip '192.0.2.3'
set interfaces l2tpv3 l2tpeth1 local-ip '192.0.2.1'
set interfaces l2tpv3 l2tpeth1 tunnel-id '11'
set interfaces l2tpv3 l2tpeth1 peer-tunnel-id '11'
set interfaces l2tpv3 l2tpeth1 session-id '110'
set interfaces l2tpv3 l2tpeth1 peer-session-id '110'
"""

VYOS_BRACES = """\
interfaces {
    bridge br0 {
        member {
            interface l2tpeth1 {
            }
        }
    }
    l2tpv3 l2tpeth0 {
        address 10.2.0.1/24 /* inner */
        description "the other l2tp's end"
        remote 192.0.2.2
        source-address 192.0.2.1
        tunnel-id 10
        peer-tunnel-id 20
        session-id 1
        peer-session-id 2
    }
    l2tpv3 l2tpeth1 {
        encapsulation ip
        destination-port 5000
        disable
        mtu 1500
        remote 192.0.2.3
        source-address 192.0.2.1
        tunnel-id 11
        peer-tunnel-id 11
        session-id 110
        peer-session-id 110
    }
}
// vyos-config-version: "interfaces@32"
"""

VYOS_MEANS = """\
[tunnel.l2tpeth0]
remote = "192.0.2.2"
local = "192.0.2.1"
encap = "udp"
id = 10
peer-id = 20
local-port = 5000
remote-port = 5000
udp-checksum = "off"

[tunnel.l2tpeth0.session.l2tpeth0]
ifname = "l2tpeth0"
id = 1
peer-id = 2
tx-cookie = "none"
rx-cookie = "none"
sublayer = "default"
mtu = 1488
address = ["10.2.0.1/24"]

[tunnel.l2tpeth1]
remote = "192.0.2.3"
local = "192.0.2.1"
encap = "ip"
id = 11
peer-id = 11

[tunnel.l2tpeth1.session.l2tpeth1]
ifname = "l2tpeth1"
id = 110
peer-id = 110
tx-cookie = "none"
rx-cookie = "none"
sublayer = "default"
mtu = 1500
up = false

[link.br0]
type = "bridge"
over = ["l2tpeth1/l2tpeth1"]
stp = "off"
"""

QL2TPD = """\
[tunnel.t1]
version = "l2tpv3"
encap = "udp"
local = "127.0.0.1:5000"
tid = 62719
peer = "127.0.0.1:5001"
ptid = 72819
hello_timeout = 7500 # milliseconds

[tunnel.t1.session.s1]
pseudowire = "eth"
sid = 12389
psid = 1234
seqnum = true
cookie = [ 0x12, 0xe9, 0x54, 0x0f, 0xe2, 0x68, 0x72, 0xbc ]
peer_cookie = [ 0x74, 0x2e, 0x28, 0xa8 ]
interface_name = "l2tpeth42"
l2spec_type = "default"
"""

QL2TPD_MEANS = """\
[tunnel.t1]
remote = "127.0.0.1"
local = "127.0.0.1"
encap = "udp"
id = 62719
peer-id = 72819
local-port = 5000
remote-port = 5001
udp-checksum = "off"

[tunnel.t1.session.s1]
ifname = "l2tpeth42"
id = 12389
peer-id = 1234
tx-cookie = "12e9540fe26872bc"
rx-cookie = "742e28a8"
sublayer = "default"
sequencing = "both"
up = false
"""


@pytest.mark.parametrize(
    ("format_", "texts", "means", "left_out"),
    [
        ("iproute2", [SCRIPT_WITH_BRIDGE], SCRIPT_WITH_BRIDGE_MEANS, ["f0:11: the files don't set the netdev up"]),
        ("networkd", [NETDEV, NETWORK], NETWORKD_MEANS, ["f0:8: Local=auto@eth0", "f1:9: [Network] DHCP="]),
        ("networkd", [NETDEV + NETWORK], NETWORKD_MEANS, ["f0:8: Local=auto@eth0", "f0:34: [Network] DHCP="]),
        ("vyos", [VYOS], VYOS_MEANS, []),
        ("vyos", [VYOS_BRACES], VYOS_MEANS, []),
        ("ql2tpd", [QL2TPD], QL2TPD_MEANS, ["f0:8: HELLO", "f0:10: cookies: ql2tpd", "f0:10: the files don't"]),
    ],
)
def test_in_full(tmp_path: Path, format_: str, texts: list[str], means: str, left_out: list[str]) -> None:
    for number, text in enumerate(texts):
        (tmp_path / f"f{number}").write_text(text)
    warnings: list[Problem] = []
    wanted = import_files(format_, [tmp_path / f"f{number}" for number in range(len(texts))], warn=warnings.append)
    assert dump(wanted) == means
    assert [f"{one.file.name}:{one.line}: {one.problem}".startswith(text) for one, text in zip(
        warnings, left_out, strict=True)] == [True] * len(left_out)  # fmt: skip
    ours = tmp_path / "ours.toml"
    ours.write_text(means)
    assert load([ours]) == wanted


def only_tunnel(format_: str, text: str) -> DesiredTunnel:
    """The one tunnel of a text."""
    (wanted,) = import_from(format_, text, "f")
    assert isinstance(wanted, DesiredTunnel)
    return wanted


def test_a_batch_file_and_what_ip_leaves_open() -> None:
    tunnel = only_tunnel("iproute2", BATCH.replace("\nl2tp", "\n-n red l2tp").replace("-n red", "ip -n red"))
    assert dict(tunnel.words) == {
        "remote": "2001:db8::2", "encap": "ip", "id": 1, "peer-id": 1, "netns": "red",
    }  # fmt: skip
    assert "ifname" not in tunnel.sessions[0].words
    other = only_tunnel("iproute2", BATCH.replace("-n red ", ""))
    assert [other.name, other.sessions[0].name] == ["t1", "s1"]


def test_a_script_that_cleans_up_after_itself() -> None:
    add = "ip l2tp add tunnel tunnel_id 1 peer_tunnel_id 1 encap ip local 10.0.0.1 remote 10.0.0.2\n"
    session = "ip l2tp add session tunnel_id 1 session_id 1 peer_session_id 1\n"
    tunnel = only_tunnel("iproute2", add + session + "ip l2tp del tunnel tunnel_id 1\n" + add)
    assert tunnel.sessions == ()
    tunnel = only_tunnel("iproute2", add + session + "ip l2tp del session tunnel_id 1 session_id 1\n")
    assert tunnel.sessions == ()


ADD = "ip l2tp add tunnel tunnel_id 1 peer_tunnel_id 1 encap ip local 10.0.0.1 remote 10.0.0.2\n"
ADD_SESSION = "ip l2tp add session tunnel_id 1 session_id 1 peer_session_id 1 name pw0\n"


@pytest.mark.parametrize(
    ("format_", "text", "says"),
    [
        ("iproute2", "ip l2tp add tunnel tunnel_id $ID", ["f:1: '$ID': variables are not expanded"]),
        ("iproute2", "$IP l2tp add tunnel", ["f:1: '$IP': variables"]),
        ("iproute2", "ssh host ip l2tp add tunnel", ["f:1: 'ssh host ip l2tp' is not understood"]),
        ("iproute2", "ip l2tp add tunnel tunnel_id 1\n", ["f:1: ip-l2tp add tunnel: peer_tunnel_id is required"]),
        ("iproute2", "\n\nip l2tp frob\n", ["f:3: ip-l2tp: command 'frob' is unknown"]),
        ("iproute2", "ip l2tp add 'tunnel\n", ["f:1: a quote is not closed"]),
        ("iproute2", ADD + ADD, ["f:2: ip l2tp add tunnel: tunnel_id 1 is there already, from line 1"]),
        ("iproute2", ADD_SESSION, ["f:1: ip l2tp add session: no line above adds tunnel_id 1"]),
        ("iproute2", ADD + ADD_SESSION * 2, ["f:3: ip l2tp add session: session_id 1 is there already"]),
        ("iproute2", ADD + ADD_SESSION + "ip link set $DEV up", ["f:3: '$DEV': variables"]),
        ("iproute2", ADD + ADD_SESSION + "ip link set pw0 mtu $MTU", ["f:3: '$MTU': variables"]),
        ("iproute2", ADD + ADD_SESSION + "ip link set pw0 mtu 7", ["f:3: session s1: --mtu: 7 is out of range"]),
        ("iproute2", ADD + ADD_SESSION + "ip link set pw0 mtu", ["f:3: ip: mtu: its value is missing"]),
        ("iproute2", ADD + ADD_SESSION + "ip link set pw0 netns 4711", ["f:3: ip link set: netns 4711 is a process"]),
        ("iproute2", ADD + ADD_SESSION + "ip addr add 10.0.0.1 anycast x dev pw0", ["'anycast' can't be"]),
        ("iproute2", ADD + ADD_SESSION + "ip link set pw0 vrf red", ["f:3: the VRF of pw0 can't be imported; take"]),
        ("iproute2", "ip link set eth0 up\n", ["f: there is no L2TPv3 ethernet tunnel in it"]),
        ("networkd", "[L2TP]\nTunnelId=1\n", ["f:1: [L2TP] without [NetDev]"]),
        ("networkd", NETDEV.replace("TunnelId=10", "TunnelId=0"), ["f:6: tunnel siteb: --id: 0 is not an id"]),
        ("networkd", NETDEV.replace("TunnelId=10", "Cookie=1"), ["TunnelId= is missing", "f:6: 'Cookie' is unknown"]),
        ("networkd", NETDEV.replace("SessionId=15", "Cookie=1"), ["f:15: SessionId= is missing", "'Cookie' is unkn"]),
        ("networkd", NETDEV.replace("Local=auto@eth0", "UDP6ZeroChecksumTx=no"), ["f:1: UDP checksums in one"]),
        ("networkd", NETDEV + "nonsense\n", ["f:26: 'nonsense' is neither"]),
        ("vyos", VYOS.replace("session-id '2'", "session '2'"), ["f:3: peer-session-id of 'l2tpeth0' is missing",
                                                              "f:10: 'peer-session' is unknown"]),
        ("vyos", VYOS.replace("192.0.2.2", "r2:example"), ["f:5: tunnel l2tpeth0: --remote: 'r2:example' is not an"]),
        ("vyos", VYOS_BRACES.rsplit("}", 1)[0], ["a closing brace is missing"]),
        ("vyos", VYOS + "delete interfaces l2tpv3 l2tpeth1\n", ["f:21: `delete` can't be imported"]),
        ("vyos", VYOS + "set interfaces l2tpv3 l2tpeth0 vrf red\n", ["f:21: the VRF of l2tpeth0"]),
        ("vyos", VYOS + "set interfaces l2tpv3 l2tpeth0 redirect eth1\n", ["f:21: that what comes in by l2tpeth0"]),
        ("routeros", ROUTEROS.replace(" mtu=", " use-ipsec=yes mtu=", 1), ["l2tp-ether1 is protected by IPsec"]),
        ("ql2tpd", QL2TPD.replace("127.0.0.1:5001", "r_2:5001"), ["f:6: tunnel t1: --remote: 'r_2' is not an IP"]),
        ("ql2tpd", QL2TPD.replace(":5001", ""), ["f:6: peer is '127.0.0.1', not"]),
        ("ql2tpd", QL2TPD.replace('"eth"', '"ppp"'), ["f:1: tunnel 't1' is for PPP"]),
        ("ql2tpd", QL2TPD.replace("l2tpv3", "l2tpv2"), ["f:1: tunnel 't1' is for PPP"]),
        ("ql2tpd", QL2TPD.replace("seqnum", "sequence"), ["f:14: 'sequence' is unknown to ql2tpd"]),
        ("ql2tpd", QL2TPD.replace("0xa8", "0x1a8"), ["f:16: peer_cookie is not an array of 4 or 8 bytes"]),
        ("ql2tpd", "[tunnel.t1", ["f:1: not TOML"]),
    ],
)  # fmt: skip
def test_what_is_wrong_and_where(format_: str, text: str, says: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        import_from(format_, text, "f")
    lines = str(caught.value).splitlines()
    assert len(lines) == len(says)
    for line, part in zip(lines, says, strict=True):
        assert part in line and "; " in line  # with a remedy


def test_a_variable_is_only_wrong_where_it_matters() -> None:
    """`ip link add name $NAME` makes a bridge; it is no session's netdev."""
    assert dump(import_from("iproute2", SCRIPT, "f")) == SCRIPT_MEANS


def test_no_secret_in_a_message() -> None:
    script = (
        ADD + "ip l2tp add session tunnel_id 1 session_id 1 peer_session_id 1 cookie deadbeefdeadbee peer_cookie x\n"
    )
    for format_, text in (("iproute2", script), ("ql2tpd", QL2TPD.replace("0xbc", "0xbcc"))):
        with pytest.raises(ConfigError) as caught:
            import_from(format_, text, "f")
        assert "deadbee" not in str(caught.value) and "0xe2" not in str(caught.value)


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin1").write_bytes(b"\xe4")
    with pytest.raises(ConfigError) as caught:
        import_files("vyos", [tmp_path / "absent", tmp_path / "latin1"])
    assert [problem.problem for problem in caught.value.problems] == [
        "can't read it: No such file or directory", "can't read it: not UTF-8",
    ]  # fmt: skip
    for format_, files in (("cisco", ["x"]), ("vyos", [])):
        with pytest.raises(InvalidValueError):
            import_files(format_, files)


# -- our own output comes back ---------------------------------------------------------------------------------------


def _back(seen: TunnelStatus, format_: str) -> DesiredTunnel:
    try:
        text = "".join(f"{line}\n" for line in commands(seen, format_).lines)
    except InvalidValueError:
        assume(False)  # noqa: FBT003 - the format has no words for this one; that is tested elsewhere
        raise
    return only_tunnel(format_, text)


LOST = {
    "iproute2": {"reorder-timeout-ms"},
    "networkd": {"reorder-timeout-ms", "sequencing", "mtu"},
    "vyos": {"reorder-timeout-ms", "sequencing", "mtu"},
    "ql2tpd": {"mtu", "up"},
}
"""Words that a format has not, or states where we leave them open."""


@pytest.mark.parametrize("format_", list(LOST))
@SOME
@given(data=st.data())
def test_what_we_tell_is_what_we_read(format_: str, data: st.DataObject) -> None:
    can = {
        "networkd": {"cookies": False, "sequencing": False},
        "vyos": {"cookies": False, "plain": True},
        "ql2tpd": {"cookies": False},
    }
    seen = data.draw(tunnels(one_way=False, **can.get(format_, {})))
    wanted = _back(seen, format_)
    spec = mirrored(seen.spec)
    expected = DesiredTunnel.from_specs(spec, [mirrored_session(session.spec) for session in seen.sessions])
    left = {"udp-checksum"} if spec.encap is Encap.IP or format_ in ("vyos", "ql2tpd") else set()
    assert without(wanted.words, left) == without(expected.words, left | _ports(spec.encap))
    for ours, theirs in zip(wanted.sessions, expected.sessions, strict=True):
        assert without(ours.words, LOST[format_]) == without(theirs.words, LOST[format_])


def without(words: Any, left: Iterable[str]) -> dict[str, Any]:
    """The words but for those that are left open."""
    return {word: value for word, value in words.items() if word not in left}


def _ports(encap: Encap) -> set[str]:
    return {"local-port", "remote-port"} if encap is Encap.IP else set()


# -- anything at all -------------------------------------------------------------------------------------------------

_WHOLE = {
    "iproute2": SCRIPT, "networkd": NETDEV + NETWORK, "vyos": VYOS_BRACES, "ql2tpd": QL2TPD,
    "openwrt": OPENWRT, "routeros": ROUTEROS,
}  # fmt: skip


@st.composite
def mangled(draw: st.DrawFn, text: str) -> str:
    """A text with pieces of it cut, doubled, swapped, or something else put there."""
    pieces = draw(st.sampled_from([text.splitlines(keepends=True), text.split(" ")]))
    glue = "" if "\n" in pieces[0] or len(pieces) == len(text.splitlines()) else " "
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(pieces) - 1))
        other = draw(
            st.one_of(st.text(max_size=20), st.sampled_from(["", "-1", "0x", "$x", "'", "{", "}", "dev", "::"]))
        )
        pieces[at] = draw(st.sampled_from([other, pieces[at] * 2, pieces[at] + other, other + pieces[at]]))
    return glue.join(pieces)


@pytest.mark.parametrize("format_", IMPORT_FORMATS)
@MANY
@given(data=st.data())
def test_mangled_files_are_refused_or_read(format_: str, data: st.DataObject) -> None:
    _refused_or_read(format_, data.draw(mangled(_WHOLE[format_])))


@MANY
@given(st.sampled_from(IMPORT_FORMATS), st.text(max_size=200))
@example("iproute2", ADD + ADD_SESSION + "ip link set pw0 up dev")
@example("iproute2", ADD + ADD_SESSION + "ip link set dev pw0 dev pw0")
@example("ql2tpd", "[tunnel]\nt1 = 1\n")
@example("ql2tpd", "tunnel = [[[1]]]")
@example("ql2tpd", '[tunnel.""]\n[tunnel.x.session.""]\n')
@example("ql2tpd", "x = " + "[" * 5000)
@example("ql2tpd", "x = " + "9" * 5000)
@example("vyos", "set interfaces l2tpv3\nset interfaces l2tpv3 '' mtu")
@example("networkd", "[Match]\n[NetDev]\nKind=l2tp\nName=\n[L2TPSession]\nName=/\n")
def test_any_text_is_refused_or_read(format_: str, text: str) -> None:
    _refused_or_read(format_, text)


def _refused_or_read(format_: str, text: str) -> None:
    try:
        wanted = import_texts(format_, [(Path("f"), text)])
    except ConfigError as error:
        assert all(problem.remedy and problem.line >= 0 for problem in error.problems)
        return
    dump(wanted)
