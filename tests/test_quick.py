"""The quick way of plan and apply finds what the long one finds: on a kernel with l2tp_eth."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from l2tpv3.describe import describe
from l2tpv3.errors import L2tpError
from l2tpv3.netlink.sock import NetlinkSocket
from l2tpv3.netns import inside
from l2tpv3.quick import Known
from l2tpv3.wanted import WantedSession, WantedTunnel
from tests.here import Here
from tests.hosts import Host, Hosts
from tests.picture import picture

pytestmark = [pytest.mark.root, pytest.mark.kernel_l2tp]

TUNNELS, SESSIONS = 3, 4
_GETLINK, _GETADDR = 18, 22  # linux/rtnetlink.h


class Site:
    """A host with tunnels to another, all as `wanted`; `known` says whether the quick way is there."""

    def __init__(self, host: Host, peer: str) -> None:
        self.host, self.peer, self.here = host, peer, Here(host)
        self.here.apply(self.wanted())

    def wanted(self, **changes: Any) -> list[WantedTunnel]:
        """changes: words of the last session of the last tunnel."""
        found = []
        for tunnel in range(TUNNELS):
            last = tunnel == TUNNELS - 1
            sessions = []
            for number in range(SESSIONS):
                words = {
                    "id": number + 1,
                    "ifname": f"pw{tunnel}x{number}",
                    "mtu": 1400,
                    "address": [f"10.{tunnel}.{number}.1/24"],
                }
                changed = changes if last and number == SESSIONS - 1 else {}
                sessions.append(WantedSession(name=f"s{number}", words={**words, **changed}))
            port = 5000 + tunnel
            words = {
                "remote": self.peer,
                "id": tunnel + 1,
                "local-port": port,
                "remote-port": port,
                "datapath": "kernel",
            }
            found.append(WantedTunnel(name=f"t{tunnel}", words=words, sessions=tuple(sessions)))
        return found

    def known(self, wanted: list[WantedTunnel]) -> Known | None:
        manager = self.here.manager
        with inside(self.host.netns):
            quick = manager._engine._quick
            assert quick is not None
            return quick.known(manager._request(tuple(wanted), prune=False))

    def planned(self, wanted: list[WantedTunnel]) -> list[str]:
        """What a plan says, which has to be the same without memory."""
        steps = describe(self.here.plan(wanted).steps)
        (self.here.places.runtime / "remembered").unlink(missing_ok=True)
        assert steps == describe(self.here.plan(wanted).steps)
        return [f"{one.sign} {one.subject}: {one.text}" for one in steps]


@pytest.fixture
def site(hosts: Hosts) -> Iterator[Site]:
    a, b = hosts.pair()
    yield Site(a, b.v4)


def test_a_second_look_is_quick_and_counters_do_not_matter(site: Site) -> None:
    assert site.known(site.wanted()) is not None
    site.host.run(["ping", "-c1", "-W1", "10.0.0.2"], check=False)
    known = site.known(site.wanted())
    assert known is not None and not known.touched
    assert site.here.plan([]).steps == () and site.here.apply(site.wanted()).steps == ()
    assert site.planned(site.wanted()) == []


def test_only_what_others_change_is_listed_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of netdevs and addresses, that is, in the manager's own namespace."""
    asked: list[int] = []
    dump_bytes = NetlinkSocket.dump_bytes

    def noted(self: NetlinkSocket, kind: int, body: bytes) -> list[bytes]:
        asked.append(kind)
        return dump_bytes(self, kind, body)

    monkeypatch.setattr(NetlinkSocket, "dump_bytes", noted)

    def kinds() -> set[int]:
        asked.clear()
        assert site.here.plan(site.wanted()).steps == ()
        return set(asked)

    def settles_to(expected: set[int]) -> bool:
        """After a while: the kernel has things to tell of its own, such as the end of duplicate address detection."""
        give_up = time.monotonic() + 20
        while kinds() != expected:
            assert time.monotonic() < give_up
        return True

    everything = kinds()
    rest = everything - {_GETLINK, _GETADDR}
    assert everything > rest != set(), "tunnels and sessions are listed each time"
    assert settles_to(rest)
    site.host.ip("link", "set", "u0", "mtu", "1400")
    assert kinds() == everything
    site.here.apply(site.wanted())  # which remembers it
    assert settles_to(rest)
    site.here.apply(site.wanted(mtu=1300))
    site.here.apply(site.wanted())
    assert settles_to(rest)


def test_an_alias_of_a_netdev_that_is_down_shows(site: Site) -> None:
    """Of which the kernel does not tell."""
    wanted = site.wanted(up=False)
    for _ in range(3):
        site.here.apply(wanted)
    site.host.ip("link", "set", f"pw{TUNNELS - 1}x{SESSIONS - 1}", "alias", "none")
    assert site.planned(wanted) != []


@pytest.mark.parametrize(
    "command",
    [
        "link set pw0x0 mtu 1300", "link set pw0x1 down", "link set pw1x2 alias none",
        "address del 10.2.1.1/24 dev pw2x1", "l2tp del session tunnel_id 2 session_id 3", "l2tp del tunnel tunnel_id 3",
    ],
)  # fmt: skip
def test_what_another_program_changes_shows(site: Site, command: str) -> None:
    site.host.ip(*command.split())
    if "del tunnel" in command:  # the kernel does that by and by
        give_up = time.monotonic() + 20
        while "pw2x" in site.host.ip("-br", "link") or "Tunnel 3" in site.host.ip("l2tp", "show", "tunnel"):
            assert time.monotonic() < give_up
            time.sleep(0.05)
    assert site.planned(site.wanted()) != []
    site.here.apply(site.wanted())
    assert site.planned(site.wanted()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"mtu": 1300}, {"address": []}, {"up": False}, {"sequencing": "both"}, {"tx-cookie": b"12345678"},
        {"sublayer": "none"}, {"mac": "02:00:5e:00:53:01"},
    ],
)  # fmt: skip
def test_a_change_of_one_session_is_quick_and_the_same(site: Site, changes: dict[str, Any]) -> None:
    before = picture(site.host)
    wanted = site.wanted(**changes)
    known = site.known(wanted)
    assert known is not None and [one.name for one in known.touched] == [f"t{TUNNELS - 1}"]
    quick = describe(site.here.plan(wanted).steps)
    assert quick
    assert describe(site.here.apply(wanted).steps) == quick
    assert site.here.plan(wanted).steps == () and site.planned(wanted) == []
    site.here.apply(site.wanted())
    if not {"mac", "tx-cookie"} & changes.keys():  # it keeps what it was given where nothing else is wanted
        assert picture(site.host) == before


@pytest.mark.parametrize(
    "changes", [{"id": 77}, {"ifname": "else0"}, {"ifname": "pw0x0"}, {"bridge": "none0"}, {"x": 1}]
)
def test_what_others_could_want_too_takes_the_long_way(site: Site, changes: dict[str, Any]) -> None:
    wanted = site.wanted(**changes)
    results: list[object] = []
    for _ in range(2):
        try:
            results.append(describe(site.here.plan(wanted).steps))
        except L2tpError as error:
            results.append(str(error))
        (site.here.places.runtime / "remembered").unlink(missing_ok=True)
    assert results[0] == results[1] and results[0]


def test_a_quick_change_that_fails_is_undone(site: Site) -> None:
    before = picture(site.host)
    with pytest.raises(L2tpError):
        site.here.apply(site.wanted(address=["ff02::5/64"]))
    assert picture(site.host) == before
    assert site.planned(site.wanted()) == []
