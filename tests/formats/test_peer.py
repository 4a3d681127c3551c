"""What to type at the other end: the mirror image, and it works when it is typed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine
from tests.formats.driver import ctl_lines
from tests.hosts import Host

TUNNEL = (
    "tunnel add siteb --remote 127.0.0.2 --local 127.0.0.1 --id 10 --peer-id 20 --local-port 5000 --remote-port 5001"
)
SESSION = "session add siteb lan --id 1 --peer-id 2 --tx-cookie 0011223344556677 --rx-cookie 8899aabb --sequencing send"


@pytest.fixture
def siteb(ctl: CommandLine) -> CommandLine:
    ctl.ok(TUNNEL)
    ctl.ok(SESSION)
    return ctl


def test_as_l2tpctl(siteb: CommandLine) -> None:
    assert siteb.ok("peer siteb").out.splitlines() == [
        "l2tpctl tunnel add siteb --remote 127.0.0.1 --local 127.0.0.2 --encap udp --id 20 --peer-id 10"
        " --local-port 5001 --remote-port 5000 --udp-checksum on",
        "l2tpctl session add siteb lan --id 2 --peer-id 1 --tx-cookie 8899aabb --rx-cookie 0011223344556677"
        " --sublayer default --sequencing recv",
    ]


def test_it_may_have_another_name_there(siteb: CommandLine) -> None:
    told = siteb.ok("peer siteb --name sitea").out
    assert told == siteb.ok("peer siteb").out.replace(" siteb ", " sitea ") and " sitea " in told
    for form in ("networkd", "vyos", "cisco"):
        as_it_is, renamed = siteb("peer siteb --as", form), siteb("peer siteb --name sitea --as", form)
        assert renamed.out == as_it_is.out.replace("siteb", "sitea") and renamed.code == as_it_is.code
    refused = siteb("peer siteb --name", "no name")
    assert refused.code == 1 and "is not a name" in refused.err


def test_as_iproute2(siteb: CommandLine) -> None:
    siteb.ok("session set siteb lan --mtu 1400")
    assert siteb.ok("peer siteb --as iproute2").out.splitlines() == [
        "ip l2tp add tunnel tunnel_id 20 peer_tunnel_id 10 encap udp local 127.0.0.2 remote 127.0.0.1"
        " udp_sport 5001 udp_dport 5000 udp_csum on",
        "ip l2tp add session name l2tpeth0 tunnel_id 20 session_id 2 peer_session_id 1 cookie 8899aabb"
        " peer_cookie 0011223344556677 l2spec_type default seq recv",
        "ip link set dev l2tpeth0 up mtu 1400",
    ]


def test_secrets_are_pointed_out(siteb: CommandLine) -> None:
    assert "cookies in clear" in siteb.ok("peer siteb").err
    siteb.ok("session set siteb lan --tx-cookie none --rx-cookie none")
    assert siteb.ok("peer siteb").err == ""


@pytest.mark.parametrize("words", ["--encap ip", "--udp-checksum off", "--remote-port 1702"])
@pytest.mark.parametrize(
    "session",
    ["--sequencing both --reorder-timeout-ms 50", "--sequencing recv --reorder-timeout-ms 50", "--sublayer none",
     "--tx-cookie none --mtu 1300", "--sequencing send", "--vlan 100", "--vlan 7 --egress rewrite"],
)  # fmt: skip
def test_the_peer_of_the_peer_is_this_end(ctl: CommandLine, words: str, session: str) -> None:
    ctl.ok(f"tunnel add siteb --remote 127.0.0.2 --local 127.0.0.1 --id 3 --peer-id 4 {words}")
    ctl.ok(f"session add siteb lan --id 5 --peer-id 6 {session}")
    first = ctl.manager.tunnel("siteb")
    for _ in range(2):
        lines = ctl.ok("peer siteb").out.splitlines()
        ctl.ok("tunnel del siteb")
        for line in lines:
            ctl.ok(line.removeprefix("l2tpctl "))
    second = ctl.manager.tunnel("siteb")
    assert second.spec == first.spec
    # the wait for late packets is of use only to who receives numbered ones: the other end can't tell ours back
    told = {"reorder_timeout_ms"} if "recv" in session else set()
    ours, theirs = first.sessions[0].spec, second.sessions[0].spec
    assert {name for name in ours.__slots__ if getattr(ours, name) != getattr(theirs, name)} == told


def test_one_vlan_as_iproute2(siteb: CommandLine) -> None:
    """The kernel there is given a VLAN netdev, over a session without room for a tag of its own accord."""
    siteb.ok("session set siteb lan --vlan 100 --ifname fifteen-letters")
    told = siteb.ok("peer siteb --as iproute2")
    maps = " ".join(f"{number}:{number}" for number in range(8))
    mtu = siteb.manager.session("siteb", "lan").mtu
    assert told.out.splitlines()[2:] == [
        f"ip link set dev fifteen-letters up mtu {mtu}",
        "ip link add link fifteen-letters name fifteen-le.100 type vlan id 100"
        f" egress-qos-map {maps} ingress-qos-map {maps}",
        "ip link set dev fifteen-le.100 up",
    ]
    assert "fifteen-letters has those of VLAN 100, and fifteen-le.100 them untagged" in told.err
    siteb.ok("session set siteb lan --egress rewrite")
    told = siteb.ok("peer siteb --as iproute2")
    assert told.out.splitlines()[2:] == [f"ip link set dev fifteen-letters up mtu {mtu}"]
    assert "for a VLAN netdev of that number over it" in told.err


@pytest.mark.parametrize("words", ["--as qemu", "--as ql2tpd"])
def test_one_vlan_to_tools_that_know_none(siteb: CommandLine, words: str) -> None:
    siteb.ok("session set siteb lan --tx-cookie none --rx-cookie none --sequencing none --mtu 1400")
    before = siteb.ok(f"peer siteb {words}").out
    siteb.ok("session set siteb lan --vlan 100")
    told = siteb.ok(f"peer siteb {words}")
    assert told.out == before
    assert "has those of VLAN 100, for a VLAN netdev of that number over it" in told.err


def test_one_vlan_to_cisco(siteb: CommandLine) -> None:
    siteb.ok("tunnel set siteb --encap ip")
    siteb.ok("session set siteb lan --vlan 100 --sublayer none --sequencing none --tx-cookie none --rx-cookie none")
    told = siteb.ok("peer siteb --as cisco")
    assert "interface PORT-lan.100\n encapsulation dot1Q 100\n xconnect " in told.out
    assert "may have another number" in told.err


def test_ipv6(ctl: CommandLine) -> None:
    from ipaddress import ip_address

    from l2tpv3.formats.peer import commands
    from l2tpv3.model.spec import TunnelSpec
    from l2tpv3.model.status import Condition, TunnelStatus

    spec = TunnelSpec(name="b", remote=ip_address("2001:db8::2"), local=ip_address("2001:db8::1"), udp_checksum=False)
    status = TunnelStatus(name="b", spec=spec, condition=Condition.UP, datapath="user", local=spec.local)
    assert commands(status, "iproute2").lines == (
        "ip l2tp add tunnel tunnel_id 1 peer_tunnel_id 1 encap udp local 2001:db8::2 remote 2001:db8::1"
        " udp_sport 1701 udp_dport 1701 udp6_csum_tx off udp6_csum_rx off",
    )


def typed(host: Host, commands: str) -> None:
    """Paste into a shell on that host, as a user does."""
    path = f"PATH={Path(sys.executable).parent}:$PATH"
    host.run(["sh", "-e"], stdin=f"{path}\n{commands}")


def is_joined(a: Host, b: Host, ifname: str) -> None:
    b.ip_batch([f"addr add 10.9.0.2/24 dev {ifname}"])
    assert a.ping("10.9.0.2", count=3)


@pytest.mark.root
@pytest.mark.parametrize(
    ("words", "family"),
    [("", 6), ("--encap ip", 4), ("--remote-port 1702 --local-port 1703 --udp-checksum off", 4)],
)
def test_typed_at_the_other_end_as_l2tpctl(underlay: tuple[Host, Host], words: str, family: int) -> None:
    a, b = underlay
    made = [
        f"tunnel add siteb --remote {b.address(family)} --id 7 --peer-id 8 {words} --datapath user",
        "session add siteb lan --id 9 --peer-id 10 --sequencing both --address 10.9.0.1/24",
    ]
    typed(b, ctl_lines(a, [*made, "peer siteb"]))
    is_joined(a, b, "l2tpeth0")


@pytest.mark.root
def test_typed_at_the_other_end_as_iproute2_words(underlay: tuple[Host, Host]) -> None:
    """The iproute2 form, through our `ip l2tp`, so that it runs without l2tp_eth too."""
    a, b = underlay
    made = [
        f"tunnel add siteb --remote {b.v4} --id 7 --peer-id 8 --datapath user",
        "session add siteb lan --id 9 --peer-id 10 --ifname pw7 --sequencing send --address 10.9.0.1/24",
    ]
    told = ctl_lines(a, [*made, "peer siteb --as iproute2"])
    typed(b, told.replace("ip l2tp", "l2tpctl ip-l2tp --datapath user"))
    is_joined(a, b, "pw7")


@pytest.mark.kernel_l2tp
@pytest.mark.root
@pytest.mark.parametrize(("datapath", "encap"), [("user", "udp"), ("user", "ip"), ("kernel", "udp")])
def test_typed_at_the_other_end_as_iproute2(underlay: tuple[Host, Host], datapath: str, encap: str) -> None:
    a, b = underlay
    made = [
        f"tunnel add siteb --remote {b.v4} --id 7 --peer-id 8 --encap {encap} --datapath {datapath}",
        "session add siteb lan --id 9 --peer-id 10 --ifname pw7 --mtu 1400 --address 10.9.0.1/24",
    ]
    typed(b, ctl_lines(a, [*made, "peer siteb --as iproute2"]))
    is_joined(a, b, "pw7")
    assert "mtu 1400" in b.ip("link", "show", "pw7")
