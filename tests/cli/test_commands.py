"""Every command with every option: what reaches the manager, and what is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2tpv3.model.ids import format_cookie
from l2tpv3.model.spec import Egress, Encap, Sequencing, Sublayer
from tests.cli.command_line import CommandLine


def test_every_option_of_tunnel_add(ctl: CommandLine) -> None:
    words = (
        "--remote 127.0.0.2 --local 127.0.0.1 --encap udp --id 10 --peer-id 0x20 --local-port 5000"
        " --remote-port 5001 --udp-checksum off --datapath memory"
    )
    result = ctl.ok(f"tunnel add siteb {words}")
    assert result.out == ""  # data goes to stdout, and none was asked for
    assert result.err.splitlines() == [
        "tunnel siteb: added, id 10, peer id 32, udp 127.0.0.1:5000 -> 127.0.0.2:5001, memory datapath (as asked)"
    ]
    spec = ctl.manager.tunnel("siteb").spec
    assert (spec.tunnel_id, spec.peer_tunnel_id, spec.local_port, spec.remote_port) == (10, 32, 5000, 5001)
    assert (str(spec.local), str(spec.remote), spec.encap) == ("127.0.0.1", "127.0.0.2", Encap.UDP)
    assert (spec.udp_checksum, spec.datapath, spec.netns) == (False, "memory", None)


def test_tunnel_over_ip(ctl: CommandLine) -> None:
    ctl.ok("tunnel add siteb --remote 127.0.0.2 --encap ip")
    assert ctl.ok("tunnel show").table == [
        {"NAME": "siteb", "CONDITION": "up", "HEARING": "-", "DATAPATH": "memory", "ENCAP": "ip",
         "LOCAL": "127.0.0.1", "REMOTE": "127.0.0.2", "ID": "1", "PEER-ID": "1", "SESSIONS": "0"}
    ]  # fmt: skip


def test_what_fits_through_a_tunnel(ctl: CommandLine) -> None:
    ctl.ok("tunnel add siteb --remote 127.0.0.2")
    ctl.ok("session add siteb lan")
    said = ctl.ok("mtu siteb --no-probe").out
    assert "route to 127.0.0.2: " in said and "path: not probed\n" in said and "session siteb/lan\n" in said


def test_every_option_of_session_add(ctl: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "tx").write_text("0123456789abcdef\n")
    ctl.ok("tunnel add siteb --remote 127.0.0.2")
    words = (
        f"--id 7 --peer-id 8 --ifname pw0 --tx-cookie @{tmp_path}/tx --rx-cookie 0x89abcdef --sublayer default"
        " --vlan 100 --egress rewrite --sequencing both --reorder-timeout-ms 20 --mtu 1400"
        " --mac 02:00:00:00:00:01 --address 10.0.0.1/24"
        " --address 2001:db8::1/64 --down"
    )
    result = ctl.ok(f"session add siteb lan {words}")
    assert result.err.splitlines() == ["session siteb/lan: added, netdev pw0, id 7, peer id 8, mtu 1400"]
    spec = ctl.manager.session("siteb", "lan").spec
    assert (spec.session_id, spec.peer_session_id, spec.ifname, spec.mtu) == (7, 8, "pw0", 1400)
    assert (format_cookie(spec.tx_cookie), format_cookie(spec.rx_cookie)) == ("0123456789abcdef", "89abcdef")
    assert (spec.sublayer, spec.sequencing, spec.reorder_timeout_ms) == (Sublayer.DEFAULT, Sequencing.BOTH, 20)
    assert (spec.vlan, spec.egress) == (100, Egress.REWRITE)
    assert [str(address) for address in spec.addresses] == ["10.0.0.1/24", "2001:db8::1/64"]
    assert (spec.mac, spec.up) == ("02:00:00:00:00:01", False)


def test_session_in_a_bridge_without_cookies_and_sublayer(ctl: CommandLine) -> None:
    ctl.ok("tunnel add siteb --remote 127.0.0.2")
    words = "--tx-cookie none --rx-cookie none --sublayer none --sequencing none --mtu auto --bridge br0 --up"
    ctl.ok(f"session add siteb lan {words}")
    row = ctl.ok("session show").table[0]
    assert (row["TX-COOKIE"], row["RX-COOKIE"], row["SUBLAYER"]) == ("none", "none", "none")
    assert row["ATTACHED"] == "bridge=br0"


def test_generated_cookies_are_said_and_how_to_tell_the_peer(ctl: CommandLine) -> None:
    ctl.ok("tunnel add siteb --remote 127.0.0.2")
    generated = ctl.ok("session add siteb lan").err
    assert "`l2tpctl peer siteb` prints the other end's commands" in generated
    given = ctl.ok("session add siteb lan2 --tx-cookie none --rx-cookie none").err
    assert "peer siteb" not in given


@pytest.mark.parametrize("word", ["ls", "show"])
def test_show_has_an_alias(siteb: CommandLine, word: str) -> None:
    assert siteb.ok(f"tunnel {word}").table[0]["NAME"] == "siteb"
    assert siteb.ok(f"session {word} siteb").table[0]["NAME"] == "lan"


@pytest.mark.parametrize("word", ["rm", "del"])
def test_del_has_an_alias(siteb: CommandLine, word: str) -> None:
    assert siteb.ok(f"session {word} siteb lan").err == ""
    assert siteb("session show siteb lan").code == 3
    siteb.ok(f"tunnel {word} siteb")
    assert siteb("tunnel show siteb").code == 3


def test_set_in_place_says_nothing(siteb: CommandLine) -> None:
    result = siteb.ok("session set siteb lan --mtu 1300 --sequencing send --address 10.0.0.9/24")
    assert (result.out, result.err) == ("", "")
    spec = siteb.manager.session("siteb", "lan").spec
    assert (spec.mtu, spec.sequencing, str(spec.addresses[0])) == (1300, Sequencing.SEND, "10.0.0.9/24")
    assert format_cookie(spec.tx_cookie) == "0011223344556677"  # what was not given stays


def test_set_that_recreates_says_so_and_why(siteb: CommandLine) -> None:
    result = siteb.ok("tunnel set siteb --remote-port 1702")
    assert result.err.startswith("tunnel siteb: made anew, traffic was interrupted: remote-port")
    result = siteb.ok("session set siteb lan --tx-cookie none")
    assert result.err.startswith("session siteb/lan: made anew, traffic was interrupted: ")
    assert siteb.ok("session set siteb lan --tx-cookie none").err == ""  # nothing to change


def test_set_takes_optional_words_back(siteb: CommandLine) -> None:
    siteb.ok("session set siteb lan --mac 02:00:00:00:00:01 --address 10.0.0.1/24 --mtu 1300")
    siteb.ok("session set siteb lan --mac none --address none --mtu auto --bridge br0")
    siteb.ok("session set siteb lan --bridge none")
    spec = siteb.manager.session("siteb", "lan").spec
    assert (spec.mac, spec.addresses, spec.mtu, spec.bridge) == (None, (), None, None)
    siteb.ok("tunnel set siteb --local 127.0.0.1 --remote-port 1702")
    siteb.ok("tunnel set siteb --local auto")
    assert siteb.manager.tunnel("siteb").spec.local is None


def test_show_one_session(siteb: CommandLine) -> None:
    shown = dict(line.split(maxsplit=1) for line in siteb.ok("session show siteb lan").out.splitlines())
    assert shown["tx-cookie"] == "**** (8 bytes)"
    assert shown["rx-cookie"] == "**** (4 bytes)"
    assert (shown["ifname"], shown["condition"], shown["cookie-discards"]) == ("l2tpeth0", "up", "0")


def test_status_of_everything(siteb: CommandLine) -> None:
    shown = siteb.ok("").out
    for word in ("tunnel siteb", "udp 127.0.0.1:1701 -> 127.0.0.2:1701", "memory (", "lan", "l2tpeth0", "up"):
        assert word in shown


def test_nothing_to_show_is_not_an_error(ctl: CommandLine) -> None:
    for line in ("", "tunnel show", "session show", "session stats"):
        result = ctl.ok(line)
        assert result.out == "" and result.err.count("\n") == 1


def test_restore(siteb: CommandLine) -> None:
    assert "nothing to restore" in siteb.ok("restore").err
    siteb.datapath.del_tunnel(siteb.manager.tunnel("siteb").spec)
    assert siteb.ok("tunnel show").table[0]["CONDITION"] == "missing"
    assert siteb.ok("restore siteb").err == "tunnel siteb: restored\n"
    assert siteb.ok("tunnel show").table[0]["CONDITION"] == "up"


def test_version(ctl: CommandLine) -> None:
    from importlib.metadata import version

    assert ctl.ok("--version").out == f"l2tpctl {version('l2tpv3')}\n"


def test_an_address_without_a_prefix_length_is_told_what_it_became(siteb: CommandLine) -> None:
    err = siteb.ok("session set siteb lan --address 10.9.0.1 --address 2001:db8::1 --address 10.9.1.1/24").err
    assert err.splitlines() == [
        "session siteb/lan: note: address 10.9.0.1 has no prefix length, so it is 10.9.0.1/32 and reaches no "
        "neighbour; `--address 10.9.0.1/24` has a network",
        "session siteb/lan: note: address 2001:db8::1 has no prefix length, so it is 2001:db8::1/128 and reaches no "
        "neighbour; `--address 2001:db8::1/64` has a network",
    ]
    assert siteb.ok("session set siteb lan --address none").err == ""
