"""Ends typed by `connect --as iproute2`: the kernel's L2TP, in its WireGuard, by iproute2 and wg."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from l2tpv3.connect import echo
from l2tpv3.connect.drawn import Side, drawn
from l2tpv3.connect.typed_end import TypedEnd
from l2tpv3.errors import ConflictError, NotFoundError
from tests.hosts import Host

pytestmark = [pytest.mark.root, pytest.mark.kernel_l2tp, pytest.mark.timeout(300)]

FULL = 1514
ASK = """\
from ipaddress import IPv6Address
from l2tpv3.connect.echo import ask
print(sorted(ask("l2tpeth0", bytes.fromhex({mac!r}), IPv6Address({address!r}), {lengths}, 30)))
"""


@dataclass(frozen=True)
class Namespace:
    """A host where a shell is run in a network namespace."""

    netns: str
    url: str = "ssh://there"
    host: str = "there"
    program: str = "sh"
    here: bool = False
    destination: str = "there"
    known_as: str = "there"

    def argv(self, *_: str) -> list[str]:
        return ["ip", "netns", "exec", self.netns, "sh", "-s", ""]


def test_encrypted_ends_are_typed_tested_and_taken_away(pair: tuple[Host, Host]) -> None:
    a, b = pair
    near, far = TypedEnd(Namespace(a.netns), "here"), TypedEnd(Namespace(b.netns), "there")

    def side(host: Host, address: str) -> Side:
        words = {"address": [address]}
        return Side(tunnel="t", session="lan", address=host.v4, tunnel_words={}, session_words=words)

    sides, facts = (side(a, "10.9.0.1/24"), side(b, "10.9.0.2/24")), (near.facts(), far.facts())
    encrypted, mtu = {"encrypt": "wireguard"}, {"mtu": 1500}
    near.wanted, far.wanted = drawn(*sides, facts, tunnel_words=encrypted, session_words=mtu)
    assert near.plan() and far.plan()
    for end in (near, far):
        end.apply(200)
    there = far.answering()
    assert there.mtu == 1500
    code = ASK.format(mac=there.mac.hex(), address=str(there.address), lengths=(echo.SMALLEST, FULL))
    assert a.run([sys.executable, "-c", code]).stdout == f"[{echo.SMALLEST}, {FULL}]\n"
    assert a.ping("10.9.0.2", "-s", "1472", "-M", "do", count=2)
    far.confirm()
    near.roll_back()
    with pytest.raises(ConflictError, match="there is another one; so it stays"):
        far.remove("t", "0" * 64)
    assert "wg-l2tp" in left(b) and "l2tpeth0" in left(b)
    far.remove("t", far.mark)
    with pytest.raises(NotFoundError):
        far.remove("t", far.mark)
    assert not left(a) and not left(b)


def left(host: Host) -> str:
    return (
        host.ip("l2tp", "show", "tunnel")
        + host.ip("l2tp", "show", "session")
        + host.ip("link", "show", "type", "wireguard")
    )
