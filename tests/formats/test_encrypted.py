"""The other end of an encrypted tunnel: what is said of it, and what is not."""

from __future__ import annotations

import dataclasses
import shlex

import pytest

from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.mirror import far_end
from l2tpv3.formats.names import PEER_FORMATS
from l2tpv3.formats.peer import commands
from l2tpv3.model import ids, wireguard
from l2tpv3.model.encryption import EncryptionStatus
from l2tpv3.model.spec import Encrypt
from l2tpv3.model.status import TunnelStatus
from tests.formats.status_cases import session, status, tunnel

OURS, NEXT, THEIRS = (bytes([number]) * 32 for number in (8, 16, 24))


def _encrypted(*, peer_known: bool = True) -> TunnelStatus:
    spec = tunnel(
        encrypt=Encrypt.WIREGUARD, private_key=OURS, next_private_key=NEXT, listen_port=51820, peer_listen_port=51821,
        peer_public_key=wireguard.public_key(THEIRS) if peer_known else None, fwmark=7, bind_device="eth0",
    )  # fmt: skip
    encryption = EncryptionStatus(
        public_key=ids.format_key(spec.public_key), local=str(spec.inner_local), remote=str(spec.inner_remote), mtu=1440
    )
    return dataclasses.replace(status(spec, session(mtu=None)), encryption=encryption)


def test_the_other_end_gets_no_private_key_of_this_one() -> None:
    far = far_end(_encrypted()).spec
    assert (far.private_key, far.next_private_key) == (None, None)
    assert far.peer_public_key == wireguard.public_key(OURS)
    assert (far.listen_port, far.peer_listen_port) == (51821, 51820)
    assert (far.fwmark, far.bind_device) == (0, None)


def test_as_iproute2() -> None:
    """The words of wg(8) and ip-link(8); the addresses inside are those of tests/encryption/test_peer.py, live."""
    seen = _encrypted()
    here, there = seen.spec.inner_local, seen.spec.inner_remote
    peer = ids.format_key(wireguard.public_key(OURS))
    told = commands(seen, "iproute2")
    assert list(told.lines[:6]) == [
        "ip link add wg-l2tp mtu 1440 type wireguard",
        f"wg set wg-l2tp listen-port 51821 private-key wireguard.key peer {shlex.quote(peer)}"
        f" endpoint 192.0.2.1:51820 allowed-ips {here}/128 persistent-keepalive 25",
        f"ip address add {there}/128 dev wg-l2tp",
        "ip link set dev wg-l2tp up",
        f"ip route add {here}/128 dev wg-l2tp",
        f"ip l2tp add tunnel tunnel_id 20 peer_tunnel_id 10 encap udp local {there} remote {here}"
        " udp_sport 5001 udp_dport 5000 udp6_csum_tx on udp6_csum_rx on",
    ]
    assert any("leaving in the clear" in note for note in told.notes)


def test_as_iproute2_takes_the_key_of_the_other_end() -> None:
    with pytest.raises(InvalidValueError, match="public key is not known yet") as refused:
        commands(_encrypted(peer_known=False), "iproute2")
    assert "wg genkey | tee wireguard.key | wg pubkey" in refused.value.remedy


@pytest.mark.parametrize("dialect", sorted({*PEER_FORMATS} - {"l2tpctl", "iproute2"}))
def test_other_tools_have_no_words_for_it(dialect: str) -> None:
    with pytest.raises(InvalidValueError, match=r"encrypted by wireguard, which --as .* has no words for"):
        commands(_encrypted(), dialect)
