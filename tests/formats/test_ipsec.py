"""The other end of a tunnel that IPsec encrypts, in the words of other systems."""

from __future__ import annotations

import dataclasses
import subprocess
from typing import Any

import pytest

from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.names import PEER_FORMATS
from l2tpv3.formats.peer import commands
from l2tpv3.model.encryption import EncryptionStatus
from l2tpv3.model.ipsec import Selector
from l2tpv3.model.spec import Encap, Encrypt, Sublayer, parse_address
from l2tpv3.model.status import TunnelStatus
from l2tpv3.model.values import IkeAuth
from tests.formats.status_cases import session, status, tunnel

KEY = "corr$ct-horse"


def _encrypted(*, cookies: bool = False, **words: Any) -> TunnelStatus:
    here, there = parse_address("192.0.2.1", ""), parse_address("192.0.2.2", "")
    given = {"local": here, "remote": there, "encap": Encap.IP, "pre_shared_key": KEY.encode(), **words}
    spec = tunnel(encrypt=Encrypt.IPSEC, **given)
    own = {} if cookies else {"tx_cookie": b"", "rx_cookie": b""}
    one = session(mtu=None, sublayer=Sublayer.NONE, **own)
    encryption = EncryptionStatus(local=str(here), remote=str(there), mtu=1466)
    return dataclasses.replace(status(spec, one), local=here, encryption=encryption)


def test_as_l2tpctl_identities_change_places() -> None:
    told = commands(_encrypted(ike_id="sitea", peer_ike_id="siteb", esp_in_udp=True))
    assert f"--encrypt ipsec --esp-in-udp on --ike-auth pre-shared-key --pre-shared-key '{KEY}'" in told.lines[0]
    assert "--ike-id siteb --peer-ike-id sitea" in told.lines[0]
    assert any("hold the pre-shared key" in note for note in told.notes)


def test_as_iproute2_the_shell_reads_it_and_policies_are_this_end_s_mirrored() -> None:
    told = commands(_encrypted(encap=Encap.UDP, local_port=1701, remote_port=1702), "iproute2")
    reqid = Selector(parse_address("192.0.2.1", ""), 17, 1702, 1701).reqid
    assert told.lines[:2] == (
        "ip xfrm policy add src 192.0.2.1/32 dst 0.0.0.0/0 proto udp sport 1701 dport 1702 dir in priority 0"
        f" tmpl proto esp reqid {reqid} mode transport",
        "ip xfrm policy add src 0.0.0.0/0 dst 192.0.2.1/32 proto udp sport 1702 dport 1701 dir out priority 0"
        f" tmpl proto esp reqid {reqid} mode transport",
    )
    assert f'  secret = "{KEY}"' in told.lines and "    local_ts = dynamic[udp/1702]" in told.lines
    first = next(at for at, line in enumerate(told.lines) if line.startswith("ip l2tp"))
    assert told.lines[first - 1] == "swanctl --load-all"
    assert told.lines[-1] == "ip link set dev l2tpeth0 up mtu 1446"  # not what the kernel makes of a waiting policy
    subprocess.run(["sh", "-n"], input="\n".join(told.lines), text=True, check=True)


def test_as_routeros() -> None:
    lines = commands(_encrypted(cookies=True, peer_ike_id="router.example"), "routeros").lines
    assert lines[3] == (
        r'/ip ipsec identity add peer=l2tpv3-20 auth-method=pre-shared-key secret="corr\$ct-horse"'
        " my-id=fqdn:router.example remote-id=address:192.0.2.1"
    )
    assert "src-address=192.0.2.2/32 dst-address=192.0.2.1/32 protocol=115 action=encrypt" in lines[4]
    assert lines[5].startswith("/interface l2tp-ether add")


def test_as_cisco() -> None:
    lines = commands(_encrypted(), "cisco").lines
    assert " match identity remote address 192.0.2.1 255.255.255.255" in lines
    assert " permit 115 host 192.0.2.2 host 192.0.2.1" in lines and f"  pre-shared-key {KEY}" in lines
    assert lines.index(" mode transport") < lines.index("interface OUTSIDE-INTERFACE")
    assert any(line.startswith(" xconnect 192.0.2.1") for line in lines)


def test_as_vyos() -> None:
    seen = _encrypted(encap=Encap.UDP, local_port=1701, remote_port=1702, esp_in_udp=True)
    (one,) = seen.sessions
    seen = dataclasses.replace(
        seen, sessions=(dataclasses.replace(one, spec=dataclasses.replace(one.spec, sublayer=Sublayer.DEFAULT)),)
    )
    lines = commands(seen, "vyos").lines
    peer = "set vpn ipsec site-to-site peer l2tpv3-20"
    assert {f"{peer} tunnel 1 local port 1702", f"{peer} remote-address 192.0.2.1"} <= {*lines}
    assert f"{peer} force-udp-encapsulation" in lines
    assert f"set vpn ipsec authentication psk l2tpv3-20 secret '{KEY}'" in lines


@pytest.mark.parametrize("dialect", sorted({*PEER_FORMATS} - {"l2tpctl", "iproute2", "vyos", "cisco", "routeros"}))
def test_others_have_no_words_for_it(dialect: str) -> None:
    with pytest.raises(InvalidValueError, match=r"encrypted by IPsec, which --as .* has no words for"):
        commands(_encrypted(), dialect)


@pytest.mark.parametrize("dialect", ["cisco", "routeros"])
def test_certificates_are_for_linux_alone(dialect: str) -> None:
    words: dict[str, Any] = {
        "pre_shared_key": None,
        "ike_auth": IkeAuth.CERTIFICATE,
        "ike_id": "CN=a",
        "peer_ike_id": "CN=b",
    }
    with pytest.raises(InvalidValueError, match="certificates, which are given by hand"):
        commands(_encrypted(**words), dialect)
    lines = commands(_encrypted(**words), "iproute2").lines
    assert "   auth = pubkey" in lines and '   id = "CN=b"' in lines and "secrets {" not in lines
