"""`ip l2tp`'s words and output. What is printed is compared with what ip itself printed (golden/ip-l2tp-show.txt)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.iproute2.command import USAGE, parse, session_words, tunnel_words
from l2tpv3.model.spec import Encap, Sequencing, Sublayer
from tests.cli.command_line import CommandLine
from tests.formats.driver import ctl_lines
from tests.hosts import Host, Hosts

GOLDEN = Path(__file__).with_name("golden") / "ip-l2tp-show.txt"
TUNNEL = "tunnel_id 1 peer_tunnel_id 2 local 127.0.0.1 remote 127.0.0.2 udp_sport 1701 udp_dport 1702"
SESSION = "tunnel_id 1 session_id 3 peer_session_id 4"


Blocks = list[tuple[list[str], list[str], str, str]]
"""Words of a tunnel, words of a session in it, and what ip shows of both."""


def golden() -> Blocks:
    """What golden/capture.sh captured."""
    return list(_golden())


def _golden() -> Iterator[tuple[list[str], list[str], str, str]]:
    for block in GOLDEN.read_text().split("====\n")[:-1]:
        tunnel, session, shown = block.split("\n", 2)
        shown_tunnel, shown_session = shown.split("--\n")
        yield tunnel.split()[2:], session.split()[2:], shown_tunnel, shown_session


def play(host: Host, datapath: str, blocks: Blocks) -> str:
    """Do with l2tpctl on that host what golden/capture.sh does with ip, and give all output."""
    host.ip_batch(["addr add 192.0.2.1/24 dev lo", "addr add 2001:db8::1/64 dev lo nodad"])
    lines: list[str] = []
    for tunnel, session, _, _ in blocks:
        added = [f"add tunnel {' '.join(tunnel)}", f"add session {' '.join(session)}"]
        deleted = [f"del session {' '.join(session[:4])}", f"del tunnel {' '.join(tunnel[:2])}"]
        lines += [*added, "show tunnel", "show session", *deleted]
    return ctl_lines(host, [f"ip-l2tp --datapath {datapath} {line}" for line in lines])


@pytest.mark.root
def test_same_output_as_ip_on_the_user_datapath(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    assert play(host, "user", golden()) == "".join(tunnel + session for _, _, tunnel, session in golden())


@pytest.mark.kernel_l2tp
@pytest.mark.root
def test_same_output_as_ip_on_the_kernel_datapath(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    some = golden()[1::2]  # a command takes a second there
    assert play(host, "kernel", some) == "".join(tunnel + session for _, _, tunnel, session in some)


@pytest.mark.kernel_l2tp
@pytest.mark.root
def test_each_sees_what_the_other_made(hosts: Hosts) -> None:
    """Byte for byte: ip shows our tunnel as we do, and we show ip's as ip does."""
    (host,) = hosts.add("a")
    host.ip_batch(["addr add 192.0.2.1/24 dev lo"])
    tunnel, session, _, _ = golden()[1]
    added = [f"--datapath kernel add tunnel {' '.join(tunnel)}", f"add session {' '.join(session)}"]
    ctl_lines(host, [f"ip-l2tp {line}" for line in added])
    other = [word.replace("1701", "1711") for word in tunnel]
    host.ip("l2tp", "add", "tunnel", *other[2:], "tunnel_id", "9")
    host.ip("l2tp", "add", "session", "tunnel_id", "9", "session_id", "7", "peer_session_id", "8", "cookie", "00112233")
    theirs = objects(host.ip("l2tp", "show", "tunnel") + host.ip("l2tp", "show", "session"))
    ours = objects(ctl_lines(host, ["ip-l2tp show tunnel", "ip-l2tp show session"]))
    # ip repeats the peer cookie of the session before where one has none (p->peer_cookie_len stays), we don't
    repeated = "  cookie 00112233  peer cookie 89abcdef"
    assert ours == {text.replace(repeated, "  cookie 00112233") for text in theirs}
    assert len(ours) == 4


def objects(shown: str) -> set[str]:
    """What `show` printed, split into its objects: ip's order is the kernel's, ours is by id."""
    parts: list[str] = []
    for line in shown.splitlines(keepends=True):
        if line.startswith(("Tunnel", "Session")):
            parts.append("")
        parts[-1] += line
    return set(parts)


# -- the grammar ---------------------------------------------------------------------------------------------------


def test_defaults_are_those_of_ip() -> None:
    given = parse(f"add tunnel {TUNNEL}".split()).given
    words = tunnel_words(given, "auto", None)
    assert words == {
        "remote": "127.0.0.2", "local": "127.0.0.1", "encap": "udp", "id": 1, "peer-id": 2, "local-port": 1701,
        "remote-port": 1702, "udp-checksum": "off", "datapath": "auto", "netns": None,
    }  # fmt: skip
    given = parse(f"add session {SESSION}".split()).given
    assert session_words(given) == {
        "id": 3, "peer-id": 4, "tx-cookie": b"", "rx-cookie": b"", "sublayer": "default", "sequencing": "none",
        "up": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("tid 1 ptid 0x10 sid 010 psid 4294967295", {"tunnel_id": 1, "peer_tunnel_id": 16, "session_id": 8,
                                                     "peer_session_id": 4294967295}),
        ("encap ip remote ::1 local 1.2.3.4", {"encap": Encap.IP, "remote": ip_address("::1"),
                                               "local": ip_address("1.2.3.4")}),
        ("local any", {"local": ip_address("0.0.0.0")}),
        ("name pw0 cookie 0123456789abcdef peer_cookie 89ABCDEF", {
            "name": "pw0", "cookie": bytes.fromhex("0123456789abcdef"), "peer_cookie": bytes.fromhex("89abcdef")}),
        ("seq BOTH l2spec_type None", {"seq": Sequencing.BOTH, "l2spec_type": Sublayer.NONE}),
        ("udp_csum on udp6_csum_tx off udp6_csum_rx off", {"udp_csum": "on", "udp6_csum_tx": "off",
                                                           "udp6_csum_rx": "off"}),
        ("udp_sport 0x6a5 udp_dport 1", {"udp_sport": 1701, "udp_dport": 1}),
    ],
)  # fmt: skip
def test_words(words: str, given: dict[str, Any]) -> None:
    assert parse(["show", "tunnel", *words.split()]).given == given


@pytest.mark.parametrize(
    ("text", "verb"),
    [("a", "add"), ("add", "add"), ("d", "del"), ("del", "del"), ("delete", "del"), ("s", "show"), ("sh", "show"),
     ("show", "show"), ("l", "show"), ("list", "show"), ("lst", "show")],
)  # fmt: skip
def test_abbreviations(text: str, verb: str) -> None:
    everything = f"tunnel {TUNNEL}".split()
    assert parse([text, *everything]).verb == verb


@pytest.mark.parametrize("words", ["help", "h", "add help", "show tunnel he"])
def test_help(ctl: CommandLine, words: str) -> None:
    assert ctl.ok(f"ip-l2tp {words}").out == USAGE


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "missing"),
        ("frob", "'frob'"),
        ("adds tunnel", "'adds'"),
        ("add tunnel frob 1", "'frob'"),
        ("add tun", "'tun'"),  # objects and options have no abbreviations
        ("add tunnel tunnel_id", "tunnel_id: its value is missing"),
        ("add tunnel tunnel_id x", "'x'"),
        ("add tunnel tunnel_id 08", "'08'"),
        ("add tunnel tunnel_id 4294967296", "4294967296"),
        ("add tunnel remote localhost", "localhost"),
        ("add tunnel encap gre", "gre"),
        ("add tunnel udp_sport 65536", "65536"),
        ("add session cookie 0123", "cookie"),
        ("add session cookie none", "cookie"),
        ("add session cookie 0x012345", "cookie"),
        ("add session name abcdefghijklmnop", "abcdefghijklmnop"),
        ("add session seq always", "always"),
        ("add session l2spec_type udp", "udp"),
        ("add tunnel_id 1", "neither tunnel nor session"),
        ("add tunnel peer_tunnel_id 2 local 1.1.1.1 remote 1.1.1.2", "tunnel_id is required"),
        ("add tunnel tunnel_id 1 local 1.1.1.1 remote 1.1.1.2", "peer_tunnel_id is required"),
        ("add tunnel tunnel_id 1 peer_tunnel_id 2 remote 1.1.1.2", "local is required"),
        ("add tunnel tunnel_id 1 peer_tunnel_id 2 local 1.1.1.1", "remote is required"),
        ("add tunnel tunnel_id 1 peer_tunnel_id 2 local 1.1.1.1 remote 1.1.1.2", "udp_sport is required"),
        ("add tunnel tunnel_id 0 peer_tunnel_id 2 local 1.1.1.1 remote 1.1.1.2", "tunnel_id is required"),
        ("add session tunnel_id 1 session_id 3", "peer_session_id is required"),
        ("del tunnel", "tunnel_id is required"),
        ("del session tunnel_id 1", "session_id is required"),
    ],
)
def test_what_is_refused(ctl: CommandLine, words: str, says: str) -> None:
    result = ctl(f"ip-l2tp {words}")
    assert (result.code, result.out) == (1, "")
    assert says in result.err and result.err.count("\n") == 1


def test_checksums_of_one_direction_are_refused() -> None:
    text = "add tunnel tunnel_id 1 peer_tunnel_id 2 local ::1 remote ::2 udp_sport 1 udp_dport 2 udp6_csum_tx off"
    with pytest.raises(InvalidValueError, match="one direction"):
        tunnel_words(parse(text.split()).given, "auto", None)


# -- on record -----------------------------------------------------------------------------------------------------


def test_names_and_state_on_record(ctl: CommandLine) -> None:
    ctl.ok(f"ip-l2tp add tunnel {TUNNEL}")
    ctl.ok(f"ip-l2tp add session {SESSION} name pw0")
    tunnel = ctl.manager.tunnel("t1")
    (session,) = tunnel.sessions
    assert (session.name, session.spec.ifname, session.spec.up) == ("s3", "pw0", False)
    assert (session.spec.tx_cookie, session.spec.rx_cookie, session.spec.addresses) == (b"", b"", ())


def test_one_command_can_make_both(ctl: CommandLine) -> None:
    ctl.ok(f"ip-l2tp add tunnel session {TUNNEL} {SESSION}")
    assert ctl.ok("ip-l2tp show session").out.startswith("Session 3 in tunnel 1\n")
    ctl.ok("ip-l2tp del tunnel tunnel_id 1")
    result = ctl(f"ip-l2tp add tunnel session {TUNNEL} {SESSION} name abcdefghijklmno l2spec_type none seq both")
    assert result.code == 1
    assert ctl.manager.tunnels() == []  # a failed add leaves nothing behind


def test_show_of_one(ctl: CommandLine) -> None:
    ctl.ok(f"ip-l2tp add tunnel {TUNNEL}")
    ctl.ok(f"ip-l2tp add session {SESSION}")
    ctl.ok("ip-l2tp add session tunnel_id 1 session_id 5 peer_session_id 5")
    shown = ctl.ok("ip-l2tp show session tunnel_id 1 session_id 5").out
    assert shown.startswith("Session 5 in tunnel 1\n") and shown.count("Session") == 1
    assert ctl.ok("ip-l2tp show tunnel tunnel_id 9").out == ""


def test_tunnels_made_otherwise_are_reached_by_their_ids(ctl: CommandLine) -> None:
    ctl.ok("tunnel add siteb --remote 127.0.0.2 --id 70")
    ctl.ok("session add siteb lan --id 71")
    assert "Session 71 in tunnel 70\n" in ctl.ok("ip-l2tp show session").out
    ctl.ok("ip-l2tp del session tunnel_id 70 session_id 71")
    ctl.ok("ip-l2tp del tunnel tunnel_id 70")
    assert ctl.manager.tunnels() == []


def test_offsets_are_ignored_and_that_is_said(ctl: CommandLine) -> None:
    ctl.ok(f"ip-l2tp add tunnel {TUNNEL}")
    result = ctl.ok(f"ip-l2tp add session {SESSION} offset 4 peer_offset 4")
    assert result.err == 'Ignoring option "offset"\nIgnoring option "peer_offset"\n'


def test_datapath_from_the_environment(ctl: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("L2TPV3_DATAPATH", "memory")
    ctl.ok(f"ip-l2tp add tunnel {TUNNEL}")
    assert ctl.manager.tunnel("t1").spec.datapath == "memory"
    ctl.ok("ip-l2tp del tunnel tunnel_id 1")
    ctl.ok(f"ip-l2tp --datapath auto add tunnel {TUNNEL}")
    assert ctl.manager.tunnel("t1").spec.datapath == "auto"


def test_cookie_is_sent_and_peer_cookie_expected(ctl: CommandLine) -> None:
    ctl.ok(f"ip-l2tp add tunnel {TUNNEL}")
    ctl.ok(f"ip-l2tp add session {SESSION} cookie 00112233 peer_cookie 8899aabbccddeeff")
    spec = ctl.manager.session("t1", "s3").spec
    assert (spec.tx_cookie.hex(), spec.rx_cookie.hex()) == ("00112233", "8899aabbccddeeff")
