"""Which sessions can be members of a bond that speaks LACP: those whose netdev tells its duplex."""

from __future__ import annotations

import pytest

from l2tpv3.links.kinds.bond import check_lacp
from l2tpv3.model.links.spec import LinkSpec
from tests.here import Here
from tests.hosts import Hosts


@pytest.mark.root
@pytest.mark.parametrize("datapath", ["user", "ebpf"])
def test_sessions_that_have_a_worker(hosts: Hosts, datapath: str) -> None:
    host, _ = hosts.pair()
    here = Here(host)
    here.add_tunnel("peer", {"remote": "10.99.0.2", "datapath": datapath})
    here.add_session("peer", "lan", {"ifname": "pw0"})
    words = {"name": "bond0", "type": "bond", "mode": "802.3ad", "over": "pw0", "over-netns": host.netns}
    check_lacp(LinkSpec.from_words(words), "pw0")
