"""Tunnels and sessions get other names: on record, in links, on netdevs and in workers; nothing is interrupted."""

from __future__ import annotations

from typing import Any

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.errors import ExistsError, InvalidValueError, NotFoundError
from l2tpv3.linux.netns import inside
from l2tpv3.netdev.configurator import RtnetlinkConfigurator
from tests.here import Here
from tests.hosts import Host

pytestmark = pytest.mark.root


@pytest.fixture(params=["user", "ebpf", pytest.param("kernel", marks=pytest.mark.kernel_l2tp)])
def here(underlay: tuple[Host, Host], request: pytest.FixtureRequest) -> Here:
    made = Here(underlay[0])
    made.add_tunnel("siteb", {"remote": "10.99.0.2", "datapath": request.param})
    made.add_session("siteb", "lan", {"ifname": "lan0"})
    made.add_session("siteb", "dmz", {"ifname": "dmz0"})
    return made


def _seen(here: Here, tunnel: str) -> list[Any]:
    status = here.tunnel(tunnel)
    assert {one.condition.value for one in (status, *status.sessions)} == {"up"}
    return [status.worker_pid, *((one.spec.session_id, one.netdev.ifindex) for one in status.sessions)]


def test_a_tunnel_and_a_session_are_renamed_and_stay_what_they_are(here: Here) -> None:
    before = _seen(here, "siteb")
    here.rename_tunnel("siteb", "main")
    assert _seen(here, "main") == before
    assert [one.name for one in here.tunnels()] == ["main"]
    assert here.audit(1)[0].what == "~ tunnel siteb: renamed to main"
    here.rename_session("main", "lan", "wan")
    assert sorted(_seen(here, "main")[1:]) == sorted(before[1:])
    assert here.session("main", "wan").netdev.alias.startswith("l2tpv3 main/wan ")
    assert not here.plan(here.stated(), prune=True).changes
    assert here.restore() == []
    for wrong, error in (("main", ExistsError), ("no name", InvalidValueError)):
        with pytest.raises(error):
            here.rename_tunnel("main", wrong)
    with pytest.raises(NotFoundError):
        here.rename_tunnel("siteb", "other")
    here.set_session("main", "wan", {"mtu": 1300})
    here.del_tunnel("main")
    assert "lan0" not in here.host.ip("link")


def test_links_over_it_say_the_new_name(here: Here) -> None:
    with inside(here.host.netns):
        here.manager.links.add("hub", {"type": "bridge", "over": ["siteb/lan"]})
        here.rename_tunnel("siteb", "main")
        here.rename_session("main", "lan", "wan")
        status = here.manager.links.get("hub")
    assert status.spec.over == ("main/wan",) and status.condition.value == "up"
    assert not here.plan(here.stated(), prune=True).changes


class Killed(RtnetlinkConfigurator):
    """A placer that is interrupted before it marks anything."""

    def mark_again(self, *_: Any) -> None:
        raise KeyboardInterrupt


def test_what_was_interrupted_is_done_by_the_next_change(here: Here) -> None:
    before = _seen(here, "siteb")
    killed = Here(here.host, Manager(Paths(here.host.state_dir, here.host.runtime_dir), placer=Killed()))
    with pytest.raises(KeyboardInterrupt):
        killed.rename_tunnel("siteb", "main")
    here.restore()
    assert _seen(here, "main") == before
