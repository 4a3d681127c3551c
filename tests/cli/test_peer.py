"""`ip-l2tp` and `peer`, as typed: other tools' words, out and in."""

from __future__ import annotations

import pytest

from l2tpv3.formats.names import PEER_FORMATS
from tests.cli.command_line import CommandLine
from tests.formats.test_iproute2 import golden

OVER_IPV4 = [block for block in golden() if "192.0.2.1" in block[0]]
"""Those whose addresses every machine has, if they are taken for those of the loopback network."""


@pytest.mark.parametrize("number", range(len(OVER_IPV4)))
def test_the_same_output_as_ip(ctl: CommandLine, number: int) -> None:
    tunnel, session, shown_tunnel, shown_session = OVER_IPV4[number]
    ctl.ok(f"ip-l2tp add tunnel {' '.join(tunnel).replace('192.0.2.', '127.0.0.')}")
    ctl.ok(f"ip-l2tp add session {' '.join(session)}")
    assert ctl.ok("ip-l2tp show tunnel").out == shown_tunnel.replace("192.0.2.", "127.0.0.")
    assert ctl.ok("ip-l2tp show session").out == shown_session
    ctl.ok(f"ip-l2tp del session {' '.join(session[:4])}")
    ctl.ok(f"ip-l2tp del tunnel {' '.join(tunnel[:2])}")
    assert ctl.ok("ip-l2tp show tunnel").out == ""


def test_what_ip_l2tp_does_in_one_go_leaves_nothing_behind(ctl: CommandLine) -> None:
    both = "tunnel_id 1 peer_tunnel_id 2 local any remote 127.0.0.2 udp_sport 1701 udp_dport 1702 offset 0"
    assert ctl(f"ip-l2tp add tunnel session {both} session_id 3 peer_session_id 4 name nobody/can").code == 1
    assert ctl(f"ip-l2tp add tunnel session {both} session_id 3 peer_session_id 4 name pw0 cookie 00").code == 1
    done = ctl.ok(f"ip-l2tp add tunnel session {both} session_id 3 peer_session_id 4 name pw0 cookie 00112233")
    assert done.err == 'Ignoring option "offset"\n'
    assert "cookie 00112233" in ctl.ok("ip-l2tp show session tunnel_id 1 session_id 3").out
    assert ctl("ip-l2tp add session tunnel_id 1 session_id 3 peer_session_id 5").code == 4
    assert ctl(f"ip-l2tp --datapath magic add tunnel {both.replace('id 1', 'id 5').replace('1701', '5')}").code == 1
    assert ctl.ok("ip-l2tp help").out.startswith("Usage")


@pytest.mark.parametrize("dialect", PEER_FORMATS)
def test_every_dialect(siteb: CommandLine, dialect: str) -> None:
    siteb.ok("session set siteb lan --rx-cookie 8899aabbccddeeff --sublayer none")
    result = siteb(f"peer siteb --as {dialect}")
    assert result.code == 0 or (result.code, result.out) == (1, "")
    siteb.ok("tunnel set siteb --encap ip")
    siteb("peer siteb --as " + dialect)
    siteb("peer nope --as " + dialect)
