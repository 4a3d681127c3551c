"""What the kernel told is compared as far as plans look at it: what they see shows, counters do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import pytest

from l2tpv3.everything import Edits
from l2tpv3.netlink.route import RouteSocket
from l2tpv3.netlink.tape import Tape, spoil, taping
from l2tpv3.places import Places
from l2tpv3.plan import Change
from l2tpv3.quick import _INPUTS
from l2tpv3.recall import Recall, Remembered, digests_of
from l2tpv3.records import SessionRecord, TunnelRecord
from l2tpv3.replay import Part, changes, differences, pare, replay
from l2tpv3.spec import SessionSpec, TunnelSpec
from l2tpv3.store import AuditEntry, Store
from l2tpv3.wanted import WantedSession, WantedTunnel
from l2tpv3.world import World
from tests.hosts import Host

PAIRS = 20  # more than one datagram's


def _taped(netns: str) -> Tape:
    with taping() as tape, RouteSocket(netns) as route:
        route.links()
        list(route.addresses())
    assert not tape.spoiled and len(tape.takes) == 2
    return tape


@pytest.fixture
def parts(netns: Callable[[str], Host]) -> SimpleNamespace:
    host = netns("a")
    for number in range(PAIRS):
        host.ip("link", "add", f"d{number}", "type", "veth", "peer", "name", f"p{number}")
    for name in ("d1", "p1"):  # else they get an address once they have a carrier, which may be after the first look
        host.ip("link", "set", name, "addrgenmode", "none")
    host.ip("link", "set", "p1", "up")
    host.ip("link", "set", "d1", "up", "mtu", "1400", "alias", "ours")
    host.ip("address", "add", "192.0.2.1/24", "dev", "d1")
    assert host.netns is not None
    return SimpleNamespace(host=host, parts=list(map(pare, _taped(host.netns).takes)))


def _found(parts: list[Part]) -> list[object] | None:
    takes = replay(parts)
    assert takes is not None
    found = differences(parts, takes)
    at_once = changes(parts)()
    assert (found is None) == (at_once is None) and len(found or ()) == len(at_once or ())
    return None if found is None else list(found)


@pytest.mark.root
def test_nothing_differs_while_only_counters_do(parts: SimpleNamespace) -> None:
    assert _found(parts.parts) == []
    parts.host.run(["ping", "-c1", "-W1", "-I", "d1", "192.0.2.9"], check=False)
    assert _found(parts.parts) == []
    of_addresses = parts.parts[1:]
    parts.host.ip(*["address", "change", "192.0.2.1/24", "dev", "d1", "valid_lft", "999", "preferred_lft", "99"])
    (takes,) = [take for take in replay(parts.parts) or () if take.kind == of_addresses[0].kind]
    assert pare(takes) == of_addresses[0], "nor does how long an address lasts"
    assert sum(len(piece.kept) for part in parts.parts for piece in part.pieces) < sum(
        piece.size for part in parts.parts for piece in part.pieces
    )


@pytest.mark.root
@pytest.mark.parametrize(
    "command",
    [
        "link set d7 mtu 1300", "link set d1 down", "link set d7 alias ours2", "link set d7 address 02:00:00:00:00:07",
        "link set d7 name e7", "link add br0 type bridge", "link del d7", "address del 192.0.2.1/24 dev d1",
        "address add 192.0.2.2/24 dev d7",
    ],
)  # fmt: skip
def test_what_a_plan_looks_at_shows(parts: SimpleNamespace, command: str) -> None:
    parts.host.ip(*command.split())
    found = _found(parts.parts)
    assert found is None or found


@pytest.mark.root
def test_what_differs_is_told_and_the_rest_kept_as_it_was(parts: SimpleNamespace) -> None:
    parts.host.ip("link", "set", "d7", "mtu", "1300")
    takes = replay(parts.parts)
    assert takes is not None
    now: list[Part] = []
    assert {item[1].ifname for item in differences(parts.parts, takes, now) or ()} == {"d7"}  # type: ignore[attr-defined]
    assert now == list(map(pare, takes))
    assert _found(now) == []


@pytest.mark.root
def test_a_taken_port_is_no_answer(parts: SimpleNamespace) -> None:
    with taping(), RouteSocket(parts.host.netns):
        assert replay(parts.parts) is None
        assert changes(parts.parts)() is None


@pytest.mark.root
def test_what_was_not_dumped_spoils_a_tape(parts: SimpleNamespace) -> None:
    with taping() as tape, RouteSocket(parts.host.netns) as route:
        route.link("d1")
    assert tape.spoiled
    with taping() as tape:
        spoil()
    assert tape.spoiled


def test_plans_look_at_nothing_that_is_not_remembered() -> None:
    """Whoever adds an input to plans has it remembered too, or the memory says too little: see recall.py, quick.py."""
    assert tuple({one.name for one in dataclasses.fields(kind)} for kind in (Change, World)) == _INPUTS


# -- the memory --------------------------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "s", tmp_path / "r")
    places.make()
    return places


AUDIT = AuditEntry(at=0.0, who="me", what="x")
RECORD = TunnelRecord(
    spec=TunnelSpec(name="a", remote=ip_address("192.0.2.2")),
    local=ip_address("192.0.2.1"),
    datapath="kernel",
    reason="",
    sessions=(SessionRecord(spec=SessionSpec(name="s", ifname="x"), mtu=1400),),
)
REMEMBERED = Remembered(digests={"a": b"1"}, takes=[Part(0, None, 1, 18, b"", [])], pruned=("a",))


def test_it_lasts_until_the_record_changes(places: Places) -> None:
    recall = Recall(places)
    store = Store(places.state, recall.forget)
    store.commit(Edits(tunnels={"a": RECORD}), AUDIT)
    recall.keep(REMEMBERED, [None])
    assert recall.load() == REMEMBERED
    assert (places.runtime / "remembered").stat().st_mode & 0o777 == 0o600
    assert store.load(["a"]).tunnels == store.tunnels() and store.load([]).tunnels == {} == store.load(["b"]).tunnels
    assert recall.load() == REMEMBERED  # reading changes nothing
    store.commit(Edits(), AUDIT)
    assert recall.load() is None


def test_a_record_that_something_else_changed_is_not_taken_for_it(places: Places) -> None:
    recall = Recall(places)
    Store(places.state).commit(Edits(tunnels={"a": RECORD}), AUDIT)
    recall.keep(REMEMBERED, [None])
    Store(places.state).commit(Edits(tunnels={"a": None}), AUDIT)
    assert recall.load() is None


@pytest.mark.parametrize("content", [b"", b"junk", b"i\x01\x00\x00\x00", b"{0"])
def test_a_damaged_memory_is_none(places: Places, content: bytes) -> None:
    recall = Recall(places)
    Store(places.state).commit(Edits(tunnels={"a": RECORD}), AUDIT)
    (places.runtime / "remembered").write_bytes(content)
    assert recall.load() is None


def test_a_digest_tells_words_apart() -> None:
    def one(**words: object) -> WantedTunnel:
        return WantedTunnel(name="a", words={"id": 1}, sessions=(WantedSession(name="s", words=words),))

    all_words: list[dict[str, object]] = [
        {"up": True},
        {"up": 1},
        {"mtu": 1400},
        {"mtu": "1400"},
        {"tx_cookie": b"1"},
        {"tx_cookie": "1"},
        {},
    ]
    digests = [(digests_of([one(**words)]) or {})["a"] for words in all_words]
    assert len(set(digests)) == len(digests)
    assert digests_of([one(), one()]) is None
    assert digests_of([one(x=object())]) is None
