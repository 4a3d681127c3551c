"""Pseudowires that a change over NATS has to test: which they are, and how both ends test each."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from l2tpv3.errors import NotFoundError
from l2tpv3.fleet.nats.wire_test import NO_NETDEV, FrameTest, nonce_of
from l2tpv3.fleet.nats.wires import wires_to_test
from tests.waiting import eventually

_END = """
[tunnel.{name}]
remote = "{remote}"
local = "{local}"
id = {id}
[tunnel.{name}.session.s]
id = {id}
mtu = {mtu}
"""
_A, _B, _C = "192.0.2.1", "192.0.2.2", "192.0.2.3"


def _end(name: str, local: str, remote: str, number: int = 7, mtu: int = 1400) -> str:
    return _END.format(name=name, local=local, remote=remote, id=number, mtu=mtu)


def test_a_pseudowire_is_found_by_its_ids_and_addresses() -> None:
    new = {
        "a": _end("b", _A, _B) + _end("out", _A, "192.0.2.99", 8),
        "b": _end("a", _B, _A) + _end("c", _B, _C),
        "c": _end("b", _C, _B) + _end("out", _C, "192.0.2.99", 8),
    }
    assert wires_to_test({}, new) == {"a": ["b/s"], "b": ["a/s", "c/s"], "c": ["b/s"]}


def test_only_what_differs_at_an_end_is_tested_and_then_at_both() -> None:
    before: dict[str, str | None] = {
        "a": _end("b", _A, _B) + _end("c", _A, _C),
        "b": _end("a", _B, _A),
        "c": _end("a", _C, _A),
    }
    new = {"a": _end("b", _A, _B) + _end("c", _A, _C, mtu=1300), "b": _end("a", _B, _A), "c": _end("a", _C, _A)}
    assert wires_to_test(before, new) == {"a": ["c/s"], "c": ["a/s"]}
    assert wires_to_test(new, new) == {}


@pytest.mark.parametrize("other", ['id = 7\nremote = "192.0.2.1"\n', "what = [", '[tunnel.a]\nremote = "192.0.2.1"\n'])
def test_what_can_not_be_told_is_not_tested(other: str) -> None:
    assert wires_to_test({}, {"a": _end("b", _A, _B), "b": other}) == {}


@pytest.fixture
def netdevs() -> Iterator[tuple[str, str]]:
    names = ("nats-a", "nats-b")
    subprocess.run(["ip", "link", "add", names[0], "type", "veth", "peer", names[1]], check=True)
    try:
        for name in names:
            subprocess.run(["ip", "link", "set", name, "up"], check=True)
        yield names
    finally:
        subprocess.run(["ip", "link", "del", names[0]], check=True)


@pytest.mark.root
def test_both_ends_ask_and_answer_until_frames_of_full_size_pass(netdevs: tuple[str, str]) -> None:
    news: list[str] = []
    nonce = nonce_of("change")
    near = FrameTest({"w": (netdevs[0], 1500), "none": None}, nonce, lambda: news.append("near"))
    try:
        other = FrameTest({"w": (netdevs[1], 1500)}, nonce_of("another change"), lambda: news.append("other"))
        other.close()
        assert near.wrong() == {"w": "no frame that is sent through it is answered", "none": NO_NETDEV}
        # The far end says that it carries more than it does: frames of the full size of both do not pass.
        subprocess.run(["ip", "link", "set", netdevs[1], "mtu", "1000"], check=True)
        far = FrameTest({"w": (netdevs[1], 1500)}, nonce, lambda: news.append("far"))
        try:
            eventually(lambda: "full size, 1514 bytes" in near.wrong()["w"])
        finally:
            far.close()
        far = FrameTest({"w": (netdevs[1], 1000)}, nonce, lambda: news.append("far"))
        try:
            eventually(lambda: sorted(near.wrong()) == ["none"] and not far.wrong())
            eventually(lambda: sorted(news) == ["far", "near"])
        finally:
            far.close()
    finally:
        near.close()


@pytest.mark.root
def test_a_netdev_that_is_gone_is_an_error() -> None:
    with pytest.raises(NotFoundError):
        FrameTest({"w": ("nats-none", 1500)}, nonce_of("change"), lambda: None)
