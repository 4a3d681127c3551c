"""What conflicts.py allows side by side works, and what it refuses the kernel would refuse too."""

from __future__ import annotations

import pytest

from l2tpv3.errors import ConflictError
from l2tpv3.model.status import Condition
from tests.here import Here
from tests.hosts import Host, Hosts

pytestmark = pytest.mark.root


@pytest.fixture
def hub(hosts: Hosts) -> Here:
    """A host with a tunnel of the ebpf datapath, to 10.99.0.2."""
    host, _ = hosts.pair()
    here = Here(host)
    here.add_tunnel("first", {"remote": "10.99.0.2", "datapath": "ebpf"})
    return here


def test_tunnels_of_one_datapath_share_a_port(hub: Here) -> None:
    hub.add_tunnel("second", {"remote": "10.99.0.3", "datapath": "ebpf"})
    assert {hub.tunnel(name).condition for name in ("first", "second")} == {Condition.UP}


@pytest.mark.parametrize("beside", ["user", "auto"])
def test_those_of_two_datapaths_do_not(hub: Here, beside: str) -> None:
    with pytest.raises(ConflictError, match=r"port 1701 of 10\.99\.0\.1 is tunnel first's"):
        hub.add_tunnel("second", {"remote": "10.99.0.3", "datapath": beside, "local-port": 1701})
    hub.add_tunnel("second", {"remote": "10.99.0.3", "datapath": beside, "local-port": 1702})


def test_nor_does_the_kernel_let_them(hosts: Hosts) -> None:
    """As two hosts' records in one namespace show, which know nothing of each other."""
    host, _ = hosts.pair()
    other = Here(Host("other", host.netns, host.folder / "other"))
    Here(host).add_tunnel("first", {"remote": "10.99.0.2", "datapath": "ebpf"})
    with pytest.raises(ConflictError, match=r"bind 10\.99\.0\.1 port 1701"):
        other.add_tunnel("second", {"remote": "10.99.0.3", "datapath": "user", "local-port": 1701})
